"""What is asked while another thread fits the estimator anew is of the one fit or of the other."""

import copy
import itertools

import numpy as np
import pytest
from same_fits import assert_same

from skcausalpima import CausalPIMA

METHODS = {
    "transform": lambda est, X: est.transform(X),
    "predict": lambda est, X: est.predict(X),
    "predict_nodes": lambda est, X: est.predict_nodes(X),
    "predict_proba": lambda est, X: est.predict_proba(X),
    "score": lambda est, X: est.score(X),
    "score_samples": lambda est, X: est.score_samples(X),
    "tail_probability": lambda est, X: est.tail_probability(X, X),
    "inverse_transform": lambda est, X: est.inverse_transform(np.zeros((2, 4))),
    "reconstruct": lambda est, X: est.reconstruct(X, return_std=True),
    "impute": lambda est, X: est.impute(X),
    "modality_evidence": lambda est, X: est.modality_evidence(X).influence,
    "predict_expert_params": lambda est, X: est.predict_expert_params(X),
    "sample": lambda est, X: est.sample(3),
    "intervene": lambda est, X: est.intervene({"N1": 1}, 3),
    "counterfactual": lambda est, X: est.counterfactual(X, {"N1": 1}),
    "to_graph": lambda est, X: est.to_graph().joint(),
    "report": lambda est, X: str(est.report()),
}


class Refitted(CausalPIMA):
    """An estimator that another thread has fitted anew when the nth of its attributes is read."""

    watched = later = None
    countdown = 0

    def __getattribute__(self, name):
        if self is Refitted.watched:
            Refitted.countdown -= 1
            if Refitted.countdown == 0:
                object.__setattr__(self, "__dict__", Refitted.later)
        return super().__getattribute__(name)


@pytest.fixture(scope="module")
def fits(taught, pair):
    """Two fits of unlike grids and latent spaces, with the samples that both of them take."""
    parameters = {"latent_dim": 4, "random_state": 0}
    return [vars(taught(sizes, **parameters).fit(pair)) for sizes in ((2, 2), (3, 2))]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_reads_one_fit(fits, pair, method):
    """Wherever the refit comes between two attributes that it reads."""
    X, ask = [array[:5] for array in pair], METHODS[method]
    expected = []
    for fitted in fits:
        est = Refitted()
        vars(est).update(copy.copy(fitted))
        expected.append(ask(est, X))
    for number in itertools.count(1):
        est = Refitted()
        vars(est).update(fits[0])
        Refitted.later, Refitted.countdown, Refitted.watched = dict(fits[1]), number, est
        try:
            found = ask(est, X)
        finally:
            Refitted.watched = None
        assert any(_same(found, one) for one in expected), f"with a refit before read {number}"
        if Refitted.countdown > 0:
            break


def _same(found, expected):
    try:
        assert_same(found, expected, "")
    except AssertionError:
        return False
    return True
