"""Which parameters a fit that is continued may have other values of."""

from copy import deepcopy

import networkx as nx
import numpy as np
import pytest
import torch
from same_fits import assert_same_fits
from sklearn.base import clone
from some_slow import some_slow
from torch import nn

from skcausalpima import BackgroundKnowledge, GradientStructure, ScoreSearch
from skcausalpima.modules import ExpertDecoder, line

X_POINTS = np.linspace(0.0, 1.0, 4)


def given_module():
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 4))


#: What was, what is changed, and what is said of it: it determines the model.
REFUSED = [
    ({}, {"node_sizes": (2, 3)}, r"node_sizes is now \(2, 3\), not \(2, 2\):"),
    ({}, {"latent_dim": 3}, "latent_dim is now 3, not 2: set it back, or set warm_start=False"),
    ({}, {"node_sizes": {"a": 2, "b": 2}}, r"node_sizes \(the names of the nodes\) is now"),
    ({}, {"hidden_layer_sizes": (9,)}, r"hidden_layer_sizes is now \(9,\), not \(8,\)"),
    (
        {"posterior": "mean_field"},
        {"posterior__prior_expert": False},
        "posterior__prior_expert is now False, not True",
    ),
    ({}, {"scale": "feature"}, r"scale is now \['feature', 'feature'\]"),
    ({}, {"modality_weights": "elements"}, r"modality_weights is now \(1.0, 1.0\), not None"),
    ({}, {"views": ["power_spectrum", None]}, r"views is now \('power_spectrum', None\), not"),
    ({}, {"mixture": "diag"}, "mixture .* is now False, not True"),
    ({}, {"posterior": "mean_field"}, "posterior .* is now True, not False"),
    ({}, {"init": "paper"}, "init .* is now False, not True"),
    ({}, {"init__method": "paper"}, "init .* is now False, not True"),
    ({"structure": ScoreSearch()}, {"structure": nx.DiGraph([("N1", "N2")])}, "structure .* is"),
    ({}, {"decoder_variance": 0.5}, "decoder_variance is now 0.5, not 'auto'"),
    ({}, {"likelihoods": "bernoulli"}, "likelihoods is now 'bernoulli' for modality 'modality0'"),
    ({}, {"encoders": "conv"}, "encoders is now"),
    ({}, {"decoders": "cluster_mlp"}, "decoders is now"),
    (
        {"encoders": [given_module(), None]},
        {"encoders": [given_module(), None]},
        r"encoders is now another \[Sequential(.|\n)* \(functions, modules, and .* the same\)",
    ),
    ({}, {"experts": [None, line]}, "experts is now"),
    (
        {"experts": [None, ExpertDecoder(line, X_POINTS)]},
        {"experts": [None, ExpertDecoder(line, 2 * X_POINTS)]},
        r"experts is now another \[None, Expert.* \(.* what is stated of experts, must be the",
    ),
    ({}, {"structure": nx.DiGraph([("N1", "N2")])}, "structure .* is now .*not 'learned'"),
    (
        {"structure": nx.DiGraph([("N1", "N2")])},
        {"structure": nx.DiGraph([("N2", "N1")])},
        "structure .* is now",
    ),
]
#: How a model is trained, and how its graph is selected: it may change, and is heeded.
HEEDED = [
    (ScoreSearch(), {"mixture": "tied"}),
    (ScoreSearch(), {"mixture__shrinkage": 0.0}),
    (ScoreSearch(), {"mixture__reg_covar": 0.1}),
    (ScoreSearch(), {"training__batch_size": 20}),
    (ScoreSearch(), {"training__learning_rate": 0.1}),
    (ScoreSearch(), {"training__max_grad_norm": 1e-4}),
    (ScoreSearch(), {"max_iter": 2}),
    (ScoreSearch(), {"training__tol": 1e6, "training__n_iter_no_change": 3}),
    (ScoreSearch(), {"training__validation_fraction": 0.2}),
    (ScoreSearch(), {"structure": "gradient"}),
    (ScoreSearch(), {"knowledge": BackgroundKnowledge(tiers=["N2", "N1"])}),
    (ScoreSearch(), {"structure__score": "bdeu", "structure__equivalent_sample_size": 3.0}),
    (ScoreSearch(), {"structure__polishing_epochs": 1}),
    *[
        (structure, {f"structure__{part}": value})
        for structure in (ScoreSearch(), GradientStructure())
        for part, value in {"edge_penalty": 0.5, "learning_rate": 0.3}.items()
    ],
    (GradientStructure(), {"structure__temperature": (1.0, 0.25)}),
    (GradientStructure(), {"structure__edge_threshold": 0.1}),
]
#: What matters where training begins, or while it runs: it changes nothing any more.
WITHOUT_EFFECT = {
    "init__method": "linear",
    "init__pretraining_epochs": 5,
    "n_init": 2,
    "n_jobs": 2,
    "random_state": 5,
    "device": "auto" if not torch.cuda.is_available() else "cpu",
}


@pytest.fixture(scope="module")
def warm(quick, pair, fitted_warm):
    """Return a copy of a fit that may be continued; its own is made once."""
    fits = {str(None): fitted_warm}

    def copied(structure=None):
        key = str(structure)
        if key not in fits:
            fits[key] = quick(warm_start=True, structure=clone(structure)).fit(pair)
        return deepcopy(fits[key])

    return copied


@pytest.mark.parametrize(("before", "change", "message"), some_slow(REFUSED, REFUSED[::2]))
def test_another_model_is_refused(quick, pair, warm, before, change, message):
    model = quick(warm_start=True, max_iter=1, **before).fit(pair) if before else warm()
    bound = model.score(pair)
    with pytest.raises(ValueError, match=message):
        model.set_params(**change).fit(pair)
    assert model.score(pair) == bound  # the fit that was to be continued is still there


#: Numbers, words, and what is compared by what it consists of.
SET_BACK = [case[:2] for case in REFUSED if {"encoders", "decoders"}.isdisjoint(case[0] | case[1])]
FAST = [
    case
    for case in SET_BACK
    if case[0].keys() | case[1].keys() in ({"latent_dim"}, {"modality_weights"})
]


@pytest.mark.parametrize(("before", "change"), some_slow(SET_BACK, FAST))
def test_what_is_set_back_goes_on(quick, pair, warm, before, change):
    model = quick(warm_start=True, max_iter=1, **before).fit(pair) if before else warm()
    n_iter, bound = model.n_iter_, model.lower_bound_
    with pytest.raises(ValueError, match="is now"):
        model.set_params(**change).fit(pair)
    kept = {name: clone(quick(**before)).get_params()[name] for name in change}
    assert model.set_params(**kept, max_iter=1).fit(pair).n_iter_ == n_iter + 1
    assert model.lower_bound_ != bound


def test_what_may_change(pair, warm):
    """Parameters of training, of how the graph is selected, and what is known about edges."""
    model = warm()
    changes = {
        "structure": "gradient",
        "mixture": "tied",
        "training__learning_rate": 0.1,
        "training__batch_size": 20,
        "knowledge": BackgroundKnowledge(forbidden=[("N1", "N2"), ("N2", "N1")]),
        "random_state": 5,
        "init": "linear",
    }
    model.set_params(**changes).fit(pair)
    assert model.n_iter_ == 6
    assert model.dag_.number_of_edges() == 0
    assert model.edge_probabilities_ is None
    assert model.cluster_covariances_.shape == (2, 2)


@pytest.mark.parametrize(("structure", "changes"), some_slow(HEEDED, [HEEDED[6]]), ids=str)
def test_how_a_model_is_trained_may_change(pair, warm, told_unchanged, structure, changes):
    changed = warm(structure).set_params(**changes).fit(pair)
    assert changed.n_iter_ > 3
    assert told(changed) != told_unchanged(structure)


@pytest.fixture(scope="module")
def told_unchanged(warm, pair):
    """Return what a fit that is continued as it began comes to."""
    found = {}

    def what(structure):
        key = str(structure)
        if key not in found:
            found[key] = told(warm(structure).fit(pair))
        return found[key]

    return what


def told(model):
    """Return what a fit comes to."""
    return {
        "history": {name: values.tolist() for name, values in model.history_.items()},
        "bound": model.lower_bound_,
        "edges": sorted(model.dag_.edges),
        "weights": model.edge_weights_.tolist(),
    }


@pytest.mark.slow
def test_what_only_matters_at_the_start_changes_nothing(pair, warm):
    same, changed = warm().fit(pair), warm().set_params(**WITHOUT_EFFECT).fit(pair)
    assert_same_fits(changed, same, pair)


@pytest.mark.slow
def test_a_changed_edge_penalty_acts_on_the_epochs_that_follow(quick, pair):
    """Edges that were learned without a penalty fade once they cost."""
    structure = GradientStructure(learning_rate=0.3)
    model = quick(warm_start=True, structure=structure, max_iter=5, training__tol=0).fit(pair)
    before = model.edge_weights_.sum()
    same = deepcopy(model).fit(pair)
    model.set_params(structure__edge_penalty=10.0).fit(pair)
    assert model.edge_weights_.sum() < min(before, same.edge_weights_.sum())


def test_of_every_parameter_it_is_said_whether_it_may_change(quick):
    """A new parameter, or part of one, belongs into one of the three lists."""
    refused = {name for _, changes, _ in REFUSED for name in changes}
    heeded = {name for _, changes in HEEDED for name in changes}
    # tested in other files, of no effect on complete data, or printed only
    elsewhere = {"warm_start", "missing_values", "verbose", "contexts", "training__outliers"}
    elsewhere |= {"init__clusterer"}
    elsewhere |= {f"missing_values__{part}" for part in ("elements", "subset_epochs", "unknown")}
    elsewhere |= {f"device__{part}" for part in ("name", "autocast", "compile", "distributed")}
    known = {"knowledge__required", "knowledge__forbidden", "knowledge__tiers"}
    by_parts = {"init", "training", "mixture__covariance_type"}
    listed = refused | heeded | set(WITHOUT_EFFECT) | elsewhere | known | by_parts
    kinds = [
        quick(structure=s, posterior="mean_field") for s in (ScoreSearch(), GradientStructure())
    ]
    assert set().union(*(kind.get_params() for kind in kinds)) == listed
