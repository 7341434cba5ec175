"""Ranks fit one model: that of all their rows, the same on each of them."""

import copy
import itertools

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from rank_threads import fits_on_ranks, on_ranks
from same_fits import assert_same
from some_slow import some_slow
from torch import nn

from skcausalpima import CausalPIMA, Device, ScoreSearch
from skcausalpima._fit.data_parallel import KEPT_BY_EACH, _in_words
from skcausalpima._model.process_group import process_group
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import Batch, ExpertDecoder, line


def assert_one_model(fits):
    """All that is fitted is the same on all ranks, but what is said of single rows."""
    for fit in fits:
        if isinstance(fit, Exception):
            raise fit
    first, *others = fits
    fitted = {name for name in vars(first) if name.endswith("_") or name.startswith("_")}
    for other in others:
        for name in fitted - {"labels_", "node_labels_", "_fitted"}:
            assert_same(getattr(other, name), getattr(first, name), name)
        for name in set(vars(first._fitted)) - set(KEPT_BY_EACH):
            assert_same(getattr(other._fitted, name), getattr(first._fitted, name), name)


@pytest.fixture
def without_rank_zero(monkeypatch):
    """Let ranks end with what they have found themselves, not with what the first one has."""
    monkeypatch.setattr("skcausalpima._fit.whole.as_on_all_ranks", lambda ranks, found: found)


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"training__validation_fraction": 0.2}, marks=pytest.mark.slow),
        pytest.param(
            {"structure": nx.DiGraph([("N1", "N2")]), "n_init": 2}, marks=pytest.mark.slow
        ),
        pytest.param(
            {"structure": "gradient", "decoders": ["cluster_mlp", None]}, marks=pytest.mark.long
        ),
        {"node_sizes": (4,), "experts": [None, ExpertDecoder(line, np.linspace(0, 1, 4))]},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_ranks_fit_one_model(monkeypatch, without_rank_zero, quick, pair, parameters):
    fits = fits_on_ranks(monkeypatch, lambda rank: quick(**parameters), pair)
    assert_one_model(fits)
    for rank, fit in enumerate(fits):
        own = [array[rank::2] for array in pair]
        np.testing.assert_array_equal(fit.predict(own), fit.labels_)
    bounds = [fits[0].score([array[rank::2] for array in pair]) for rank in range(2)]
    assert fits[0].lower_bound_ == pytest.approx(np.mean(bounds), rel=1e-12)
    alone = quick(**parameters)
    monkeypatch.undo()
    assert fits[0].lower_bound_ == pytest.approx(alone.fit(pair).lower_bound_, rel=0.02)


@pytest.mark.long
def test_what_some_rank_lacks_or_knows_all_take_into_account(
    monkeypatch, without_rank_zero, taught, pair
):
    """Of three ranks one lacks a modality in all samples but one, one has gaps, and one weights."""
    images, curves = (array.copy() for array in pair)
    images[3::3], curves[1::6, 2] = np.nan, np.nan
    weights, known = np.ones(72), np.full((72, 2), -1)
    weights[2::3], known[2:30:3, 0] = 2.0, 1
    given = {"sample_weight": weights, "known_nodes": known}
    fits = fits_on_ranks(monkeypatch, lambda rank: taught(), [images, curves], 3, **given)
    assert_one_model(fits)
    assert fits[0]._fitted.arrivals.counts.sum() == pytest.approx(weights.sum())


@pytest.mark.slow
def test_rows_may_be_on_disk_and_parts_of_unlike_size(monkeypatch, quick, pair, tmp_path):
    monkeypatch.setattr("skcausalpima._data.on_disk.MAX_READ_BYTES", 1)
    monkeypatch.setattr("skcausalpima._data.on_disk.BLOCK_BYTES", 200)
    monkeypatch.setattr("skcausalpima._model.tensors.BUFFER_BYTES", 400)
    paths = [tmp_path / "images.npy", tmp_path / "curves.npy"]
    for path, array in zip(paths, pair, strict=True):
        np.save(path, array[:71])
    X = [np.load(path, mmap_mode="r") for path in paths]
    fits = fits_on_ranks(monkeypatch, lambda rank: quick(training__batch_size=16), X, 3)
    assert_one_model(fits)
    assert [len(fit.labels_) for fit in fits] == [24, 24, 23]


def test_the_start_and_the_scale_are_those_of_all_rows(monkeypatch, quick, pair):
    seen = []
    monkeypatch.setattr(
        "skcausalpima._fit.whole.best_run",
        lambda setup, data, initial, *rest: seen.append((setup, initial)) or 1 / 0,
    )
    fits_on_ranks(monkeypatch, lambda rank: quick(), pair)
    monkeypatch.setattr("skcausalpima._fit.whole.process_group", process_group)
    with pytest.raises(ZeroDivisionError):
        quick().fit(pair)
    (setup, initial), _, (alone, initial_alone) = seen
    for one, other in zip(setup.scaler.centre, alone.scaler.centre, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)
    np.testing.assert_allclose(setup.scaler.factor, alone.scaler.factor, rtol=1e-13)
    np.testing.assert_allclose(initial.scores.scaled, initial_alone.scores.scaled, atol=1e-10)
    assert repr(setup.training) == repr(alone.training)


GRADIENT = {"structure": "gradient"}
TURNS = itertools.product([{}, GRADIENT], [2, 3])


@pytest.mark.parametrize(("parameters", "n_ranks"), some_slow(TURNS, []), ids=str)
def test_ranks_that_take_turns_make_the_steps_of_one_process(
    monkeypatch, quick, pair, parameters, n_ranks
):
    """Of 71 rows, so that ranks have unlike numbers; but for rounding."""
    X = [array[:71] for array in pair]
    parameters = parameters | {"max_iter": 4, "training__batch_size": 16}
    fits = fits_on_ranks(monkeypatch, lambda rank: quick(**parameters), X, n_ranks)
    monkeypatch.setattr("skcausalpima._fit.whole.process_group", process_group)
    alone = quick(**parameters).fit(X)
    for history, expected in (
        (fits[0].history_, alone.history_),
        (fits[0].phase_history_["pre-training"], alone.phase_history_["pre-training"]),
    ):
        assert history.keys() == expected.keys()
        for term, values in expected.items():
            np.testing.assert_allclose(history[term], values, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(fits[0].lower_bound_, alone.lower_bound_, rtol=0.01)
    sure = alone.predict_proba(X).max(axis=1) > 0.75  # the bounds differ by up to a hundredth
    assert sure.mean() > 0.9
    for rank, fit in enumerate(fits):
        mine = sure[rank::n_ranks]
        np.testing.assert_array_equal(fit.labels_[mine], alone.labels_[rank::n_ranks][mine])


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"warm_start": True}, "warm_start=True"),
        ({"n_init": 2, "n_jobs": 2}, "n_jobs=2"),
        (
            {"experts": [None, ExpertDecoder(line, np.ones(4), per="sample")]},
            "an expert per sample",
        ),
    ],
    ids=["warm_start", "n_jobs", "experts"],
)
def test_what_ranks_cannot_do_is_refused(monkeypatch, brief, pair, parameters, what):
    for error in fits_on_ranks(monkeypatch, lambda rank: brief(**parameters), pair):
        assert isinstance(error, ValueError)
        assert str(error).startswith(f"{what} cannot be used by a process group of 2 ranks")


def test_interventions_are_refused(monkeypatch, brief, pair):
    errors = fits_on_ranks(monkeypatch, lambda rank: brief(), pair, interventions=np.zeros(72))
    assert all("interventions cannot be used" in str(error) for error in errors)


def test_further_samples_are_refused_and_the_model_stays(monkeypatch, brief, pair):
    est = brief().fit(pair)
    kept = est.lower_bound_

    def learn(ranks):
        monkeypatch.setattr("skcausalpima._fit.whole.process_group", lambda asked: ranks)
        est.partial_fit(pair)

    (error,) = set(map(str, on_ranks(learn)))
    assert error.startswith("partial_fit cannot be used by a process group")
    assert est.lower_bound_ == kept


def test_batch_normalization_is_refused(monkeypatch, brief, pair):
    def normed(shape, latent_dim):
        return nn.Sequential(nn.Flatten(), nn.Linear(6, latent_dim * 2), nn.BatchNorm1d(8))

    make = brief(latent_dim=4, encoders=[normed, None])
    for error in fits_on_ranks(monkeypatch, lambda rank: make, pair):
        assert "batch normalization cannot be used by a process group" in str(error)


def test_ranks_without_rows_and_with_errors_end_the_others(monkeypatch, brief, pair):
    rows = [array[:1] for array in pair]  # one for the first, none for the second
    first, second = fits_on_ranks(monkeypatch, lambda rank: brief(), rows)
    assert "minimum of 2 is required" in str(first)
    assert "0 sample" in str(second)
    images = pair[0].copy()
    images[1, 0, 0] = np.inf
    first, second = fits_on_ranks(monkeypatch, lambda rank: brief(), [images, pair[1]])
    assert str(second).startswith("modality 'modality0'")
    assert str(first) == (f"Rank 1 of the process group cannot begin its fit. ValueError: {second}")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda rank: {"max_iter": 2 + rank}, "max_iter: rank 0 has 2, and rank 1 has 3."),
        (lambda rank: {"random_state": rank}, "random_state: rank 0 has 0, and rank 1 has 1."),
        (
            lambda rank: {"device": Device(autocast=rank == 1)},
            "device__autocast: rank 0 has False, and rank 1 has True.",
        ),
        (lambda rank: {"structure": ScoreSearch(["bic", "bdeu"][rank])}, "structure: rank 0 has"),
        (
            lambda rank: {"structure": nx.DiGraph([("N1", "N2")[:: 1 - 2 * rank]])},
            "structure: rank 0 has a graph with the nodes ['N1', 'N2'] and",
        ),
        (
            lambda rank: {"experts": [None, ExpertDecoder(line, np.arange(4.0) + rank)]},
            "'x': [0.0, 1.0, 2.0, 3.0]}]",
        ),
        (
            lambda rank: {"modality_weights": [1.0, 1.0 + rank]},
            "modality_weights: rank 0 has [1.0, 1.0], and rank 1 has [1.0, 2.0].",
        ),
    ],
    ids=[
        "max_iter",
        "random_state",
        "autocast",
        "score",
        "structure",
        "experts",
        "modality_weights",
    ],
)
def test_ranks_with_other_parameters_are_told(monkeypatch, brief, pair, make, told):
    for error in fits_on_ranks(monkeypatch, lambda rank: brief(**make(rank)), pair):
        assert isinstance(error, ValueError)
        assert told in str(error)


def test_ranks_may_name_their_devices_in_other_ways(monkeypatch, brief, pair):
    devices = ("cpu", Device("cpu", distributed=True))
    for found in fits_on_ranks(monkeypatch, lambda rank: brief(device=devices[rank]), pair):
        assert isinstance(found, CausalPIMA)


class Reordered(str):
    """A name whose place in a set is another one in each process."""

    def __hash__(self):
        return -hash(str(self))


def test_sets_and_mappings_are_told_in_one_order():
    names = [f"N{k}" for k in range(9)]
    params = {(*"ab",): set(names), "c": np.float64(2), "d": {"x": 1, "y": {"z"}}}
    other = {
        "d": {"y": {Reordered("z")}, "x": 1},
        "c": 2.0,
        (*"ab",): set(map(Reordered, reversed(names))),
    }
    assert _in_words(params) == _in_words(other) != _in_words(params | {"c": 3})


@pytest.mark.parametrize(
    ("rank", "parameters"),
    [
        (0, {"max_iter": -1}),
        (1, {"node_sizes": "x"}),
        (1, {"structure": ScoreSearch(polishing_epochs=-1)}),
        (1, {"warm_start": True}),
        (0, {"n_init": 2, "n_jobs": 2}),
    ],
    ids=["max_iter", "node_sizes", "part", "warm_start", "n_jobs"],
)
def test_a_bad_parameter_of_one_rank_is_an_error_on_all(monkeypatch, brief, pair, rank, parameters):
    makes = [brief(), brief()]
    makes[rank].set_params(**parameters)
    errors = fits_on_ranks(monkeypatch, makes.__getitem__, pair)
    own, other = errors[rank], errors[1 - rank]
    told = f"Rank {rank} of the process group cannot begin its fit. {type(own).__name__}: {own}"
    assert isinstance(own, ValueError)
    assert str(other) == told


def test_a_wrong_call_of_one_rank_is_an_error_on_all(monkeypatch, brief, pair):
    class Wrong(CausalPIMA):
        def fit(self, X, **given):
            return super().fit(X, weights=3)

    makes = [CausalPIMA, Wrong]
    first, second = fits_on_ranks(monkeypatch, lambda rank: makes[rank]((2, 2)), pair)
    assert isinstance(second, TypeError)
    assert "cannot begin its fit. TypeError: got an unexpected keyword" in str(first)


def test_further_samples_on_one_rank_are_an_error_on_all(monkeypatch, brief, pair, fitted):
    class Further(CausalPIMA):
        def fit(self, X, **given):
            return copy.deepcopy(fitted).partial_fit(X)

    makes = [CausalPIMA, Further]
    first, second = fits_on_ranks(monkeypatch, lambda rank: makes[rank]((2, 2)), pair)
    assert str(second).startswith("partial_fit cannot be used by a process group")
    assert str(second) in str(first)


def test_calls_of_unlike_numbers_are_an_error_on_all_and_the_next_is_none():
    """One of them was the end of an earlier fit that the other has not heard of."""

    def begin(ranks):
        told = []
        for call in (ranks.rank, 5):
            ranks.call = call
            try:
                with ranks.together():
                    pass
            except ValueError as error:
                told.append(str(error))
        return told

    first, second = on_ranks(begin)
    assert first == second
    assert len(first) == 1
    assert first[0].startswith("Ranks of the process group have begun different fits")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (
            lambda rank, X: pd.DataFrame(X[1], columns=list("abcd" if rank else "abdc")),
            "the names of the columns: rank 0 has (('a', 'b', 'd', 'c'),), and rank 1",
        ),
        (lambda rank, X: [tuple, list][rank](X), None),
        (lambda rank, X: X if rank else dict(zip("ab", X, strict=True)), "the names of the modal"),
        (
            lambda rank, X: X if rank else {f"modality{k}": part for k, part in enumerate(X)},
            "the form of X: rank 0 has mapping of",
        ),
        (
            lambda rank, X: [X[0].reshape(36, 6), pd.DataFrame(X[1]) if rank else X[1]],
            "the form of X: rank 0 has several of [",
        ),
    ],
    ids=["columns", "sequence", "names", "mapping", "frame"],
)
def test_ranks_with_other_forms_are_told(monkeypatch, brief, pair, make, what):
    class Formed(CausalPIMA):
        rank = 0

        def fit(self, X, **given):
            return super().fit(make(self.rank, X), **given)

    def formed(rank):
        est = Formed(**brief(max_iter=1).get_params(deep=False))
        est.rank = rank
        return est

    found = fits_on_ranks(monkeypatch, formed, pair)
    if what is None:
        assert_one_model(found)
    else:
        assert len({*map(str, found)}) == 1
        assert what in str(found[0])


def test_of_long_texts_only_the_difference_is_told():
    def agree(ranks):
        names = [f"column{k}" for k in range(10_000)]
        names[7000 + ranks.rank] = "other"
        ranks.agree(lambda: {"the names of the columns": str(names)})

    first, second = on_ranks(agree)
    assert str(first) == str(second)
    assert "'column6999', 'other', 'column7001'" in str(first)
    assert len(str(first)) < 700


def test_ranks_with_other_modalities_are_told(monkeypatch, brief, pair):
    class Cut(CausalPIMA):
        def fit(self, X, **given):
            return super().fit([X[0], X[1][:, :3]], **given)

    makes = [CausalPIMA, Cut]
    for error in fits_on_ranks(monkeypatch, lambda rank: makes[rank]((2, 2)), pair):
        assert "the shapes of the modalities: rank 0 has ((3, 2), (4,)), and rank 1" in str(error)


def test_labels_of_nodes_are_the_same_or_told(monkeypatch, brief, pair):
    known = np.array([["a", "b"], ["c", "d"]] + 35 * [[None, None], [None, None]], dtype=object)
    for error in fits_on_ranks(monkeypatch, lambda rank: brief(), pair, known_nodes=known):
        assert "differ in the labels: rank 0 has" in str(error)


def test_seeds_that_are_no_numbers_are_those_of_the_first_rank(monkeypatch, brief, pair):
    fits = fits_on_ranks(monkeypatch, lambda rank: brief(max_iter=1, random_state=None), pair)
    assert_one_model(fits)


def test_a_rank_that_fails_in_training_ends_the_others_with_their_models_kept(
    monkeypatch, brief, pair
):
    average = TensorData.average_gradients

    def fails(self, groups, n_rows):
        if self.ranks.rank == 1:
            raise MemoryError
        average(self, groups, n_rows)

    ests = [brief().fit(pair) for _ in range(2)]
    kept = [dict(vars(est)) for est in ests]
    monkeypatch.setattr(TensorData, "average_gradients", fails)
    first, second = fits_on_ranks(monkeypatch, ests.__getitem__, pair)
    assert isinstance(first, RuntimeError)
    assert isinstance(second, MemoryError)
    for est, before in zip(ests, kept, strict=True):
        assert all(getattr(est, name) is value for name, value in before.items())


def test_a_callback_that_stops_one_rank_stops_all():
    from skcausalpima._training.observer import Observer

    class Stops:
        def epoch_ended(self, record, snapshot, standing):
            return True

    def epoch(ranks):
        observer = Observer([Stops()] if ranks.rank else (), plan={"training": 3})
        observer.phase = "training"
        data = TensorData(Batch((torch.ones(2, 1),), None), torch.float32, ranks)
        observer.epoch_ended({"objective": 0.0}, data)
        return observer.stopped

    assert on_ranks(epoch) == [True, True]


def test_an_interrupt_is_not_postponed_among_ranks(monkeypatch, quick, pair):
    from skcausalpima._training.observer import Interruption

    interruption = Interruption()
    interruption.is_postponed, interruption.may_wait = True, False
    with pytest.raises(KeyboardInterrupt):
        interruption.interrupt()
    assert interruption.insists


def test_the_first_rank_alone_prints(monkeypatch, brief, pair, capsys):
    fits_on_ranks(monkeypatch, lambda rank: brief(verbose=2, max_iter=1), pair)
    n_of_ranks = capsys.readouterr().out.count("epoch 1 of 1")
    monkeypatch.undo()
    brief(verbose=2, max_iter=1).fit(pair)
    assert capsys.readouterr().out.count("epoch 1 of 1") == n_of_ranks > 0


def test_a_device_asks_for_a_process_group(brief):
    X = np.random.default_rng(0).normal(size=(30, 3))
    with pytest.raises(ValueError, match=r"distributed=True asks for a process group, but none"):
        brief((2,), device=Device(distributed=True)).fit(X)
    with pytest.raises(ValueError, match="distributed"):
        brief((2,), device=Device(distributed="always")).fit(X)


def test_process_group_is_found_asked_for_and_missed(monkeypatch):
    assert process_group("auto") is process_group(False)
    with pytest.raises(ValueError, match="none is initialised"):
        process_group(True)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.warns(UserWarning, match="torchrun has started 2 processes, but no process group"):
        assert not process_group("auto").are_several
    assert not process_group(False).are_several


def test_a_group_of_one_process_changes_nothing(tmp_path, quick, pair):
    expected = quick(max_iter=1).fit(pair)
    store = (tmp_path / "store").as_uri()
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        found = quick(max_iter=1).fit(pair)
    finally:
        torch.distributed.destroy_process_group()
    assert_same(found.history_, expected.history_, "history_")
