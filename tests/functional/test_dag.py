"""The DAG and the joint of its nodes against brute force and the paper's own loop."""

from itertools import permutations, product

import networkx as nx
import numpy as np
import pytest
import torch
from nodes_by_hand import all_dags
from torch.autograd import gradcheck

from skcausalpima.functional import (
    constrain_edges,
    edge_indicator,
    joint_from_tables,
    log_joint,
    mask_non_parents,
    precede,
    set_nodes,
    table_logits_to_probabilities,
    tables_from_counts,
    topological_order,
)

SIZES = (2, 3, 4)


THREE_NODE_DAGS = list(all_dags(3).astype(int))
by_dag = pytest.mark.parametrize(
    "adjacency", THREE_NODE_DAGS, ids=lambda a: "".join(map(str, a.ravel()))
)


def random_tables(sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(sizes), *sizes, generator=generator, dtype=torch.float64)
    return table_logits_to_probabilities(2.0 * logits)


def random_edges(n_nodes, seed=0):
    """Fractional edges along a random order of the nodes, with the scores that give it."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n_nodes, generator=generator, dtype=torch.float64)
    metric = torch.rand(n_nodes, n_nodes, generator=generator, dtype=torch.float64)
    return edge_indicator(scores, metric + metric.T), scores


def random_counts(seed=0):
    return np.random.default_rng(seed).gamma(1.0, 10.0, SIZES)


def algorithm_1(tables, edges, scores):
    """Algorithm 1 as printed, but with E[k, l]; permuted to the order of the scores and back."""
    n_nodes = len(scores)
    order = np.argsort(scores)
    edges = edges[np.ix_(order, order)]
    joint = np.ones(())
    for position, node in enumerate(order):
        table = tables[node].transpose(order)
        table = table.mean(axis=tuple(range(position + 1, n_nodes)))
        for k in range(position):
            weight = edges[k, position]
            table = weight * table + (1.0 - weight) * table.mean(axis=k, keepdims=True)
        joint = table * joint[..., None]
    return joint.transpose(np.argsort(order))


def test_there_are_25_dags_of_three_nodes():
    assert len(THREE_NODE_DAGS) == 25


# edges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_edge_indicator_is_acyclic_and_follows_the_scores(seed):
    """Theorem 2.1 and Corollary C.5: networkx judges the support of E."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(6, generator=generator).round(decimals=1)  # ties occur
    metric = torch.rand(6, 6, generator=generator).round()
    edges = edge_indicator(scores, metric + metric.T, temperature=0.1)
    assert ((edges >= 0) & (edges <= 1)).all()
    graph = nx.DiGraph((edges > 0).int().numpy())
    assert nx.is_directed_acyclic_graph(graph)
    position = torch.argsort(topological_order(scores))
    assert all(position[i] < position[j] for i, j in graph.edges)


@by_dag
def test_every_dag_of_three_nodes_is_representable(adjacency):
    """Proposition C.6, in the limit of a small temperature."""
    scores = torch.zeros(3)
    order = nx.topological_sort(nx.DiGraph(adjacency))
    scores[list(order)] = torch.arange(3.0)
    metric = torch.tensor(adjacency + adjacency.T).float()
    edges = edge_indicator(scores, metric, temperature=1e-3)
    assert torch.equal(edges, torch.tensor(adjacency).float())


def test_edge_indicator_equals_equation_7():
    _, scores = random_edges(4, seed=3)
    metric = np.random.default_rng(3).uniform(0, 2, (4, 4))
    edges = edge_indicator(scores, torch.tensor(metric), temperature=0.7)
    for i, j in np.ndindex(4, 4):
        flow = metric[i, j] * (scores[j] - scores[i]).item()
        assert edges[i, j].item() == pytest.approx(max(0.0, np.tanh(flow / 0.7)), abs=1e-14)


def test_topological_order_is_stable_at_ties():
    assert topological_order(torch.tensor([1.0, 0.0, 1.0, 0.0])).tolist() == [1, 3, 0, 2]


def test_edge_indicator_gradient():
    scores = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64, requires_grad=True)
    metric = torch.rand(3, 3, dtype=torch.float64) + 0.1
    assert gradcheck(lambda s, b: edge_indicator(s, b, 0.5), (scores, metric.requires_grad_()))


# knowledge about edges -----------------------------------------------------------------------


def random_knowledge(n_nodes, seed):
    """Required edges that are acyclic, forbidden ones among the rest, an order of some pairs."""
    rng = np.random.default_rng(seed)
    positions = rng.permutation(n_nodes)
    forward = positions[:, None] < positions
    required = forward & (rng.random((n_nodes, n_nodes)) < 0.25)
    forbidden = ~required & (rng.random((n_nodes, n_nodes)) < 0.3)
    precedence = required | (forward & (rng.random((n_nodes, n_nodes)) < 0.2))
    return (torch.tensor(matrix) for matrix in (required, forbidden, precedence))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(20))
def test_constrained_edges_are_exact_and_acyclic_at_any_scores(seed, dtype):
    """Large negative free scores leave no room between a node and those it must follow."""
    required, forbidden, precedence = random_knowledge(5, seed)
    generator = torch.Generator().manual_seed(seed)
    scale = (0.1, 1.0, 200.0)[seed % 3]
    scores = scale * torch.randn(5, generator=generator, dtype=dtype)
    metric = torch.rand(5, 5, generator=generator, dtype=dtype)
    ordered = precede(scores, precedence)
    edges = edge_indicator(ordered, metric + metric.T)
    constrained = constrain_edges(edges, required, forbidden)
    assert (constrained[required] == 1).all()
    assert (constrained[forbidden] == 0).all()
    free = ~(required | forbidden)
    assert torch.equal(constrained[free], edges[free])
    for k, node in precedence.nonzero().tolist():
        assert ordered[k] <= ordered[node]
    assert nx.is_directed_acyclic_graph(nx.DiGraph((constrained > 0).int().numpy()))


def test_scores_without_predecessors_stay_and_the_others_follow_the_latest():
    precedence = torch.zeros(4, 4, dtype=torch.bool)
    precedence[[0, 1, 2], [2, 2, 3]] = True  # 0, 1 before 2 before 3
    scores = torch.tensor([0.5, -1.0, 0.3, -2.0], dtype=torch.float64)
    third = 0.5 + np.log1p(np.exp(0.3))
    expected = [0.5, -1.0, third, third + np.log1p(np.exp(-2.0))]
    np.testing.assert_allclose(precede(scores, precedence), expected, rtol=1e-14)
    assert torch.equal(precede(scores, torch.zeros(4, 4, dtype=torch.bool)), scores)


@by_dag
def test_exactly_the_orders_that_respect_the_precedence_are_reached(adjacency):
    graph, precedence = nx.DiGraph(adjacency), torch.tensor(adjacency, dtype=torch.bool)
    rng = np.random.default_rng(0)
    free = torch.tensor(rng.normal(scale=3.0, size=(400, 3)))
    reached = {tuple(precede(scores, precedence).argsort().tolist()) for scores in free}
    assert reached == {tuple(order) for order in nx.all_topological_sorts(graph)}


def test_gradients_through_knowledge():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, *SIZES, generator=generator, dtype=torch.float64)
    scores = torch.tensor([0.5, -1.0, 1.5], dtype=torch.float64)
    metric = torch.ones(3, 3, dtype=torch.float64)
    required, forbidden = torch.zeros(2, 3, 3, dtype=torch.bool)
    required[0, 1] = forbidden[2, 0] = True
    logs = torch.randn(3, generator=generator, dtype=torch.float64).log_softmax(dim=0)

    def evaluate(logits, scores, metric, logs):
        edges = edge_indicator(precede(scores, required), metric)
        edges = constrain_edges(edges, required, forbidden)
        return log_joint(*set_nodes(table_logits_to_probabilities(logits), edges, [1], [logs]))

    assert gradcheck(evaluate, [t.requires_grad_() for t in (logits, scores, metric, logs)])


# the joint -----------------------------------------------------------------------------------


def test_tables_sum_to_one_along_their_own_axis_only():
    tables = random_tables(SIZES)
    for node in range(3):
        ones = tables[node].sum(dim=node)
        torch.testing.assert_close(ones, torch.ones_like(ones), rtol=1e-14, atol=0)
        assert not torch.allclose(tables[node], tables[node].mean())


@by_dag
def test_log_joint_equals_brute_force(adjacency):
    """Cell by cell: a node's probability is its table averaged over the outcomes of non-parents."""
    tables = random_tables(SIZES).numpy()
    joint = log_joint(torch.tensor(tables), torch.tensor(adjacency).double()).exp()
    for cell in np.ndindex(SIZES):
        expected = 1.0
        for node in range(3):
            outcomes = [
                [cell[k]] if k == node or adjacency[k, node] else range(SIZES[k]) for k in range(3)
            ]
            expected *= np.mean([tables[node][grid] for grid in product(*outcomes)])
        assert joint[cell].item() == pytest.approx(expected, rel=1e-12)
    assert joint.sum().item() == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("sizes", [(5,), (2, 3), SIZES, (3, 2, 2, 4), (2,) * 10], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_log_joint_equals_algorithm_1_at_fractional_edges(sizes, seed):
    tables = random_tables(sizes, seed)
    edges, scores = random_edges(len(sizes), seed)
    joint = log_joint(tables, edges).exp()
    expected = algorithm_1(tables.numpy(), edges.numpy(), scores.numpy())
    np.testing.assert_allclose(joint, expected, rtol=1e-11)
    assert joint.sum().item() == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_relabelling_nodes_permutes_the_axes_and_nothing_else(order):
    tables = random_tables(SIZES)
    edges, _ = random_edges(3, seed=5)
    relabelled_tables = torch.stack([tables[node].permute(order) for node in order])
    relabelled_edges = edges[list(order)][:, list(order)]
    torch.testing.assert_close(
        log_joint(relabelled_tables, relabelled_edges),
        log_joint(tables, edges).permute(order),
        rtol=1e-13,
        atol=1e-13,
    )


def test_one_node_is_its_own_table():
    tables = random_tables((5,))
    torch.testing.assert_close(
        log_joint(tables, torch.zeros(1, 1, dtype=torch.float64)).exp(), tables[0]
    )


@by_dag
def test_masked_tables_are_exactly_constant_along_non_parents(adjacency):
    masked = mask_non_parents(random_tables(SIZES), torch.tensor(adjacency).double())
    for node, axis in permutations(range(3), 2):
        constant = bool((masked[node] == masked[node].narrow(axis, 0, 1)).all())
        assert constant == (not adjacency[axis, node])


@pytest.mark.parametrize("gap", [30.0, 60.0, 1e4])
def test_small_probabilities_stay_exact_and_impossible_ones_finite(gap):
    """Down to the smallest normal number the log-probability is the logit's, in float32 too."""
    logits = torch.tensor([[[0.0, 0.0], [-gap, -gap]], [[0.0, -gap], [0.0, -gap]]])
    edges = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    result = log_joint(table_logits_to_probabilities(logits), edges)
    floor = float(np.log(np.finfo(np.float32).tiny))
    expected = -max(-gap, floor) * np.array([[0, -1], [-1, -2]])
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


def test_log_joint_gradient():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, *SIZES, generator=generator, dtype=torch.float64)
    scores = torch.tensor([0.5, -1.0, 1.5], dtype=torch.float64)
    metric = torch.ones(3, 3, dtype=torch.float64)

    def evaluate(logits, scores, metric):
        edges = edge_indicator(scores, metric)
        return log_joint(table_logits_to_probabilities(logits), edges)

    assert gradcheck(evaluate, [t.requires_grad_() for t in (logits, scores, metric)])


def test_mask_non_parents_gradient():
    """Of any weights, zeros among them, and of tables whose axes differ in length."""
    weights = torch.rand(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights[0, 1], weights[2, 0] = 0.0, 1.0
    assert gradcheck(
        mask_non_parents, (random_tables(SIZES).requires_grad_(), weights.requires_grad_())
    )


# nodes intervened on ----------------------------------------------------------------------

TARGETS = [(), (0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)]


@by_dag
@pytest.mark.parametrize("targets", TARGETS, ids=str)
def test_set_nodes_give_the_truncated_factorisation(adjacency, targets):
    """Cell by cell: the product of all tables but those of the set nodes, times how they are set.

    ``set_to`` of ones, which stands for known outcomes, leaves the bare truncated product.
    """
    edges = torch.tensor(adjacency)
    tables = tables_from_counts(torch.tensor(random_counts()), edges.bool())
    whole = torch.stack([table.expand(SIZES) for table in tables])
    rng = np.random.default_rng(1)
    for set_to in (
        [np.ones(SIZES[k]) for k in targets],
        [rng.dirichlet([1] * SIZES[k]) for k in targets],
    ):
        logs = [torch.tensor(probabilities).log() for probabilities in set_to]
        joint = log_joint(*set_nodes(whole, edges.double(), targets, logs)).exp()
        for cell in np.ndindex(SIZES):
            expected = np.prod([p[cell[k]] for k, p in zip(targets, set_to, strict=True)])
            for node in set(range(3)) - set(targets):
                family = [cell[k] if size > 1 else 0 for k, size in enumerate(tables[node].shape)]
                expected *= tables[node][tuple(family)].item()
            assert joint[cell].item() == pytest.approx(expected, rel=1e-12)


@by_dag
def test_setting_nodes_cuts_the_edges_into_them_and_no_others(adjacency):
    edges = torch.tensor(adjacency).double()
    logs = [torch.zeros(SIZES[node]).double() for node in (0, 2)]
    cut = set_nodes(random_tables(SIZES), edges, [0, 2], logs)[1]
    assert not cut[:, [0, 2]].any()
    assert torch.equal(cut[:, 1], edges[:, 1])


def test_setting_nodes_leaves_its_arguments_alone():
    tables, (edges, _) = random_tables(SIZES), random_edges(3)
    copies = tables.clone(), edges.clone()
    set_nodes(tables, edges, [0, 2], [torch.zeros(2).double(), torch.zeros(4).double()])
    assert torch.equal(tables, copies[0])
    assert torch.equal(edges, copies[1])
    unset = set_nodes(tables, edges, [], [])
    assert torch.equal(unset[0], tables)
    assert torch.equal(unset[1], edges)


# tables in closed form -----------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_complete_dag_reproduces_the_counts(order):
    adjacency = np.zeros((3, 3), dtype=bool)
    adjacency[order[0], [order[1], order[2]]] = adjacency[order[1], order[2]] = True
    counts = random_counts()
    joint = joint_from_tables(tables_from_counts(torch.tensor(counts), torch.tensor(adjacency)))
    np.testing.assert_allclose(joint, counts / counts.sum(), rtol=1e-12)


@by_dag
@pytest.mark.parametrize("prior_count", [0.0, 2.5])
def test_tables_from_counts_equal_conditionals_entry_by_entry(adjacency, prior_count):
    counts = random_counts()
    tables = tables_from_counts(
        torch.tensor(counts), torch.tensor(adjacency, dtype=torch.bool), prior_count
    )
    for node, table in enumerate(tables):
        parents = np.flatnonzero(adjacency[:, node])
        assert table.shape == tuple(SIZES[k] if k == node or k in parents else 1 for k in range(3))
        for cell in np.ndindex(*table.shape):
            mass = np.zeros(SIZES[node])
            for full_cell in np.ndindex(*SIZES):
                if all(full_cell[k] == cell[k] for k in parents):
                    mass[full_cell[node]] += counts[full_cell]
            mass += prior_count
            assert table[cell].item() == pytest.approx(mass[cell[node]] / mass.sum(), rel=1e-12)
    assert joint_from_tables(tables).sum().item() == pytest.approx(1.0, abs=1e-13)


@by_dag
def test_tables_from_counts_maximise_the_likelihood(adjacency):
    """Eq. 5 with the graph fixed: any other tables of the same graph fit the counts worse."""
    counts = torch.tensor(random_counts(1))
    edges = torch.tensor(adjacency)
    tables = tables_from_counts(counts, edges.bool())
    best = (counts * joint_from_tables(tables).log()).sum()
    for seed in range(5):
        other = mask_non_parents(random_tables(SIZES, seed), edges.double())
        mixed = [0.99 * a + 0.01 * b for a, b in zip(tables, other, strict=True)]
        assert (counts * joint_from_tables(mixed).log()).sum() < best


@by_dag
def test_family_tables_and_whole_tables_give_one_joint(adjacency):
    """The two routes to A agree: broadcast family tables, and W with its mask."""
    edges = torch.tensor(adjacency)
    tables = tables_from_counts(torch.tensor(random_counts()), edges.bool())
    whole = torch.stack([table.expand(SIZES) for table in tables])
    joint = log_joint(whole, edges.double()).exp()
    torch.testing.assert_close(joint, joint_from_tables(tables), rtol=1e-12, atol=0)


def test_unseen_parent_configuration_is_uniform():
    counts = torch.tensor([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    first, second = tables_from_counts(counts, torch.tensor([[False, True], [False, False]]))
    assert first.flatten().tolist() == [1.0, 0.0]
    np.testing.assert_allclose(second, [[0.75, 0.25, 0.0], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)


def test_no_counts_at_all_is_uniform():
    tables = tables_from_counts(torch.zeros(2, 3), torch.zeros(2, 2, dtype=torch.bool))
    np.testing.assert_allclose(joint_from_tables(tables), np.full((2, 3), 1 / 6), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1e-3])
def test_few_counts_give_the_same_tables_as_many(scale):
    counts, adjacency = torch.tensor(random_counts()), torch.ones(3, 3).triu(1).bool()
    for few, many in zip(
        tables_from_counts(scale * counts, adjacency),
        tables_from_counts(counts, adjacency),
        strict=True,
    ):
        torch.testing.assert_close(few, many)


def test_every_node_that_is_set_says_how():
    with pytest.raises(ValueError, match="shorter"):
        set_nodes(random_tables(SIZES), random_edges(3)[0], [0, 1], [torch.zeros(2).double()])
