"""The causal prior: hard graphs, tables, start."""

import itertools

import networkx as nx
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skcausalpima.functional import joint_from_tables, tables_from_counts
from skcausalpima.modules import CausalPrior


def all_dags(n_nodes):
    pairs = list(itertools.permutations(range(n_nodes), 2))
    for chosen in itertools.product([False, True], repeat=len(pairs)):
        graph = nx.DiGraph([pair for pair, keep in zip(pairs, chosen, strict=True) if keep])
        if nx.is_directed_acyclic_graph(graph):
            adjacency = torch.zeros(n_nodes, n_nodes, dtype=torch.bool)
            for edge in graph.edges:
                adjacency[edge] = True
            yield adjacency


def random_counts(node_sizes):
    return torch.as_tensor(np.random.default_rng(0).uniform(0.1, 9.0, node_sizes))


@pytest.mark.parametrize("node_sizes", [(2, 3, 2)])
def test_fixed_graph_is_exactly_the_product_of_its_tables(node_sizes):
    dags = list(all_dags(3))
    assert len(dags) == 25
    for adjacency in dags:
        tables = tables_from_counts(random_counts(node_sizes), adjacency)
        prior = CausalPrior(node_sizes, 2).double()
        prior.temperature = 0.3
        prior.fix_graph(adjacency, tables)
        expected = joint_from_tables(tables).flatten()
        assert_allclose(prior.log_weights().exp(), expected, rtol=1e-12)
        assert torch.equal(prior.edges(), adjacency.double())
        assert not any(parameter.requires_grad for parameter in prior.parameters())


def test_fixed_chain_of_many_nodes():
    adjacency = torch.diag(torch.ones(7, dtype=torch.bool), 1)[:, torch.randperm(8)]
    adjacency = torch.diag(torch.ones(7, dtype=torch.bool), -1)  # 7 -> 6 -> ... -> 0
    prior = CausalPrior((2,) * 8, 2).double()
    prior.fix_graph(adjacency, tables_from_counts(random_counts((2,) * 8), adjacency))
    assert torch.equal(prior.edges(), adjacency.double())
    assert prior.scores.argsort().tolist() == list(range(7, -1, -1))


def test_tables_start_as_the_conditionals_of_the_counts():
    counts = random_counts((2, 3))
    prior = CausalPrior((2, 3), 2).double()
    prior.start_tables(counts.flatten())
    logits, smoothed = prior.table_logits.detach(), counts + 1 / 6
    assert_allclose(logits[0].exp(), smoothed / smoothed.sum(dim=0, keepdim=True))
    assert_allclose(logits[1].exp(), smoothed / smoothed.sum(dim=1, keepdim=True))
    prior.start_tables(torch.stack([counts.flatten(), 0 * counts.flatten()]))  # a node's own
    assert torch.equal(prior.table_logits[0], logits[0])
    assert_allclose(prior.table_logits[1].exp().detach(), 1 / 3)
    prior.start_tables(torch.zeros(6, dtype=torch.float64))
    assert_allclose(prior.log_weights().exp().detach(), 1 / 6)


def test_start_with_counts_gives_the_edges_a_gradient():
    prior = CausalPrior((2, 2), 2).double()
    prior.scores.data = torch.tensor([0.0, 0.5], dtype=torch.float64)
    counts = torch.tensor([8.0, 1.0, 1.0, 8.0], dtype=torch.float64)
    prior.start_tables(counts)
    (counts @ prior.log_weights()).backward()
    assert prior.metric_logits.grad.abs().max() > 1e-3
    assert prior.scores.grad[1] > 0  # dependent nodes: farther apart is better


def test_metric_is_symmetric_and_nonnegative():
    prior = CausalPrior((2, 2, 2), 2)
    torch.nn.init.normal_(prior.metric_logits, generator=torch.Generator().manual_seed(0))
    metric = prior.metric.detach()
    assert torch.equal(metric, metric.T)
    assert (metric >= 0).all()
    assert (metric.diagonal() == 0).all()
    edges = prior.edges(torch.randn(3, generator=torch.Generator().manual_seed(1)))
    assert ((edges > 0) & (edges.T > 0)).sum() == 0
