"""Variable elimination against the product over the whole grid."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skcausalpima.graph._elimination import Factor, eliminate

SIZES = {"a": 2, "b": 3, "c": 2, "d": 4}
SCOPES = [("a",), ("b", "a"), ("c", "b"), ("d", "b", "a"), ("d",), ("c", "a")]


def random_factors(seed, scopes=SCOPES, sizes=SIZES, scale=1.0):
    rng = np.random.default_rng(seed)
    shapes = [[sizes[node] for node in scope] for scope in scopes]
    return [Factor(s, scale * rng.random(n)) for s, n in zip(scopes, shapes, strict=True)]


def brute_force(factors, keep):
    """Cell by cell over all nodes."""
    sizes = {node: n for f in factors for node, n in zip(f.nodes, f.array.shape, strict=True)}
    total = np.zeros([sizes[node] for node in keep])
    for values in itertools.product(*(range(size) for size in sizes.values())):
        cell = dict(zip(sizes, values, strict=True))
        product = np.prod([f.array[tuple(cell[node] for node in f.nodes)] for f in factors])
        total[tuple(cell[node] for node in keep)] += product
    return total


@pytest.mark.parametrize("keep", [(), ("d",), ("c", "a"), ("a", "c"), ("b", "d"), tuple("dcba")])
@pytest.mark.parametrize("n_factors", [4, 6])
def test_sums_are_those_over_the_whole_grid(keep, n_factors):
    factors = random_factors(0)[:n_factors]
    array, exponent = eliminate(factors, list(keep))
    assert array.shape == tuple(SIZES[node] for node in keep)
    assert_allclose(array * 2.0**exponent, brute_force(factors, keep))


@pytest.mark.parametrize("keep", [["a"], ["c", "d"]])
@pytest.mark.parametrize("power", [-300, 300])
def test_scales_add_up_beyond_what_a_float_can_hold(keep, power):
    """Six factors of 2^-300 each: 2^-1800 underflows, and 2^1800 overflows."""
    plain = random_factors(1)
    scaled = [Factor(f.nodes, f.array * 2.0**power) for f in plain]
    array, exponent = eliminate(scaled, keep)
    assert_allclose(array * 2.0 ** (exponent - 6 * power), brute_force(plain, keep))
    assert 0.5 <= array.max() < 1


def test_factors_that_share_nothing_multiply():
    factors = random_factors(2, [("a",), ("b",), ("d",)])
    array, exponent = eliminate(factors, ["d", "a"])
    assert_allclose(array * 2.0**exponent, brute_force(factors, ["d", "a"]))


def test_sum_of_what_is_impossible_is_zero():
    factors = [Factor(("a",), np.array([0.0, 1.0])), Factor(("a", "b"), np.eye(2)[::-1] * [0, 1])]
    array, exponent = eliminate(factors, ["b"])
    assert (array == 0).all()
    assert isinstance(exponent, int)


def test_no_factors_and_nothing_kept_is_one():
    array, exponent = eliminate([], [])
    assert (array.shape, array * 2.0**exponent) == ((), 1.0)


def test_leaves_of_a_star_go_before_its_centre():
    """The other way round, 40 leaves need a table of 2^40 cells."""
    leaves = [f"leaf{k}" for k in range(40)]
    tables = [Factor((leaf, "centre"), np.array([[0.9, 0.2], [0.1, 0.8]])) for leaf in leaves]
    factors = [Factor(("centre",), np.array([0.25, 0.75])), *tables]
    array, exponent = eliminate(factors[::-1], ["centre"])
    assert_allclose(array * 2.0**exponent, [0.25, 0.75])
    array, exponent = eliminate(factors, ["leaf7"])
    assert_allclose(array * 2.0**exponent, [0.375, 0.625])


def test_tables_up_to_the_limit_are_allowed(monkeypatch):
    factors = random_factors(3, [("a",), ("b",), ("d",)])
    monkeypatch.setattr("skcausalpima.graph._elimination.MAX_CELLS", 24)
    array, exponent = eliminate(factors, ["a", "b", "d"])
    assert_allclose(array * 2.0**exponent, brute_force(factors, ["a", "b", "d"]))
    monkeypatch.setattr("skcausalpima.graph._elimination.MAX_CELLS", 23)
    with pytest.raises(ValueError, match="a table of 24 cells; at most 23 are"):
        eliminate(factors, ["a", "b", "d"])


def test_what_is_asked_for_is_refused_before_any_work(monkeypatch):
    factors = random_factors(3, [("a",), ("b",), ("d",)])
    monkeypatch.setattr("skcausalpima.graph._elimination.MAX_CELLS", 5)
    with pytest.raises(ValueError, match="a table of 24 cells"):  # and not the 6 on the way
        eliminate(factors, ["a", "b", "d"])


def test_tables_on_the_way_are_limited_too(monkeypatch):
    factors = random_factors(4, [("a", "b"), ("b", "d"), ("d", "a")])
    monkeypatch.setattr("skcausalpima.graph._elimination.MAX_CELLS", 12)
    with pytest.raises(ValueError, match="a table of 24 cells"):
        eliminate(factors, ["a"])


def test_more_than_a_gibibyte_is_refused():
    """28 binary nodes at once have 2^28 cells of eight bytes."""
    factors = [Factor((node,), np.full(2, 0.5)) for node in range(28)]
    with pytest.raises(ValueError, match=r"a table of 2.68e\+8 cells; at most 1.34e\+8 are"):
        eliminate(factors, range(28))
