"""Counterfactual outcomes and moved states against enumeration, rejection and closed forms.

Statistical tests have fixed seeds; the stated false-alarm rates are those over all seeds.
"""

import itertools

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.linalg import sqrtm
from some_slow import some_slow

from skcausalpima._inference.decoding import swap_states, transport_maps
from skcausalpima.graph import CategoricalDAG

FALSE_ALARMS = 1e-6  # of every single chi-square test


def make_dag(seed, sizes=(2, 3, 2, 4), zeros=False):
    """A random network, nodes in no topological order, that has most of the possible edges."""
    rng = np.random.default_rng(seed)
    positions = rng.permutation(len(sizes))
    graph = nx.DiGraph()
    graph.add_nodes_from(f"n{i}" for i in range(len(sizes)))
    for i, j in rng.permutation(np.argwhere(positions[:, None] < positions)):
        if rng.random() < 0.8:
            graph.add_edge(f"n{i}", f"n{j}")
    cpts = {}
    for node, size in zip(graph, sizes, strict=True):
        shape = [sizes[int(parent[1:])] for parent in graph.predecessors(node)]
        table = rng.dirichlet(np.ones(size), size=shape)
        if zeros:  # another outcome is impossible in about every second row
            table = table * (rng.random(table.shape) > 0.5) + 1e-3 * np.eye(size)[0]
            table /= table.sum(axis=-1, keepdims=True)
        cpts[node] = table
    return CategoricalDAG(graph, cpts)


def two_nodes(parent, rows):
    return CategoricalDAG.from_arrays([[0, 1], [0, 0]], [parent, rows])


def chi_square(counts, probabilities):
    """p-value of counts; cells that are expected less than 5 times are put together."""
    expected = counts.sum() * probabilities.ravel()
    counts = counts.ravel()
    assert counts[expected == 0].sum() == 0
    rare = expected < 5
    observed, expected = (
        np.append(x[~rare], x[rare].sum()) if rare.any() else x for x in (counts, expected)
    )
    keep = expected > 0
    if keep.sum() == 1:
        return 1.0  # nothing is left to chance
    return stats.chisquare(observed[keep], expected[keep] * observed.sum() / expected.sum()).pvalue


def count_cells(samples, sizes):
    counts = np.zeros(sizes)
    np.add.at(counts, tuple(samples.T), 1)
    return counts


def every_intervention(dag):
    return [(node, k) for node, size in zip(dag.nodes, dag.sizes, strict=True) for k in range(size)]


# Counterfactual outcomes -----------------------------------------------------------------------


@pytest.mark.parametrize("zeros", [False, True])
def test_setting_what_was_changes_nothing(zeros):
    dag = make_dag(0, zeros=zeros)
    factual = dag.sample(3000, 0)
    assert_array_equal(dag.counterfactual(factual, {}, 1), factual)
    for node, outcome in every_intervention(dag):
        rows = factual[factual[:, dag.nodes.index(node)] == outcome]
        result = dag.counterfactual(rows, {node: outcome}, 1)
        assert result.dtype == np.int64
        assert_array_equal(result, rows)


def test_not_even_where_losers_arrive_with_the_winner():
    """Noise that rounding makes a tie: E' = 0 for all who lost."""

    class Ties(np.random.RandomState):
        def standard_exponential(self, size):
            return np.broadcast_to(np.eye(size[-1])[0], size)

    dag = make_dag(0)
    factual = dag.sample(3000, 0)
    for node, outcome in every_intervention(dag):
        rows = factual[factual[:, dag.nodes.index(node)] == outcome]
        assert_array_equal(dag.counterfactual(rows, {node: outcome}, Ties()), rows)


@pytest.mark.parametrize(
    ("seed", "zeros"),
    some_slow(itertools.product(range(3), [False, True]), [(0, True), (1, False)]),
)
def test_over_the_population_they_are_interventional(seed, zeros):
    """Total probability: 66 chi-square tests in all."""
    dag = make_dag(seed, zeros=zeros)
    factual = dag.sample(20_000, 10)
    for node, outcome in every_intervention(dag):
        result = dag.counterfactual(factual, {node: outcome}, 11)
        expected = dag.do({node: outcome}).joint()
        assert chi_square(count_cells(result, dag.sizes), expected) > FALSE_ALARMS


def test_two_set_nodes_and_all():
    dag = make_dag(1)
    factual = dag.sample(20_000, 10)
    both = {"n0": 1, "n2": 0}
    result = dag.counterfactual(factual, both, 0)
    assert chi_square(count_cells(result, dag.sizes), dag.do(both).joint()) > FALSE_ALARMS
    everything = {"n0": 1, "n1": 2, "n2": 0, "n3": 3}
    result = dag.counterfactual(factual[:4], everything, 0)
    assert_array_equal(result, [[1, 2, 0, 3]] * 4)


@pytest.mark.parametrize(("old", "new"), [(0.3, 0.6), (0.6, 0.3), (0.1, 0.95), (0.5, 0.5)])
def test_binary_outcomes_have_a_closed_form(old, new):
    """By stability 1 stays 1 if it gets likelier; then P(0 -> 1) follows from the total.

    Within 5 standard errors: a false alarm in 2 million.
    """
    dag = two_nodes([0.5, 0.5], [[1 - old, old], [1 - new, new]])
    for start, p, q in ((1, old, new), (0, 1 - old, 1 - new)):
        factual = np.tile([0, start], (40_000, 1))
        stays = dag.counterfactual(factual, {"N1": 1}, 3)[:, 1] == start
        expected = min(1.0, q / p)
        error = np.sqrt(expected * (1 - expected) / len(stays))
        assert abs(stays.mean() - expected) <= 5 * error


@pytest.mark.parametrize("winner", range(4))
def test_posterior_noise_agrees_with_rejection(winner):
    """Draw Gumbels from their prior, keep those that explain the factual outcome."""
    rng = np.random.default_rng(5)
    old, new = rng.dirichlet(np.ones(4), size=2)
    gumbels = rng.gumbel(size=(400_000, 4))
    kept = gumbels[(np.log(old) + gumbels).argmax(axis=1) == winner]
    oracle = np.bincount((np.log(new) + kept).argmax(axis=1), minlength=4)
    dag = two_nodes([0.5, 0.5], [old, new])
    factual = np.tile([0, winner], (len(kept), 1))
    result = dag.counterfactual(factual, {"N1": 1}, 6)[:, 1]
    table = np.stack([oracle, np.bincount(result, minlength=4)])
    assert stats.chi2_contingency(table[:, table.sum(axis=0) > 10]).pvalue > FALSE_ALARMS


def test_stability():
    """Whatever an outcome is left for has gained more, relative to its old probability."""
    dag = make_dag(2, sizes=(3, 4, 4))
    factual = dag.sample(5000, 0)
    changes = 0
    for node, outcome in every_intervention(dag):
        result = dag.counterfactual(factual, {node: outcome}, 1)
        for k, child in enumerate(dag.nodes):
            moved = (result[:, k] != factual[:, k]) & (child != node)
            columns = [dag.nodes.index(p) for p in dag.graph.predecessors(child)]
            if not columns:
                assert not moved.any()
                continue
            old, new = (dag.cpts[child][tuple(x[moved][:, columns].T)] for x in (factual, result))
            gain = new / old
            rows = np.arange(moved.sum())
            assert (gain[rows, result[moved, k]] > gain[rows, factual[moved, k]]).all()
            changes += moved.sum()
    assert changes > 1000


def test_only_descendants_change():
    dag = make_dag(0)
    factual = dag.sample(2000, 0)
    for node, outcome in every_intervention(dag):
        result = dag.counterfactual(factual, {node: outcome}, 1)
        fixed = [
            k for k, n in enumerate(dag.nodes) if n not in {node, *nx.descendants(dag.graph, node)}
        ]
        assert_array_equal(result[:, fixed], factual[:, fixed])
        assert (result[:, dag.nodes.index(node)] == outcome).all()


def test_deterministic_mechanisms_are_followed():
    """N3 = N1 xor N2 leaves nothing to chance."""
    xor = np.eye(2)[np.array([[0, 1], [1, 0]])]
    adjacency = [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    dag = CategoricalDAG.from_arrays(adjacency, [[0.5, 0.5], [0.5, 0.5], xor])
    factual = dag.sample(500, 0)
    result = dag.counterfactual(factual, {"N1": 1}, 1)
    assert_array_equal(result[:, 2], 1 ^ factual[:, 1])


def test_draws_are_seeded_and_those_of_first_rows_stay():
    dag = make_dag(0)
    factual = dag.sample(500, 0)
    result = dag.counterfactual(factual, {"n1": 1}, 7)
    assert_array_equal(result, dag.counterfactual(factual, {"n1": 1}, 7))
    assert_array_equal(result[:20], dag.counterfactual(factual[:20], {"n1": 1}, 7))
    assert (result != dag.counterfactual(factual, {"n1": 1}, 8)).any()
    assert dag.counterfactual(factual[:0], {"n1": 1}, 7).shape == (0, 4)


def test_the_same_noise_meets_every_intervention():
    """Setting the grandparent to what makes the parent b is like setting the parent to b."""
    copy = np.eye(2)
    chain = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    rows = [[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]]
    dag = CategoricalDAG.from_arrays(chain, [[0.5, 0.5], copy, rows])
    factual = dag.sample(500, 0)
    far = dag.counterfactual(factual, {"N1": 1}, 3)
    near = dag.counterfactual(factual, {"N2": 1}, 3)
    assert_array_equal(far[:, 2], near[:, 2])


@pytest.mark.parametrize(
    ("factual", "interventions", "message"),
    [
        ([[0, 0]], {"N3": 0}, r"no node 'N3'; the nodes here are \['N1', 'N2'\]"),
        ([[0, 0]], {"N2": 2}, "Node 'N2' has no outcome 2; give a whole number from 0 to 1"),
        ([[0, 0]], ["N2"], "counterfactual needs a mapping"),
        ([[0, 5]], {"N2": 1}, r"Node 'N2' has no outcome 5 \(row 0\)"),
        ([[0, 0], [0, 1]], {"N1": 1}, "Sample 1 has outcomes of probability zero.*'N2': 1"),
    ],
)
def test_bad_input(factual, interventions, message):
    dag = two_nodes([0.5, 0.5], [[1.0, 0.0], [0.5, 0.5]])
    with pytest.raises(ValueError, match=message):
        dag.counterfactual(factual, interventions)


def test_outcomes_after_interventions():
    dag = make_dag(0)
    samples = dag.intervene({"n3": 2}, 20_000, 0)
    assert chi_square(count_cells(samples, dag.sizes), dag.do({"n3": 2}).joint()) > FALSE_ALARMS
    everything = {"n3": 3, "n1": 2, "n0": 1, "n2": 0}
    assert_array_equal(dag.intervene(everything, 2, 0), [[1, 2, 0, 3]] * 2)
    with pytest.raises(ValueError, match="Node 'n1' has no outcome 3"):
        dag.intervene(everything | {"n1": 3}, 2, 0)
    with pytest.raises(ValueError, match="intervene needs a mapping"):
        dag.intervene("n3", 2, 0)


# Moved states ----------------------------------------------------------------------------------


def random_covariances(n, dim, seed=0):
    factors = np.random.default_rng(seed).normal(size=(n, dim, dim))
    return factors @ factors.swapaxes(1, 2) + 0.1 * np.eye(dim)


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_transport_has_the_moments_of_the_target(dim):
    sources, targets = random_covariances(6, dim), random_covariances(6, dim, seed=1)
    maps = transport_maps(sources, targets)
    assert_allclose(maps @ sources @ maps, targets, rtol=1e-9, atol=1e-9)
    assert_allclose(maps, maps.swapaxes(1, 2), atol=1e-12)
    assert (np.linalg.eigvalsh(maps) > 0).all()
    assert_allclose(transport_maps(sources, sources), np.eye(dim) + 0 * maps, atol=1e-9)


def test_transport_costs_the_bures_distance():
    """E|Az - z|^2 = tr(S + T - 2 (S^1/2 T S^1/2)^1/2), and Cholesky factors cost more."""
    source, target = random_covariances(2, 4)
    root = sqrtm(source)
    distance = np.trace(source + target - 2 * sqrtm(root @ target @ root)).real

    def cost(linear):
        return np.trace((linear - np.eye(4)) @ source @ (linear - np.eye(4)).T)

    assert cost(transport_maps(source[None], target[None])[0]) == pytest.approx(distance, rel=1e-8)
    lower, other = np.linalg.cholesky(source), np.linalg.cholesky(target)
    assert cost(other @ np.linalg.inv(lower)) > distance * 1.01


def test_points_keep_their_place_within_the_component():
    rng = np.random.default_rng(0)
    means, covariances = rng.normal(size=(5, 3)), random_covariances(5, 3)
    old, new = rng.integers(5, size=(2, 200))
    points = rng.normal(size=(200, 3))
    moved = swap_states(points, old, new, means, covariances)

    def distances(z, component):
        residual = z - means[component]
        return np.einsum("ni,nij,nj->n", residual, np.linalg.inv(covariances)[component], residual)

    assert_allclose(distances(moved, new), distances(points, old), rtol=1e-8)
    assert_array_equal(moved[old == new], points[old == new])
    centres = swap_states(means[old], old, new, means, covariances)
    assert_allclose(centres, means[new], atol=1e-12)
    back = swap_states(moved, new, old, means, covariances)
    assert_allclose(back, points, atol=1e-8)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turned = swap_states(
        points @ rotation.T, old, new, means @ rotation.T, rotation @ covariances @ rotation.T
    )
    assert_allclose(turned, moved @ rotation.T, atol=1e-8)


def test_dtypes_and_nearly_singular_covariances():
    covariances = np.stack([np.diag([1.0, 1e-6]), np.diag([1e-6, 1.0]), np.ones((2, 2))])
    points = np.array([[1, 1e-3], [1, 1e-3], [0.5, 0.5]], dtype=np.float32)
    old, new = np.array([0, 0, 2]), np.array([1, 2, 0])
    means = np.zeros((3, 2), dtype=np.float32)
    moved = swap_states(points, old, new, means, covariances.astype(np.float32))
    assert moved.dtype == np.float32
    assert np.isfinite(moved).all()
    assert_allclose(moved[0], [1e-3, 1.0], rtol=1e-5)
    assert swap_states(points[:0], old[:0], new[:0], means, covariances).shape == (0, 2)
