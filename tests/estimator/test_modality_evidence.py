"""Which modality says what: samples whose modalities do not belong together."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal


@pytest.fixture(scope="module")
def mispaired(taught):
    """Three groups that each modality shows, and a fit; then five samples with others' curves."""
    rng = np.random.default_rng(0)
    group = np.tile(np.arange(3), 50)
    images = rng.normal(size=(150, 3, 2)) + 5.0 * group[:, None, None]
    curves = rng.normal(size=(150, 4)) + 5.0 * group[:, None]
    model = taught((3,), max_iter=5, training__batch_size=20).fit(
        {"image": images, "curve": curves}
    )
    curves[:5] = curves[[10, 11, 12, 13, 15]]
    return model, images, curves


@pytest.mark.slow
def test_conflict_finds_samples_with_another_ones_curve(mispaired):
    model, images, curves = mispaired
    found = model.modality_evidence([images, curves])
    assert found.modality_names == ("image", "curve")
    assert found.conflict.shape == found.influence.shape == (150, 2)
    assert set(found.conflict[:, 0].argsort()[-5:]) == set(range(5))
    assert found.conflict[:5].min() > 0.5
    assert found.conflict[5:].max() < 0.5
    assert found.conflict.max() <= np.log(2) + 1e-12
    assert_allclose(found.conflict[:, 0], found.conflict[:, 1])


def test_a_modality_that_repeats_the_other_moves_nothing(mispaired):
    model, images, curves = mispaired
    influence = model.modality_evidence([images, curves]).influence
    assert np.median(influence[5:]) < 0.05
    alone = model.modality_evidence([images, None]).influence
    assert np.median(alone[:, 0]) > 0.5  # what the image says beyond the weights
    assert_array_equal(alone[:, 1], 0.0)


def test_the_only_modality_has_nobody_to_disagree_with(mispaired):
    model, images, _ = mispaired
    assert np.isnan(model.modality_evidence([images, None]).conflict).all()


def test_one_row_and_nothing_observed(mispaired):
    model, images, curves = mispaired
    everything = model.modality_evidence([images, curves])
    one = model.modality_evidence([images[7:8], curves[7:8]])
    assert_allclose(one.conflict, everything.conflict[7:8], atol=1e-6)
    nothing = model.modality_evidence([np.full((1, 3, 2), np.nan), np.full((1, 4), np.nan)])
    assert_array_equal(nothing.influence, [[0.0, 0.0]])
    assert np.isnan(nothing.conflict).all()


def test_each_modality_shows_its_own_node(fitted_and_taught, pair):
    """Images differ in one node, curves in the other: what one shows is lost without it."""
    evidence = fitted_and_taught.modality_evidence(pair)
    shown_by = evidence.shows.argmax(axis=0)
    assert_array_equal(evidence.shows.sum(axis=0), 1)
    assert sorted(shown_by) == [0, 1]
    for node, modality in enumerate(shown_by):
        assert evidence.alone[modality, node] > 0.8
        assert evidence.without[modality, node] < 0.2
        assert evidence.alone[1 - modality, node] < 0.2
        assert evidence.said[modality, node] > 0.9
    assert (evidence.alone_se < 0.1).all()


def test_the_table_has_a_row_for_each_modality_and_node(fitted_and_taught, pair):
    evidence = fitted_and_taught.modality_evidence(pair)
    frame = evidence.to_frame()
    assert frame.index.names == ["modality", "node"]
    assert frame.loc[("modality1", "N2"), "without_se"] == evidence.without_se[1, 1]
    text = str(evidence)
    assert text.startswith("What modalities say of nodes (72 samples)")
    assert f"{evidence.alone[0, 0]:.2f} ± {evidence.alone_se[0, 0]:.2f}" in text
    assert evidence._repr_html_().count("<tr>") == 5


def test_modalities_that_nobody_has_say_nothing_of_nodes(fitted_and_taught, pair):
    evidence = fitted_and_taught.modality_evidence([pair[0], None])
    assert np.isnan(evidence.alone[1]).all()
    assert_allclose(evidence.without[0], 0.0, atol=0.02)  # nothing is left: the weights
    assert not evidence.shows[1].any()


def test_the_result_is_not_changed_by_accident(mispaired):
    model, images, curves = mispaired
    with pytest.raises(FrozenInstanceError):
        model.modality_evidence([images, curves]).conflict = None


@pytest.mark.slow
def test_one_modality_has_no_evidence_to_compare(quick, pair):
    with pytest.raises(ValueError, match="only one modality, 'modality0': expected a model of two"):
        quick((2,)).fit(pair[1]).modality_evidence(pair[1])


def test_it_needs_encoders_of_single_modalities(fitted, pair):
    assert fitted.missing_values.subset_epochs == 0
    with pytest.raises(ValueError, match=r"no encoders.*MissingValues\(subset_epochs=10\)"):
        fitted.modality_evidence(pair)
