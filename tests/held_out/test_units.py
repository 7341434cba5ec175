"""Rows and their groups: what is dealt, drawn and exchanged keeps groups whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skcausalpima._held_out.difference import PairedDifference
from skcausalpima._held_out.held_out import HeldOut
from skcausalpima._held_out.units import Units

#: Numbers of groups of one to six rows, in any order.
GROUPED = st.lists(st.integers(1, 6), min_size=3, max_size=8).flatmap(
    lambda sizes: st.permutations(np.repeat(range(len(sizes)), sizes).tolist())
)


def is_whole(units, rows):
    """Whether rows are all of those of their units."""
    counts = np.bincount(units.numbers[rows], minlength=units.n)
    return bool(np.isin(counts, [0, *units.sizes]).all()) and all(
        count in (0, size) for count, size in zip(counts, units.sizes, strict=True)
    )


@given(codes=GROUPED, seed=st.integers(0, 99), n_folds=st.integers(2, 3))
def test_folds_keep_groups_whole_and_hold_out_each_row_once(codes, seed, n_folds):
    units = Units.of(np.array(codes))
    parts = HeldOut.folds(units, n_folds, seed).parts
    held = np.concatenate([part.held for part in parts])
    assert sorted(held) == list(range(len(codes)))
    for part in parts:
        assert is_whole(units, part.held)
        assert not np.intersect1d(units.numbers[part.rows], units.numbers[part.held]).size
        assert part.units.n == len(np.unique(units.numbers[part.rows]))


@given(codes=GROUPED, seed=st.integers(0, 99))
def test_bootstraps_draw_whole_groups_each_a_unit_of_its_own(codes, seed):
    units = Units.of(np.array(codes))
    (part,) = HeldOut.bootstrap(units, [seed]).parts
    assert part.units.n == units.n
    for draw in range(part.units.n):
        rows = part.rows[part.units.numbers == draw]
        assert sorted(rows) == np.flatnonzero(units.numbers == units.numbers[rows[0]]).tolist()
    counts = units.counts(np.random.RandomState(seed), np.ones(len(codes)))
    assert counts[units.firsts].sum() == units.n
    np.testing.assert_array_equal(counts, counts[units.firsts][units.numbers])


@given(codes=GROUPED, seed=st.integers(0, 99))
def test_a_group_gets_the_values_of_one_other_group(codes, seed):
    units = Units.of(np.array(codes))
    donors = units.numbers[units.exchanged(np.random.RandomState(seed))]
    for unit in range(units.n):
        assert len(set(donors[units.numbers == unit])) == 1
    one = units.one_of_each(np.random.RandomState(seed))
    assert sorted(units.numbers[one]) == list(range(units.n))


def test_values_come_once_where_groups_have_as_many_rows():
    units = Units.of(np.repeat(range(6), 4))
    exchanged = units.exchanged(np.random.RandomState(0))
    assert sorted(exchanged) == list(range(24))


def test_single_rows_are_drawn_as_numpy_draws_them():
    """So that fits without groups stay as they were, bit by bit."""
    rng, again = np.random.RandomState(3), np.random.RandomState(3)
    rows, units = Units(9).bootstrap(rng)
    np.testing.assert_array_equal(rows, again.randint(9, size=9))
    assert units.are_rows
    np.testing.assert_array_equal(Units(9).exchanged(rng), again.permutation(9))
    np.testing.assert_array_equal(
        Units(9).counts(rng, np.ones(9)), again.multinomial(9, np.full(9, 1 / 9))
    )
    order = again.permutation(9)
    np.testing.assert_array_equal(np.flatnonzero(Units(9).dealt(rng, 2) == 0), np.sort(order[::2]))
    np.testing.assert_array_equal(Units(9).one_of_each(rng), np.arange(9))


def test_strata_are_in_both_halves():
    units, strata = Units.of(np.repeat(range(8), 3)), np.repeat([[0, 1]], 12, axis=1)
    for part in HeldOut.folds(units, 2, 0, strata).parts:
        assert sorted(strata[0, units.firsts][np.unique(units.numbers[part.rows])]) == [0, 0, 1, 1]


def test_folds_of_unlike_groups_have_about_as_many_rows():
    sizes = np.random.default_rng(0).integers(1, 30, size=60)
    units = Units.of(np.repeat(range(60), sizes))
    held = [len(part.held) for part in HeldOut.folds(units, 3, 0).parts]
    assert max(held) - min(held) <= sizes.max()


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.9])
def test_rows_are_as_alike_as_they_were_drawn(alike):
    """The estimate of 400 groups of five is within four standard errors, and so are its draws."""
    units, rng = Units.of(np.repeat(range(400), 5)), np.random.RandomState(0)
    of_units = rng.normal(size=(400, 3))[units.numbers]
    values = np.sqrt(alike) * of_units + np.sqrt(1 - alike) * rng.normal(size=(2000, 3))
    for table in (values, units.drawn_alike(rng, values)):
        np.testing.assert_allclose(units.intraclass(table), alike, atol=0.12)


def test_errors_of_differences_are_those_of_units():
    """Of equal groups the mean of their means: SciPy's standard error of these."""
    from scipy.stats import sem

    values, units = np.random.default_rng(0).normal(size=60), Units.of(np.repeat(range(12), 5))
    values += np.repeat(np.random.default_rng(1).normal(size=12), 5)
    found = PairedDifference.of(values, units)
    assert found.error == pytest.approx(sem(values.reshape(12, 5).mean(axis=1)))
    assert PairedDifference.of(values, Units(60)).error == pytest.approx(sem(values))
    assert PairedDifference.of(values, Units.of(np.zeros(60, int))).error == np.inf


def test_clustered_errors_cover_where_plain_ones_do_not():
    """400 draws of 30 groups of five with nothing in them: two errors are exceeded in some 5 %."""
    rng, units = np.random.default_rng(0), Units.of(np.repeat(range(30), 5))
    outside = {"clustered": 0, "plain": 0}
    for _ in range(400):
        values = np.repeat(rng.normal(size=30), 5) + 0.3 * rng.normal(size=150)
        for name, of in (("clustered", units), ("plain", Units(150))):
            found = PairedDifference.of(values, of)
            outside[name] += found.is_better or found.is_worse
    assert outside["clustered"] / 400 < 0.09  # .056 in truth, by Student's t of 29
    assert outside["plain"] / 400 > 0.25
