"""What all generators have in common: tables, frequencies, targets, seeds."""

import functools
import itertools

import networkx as nx
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mutual_info_score

from skcausalpima.datasets import (
    load_digits_with_curves,
    make_circles_images,
    make_grey_bars,
    make_lattices,
    make_pendulum,
    make_rectangles,
    make_sized_circles,
    make_spectra,
    make_sprites,
    make_striped_circles,
)

HUGE = 10**400
GRAPHS = ["v-structure", "chain", "complete", "independent"]
TWO = ["chain", "independent"]
MAKERS = {
    **{graph: functools.partial(make_circles_images, graph=graph) for graph in GRAPHS},
    "striped": make_striped_circles,
    "sized": make_sized_circles,
    "bars": make_grey_bars,
    **{f"sprites {graph}": functools.partial(make_sprites, graph=graph) for graph in TWO},
    "sprites without shapes": functools.partial(make_sprites, shape="cross"),
    **{f"pendulum {graph}": functools.partial(make_pendulum, graph=graph) for graph in TWO},
    **{f"rectangles {graph}": functools.partial(make_rectangles, graph=graph) for graph in GRAPHS},
    **{f"spectra {graph}": functools.partial(make_spectra, graph=graph) for graph in GRAPHS},
}
# What the documentation promises.
RAREST = {
    **dict.fromkeys(GRAPHS, 0.04),
    "striped": 0.019,
    **{f"sprites {graph}": 0.012 for graph in TWO},
    **{f"pendulum {graph}": 0.06 for graph in TWO},
}


@pytest.fixture(params=MAKERS, scope="module")
def bunch(request):
    return MAKERS[request.param](n_samples=1000, random_state=0)


def joint_by_hand(bunch):
    """Multiply the tables cell by cell."""
    names = list(bunch.dag)
    joint = np.ones([bunch.dag.nodes[name]["size"] for name in names])
    for cell in np.ndindex(joint.shape):
        outcome = dict(zip(names, cell, strict=True))
        for name in names:
            parents = tuple(outcome[parent] for parent in bunch.dag.predecessors(name))
            joint[cell] *= bunch.cpts[name][(*parents, outcome[name])]
    return joint


def test_the_dag_and_its_tables_agree(bunch):
    assert nx.is_directed_acyclic_graph(bunch.dag)
    assert list(bunch.dag) == bunch.factor_names == list(bunch.cpts)
    for name, table in bunch.cpts.items():
        sizes = [bunch.dag.nodes[node]["size"] for node in [*bunch.dag.predecessors(name), name]]
        assert table.shape == tuple(sizes)
        np.testing.assert_allclose(table.sum(axis=-1), 1.0)


def test_cells_are_as_frequent_as_the_tables_say(bunch):
    """A chi-square test; it would fail for 1 in 1000 seeds."""
    expected = joint_by_hand(bunch).ravel() * len(bunch.target)
    observed = np.bincount(bunch.target, minlength=len(expected))
    assert stats.chisquare(observed, expected).pvalue > 1e-3


def test_the_target_is_the_cell_of_the_factors(bunch):
    cells = list(itertools.product(*(range(bunch.dag.nodes[n]["size"]) for n in bunch.dag)))
    assert [tuple(row) for row in bunch.factors] == [cells[cell] for cell in bunch.target]


@pytest.mark.parametrize("name", RAREST)
def test_no_cell_is_rarer_than_documented(name):
    assert joint_by_hand(MAKERS[name](1, random_state=0)).min() >= RAREST[name]


@pytest.mark.parametrize("name", sorted(MAKERS.keys() - {"striped", "sized"}))
def test_no_edge_is_weak(name):
    bunch = MAKERS[name](1, random_state=0)
    joint = joint_by_hand(bunch)
    for parent, child in bunch.dag.edges:
        others = [name for name in bunch.dag.predecessors(child) if name != parent]
        kept = [bunch.factor_names.index(name) for name in [*others, parent, child]]
        rest = tuple(set(range(joint.ndim)) - set(kept))
        family = np.moveaxis(joint, kept, range(len(kept))) if not rest else joint.sum(axis=rest)
        counts = (1e6 * (family if others else family[None])).round().astype(int)
        information = sum(
            table.sum() / 1e6 * mutual_info_score(None, None, contingency=table) for table in counts
        )
        assert information >= 0.05


def test_each_factor_can_be_told_from_its_value(bunch):
    """The expected accuracy of the best thresholds is 0.997 (0.996 with three outcomes)."""
    for values, outcomes in zip(bunch.factor_values.T, bunch.factors.T, strict=True):
        centres = [values[outcomes == outcome].mean() for outcome in range(outcomes.max() + 1)]
        thresholds = (np.array(centres[1:]) + centres[:-1]) / 2.0
        assert np.mean(np.searchsorted(thresholds, values) == outcomes) >= 0.993


@pytest.mark.parametrize("maker", [*MAKERS.values(), load_digits_with_curves])
def test_a_seed_fixes_everything_and_the_global_generator_is_left_alone(maker):
    size = {} if maker is load_digits_with_curves else {"n_samples": 50}
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (maker(**size, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    for name in set(first) - {"dag", "cpts"}:
        np.testing.assert_array_equal(first[name], second[name])
    for name in {"images", "curves"} & set(first):
        assert first[name].dtype == np.float32
    name = "curves" if "curves" in first else "images"
    assert not np.array_equal(first[name], other[name])
    if "images" in first:
        assert 0.0 <= first.images.min() <= first.images.max() <= 16.0


NEW = [make_sprites, make_pendulum, make_rectangles, make_spectra]


@pytest.mark.parametrize("maker", NEW)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"graph": "star"}, ValueError, "graph must be one of.*'star'"),
        ({"graph": ["chain"]}, ValueError, "graph must be one of"),
        ({"noise": -0.1}, ValueError, "noise == -0.1"),
        ({"noise": float("nan")}, ValueError, "noise is nan"),
        ({"noise": None}, TypeError, "noise must be an instance of"),
        ({"random_state": "seed"}, ValueError, "cannot be used to seed"),
    ],
)
def test_bad_arguments(maker, arguments, error, message):
    with pytest.raises(error, match=message):
        maker(**{"n_samples": 5, **arguments})


@pytest.mark.parametrize("maker", NEW)
@pytest.mark.parametrize("none", [0.0, -0.0])
def test_one_sample_and_no_noise(maker, none):
    bunch = maker(1, noise=none, random_state=0)
    data = bunch.images if "images" in bunch else bunch.curves
    assert len(data) == len(bunch.factors) == len(bunch.target) == 1
    assert np.isfinite(data).all()


@pytest.mark.parametrize("maker", NEW)
def test_the_noise_has_its_standard_deviation_and_changes_nothing_else(maker):
    noisy, clear = (maker(50, noise=noise, random_state=0) for noise in (0.02, 0.0))
    np.testing.assert_array_equal(noisy.factor_values, clear.factor_values)
    name = "images" if "images" in noisy else "curves"
    inside = (clear[name] > 0.2) & (clear[name] < (0.8 if name == "images" else np.inf))
    assert inside.sum() > 500
    noise = (noisy[name].astype(float) - clear[name])[inside]
    assert noise.std() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("overlap", [np.inf, np.nan, -1.0, HUGE, 1e300, True, "x", None, 1j])
@pytest.mark.parametrize(
    "make",
    [make_circles_images, make_striped_circles, make_sized_circles],
)
def test_overlaps(make, overlap):
    with pytest.raises((TypeError, ValueError), match="overlap"):
        make(5, overlap=overlap)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (make_circles_images, "n_samples"),
        (make_circles_images, "image_size"),
        (make_striped_circles, "n_samples"),
        (make_sized_circles, "n_samples"),
        (make_grey_bars, "n_samples"),
        (make_lattices, "n_samples"),
        (make_pendulum, "n_samples"),
        (make_rectangles, "n_samples"),
        (make_spectra, "n_samples"),
        (make_sprites, "n_samples"),
        (load_digits_with_curves, "n_points"),
    ],
)
@pytest.mark.parametrize("value", [True, 2**64, HUGE, 0, 2.0, None])
def test_counts_of_generators(make, argument, value):
    told = f"{argument} (must be an instance of int|== .*, must be [<>]= |is )"
    with pytest.raises((TypeError, ValueError), match=told):
        make(**{argument: value})


@pytest.mark.parametrize("value", [np.inf, np.nan, HUGE, 1e300, -1.0, True])
def test_noise_of_curves(value):
    with pytest.raises((TypeError, ValueError), match="noise_variance"):
        load_digits_with_curves(value)


@pytest.mark.parametrize(
    ("argument", "value"), [("graph", "star"), ("graph", []), ("graph", None), ("curves", "no")]
)
def test_words_of_generators(argument, value):
    with pytest.raises((TypeError, ValueError), match=argument):
        make_circles_images(5, **{argument: value})


def test_images_are_finite_up_to_the_largest_overlap():
    assert np.isfinite(make_circles_images(50, overlap=1e6, random_state=0).images).all()
