"""What must not go through in silence: weights, counts, numbers of parameters.

What X may be is asked of the gate, in tests/data.
"""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

from skcausalpima import (
    BackgroundKnowledge,
    GradientStructure,
    MissingValues,
    ModalityTransformer,
    MultimodalData,
    ScoreSearch,
)
from skcausalpima.inspection import associate_nodes, edge_confidence
from skcausalpima.model_selection import select_node_sizes

HUGE = 10**400


# Weights


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (np.r_[-1.0, np.ones(71)], "Negative values"),
        (np.zeros(72), "adds up to 0 samples|at least one non-zero"),
        (np.r_[np.nan, np.ones(71)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(71)], "sample_weight contains infinity"),
        (np.r_[np.inf, -np.inf, np.ones(70)], "sample_weight contains infinity"),
        (np.full(72, 1e308), "adds up to inf samples"),
        ([HUGE] + [1] * 71, "sample_weight.* too large|sample_weight.* beyond"),
        (HUGE, "sample_weight.* too large|sample_weight.* beyond"),
        (-1.0, "Negative values"),
        (np.nan, "sample_weight is nan"),
        (np.inf, "adds up to inf samples|sample_weight is inf"),
        (["x"] * 72, "could not convert|sample_weight"),
        (np.ones((72, 1)), "1D array"),
        (np.ones(71), "sample_weight.shape"),
        (1j * np.ones(72), "Complex data not supported"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "score"])
def test_weights_that_are_none(brief, pair, fitted, method, weights, match):
    model = brief() if method == "fit" else fitted
    with pytest.raises(ValueError, match=match):
        getattr(model, method)(pair, sample_weight=weights)


def test_large_and_small_weights_do_not_break_the_mean_score(fitted, pair):
    expected = fitted.score(pair, sample_weight=np.arange(72.0))
    for factor in (2.0**1000, 2.0**-1000, 2.0**5):
        assert fitted.score(pair, sample_weight=factor * np.arange(72.0)) == expected


@pytest.mark.parametrize(
    ("weights", "sum_"),
    [(np.full(72, 1e20), r"7\.2e\+21"), (np.full(72, 1 / 72), "1"), (np.arange(72) == 3, "1")],
)
def test_weights_that_no_number_of_samples_has(brief, pair, weights, sum_):
    with pytest.raises(ValueError, match=f"sample_weight adds up to {sum_} samples"):
        brief().fit(pair, sample_weight=weights)


# Counts and other parameters


@pytest.mark.parametrize("n_samples", [True, np.True_, 2**64, 0, -1, 1.0, None, "x", HUGE])
@pytest.mark.parametrize("method", ["sample", "intervene"])
def test_numbers_of_samples(fitted, method, n_samples):
    call = fitted.sample if method == "sample" else lambda n: fitted.intervene({"N1": 0}, n)
    with pytest.raises((TypeError, ValueError), match="n_samples"):
        call(n_samples)


COUNTS = [
    "latent_dim", "init__pretraining_epochs",
    "missing_values__subset_epochs", "structure__polishing_epochs",
    "max_iter", "training__n_iter_no_change", "n_init", "n_jobs", "training__batch_size",
]  # fmt: skip
REALS = [
    "mixture__shrinkage", "mixture__reg_covar", "decoder_variance", "structure__edge_penalty",
    "structure__learning_rate",
    "training__tol", "training__validation_fraction", "training__learning_rate",
    "training__max_grad_norm",
]  # fmt: skip


@pytest.mark.parametrize("value", [True, False, 1.5, 2**64, HUGE])
@pytest.mark.parametrize("parameter", COUNTS)
def test_counts_are_integers_of_a_possible_size(brief, pair, parameter, value):
    objects = {"structure": ScoreSearch(), "missing_values": MissingValues()}
    model = brief(**objects).set_params(**{parameter: value})
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of CausalPIMA"):
        model.fit(pair)


@pytest.mark.parametrize("value", [True, HUGE, np.nan, np.inf])
@pytest.mark.parametrize(
    ("structure", "parameter"),
    [
        (GradientStructure(), "structure__edge_threshold"),
        (GradientStructure(), "structure__temperature"),
        *((ScoreSearch(), name) for name in REALS),
    ],
)
def test_numbers_are_finite(brief, pair, structure, parameter, value):
    model = clone(brief(structure=structure)).set_params(**{parameter: value})
    with pytest.raises(ValueError, match=parameter):
        model.fit(pair)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"hidden_layer_sizes": (True,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (2**64,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": np.ones((2, 2), int)}, "hidden_layer_sizes"),
        ({"modality_weights": (HUGE, 1)}, "modality_weights"),
        ({"modality_weights": (True, False)}, "modality_weights"),
        ({"structure": GradientStructure(temperature=(HUGE, 1))}, "structure__temperature"),
        ({"node_sizes": {("a",): 2}}, "node_sizes"),
        ({"knowledge": BackgroundKnowledge(tiers=[np.ones((2, 2))])}, "knowledge__tiers"),
        ({"knowledge": BackgroundKnowledge(required=[(["N1"], "N2")])}, "knowledge__required"),
    ],
)
def test_sequences_of_numbers(brief, pair, parameters, match):
    with pytest.raises((TypeError, ValueError), match=match):
        brief(**parameters).fit(pair)


# Tensors


def test_bfloat16_everywhere_else(brief, fitted, pair):
    ones = torch.ones(72).bfloat16()
    for call, match in [
        (lambda: fitted.inverse_transform(torch.ones(3, 2).bfloat16()), "X"),
        (lambda: brief().fit([pair[0], torch.ones(72, 2).bfloat16()]), "modality1"),
        (lambda: brief().fit(pair, known_nodes=torch.ones(72, 2).bfloat16()), "known_nodes"),
        (lambda: brief().fit(pair, interventions=ones), "interventions"),
        (lambda: brief().fit(pair, sample_weight=ones), "sample_weight"),
        (lambda: fitted.score(pair, sample_weight=ones), "sample_weight"),
    ]:
        with pytest.raises(TypeError, match=rf"{match}.*torch.bfloat16.*\.float\(\)"):
            call()


def test_tensors_with_gradients_are_arrays(brief, fitted, pair):
    points = np.ones((3, 2))
    found = fitted.inverse_transform(torch.from_numpy(points).requires_grad_())
    assert_array_equal(found[0], fitted.inverse_transform(points)[0])
    weights = torch.ones(72, dtype=torch.float64, requires_grad=True)
    assert fitted.score(pair, sample_weight=weights) == fitted.score(pair)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        *((X, "X") for X in ([[HUGE, 1]], None, "x", [["a", "b"]], {})),
        (np.ma.array(np.ones((3, 2)), mask=np.eye(3, 2)), "X"),
        (np.zeros(2), "Expected 2D array"),
        (np.full((1, 2), np.nan), "contains NaN"),
    ],
    ids=str,
)
def test_latent_points_that_are_none(fitted, X, match):
    with pytest.raises((TypeError, ValueError), match=match):
        fitted.inverse_transform(X)


# Other things than X


class AnnData:
    """Stands for the class of that name."""

    __module__ = "anndata._core.anndata"
    shape = (72, 3)


def test_containers_of_other_packages_are_refused_by_name(brief, fitted, pair):
    """At every door; which there are is asked of the gate."""
    other = AnnData()
    for call in (
        lambda: brief().fit(other),
        lambda: fitted.predict(other),
        lambda: fitted.inverse_transform(other),
        lambda: MultimodalData(other),
        lambda: MultimodalData([other, pair[0]]),
        lambda: MultimodalData.from_flat(other, [(3,)]),
        lambda: MultimodalData.from_frame(other),
        lambda: ModalityTransformer({}).fit(other),
        lambda: select_node_sizes(brief(), other, [(2,)]),
        lambda: edge_confidence(fitted, other),
        lambda: associate_nodes(fitted, other, {}),
        lambda: associate_nodes(fitted, pair, other),
    ):
        with pytest.raises(TypeError, match=r"AnnData.*to_df\(\)"):
            call()


@pytest.mark.parametrize("parameter", ["node_sizes", "encoders", "knowledge__tiers", "scale"])
@pytest.mark.parametrize("value", [np.array(2), np.ma.array([2, 2]), np.zeros(2, [("a", int)])])
def test_arrays_that_are_no_sequences(brief, pair, parameter, value):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter"):
        brief(knowledge=BackgroundKnowledge()).set_params(**{parameter: value}).fit(pair)


@pytest.mark.parametrize("value", [Fraction(1, 100), Decimal("0.01")])
def test_numbers_that_arrays_do_not_know(brief, pair, value):
    with pytest.raises(ValueError, match="learning_rate"):
        brief(training__learning_rate=value).fit(pair)
