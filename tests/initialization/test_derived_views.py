"""Views before training, against SciPy and scikit-learn."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter1d
from sklearn.decomposition import PCA

from skcausalpima import CausalPIMA, MultimodalData, datasets
from skcausalpima._data.validation import read_modalities
from skcausalpima._initialization.derived_views import CURVE_SCALES, _centred, fit_views
from skcausalpima._model.objects import parameters_of
from skcausalpima._model.scaled_samples import fit_data
from skcausalpima._model.setup import set_up


def views_of(X, **parameters):
    est = CausalPIMA((2, 2), **parameters)
    given = read_modalities(est, MultimodalData(X), reset=True)
    setup, samples = set_up(parameters_of(est), given)
    data = fit_data(samples, setup)
    return fit_views(setup, data, 0), data


@pytest.fixture(scope="module")
def curves():
    return datasets.make_spectra(60, random_state=0).curves.astype(np.float64)


def test_coarse_copies_of_curves(curves):
    views, data = views_of([curves])
    values = curves / curves.std()
    levels = []
    for scale in CURVE_SCALES:
        level = gaussian_filter1d(values, scale * 200, axis=1, mode="nearest")
        level = level - level.mean(axis=0)
        levels.append(level / np.sqrt(level.var(axis=0).sum()))
    expected = PCA(20, svd_solver="full").fit_transform(np.hstack(levels))
    view = views[0]
    assert_allclose(np.abs(view.scores[:, :4]), np.abs(expected[:, :4]), atol=2e-3)
    x = data.arrays[0].numpy() * view.slope + view.offset
    assert_allclose((x - view.mean) @ view.components, view.scores, atol=1e-5)
    assert view.placing is None


def test_each_level_has_a_variance_of_one_in_all(curves):
    views, _ = views_of([curves])
    assert_allclose(views[0].scores.var(axis=0).sum(), len(CURVE_SCALES), rtol=1e-3)
    images = datasets.make_sprites(80, random_state=0).images
    views, _ = views_of([images])
    assert 0.7 < views[0].scores.var(axis=0).sum() <= 1.0 + 1e-6
    assert views[0].placing.shape == (80, 8 * 8 + 16 * 16)
    assert_allclose(views[0].placing.var(axis=0).sum(), 2.0, rtol=1e-5)


@pytest.mark.parametrize("scale", ["modality", "feature", None])
def test_spectra_are_those_of_images_in_their_own_units(scale):
    """Whatever the scaling, which centres every pixel."""
    images = datasets.make_sprites(50, random_state=0).images.astype(np.float64)
    views, _ = views_of([images], scale=scale)
    reference, _ = views_of([images])
    assert_allclose(np.abs(views[0].scores), np.abs(reference[0].scores), atol=1e-4)
    moved, _ = views_of([10.0 * images], scale=scale)
    assert_allclose(np.abs(moved[0].scores), np.abs(views[0].scores), atol=1e-4)


def test_absent_images_have_zeros_and_do_not_count():
    images = datasets.make_sprites(50, random_state=0).images.astype(np.float64)
    other = np.random.default_rng(0).normal(size=(50, 3))
    holed = images.copy()
    holed[40:] = np.nan
    views, _ = views_of([holed, other])
    assert (views[0].scores[40:] == 0).all()
    assert (views[0].placing[40:] == 0).all()
    alone, _ = views_of([images[:40], other[:40]])
    assert_allclose(views[0].components, alone[0].components, atol=1e-5)


def test_what_does_not_vary_has_a_view_of_zeros():
    images = np.ones((30, 16, 16))
    views, data = views_of([images, np.random.default_rng(0).normal(size=(30, 3))])
    assert_allclose(views[0].scores, 0.0, atol=1e-6)
    assert np.isfinite(views[0].components).all()
    assert torch.isfinite(data.arrays[0]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_centred_images_do_not_know_the_place(channels):
    generator = torch.Generator().manual_seed(0)
    image = torch.zeros(1, channels, 20, 18)
    image[:, :, 6:11, 4:7] = 1.0 + torch.rand(1, channels, 5, 3, generator=generator)
    moved = torch.cat([image.roll(shift, dims=(2, 3)) for shift in ((0, 0), (4, 5), (-5, -3))])
    centred = _centred(moved)
    assert torch.equal(centred[1], centred[0])
    assert torch.equal(centred[2], centred[0])
    mass = centred[0].sum(dim=0)
    assert abs(float((mass.sum(dim=1) @ torch.arange(20.0)) / mass.sum()) - 9.5) <= 0.5
    assert abs(float((mass.sum(dim=0) @ torch.arange(18.0)) / mass.sum()) - 8.5) <= 0.5
