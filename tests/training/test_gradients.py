"""Samples that are spread over ranks: sums and gradients are those of all of them."""

import copy
from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from random_models import make_data, make_model, seed
from rank_threads import on_ranks

from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import data_pass, variance_floors
from skcausalpima._training.decoder_updates import fit_last_layers

#: The rows of three ranks, of which the last has none.
PARTS = [slice(0, 55), slice(55, 90), slice(90, 90)]


def of_rank(data, ranks):
    part = data.subset(PARTS[ranks.rank])
    return TensorData(part.samples, part.dtype, ranks)


def weighted(data):
    weights = torch.linspace(0.5, 3.0, 90, dtype=torch.float64)[None]
    return replace(data, samples=replace(data.samples, weights=weights))


@pytest.fixture(params=["whole", "missing", "weighted"])
def data(request):
    found = make_data(missing=request.param == "missing")
    return weighted(found) if request.param == "weighted" else found


def rounding(data, whole):
    """How far numbers may differ: ranks of complete samples go another way than mixed ones."""
    return whole if data.observed is None else 1e-6


def test_sums_over_the_data_are_those_of_all_rows(data):
    """What depends on no draws is equal to the last digits."""

    def found(data):
        result = data_pass(make_model(), data, seed())
        kinds = ("evidence", "potential")
        statistics = [result.statistics.counts, result.statistics.first, result.statistics.second]
        terms = [result.terms[kind] for kind in kinds]
        shares = [] if data.mean_shares is None else [data.mean_shares]
        numbers = [data.n_of_all, data.total, data.n_elements, variance_floors(data)]
        return [*statistics, result.counts, *terms, *numbers, *shares]

    expected = found(data)
    for of_one in on_ranks(lambda ranks: found(of_rank(data, ranks)), 3):
        for one, other in zip(of_one, expected, strict=True):
            assert_allclose(one, other, rtol=rounding(data, 1e-12), atol=1e-12)


@pytest.mark.parametrize("rows_of_batch", [slice(None), slice(40, 60)])
def test_the_gradient_is_that_of_the_whole_batch(data, rows_of_batch):
    whole = make_model()

    def gradients(model, data, batch, ranks=None):
        noise = torch.zeros(len(batch.arrays[0]), model.n_draws, dtype=torch.float64)
        (
            0.1 * model.prior.edges().sum() - data.mean(model.elbo(batch, noise).values, batch)
        ).backward()
        data.average_gradients([list(model.parameters())], len(batch.arrays[0]))
        return [parameter.grad for parameter in model.parameters()]

    def of_one(ranks):
        model, own = copy.deepcopy(whole), of_rank(data, ranks)
        start = PARTS[ranks.rank].start
        first, last, _ = rows_of_batch.indices(90)
        rows = slice(max(first - start, 0), max(last - start, 0))
        return gradients(model, own, own.rows(rows))

    expected = gradients(copy.deepcopy(whole), data, data.rows(rows_of_batch))
    for found in on_ranks(of_one, 3):
        for one, other in zip(found, expected, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                assert_allclose(one, other, rtol=rounding(data, 1e-10), atol=1e-12)


def test_a_gradient_of_one_rank_is_enough_and_none_stays_none():
    def of_one(ranks):
        used, unused = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
        if ranks.rank == 0:
            used.grad = torch.tensor([3.0, 6.0])
        data = of_rank(make_data(), ranks)
        data.average_gradients([[used], [unused]], n_rows=1 + ranks.rank)
        return used.grad, unused.grad

    for used, unused in on_ranks(of_one):
        assert_allclose(used, [1.0, 2.0])
        assert unused is None


@pytest.mark.parametrize("batch_size", [1, 7, 32, 1000])
def test_all_ranks_have_as_many_batches_and_every_row_once(batch_size):
    data = make_data()

    def batches(ranks):
        own = of_rank(data, ranks)
        return list(own.numbered(batch_size, seed(ranks.rank)))

    found = on_ranks(batches, 3)
    assert len({len(of_rank) for of_rank in found}) == 1
    for part, of_one in zip(PARTS, found, strict=True):
        rows = torch.cat([rows for rows, _ in of_one]).sort().values
        assert rows.tolist() == list(range(part.stop - part.start))
        assert all(len(batch.arrays[0]) == len(rows) for rows, batch in of_one)
    sizes = [sum(len(of_rank[step][0]) for of_rank in found) for step in range(len(found[0]))]
    assert max(sizes) <= batch_size + 3  # a part that is rounded up for each


def in_turn(data, ranks):
    """Return every third sample and so on, of which all ranks draw together."""
    ranks.common = seed(5)
    part = data.subset(slice(ranks.rank, None, ranks.n_ranks))
    return TensorData(part.samples, part.dtype, ranks)


@pytest.mark.parametrize("batch_size", [1, 7, 32, 1000])
def test_ranks_draw_the_batches_and_the_noise_of_one_process(batch_size):
    data = make_data()
    found = on_ranks(lambda ranks: list(in_turn(data, ranks).drawn(batch_size, 2, seed())), 3)
    for whole, *parts in zip(data.drawn(batch_size, 2, seed(5)), *found, strict=True):
        numbers = [3 * rows + rank for rank, (rows, _, _) in enumerate(parts)]
        order = torch.cat(numbers).argsort()
        assert torch.equal(torch.cat(numbers)[order], whole[0].sort().values)
        noise, images = (
            torch.cat(of_ranks)[order]
            for of_ranks in (
                [noise for _, _, noise in parts],
                [batch.arrays[0] for _, batch, _ in parts],
            )
        )
        assert torch.equal(noise, whole[2][whole[0].argsort()])
        assert torch.equal(images, whole[1].arrays[0][whole[0].argsort()])


def test_last_layers_are_those_of_all_rows(monkeypatch, data):
    """At the points that no draw moves, in components that none chooses."""
    monkeypatch.setattr(
        TensorData, "normal", lambda self, n_rows, n, _: torch.zeros(n_rows, n).double()
    )

    def layers(data):
        model = make_model()
        fit_last_layers(model, data, seed())
        return [decoder.last_layer.detach() for decoder in model.decoders]

    expected = layers(data)
    for found in on_ranks(lambda ranks: layers(of_rank(data, ranks)), 3):
        for one, other in zip(found, expected, strict=True):
            assert_allclose(one, other, rtol=rounding(data, 1e-8), atol=1e-10)
