"""Joint, marginals, conditionals and do() against brute force."""

import copy
import pickle
import time
import tracemalloc
from itertools import permutations

import networkx as nx
import numpy as np
import pytest

from skcausalpima.graph import CategoricalDAG, ConditionalDistribution

SHAPES = [(3, 4), (5, 4), (6, 3), (8, 2), (8, 3)]  # nodes, largest size


@pytest.fixture(params=range(2 * len(SHAPES)))
def network(request, random_dag):
    n_nodes, max_size = SHAPES[request.param // 2]
    return random_dag(request.param, n_nodes, max_size)


def summed(joint, nodes, names):
    """Sum a joint distribution over all but some axes, in the order of names."""
    axes = [nodes.index(name) for name in names]
    kept = np.sort(axes)
    array = joint.sum(axis=tuple(k for k in range(joint.ndim) if k not in axes))
    return array.transpose([int(np.searchsorted(kept, axis)) for axis in axes])


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


def test_joint_and_marginals(network, brute_force):
    joint = brute_force(network)
    close(network.joint(), joint)
    rng = np.random.default_rng(0)
    for size in (1, 2, 3):
        names = list(rng.permutation(network.nodes)[:size])
        close(network.marginal(names), summed(joint, network.nodes, names))
    close(network.marginal([]), 1.0)


def test_conditionals(network, brute_force):
    joint = brute_force(network)
    rng = np.random.default_rng(1)
    for n_evidence in (1, 2):
        chosen = list(rng.permutation(network.nodes))
        evidence = dict.fromkeys(chosen[:n_evidence], 1)
        index = tuple(evidence.get(node, slice(None)) for node in network.nodes)
        expected = joint[index] / joint[index].sum()
        given = network.condition(evidence)
        rest = [node for node in network.nodes if node not in evidence]
        assert given.nodes == rest
        assert given.sizes == expected.shape
        close(given.joint(), expected)
        names = chosen[n_evidence : n_evidence + 2][::-1]
        close(given.marginal(names), summed(expected, rest, names))
        close(np.exp(given.log_probability), joint[index].sum())


def test_do_is_the_truncated_factorisation(network, brute_force):
    rng = np.random.default_rng(2)
    chosen = list(rng.permutation(network.nodes))[:2]
    outcomes = {chosen[0]: 1, chosen[1]: 0}
    expected = brute_force(network, skip=chosen)
    for node, outcome in outcomes.items():
        axis = network.nodes.index(node)
        indicator = np.arange(network.sizes[axis]) == outcome
        expected = expected * indicator.reshape(
            [-1 if k == axis else 1 for k in range(expected.ndim)]
        )
    after = network.do(outcomes)
    assert isinstance(after, CategoricalDAG)
    assert after.nodes == network.nodes
    close(after.joint(), expected)
    assert not any(list(after.graph.predecessors(node)) for node in chosen)


def test_log_prob_is_the_log_of_the_joint(network, brute_force):
    cells = np.array(list(np.ndindex(*network.sizes)))
    close(np.exp(network.log_prob(cells)), brute_force(network).ravel())


def test_seeing_is_not_doing(sprinkler):
    seen = sprinkler.condition({"r": 1}).marginal(["c"])
    close(seen, [0.2, 0.8])
    close(sprinkler.do({"r": 1}).marginal(["c"]), [0.5, 0.5])


def test_sample_follows_the_joint(random_dag):
    dag = random_dag(3, n_nodes=4)
    samples = dag.sample(200_000, random_state=0)
    assert samples.shape == (200_000, 4)
    assert samples.dtype == np.int64
    counts = np.zeros(dag.sizes)
    np.add.at(counts, tuple(samples.T), 1)
    expected = dag.joint() * len(samples)
    # Pearson's statistic; under the truth its mean is the degrees of freedom and 5 standard
    # deviations beyond have probability below 1e-5.
    statistic = ((counts - expected) ** 2 / expected).sum()
    freedom = counts.size - 1
    assert statistic < freedom + 5 * np.sqrt(2 * freedom)


def test_sample_is_reproducible_and_avoids_the_impossible(sprinkler):
    np.testing.assert_array_equal(sprinkler.sample(50, 1), sprinkler.sample(50, 1))
    assert sprinkler.sample(0, 0).shape == (0, 4)
    samples = sprinkler.do({"s": 0, "r": 0}).sample(1000, random_state=0)
    assert not samples[:, [sprinkler.nodes.index(node) for node in "srw"]].any()
    assert np.isfinite(sprinkler.log_prob(sprinkler.sample(1000, 0))).all()


def test_log_prob_of_the_impossible_is_minus_infinity(sprinkler):
    outcome = {"c": 0, "s": 0, "r": 0, "w": 1}
    row = [[outcome[node] for node in sprinkler.nodes]]
    assert sprinkler.log_prob(row)[0] == -np.inf


def test_axes_follow_the_predecessors_of_the_given_graph():
    graph = nx.DiGraph()
    graph.add_nodes_from("abc")
    graph.add_edge("b", "c")
    graph.add_edge("a", "c")  # predecessors of c: b, a; a copy of the graph would say a, b
    table = np.zeros((3, 2, 2))
    table[..., 0] = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    table[..., 1] = 1 - table[..., 0]
    dag = CategoricalDAG(graph, {"a": [0.5, 0.5], "b": [0.2, 0.3, 0.5], "c": table})
    for version in (dag, pickle.loads(pickle.dumps(dag)), copy.deepcopy(dag), dag.do({"a": 1})):
        assert list(version.graph.predecessors("c")) == ["b", "a"]
    close(dag.do({"a": 1, "b": 2}).marginal(["c"]), [0.6, 0.4])


def test_order_of_edges_does_not_change_the_joint(sprinkler):
    expected = sprinkler.joint()
    for order in permutations(list(sprinkler.graph.edges)):
        graph = nx.DiGraph()
        graph.add_nodes_from(sprinkler.nodes)
        graph.add_edges_from(order)
        table = sprinkler.cpts["w"]
        if list(graph.predecessors("w")) != ["s", "r"]:
            table = table.transpose(1, 0, 2)
        close(CategoricalDAG(graph, {**sprinkler.cpts, "w": table}).joint(), expected)


def test_long_chain_needs_no_grid():
    n_nodes = 60
    adjacency = np.eye(n_nodes, k=1, dtype=bool)
    step = np.array([[0.9, 0.1], [0.2, 0.8]])
    dag = CategoricalDAG.from_arrays(adjacency, [[0.5, 0.5]] + [step] * (n_nodes - 1))
    expected = np.array([0.5, 0.5]) @ np.linalg.matrix_power(step, n_nodes - 1)
    close(dag.marginal(["N60"]), expected)
    with pytest.raises(ValueError, match=r"1.15e\+18 cells.*fewer nodes"):
        dag.joint()


@pytest.mark.parametrize(("n_nodes", "size"), [(1000, 2), (1000, 3), (2000, 2)])
def test_joint_of_a_thousand_nodes_is_refused_before_anything_is_computed(n_nodes, size):
    step = np.full((size, size), 1 / size)
    adjacency = np.eye(n_nodes, k=1, dtype=bool)
    dag = CategoricalDAG.from_arrays(adjacency, [step[0]] + [step] * (n_nodes - 1))
    given = dag.condition({"N1": 0})
    for distribution in (dag, given):
        tracemalloc.start()
        start = time.process_time()
        with pytest.raises(ValueError, match=r"table of \d\.\d\de\+\d{3} cells.*fewer nodes"):
            distribution.joint()
        assert time.process_time() - start < 1
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2**21
    close(dag.marginal([f"N{n_nodes}"]), 1 / size)


def test_nodes_of_one_outcome_take_no_axes():
    n_nodes = 200
    adjacency = np.triu(np.ones((n_nodes, n_nodes), dtype=bool), 1) & (np.tri(n_nodes, k=-4).T == 0)
    tables = [np.ones((1,) * min(i + 1, 4)) for i in range(n_nodes)]
    tables[0], tables[1] = np.array([0.25, 0.75]), np.ones((2, 1))
    tables[2], tables[3] = np.ones((2, 1, 1)), np.ones((2, 1, 1, 1))
    dag = CategoricalDAG.from_arrays(adjacency, tables)
    close(dag.marginal(["N7", "N1", "N200"]), [[[0.25], [0.75]]])
    assert dag.condition({"N1": 1}).log_probability == pytest.approx(np.log(0.75))


def test_improbable_evidence_does_not_underflow():
    n_nodes = 40
    adjacency = np.zeros((n_nodes + 1, n_nodes + 1), dtype=bool)
    adjacency[0, 1:] = True
    rare = np.array([[1.0 - 1e-12, 1e-12], [1.0 - 2e-12, 2e-12]])
    dag = CategoricalDAG.from_arrays(adjacency, [[0.5, 0.5]] + [rare] * n_nodes)
    given = dag.condition({f"N{i + 2}": 1 for i in range(n_nodes)})
    close(given.marginal(["N1"])[0], 1 / (1 + 2.0**n_nodes))
    expected = np.log(0.5) + n_nodes * np.log(1e-12) + np.log1p(2.0**n_nodes)
    assert given.log_probability == pytest.approx(expected, rel=1e-12)


def test_inputs_are_copied_and_results_are_read_only():
    graph = nx.DiGraph([("a", "b")])
    table = np.array([0.5, 0.5])
    dag = CategoricalDAG(graph, {"a": table, "b": np.eye(2)})
    graph.remove_edge("a", "b")
    table[:] = 7.0
    assert dag.graph.has_edge("a", "b")
    close(dag.marginal(["a"]), [0.5, 0.5])
    with pytest.raises(ValueError, match="read-only"):
        dag.cpts["a"][0] = 1.0
    with pytest.raises(nx.NetworkXError, match="Frozen"):
        dag.graph.add_edge("b", "a")


def test_single_precision_tables_are_normalised():
    table = np.array([1 / 3, 1 / 3, 1 / 3], dtype=np.float32)
    dag = CategoricalDAG.from_arrays([[0]], [table])
    assert abs(dag.marginal(["N1"]).sum() - 1) < 1e-15


def test_outcomes_may_be_given_by_name(random_dag):
    dag = random_dag(0, states=True)
    by_name, by_number = (dag.condition({"n1": outcome}) for outcome in ("s1<n1/", 1))
    close(by_name.joint(), by_number.joint())
    assert by_name.evidence == {"n1": 1}
    close(dag.do({"n1": "s1<n1/"}).joint(), dag.do({"n1": np.int64(1)}).joint())


def test_ancestors_and_d_separation(sprinkler):
    assert sprinkler.ancestors("w") == {"c", "s", "r"}
    assert sprinkler.ancestors("c") == set()
    assert sprinkler.d_separated("s", "r", "c")
    assert not sprinkler.d_separated("s", "r", ["c", "w"])
    assert not sprinkler.d_separated(["s"], {"r"})
    assert sprinkler.do({"s": 0}).d_separated("s", ["r", "c"])


def test_d_separation_is_independence_in_the_joint(random_dag):
    dag = random_dag(5, n_nodes=5, edge_probability=0.4)
    n_independent = 0
    for x, y, z in permutations(dag.nodes, 3):
        p = dag.marginal([x, y, z])
        p = p / p.sum(axis=(0, 1))
        independent = np.allclose(p, p.sum(axis=0) * p.sum(axis=1, keepdims=True), atol=1e-12)
        assert dag.d_separated(x, y, z) == independent
        n_independent += independent
    assert 0 < n_independent < 60


def test_representations(sprinkler):
    assert repr(sprinkler.condition({"w": 1})) == (
        "ConditionalDistribution(nodes=['c', 's', 'r'], evidence={'w': 1})"
    )
    assert repr(sprinkler).startswith("CategoricalDAG(sizes={'c': 2,")
    assert isinstance(sprinkler.condition({"w": 1}), ConditionalDistribution)


@pytest.mark.data
@pytest.mark.parametrize("name", ["asia", "sachs", "child", "alarm"])
def test_published_networks_equal_pgmpy(name, published, pgmpy_model):
    dag = published(name)
    model, infer = pgmpy_model(dag)
    assert set(model.nodes()) == set(dag.nodes)
    for node in dag.nodes:
        expected = infer.query([node], show_progress=False).values
        np.testing.assert_allclose(dag.marginal([node]), expected, rtol=0, atol=1e-10)
    last = dag.nodes[-1]
    evidence = dict.fromkeys(dag.nodes[:2], 0)
    labels = {node: dag.states[node][0] for node in evidence}
    expected = infer.query([last], evidence=labels, show_progress=False).values
    found = dag.condition(evidence).marginal([last])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.fixture
def pgmpy_model():
    """Build pgmpy's network by its own constructor, not by `to_pgmpy`."""
    import warnings

    with warnings.catch_warnings(action="ignore"):
        pytest.importorskip("pgmpy")
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.inference import VariableElimination
        from pgmpy.models import DiscreteBayesianNetwork

    def build(dag):
        model = DiscreteBayesianNetwork(list(dag.graph.edges))
        model.add_nodes_from(dag.nodes)
        for node in dag.nodes:
            parents = list(dag.graph.predecessors(node))
            values = np.moveaxis(dag.cpts[node], -1, 0).reshape(dag.cpts[node].shape[-1], -1)
            model.add_cpds(
                TabularCPD(
                    node,
                    len(values),
                    values,
                    evidence=parents,
                    evidence_card=[len(dag.states[parent]) for parent in parents],
                    state_names={member: list(dag.states[member]) for member in (node, *parents)},
                )
            )
        return model, VariableElimination(model)

    return build
