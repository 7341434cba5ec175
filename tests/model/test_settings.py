"""Presets of the schedule, by what says how many epochs there are."""

from dataclasses import replace

import pytest

from skcausalpima._model.settings import Schedule, schedule

FREE = Schedule(n_epochs=50, holds_start=True)
SHORT = Schedule(
    n_epochs=20,
    pretraining_epochs=3,
    rate_factor=2.0,
    polishing_decays=True,
    holds_start=True,
    fits_last_layers=True,
)


def given(max_iter, n_samples, batch_size=128, **options):
    """Return what a schedule is asked with."""
    return (max_iter, n_samples, batch_size), options


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (given(7, 3000, is_free=True), Schedule(n_epochs=7, is_stated=True)),
        (given(7, 10**6), Schedule(n_epochs=7, is_stated=True)),
        (given("auto", 3000, is_free=True), FREE),
        (given("auto", 10**6, is_free=True, is_paper=True), FREE),
        (
            given("auto", 10**5, is_free=True),
            Schedule(n_epochs=110, holds_start=True, fits_last_layers=True, n_rows=4096),
        ),
        (
            given("auto", 2000),
            replace(SHORT, n_epochs=38, pretraining_epochs=10),
        ),
        (
            given("auto", 2001),
            SHORT,
        ),
        (given("auto", 4097), replace(SHORT, n_epochs=11, n_rows=4096)),
        (given("auto", 10**6, batch_size=1024), replace(SHORT, n_epochs=130, n_rows=32768)),
        (given("auto", 10**6, n_cells=4096), replace(SHORT, n_epochs=46, n_rows=131072)),
    ],
)
def test_what_each_origin_of_the_number_of_epochs_implies(given, expected):
    arguments, options = given
    assert schedule(*arguments, **options) == expected
    assert expected.polishing_epochs == 0  # the structure has them


def test_polishing_is_as_long_beside_training_where_epochs_are_shares():
    of_all = Schedule(n_epochs=20, polishing_epochs=5, polishing_decays=True)
    assert of_all.n_polished(20) == of_all.n_polished(3) == 5
    of_shares = replace(of_all, n_rows=4096)
    assert [of_shares.n_polished(n) for n in (10, 12, 53)] == [5, 6, 27]
    assert replace(of_shares, polishing_epochs=0).n_polished(53) == 0
    assert replace(of_shares, polishing_decays=False).n_polished(53) == 5  # of free clusters
    assert of_all.n_settled is None
