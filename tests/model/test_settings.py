"""Presets of the schedule, by what says how many epochs there are."""

import pytest

from skcausalpima._model.settings import Schedule, schedule


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((7, 3000, 128, True), Schedule(n_epochs=7, is_stated=True)),
        (("auto", 3000, 128, True), Schedule(n_epochs=50, holds_start=True)),
        (
            ("auto", 2000, 128),
            Schedule(n_epochs=38, rate_factor=2.0, polishing_decays=True, holds_start=True),
        ),
        (
            ("auto", 2001, 128),
            Schedule(
                n_epochs=20,
                pretraining_epochs=3,
                rate_factor=2.0,
                polishing_decays=True,
                holds_start=True,
                fits_last_layers=True,
            ),
        ),
    ],
    ids=["stated", "free", "planned", "short"],
)
def test_what_each_origin_of_the_number_of_epochs_implies(given, expected):
    assert schedule(*given) == expected
    assert expected.polishing_epochs == 0  # the structure has them
