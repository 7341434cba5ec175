"""The opening of a fit: one door for fits and for folds of node sizes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skcausalpima import CausalPIMA
from skcausalpima._clustering.contest import Contest
from skcausalpima._data.validation import read_modalities
from skcausalpima._initialization.begin import Start, _winner, begin
from skcausalpima._initialization.initial_sample import initial_sample
from skcausalpima._initialization.low_rank import filled_data
from skcausalpima._model.left_open import LeftOpen
from skcausalpima._model.objects import parameters_of
from skcausalpima._model.setup import Setup, set_up


def opened(X, node_sizes=(2, 2), **params) -> tuple[Setup, Start]:
    """Return what parameters ask for, and where a fit of them begins."""
    estimator = CausalPIMA(node_sizes, **params)
    setup, samples = set_up(parameters_of(estimator), read_modalities(estimator, X, reset=True))
    return setup, begin(setup, samples, filled_data(setup, samples), seed=0)


@pytest.fixture
def tables() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    nodes = rng.integers(2, size=(120, 2))
    return [4.0 * nodes[:, [k]] + rng.normal(size=(120, 5)) for k in (0, 1)]


@pytest.mark.parametrize("latent_dim", [None, 3])
def test_nothing_is_left_open(tables, latent_dim):
    setup, start = opened(tables, latent_dim=latent_dim)
    assert setup.left_open.weights
    assert setup.left_open.dimension == (latent_dim is None)
    assert start.setup.left_open == LeftOpen()
    if latent_dim is not None:
        assert start.setup.spec.latent_dim == latent_dim
    assert start.initial.scores is not None
    assert len(start.initial.data.arrays[0]) == 120


def test_elements_that_are_missing_are_filled_in_and_others_stay(tables):
    whole, gone = tables[0].copy(), np.zeros((120, 5), dtype=bool)
    gone[::7, 2] = True
    tables[0][gone] = np.nan
    setup, start = opened(tables, scale="modality")
    filled = start.data.arrays[0].numpy()
    assert np.isfinite(filled).all()
    centre, factor = setup.units[0]
    back = filled * np.ravel(factor) + np.ravel(centre)
    np.testing.assert_allclose(back[~gone], whole[~gone])
    # the mean of the column would be off by as much as the column varies
    assert np.abs(back[gone] - whole[gone]).mean() < 0.7 * np.abs(whole[gone] - whole.mean()).mean()


def test_the_published_algorithm_begins_without_scores(tables):
    _, start = opened(tables, init="paper")
    assert start.initial.scores is None


def hidden(components: str):
    """Return data whose clusters are sought in such components."""
    rng = np.random.default_rng(0)
    nodes = rng.integers(2, size=(300, 2))
    if components == "independent":
        x = rng.normal(size=(300, 30))
        x[:, :8] += 3.0 * np.repeat(nodes, 4, axis=1)
        x[:, -12:] += 2.0 * rng.normal(size=(300, 3)) @ rng.normal(size=(3, 12))
        return x
    x = rng.normal(size=(300, 8)) @ (np.eye(8) + 1.5 * rng.normal(size=(8, 8)) / 8**0.5)
    x += 6.0 * nodes @ np.linalg.qr(rng.normal(size=(8, 2)))[0].T
    if components == "classes":
        word = np.where(rng.random(300) < 0.8, nodes[:, 0], 1 - nodes[:, 0])
        return pd.DataFrame(x).rename(columns=str).assign(word=np.array(["yes", "no"])[word])
    return x


@pytest.mark.parametrize("components", ["principal", "classes", "discriminant", "independent"])
def test_what_a_fit_began_with_is_made_again(tables, components):
    X = tables if components == "principal" else hidden(components)
    estimator = CausalPIMA((2, 2))
    setup, samples = set_up(parameters_of(estimator), read_modalities(estimator, X, reset=True))
    start = begin(setup, samples, filled_data(setup, samples), seed=0)
    assert start.setup.components == components
    again = initial_sample(start.setup, samples, start.data, seed=0)
    for name in ("scaled", "whitened"):
        before, after = (getattr(one.scores, name) for one in (start.initial, again))
        assert_allclose(after, before, atol=1e-6 * np.abs(before).max())


@pytest.mark.parametrize("node_sizes", [(34, 33), (130,)])
def test_grids_of_too_many_cells_are_not_asked(node_sizes, monkeypatch):
    """Their clusters are k-means: what a search would find of them was thrown away."""

    def ask(*_):
        raise AssertionError("asked")

    monkeypatch.setattr("skcausalpima._clustering.contest.Contest.ask", ask)
    X = np.random.default_rng(0).normal(size=(1130, 5))
    _, start = opened(X, node_sizes=node_sizes)
    assert start.initial.trial is None
    assert start.setup.left_open == LeftOpen()


def test_of_two_views_that_may_agree_less_the_better_one_is_taken():
    """What a view may owe to none it does not owe to another view."""
    setup = SimpleNamespace(left_open=LeftOpen(views=(0, 1)))

    def entry(agreement):
        trial = SimpleNamespace(agreement=agreement, is_clear=True, known_share=1.0)
        return SimpleNamespace(setup=setup, trial=trial)

    class Views:
        contest = Contest(node_sizes=(2, 2), known=None, seed=0)

        def with_one_view_more(self, best):
            return [entry(0.7), entry(0.75)] if best.trial.agreement == 0.6 else []

        def __getattr__(self, name):
            return lambda best: []

    assert _winner(Views(), [entry(0.6)]).trial.agreement == 0.75
