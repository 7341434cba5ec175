"""What ranks answer, against one pass over the rows of all of them."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from rank_threads import on_ranks

from skcausalpima._data.ranks import ALONE, _around_difference
from skcausalpima._model.tensors import TensorData
from skcausalpima.modules import Batch

NUMBERS = (4, 1, 3)  # of rows, per rank


def in_turn(parts):
    """Rows of ranks, one of each, then the next ones: by a loop."""
    return [part[k] for k in range(max(map(len, parts))) for part in parts if k < len(part)]


def parts(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=number).astype(dtype) for number in NUMBERS]


def test_one_process_is_the_first_of_one():
    assert (ALONE.rank, ALONE.n_ranks, ALONE.are_several, ALONE.common) == (0, 1, False, None)
    values, weights = np.array([1.0, 5.0]), np.array([3.0, 1.0])
    assert ALONE.mean(values) == 3.0
    assert ALONE.mean(values, weights) == 2.0
    assert ALONE.gathered(values) is values
    with ALONE.joined(), ALONE.together():
        pass


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_positions_are_those_of_rows_that_take_turns(n_ranks):
    numbers = NUMBERS[:n_ranks]
    names = [[(rank, row) for row in range(number)] for rank, number in enumerate(numbers)]
    order = in_turn(names)
    found = on_ranks(lambda ranks: ranks.positions(numbers[ranks.rank]), n_ranks)
    for rank, positions in enumerate(found):
        assert [order[position] for position in positions] == names[rank]


def test_rows_are_gathered_in_turn():
    rows = [np.arange(2 * number).reshape(number, 2) + 10 * number for number in NUMBERS]
    for found in on_ranks(lambda ranks: ranks.gathered(rows[ranks.rank]), 3):
        assert_array_equal(found, in_turn(rows))
    assert on_ranks(lambda ranks: ranks.first(ranks.rank), 3) == [0, 0, 0]
    assert on_ranks(lambda ranks: ranks.largest([2.0, 7.0, -9.0][ranks.rank]), 3) == [7.0] * 3


def test_sums_are_in_double_precision():
    values = parts(dtype=np.float32)
    assert ALONE.sum(values[0]) is values[0]
    expected = sum(part[:1].astype(np.float64) for part in values)
    for found in on_ranks(lambda ranks: ranks.sum(values[ranks.rank][:1]), 3):
        assert found.dtype == np.float64
        assert_array_equal(found, expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_means_are_those_of_all_rows(weighted):
    values, weights = parts(), [np.abs(part) + 0.5 for part in parts(1)]
    given = weights if weighted else [None] * 3
    expected = np.average(np.concatenate(values), weights=np.concatenate(weights))
    expected = expected if weighted else np.concatenate(values).mean()
    found = on_ranks(lambda ranks: ranks.mean(values[ranks.rank], given[ranks.rank]), 3)
    assert found == pytest.approx([expected] * 3)
    alone = ALONE.mean(np.concatenate(values), np.concatenate(weights) if weighted else None)
    assert alone == pytest.approx(expected)


@dataclass
class Sums:
    a: torch.Tensor
    b: torch.Tensor


def test_totals_of_records_are_those_of_their_fields():
    def total(ranks):
        data = TensorData(Batch((torch.ones(1, 1),), None), torch.float32, ranks)
        return data.total_of(Sums(torch.ones(2), torch.eye(2)))

    for found in on_ranks(total, 3):
        assert found.a.tolist() == [3.0, 3.0]
        assert found.b.tolist() == [[3.0, 0.0], [0.0, 3.0]]


def test_ranks_that_differ_are_told_which_one_and_in_what():
    told = [{"a": "1", "b": "2"}, {"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}]
    first, *_ = found = on_ranks(lambda ranks: ranks.agree(lambda: told[ranks.rank]), 3)
    assert {str(of) for of in found} == {str(first)}
    assert "b: rank 0 has 2, and rank 2 has 3" in str(first)
    assert on_ranks(lambda ranks: ranks.agree(lambda: told[0]), 3) == [None] * 3


def test_of_long_texts_that_differ_there_is_what_is_around_the_place():
    """Also where one of them is short, or the beginning of the other."""
    same, long = "a" * 500, "a" * 500 + "b" + "c" * 500
    first, second = _around_difference(same + "d", long)
    assert first == f"..{'a' * 100}d.."
    assert second == f"..{'a' * 100}b{'c' * 99}.."
    for one, other in ((same[:10], long), (long, same[:10])):
        texts = _around_difference(one, other)
        assert sorted(map(len, texts)) == [10 + 4, 200 + 4]
    assert _around_difference("a" * 200, "b") == ["a" * 200, "b"]


def test_an_error_on_one_rank_is_one_on_all():
    def begin(ranks):
        with ranks.together():
            if ranks.rank == 1:
                raise KeyError("lr")

    first, second, third = on_ranks(begin, 3)
    assert isinstance(second, KeyError)
    assert str(first) == str(third)
    assert str(first).startswith("Rank 1 of the process group cannot begin its fit. KeyError: 'lr'")
