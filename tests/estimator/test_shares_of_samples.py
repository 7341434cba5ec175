"""Fits of many samples, whose epochs see a share of them (here of few samples, to be quick)."""

import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from quick_fits import quick, taught
from random_models import block_update, make_model
from rank_threads import fits_on_ranks, on_ranks
from same_fits import assert_same, assert_same_fits

from skcausalpima import CausalPIMA, Context, MultimodalData
from skcausalpima._data.ranks import ALONE
from skcausalpima._model import settings
from skcausalpima._model.shares import share_of
from skcausalpima._model.tensors import TensorData
from skcausalpima._training import loop
from skcausalpima._training.block_update import BlockUpdate
from skcausalpima.callback import Checkpoint, OnEpoch
from skcausalpima.modules import Batch

pytestmark = pytest.mark.short_fits

N_ROWS = 24


@pytest.fixture(autouse=True)
def small_shares(monkeypatch):
    """Shares of 24 samples, of which 16 are judged by."""
    for name, value in {
        "LEAST_SHARE": N_ROWS,
        "STEPS_OF_SHARE": 1,
        "SHARE_OF_CELL": 1,
        "SHARES_OF_PASS": 2,
    }.items():
        monkeypatch.setattr(settings, name, value)
    monkeypatch.setattr(loop, "JUDGED", 16)


def planned(make=quick, **parameters):
    return make(max_iter="auto", training__batch_size=8, **parameters)


def test_history_tells_the_share_of_the_samples(pair):
    model = planned().fit(pair)
    assert_array_equal(model.history_["share_of_samples"], np.full(model.n_iter_, N_ROWS / 72))
    assert_array_equal(model.phase_history_["polishing"]["share_of_samples"], N_ROWS / 72)
    assert model.convergence_.n_steps == 6 * model.n_iter_  # batches are halved
    assert len(model.phase_history_["polishing"]["share_of_samples"]) == np.ceil(model.n_iter_ / 10)
    assert model.lower_bound_ == pytest.approx(model.score(pair), rel=1e-6)  # of all samples
    assert len(model.labels_) == 72
    assert_array_equal(model.labels_, model.predict(pair))


def test_passes_are_of_all_samples_where_their_number_is_stated(pair):
    model = quick(max_iter=4, training__batch_size=8).fit(pair)
    assert "share_of_samples" not in model.history_
    assert model.convergence_.n_steps == 4 * 9
    assert "share_of_samples" not in quick(init="paper", max_iter="auto").fit(pair).history_


def with_gaps(pair):
    images, curves = pair[0].copy(), pair[1].copy()
    images[:5] = np.nan
    curves[3:30:4, 1] = np.nan
    return [images, curves]


def with_sites(pair):
    sites = np.array(["a", "b"])[np.arange(72) % 2]
    return MultimodalData({"image": pair[0], "curve": pair[1], "site": sites})


def one_outcome(first):
    """Outcomes of the first node in the first samples."""
    outcomes = np.full((72, 2), np.nan)
    outcomes[: len(first), 0] = first
    return outcomes


CASES = {
    "gaps": ({}, with_gaps, {}),
    "taught": ({"make": taught}, with_gaps, {}),
    "contexts": ({"contexts": Context("site")}, with_sites, {}),
    "weights": ({}, list, {"sample_weight": np.arange(1.0, 73.0)}),
    "held out": ({"training__validation_fraction": 0.2}, list, {}),
    "one node": ({"node_sizes": (3,)}, list, {}),
    "gradient": ({"structure": "gradient"}, list, {}),
    "decoders": ({"decoders": ["cluster_mlp", None]}, list, {}),
    "interventions": ({}, list, {"interventions": one_outcome([0] * 9)}),
    "known": ({}, list, {"known_nodes": one_outcome([0, 1])}),
    "mean field": ({"posterior": "mean_field", "init": "linear"}, list, {}),
}


@pytest.mark.parametrize(
    "case",
    [
        "one node",
        *(pytest.param(k, marks=pytest.mark.slow) for k in CASES if k != "one node"),
    ],
)
def test_all_that_fits_take_goes_with_shares(pair, case):
    parameters, change, given = CASES[case]
    X = change(pair)
    model = planned(**parameters).fit(X, **given)
    again = planned(**parameters).fit(X, **given)
    assert_same_fits(model, again, X)
    assert model.history_["share_of_samples"].max() <= N_ROWS / 54
    assert np.isfinite(model.history_["lower_bound"]).all()
    assert np.isfinite(model.score_samples(X)).all()


def test_a_fit_that_was_stopped_goes_on_with_the_same_shares(pair, tmp_path):
    class StopError(Exception):
        pass

    def stop(record):
        if (record.phase, record.epoch) == ("training", 4):
            raise StopError

    whole = planned().fit(pair)
    path = tmp_path / "fit.zip"
    model = planned().set_callbacks(Checkpoint(path, every=2), OnEpoch(stop))
    with pytest.raises(StopError):
        model.fit(pair)
    assert_same_fits(CausalPIMA.resume(path, pair), whole, pair)


@pytest.mark.slow
def test_fits_that_go_on_from_passes_to_shares_and_back(pair):
    model = quick(max_iter=3, warm_start=True, training__batch_size=8).fit(pair)
    shares = model.set_params(max_iter="auto").fit(pair).history_["share_of_samples"]
    assert np.isnan(shares[:3]).all()
    assert_array_equal(shares[3:], N_ROWS / 72)
    assert "33.3 %" in str(model.report(detail="full"))
    model.set_params(max_iter=200).fit(pair)
    n_epochs = model.n_iter_
    model.fit(pair)  # which may have nothing left to do
    assert model.convergence_.share_of_samples == 1.0
    assert np.isnan(model.history_["share_of_samples"][n_epochs - 1])
    assert "epochs" in str(model.report(detail="full"))


def test_bounds_of_other_samples_are_not_compared(pair, monkeypatch):
    """Those of all samples, far better than any of a share could be, do not end what comes next."""
    model = quick(max_iter=3, warm_start=True, training__batch_size=8).fit(pair)
    model._fitted.training.stopper.__dict__["best"] = 1e9
    model.set_params(max_iter="auto").fit(pair)
    assert model.n_iter_ > 3 + 10  # epochs without a rise after which training ends


@pytest.mark.parametrize("posterior", ["structured", "mean_field"])
def test_the_mixture_follows_from_all_samples_in_the_end(pair, monkeypatch, posterior):
    sizes, swap = [], BlockUpdate.swap

    def counted(self, model, data, result):
        sizes.append(data.n_of_all)
        return swap(self, model, data, result)

    monkeypatch.setattr(BlockUpdate, "swap", counted)
    planned(init="linear", posterior=posterior).fit(pair)
    assert sizes[0] == N_ROWS
    assert sizes[-1] == 72


def test_a_share_shrinks_covariances_as_all_samples_do():
    model = make_model()
    n_entries = model.latent_dim * (model.latent_dim + 1)
    update = block_update(None, shrinkage=1000.0)
    assert update.of_share(model, 0.1).mixture.shrinkage == 100.0
    assert update.of_share(model, 1e-6).mixture.shrinkage == n_entries
    assert update.of_share(model, 1.0).mixture == update.mixture
    few = block_update(None, shrinkage=1.0)
    assert few.of_share(model, 0.1).mixture.shrinkage == 1.0


def test_ranks_have_their_parts_of_the_share_of_one_process():
    values = torch.arange(90.0)[:, None]

    def shares(ranks=None, rows=slice(None)):
        generator = torch.Generator().manual_seed(3)
        data = TensorData(Batch((values[rows],), None), torch.float32, ranks or ALONE)
        if ranks is not None:
            data.own_draws(generator, 3)
        return share_of(data, 20, generator).arrays[0][:, 0].tolist()

    of_ranks = on_ranks(lambda ranks: shares(ranks, slice(ranks.rank, None, 2)))
    assert sorted(itertools.chain(*of_ranks)) == shares()


@pytest.mark.slow
def test_ranks_fit_one_model_by_shares(monkeypatch, pair):
    monkeypatch.setattr("skcausalpima._fit.whole.as_on_all_ranks", lambda ranks, fit: fit)
    alone, whole = planned().fit(pair), quick(max_iter=20).fit(pair)
    fits = fits_on_ranks(monkeypatch, lambda rank: planned(), pair)
    for fit in fits:
        assert_same(fit.history_, fits[0].history_, "history")
        assert_same(fit.cluster_means_, fits[0].cluster_means_, "means")
        assert fit.history_["share_of_samples"][0] == N_ROWS / 72
        # as far from a fit by shares as that is from one by passes, or nearer
        gap = abs(fit.lower_bound_ - alone.lower_bound_)
        assert gap <= max(abs(whole.lower_bound_ - alone.lower_bound_), 1.0)
