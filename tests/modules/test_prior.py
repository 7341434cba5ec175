"""The causal prior: hard graphs, tables, start."""

import copy

import numpy as np
import pytest
import torch
from nodes_by_hand import all_dags
from numpy.testing import assert_allclose

from skcausalpima.functional import joint_from_tables, tables_from_counts
from skcausalpima.modules import CausalPrior, EdgeKnowledge


def random_counts(node_sizes):
    return torch.as_tensor(np.random.default_rng(0).uniform(0.1, 9.0, node_sizes))


@pytest.mark.parametrize("node_sizes", [(2, 3, 2)])
def test_fixed_graph_is_exactly_the_product_of_its_tables(node_sizes):
    dags = torch.as_tensor(all_dags(3))
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
    prior.initialize_tables(counts.flatten())
    logits, smoothed = prior.table_logits.detach(), counts + 1 / 6
    assert_allclose(logits[0].exp(), smoothed / smoothed.sum(dim=0, keepdim=True))
    assert_allclose(logits[1].exp(), smoothed / smoothed.sum(dim=1, keepdim=True))
    prior.initialize_tables(torch.stack([counts.flatten(), 0 * counts.flatten()]))  # a node's own
    assert torch.equal(prior.table_logits[0], logits[0])
    assert_allclose(prior.table_logits[1].exp().detach(), 1 / 3)
    prior.initialize_tables(torch.zeros(6, dtype=torch.float64))
    assert_allclose(prior.log_weights().exp().detach(), 1 / 6)


def test_start_with_counts_gives_the_edges_a_gradient():
    prior = CausalPrior((2, 2), 2).double()
    prior.scores.data = torch.tensor([0.0, 0.5], dtype=torch.float64)
    counts = torch.tensor([8.0, 1.0, 1.0, 8.0], dtype=torch.float64)
    prior.initialize_tables(counts)
    (counts @ prior.log_weights()).backward()
    assert prior.metric_logits.grad.abs().max() > 1e-3
    assert prior.scores.grad[1] > 0  # dependent nodes: farther apart is better


def test_edges_have_one_direction():
    prior = CausalPrior((2, 2, 2), 2)
    torch.nn.init.normal_(prior.metric_logits, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(prior.scores, generator=torch.Generator().manual_seed(1))
    edges = prior.edges()
    assert ((edges > 0) & (edges.T > 0)).sum() == 0


# Nodes intervened on, and knowledge about edges ---------------------------------------------

SIZES = (2, 3, 2)
REGIMES = [(), (1,), (0, 2)]


def random_prior(seed=0, dtype=torch.float64):
    """A prior on SIZES in the middle of nowhere."""
    generator = torch.Generator().manual_seed(seed)
    prior = CausalPrior(SIZES, 2).to(dtype)
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    return prior


def regime_counts(seed=1):
    counts = np.random.default_rng(seed).uniform(0.1, 9.0, (len(REGIMES), 12))
    return torch.as_tensor(counts)


@pytest.mark.parametrize("unknown", [True, False])
def test_regime_weights_cell_by_cell(unknown):
    """Every regime's A: the set node's factor is how often it was set to what, or none at all."""
    prior, counts = random_prior(), regime_counts()
    prior.set_interventions(REGIMES, counts if unknown else None)
    logs = prior.regime_log_weights().detach().numpy()
    edges = prior.edges().detach().numpy()
    logits = prior.table_logits.detach().numpy()
    for number, targets in enumerate(REGIMES):
        for flat, cell in enumerate(np.ndindex(SIZES)):
            expected = 1.0
            for node in range(3):
                table = np.exp(logits[node])
                table = table / table.sum(axis=node, keepdims=True)
                for k in set(range(3)) - {node}:
                    mean = table.mean(axis=k, keepdims=True)
                    table = edges[k, node] * table + (1 - edges[k, node]) * mean
                if node not in targets:
                    expected *= table[cell]
                elif unknown:
                    own = sum(
                        counts[r].reshape(SIZES).numpy()
                        for r, nodes in enumerate(REGIMES)
                        if node in nodes
                    )
                    others = tuple(k for k in range(3) if k != node)
                    totals = own.sum(axis=others) + 1 / SIZES[node]
                    expected *= totals[cell[node]] / totals.sum()
            assert logs[number, flat] == pytest.approx(np.log(expected), rel=1e-10)
    assert_allclose(logs[0], prior.log_weights().detach(), rtol=1e-12)
    assert prior.outcomes_unknown == unknown
    if unknown:
        assert_allclose(np.exp(logs).sum(axis=1), 1.0)


def test_known_outcomes_leave_a_distribution_of_the_other_nodes():
    """Given what was set, the cells that this allows have probability one in all."""
    prior = random_prior()
    prior.set_interventions(REGIMES)
    weights = prior.regime_log_weights().exp().detach().reshape(-1, *SIZES)
    assert_allclose(weights[1].sum(dim=(0, 2)), 1.0)
    assert_allclose(weights[2].sum(dim=1), 1.0)


def test_no_interventions_is_one_regime():
    prior = random_prior()
    assert_allclose(
        prior.regime_log_weights().detach(), prior.log_weights().detach()[None], rtol=1e-15
    )


def test_what_nodes_were_set_to_is_part_of_the_state():
    """Training goes back to the best state: what was learned by then belongs to it."""
    prior = random_prior()
    prior.set_interventions(REGIMES, regime_counts())
    expected, state = prior.regime_log_weights(), copy.deepcopy(prior.state_dict())
    prior.set_interventions(REGIMES, regime_counts(seed=5))
    assert not torch.allclose(prior.regime_log_weights(), expected)
    prior.load_state_dict(state)
    assert torch.equal(prior.regime_log_weights(), expected)


def test_what_nodes_were_set_to_follows_the_dtype():
    prior = random_prior(dtype=torch.float32)
    prior.set_interventions(REGIMES, regime_counts())
    assert prior.regime_log_weights().dtype == torch.float32
    assert prior.double().regime_log_weights().dtype == torch.float64


def test_gradients_through_regimes():
    prior = random_prior()
    prior.set_interventions(REGIMES, regime_counts())
    required, forbidden = torch.zeros(2, 3, 3, dtype=torch.bool)
    required[2, 0] = forbidden[1, 2] = True
    prior.knowledge = EdgeKnowledge(required, forbidden, required)
    names = ["scores", "metric_logits", "table_logits"]

    def evaluate(*values):
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(Regimes(prior), prefix(parameters), ())

    values = [getattr(prior, name).detach().clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(evaluate, values)


class Regimes(torch.nn.Module):
    """Calls `regime_log_weights` in the place of `forward`."""

    def __init__(self, prior):
        super().__init__()
        self.prior = prior

    def forward(self):
        return self.prior.regime_log_weights()


def prefix(parameters):
    return {f"prior.{name}": value for name, value in parameters.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(10))
def test_knowledge_holds_at_any_parameters(seed, dtype):
    prior = random_prior(seed, dtype)
    required, forbidden = torch.zeros(2, 3, 3, dtype=torch.bool)
    required[2, 0] = forbidden[0, 1] = True
    precedence = required.clone()
    precedence[0, 1] = True
    prior.knowledge = EdgeKnowledge(required, forbidden, precedence)
    noise = 10.0 * torch.randn(3, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    free = prior.scores.detach().clone()
    for added in (noise, 0.0 * noise):
        prior.scores.data = free + added
        edges = prior.edges()
        assert edges[2, 0] == 1
        assert edges[0, 1] == edges[0, 2] == edges[1, 0] == edges[1, 2] == 0
        assert 0 <= edges[2, 1] <= 1
    assert prior.log_weights().exp().sum().item() == pytest.approx(1.0, abs=1e-6)
    scores = prior.node_scores()
    assert scores[2] < scores[0] < scores[1]
    tables = tables_from_counts(random_counts(SIZES), forbidden)
    prior.fix_graph(forbidden, tables)  # 0 -> 1 alone, against all that was known
    assert prior.knowledge is None
    assert torch.equal(prior.edges(), forbidden.to(dtype))
    assert_allclose(prior.log_weights().exp(), joint_from_tables(tables).flatten(), rtol=1e-5)
