"""Which modality has which derived view."""

import numpy as np
import pytest

from skcausalpima import CausalPIMA, MultimodalData, datasets
from skcausalpima._data.validation import read_modalities
from skcausalpima._model.objects import parameters_of
from skcausalpima._model.setup import set_up
from skcausalpima.modules import line

N = 40


def kinds(X, node_sizes=(2, 2), **parameters):
    est = CausalPIMA(node_sizes, **parameters)
    setup, _ = set_up(parameters_of(est), read_modalities(est, MultimodalData(X), reset=True))
    return setup.spec.views


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


def test_images_and_curves_have_views_by_default(rng):
    images = rng.normal(size=(N, 16, 16))
    curves = np.cumsum(rng.normal(size=(N, 30)), axis=1)
    table = rng.normal(size=(N, 30))
    small = rng.normal(size=(N, 8, 8))
    assert kinds([images, curves, table, small]) == ("power_spectrum", "scale_space", None, None)
    colour = rng.normal(size=(N, 16, 17, 3))
    assert kinds([colour, table]) == ("power_spectrum", None)


def test_a_curve_is_told_from_a_table_whatever_its_columns_mean(rng):
    spectra = datasets.make_spectra(N, random_state=0).curves
    assert kinds([spectra]) == ("scale_space",)
    assert kinds([spectra[:, rng.permutation(200)]]) == (None,)
    common = rng.normal(size=(N, 1)) + 0.5 * rng.normal(size=(N, 40))  # all columns alike
    assert kinds([common]) == (None,)
    assert kinds([common * 10.0 ** np.arange(40.0)]) == (None,)
    holed = spectra.astype(float)
    holed[: N // 2] = np.nan
    assert kinds([holed, rng.normal(size=(N, 2))]) == ("scale_space", None)


@pytest.mark.parametrize(
    "parameters", [{"node_sizes": (4,)}, {"init": "paper"}, {"views": None}, {"experts": [line]}]
)
def test_where_there_are_none(parameters):
    spectra = datasets.make_spectra(N, random_state=0).curves
    assert kinds([spectra], **parameters) == (None,)


def test_views_can_be_stated(rng):
    X = {"image": rng.normal(size=(N, 9, 9)), "curve": rng.normal(size=(N, 9))}
    assert kinds(X, views={"image": "power_spectrum"}) == ("power_spectrum", None)
    assert kinds(X, views=[None, "scale_space"]) == (None, "scale_space")
    assert kinds(X, (4,), views=["power_spectrum", None]) == ("power_spectrum", None)


@pytest.mark.parametrize(
    ("views", "error", "message"),
    [
        (
            ["spectrum"],
            TypeError,
            "must be one of 'scale_space', 'power_spectrum' or None, got 'spectrum'",
        ),
        (["scale_space"], ValueError, r"views\['modality0'\] is 'scale_space', .* 1 axes, but .*9"),
        ([None, None], ValueError, "views must have one entry per modality, 1, got 2"),
        ({"x": None}, ValueError, r"views names the modalities \['x'\]"),
        ("coarse", ValueError, "'views'"),
    ],
)
def test_views_that_do_not_suit(rng, views, error, message):
    with pytest.raises(error, match=message):
        CausalPIMA(views=views, max_iter=1).fit(rng.normal(size=(N, 9, 9)))
