"""Passes over the data, and block-coordinate updates."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from random_models import (
    NAMES,
    REGIMES,
    block_update,
    intervene,
    make_data,
    make_model,
    objective,
    own_model,
    seed,
    set_decoder_variances,
)
from torch import nn

from skcausalpima._inference.posterior import sample_posterior
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import data_pass, encode_all, variance_floors
from skcausalpima.functional import entropy, rsample
from skcausalpima.modules import Batch, _prior

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("covariance_type", COVARIANCE_TYPES)
def test_block_update_is_coordinate_ascent(covariance_type, missing):
    """On the same draws the bound rises with every swap, or stands still."""
    model, data = make_model(covariance_type), make_data(missing)
    update = block_update(variance_floors(data), covariance_type=covariance_type)
    bounds = [objective(model, data)]
    for _ in range(15):
        result = update(model, data, seed(7))
        assert_allclose(result.terms["objective"], bounds[-1], rtol=1e-12)
        bounds.append(objective(model, data))
    assert (np.diff(bounds) > -1e-10).all()
    assert bounds[-1] > bounds[0] + 0.1


@pytest.mark.parametrize("missing", [False, True])
def test_decoder_variance_is_the_mean_squared_error(missing):
    model, data = make_model(), make_data(missing)
    set_decoder_variances(model, data)
    learned = model.log_variances.exp()
    noise = data.normal(90, 2, seed())
    with torch.no_grad():
        decoded = model.decode(rsample(encode_all(model, data), noise))
    for m, (array, mean) in enumerate(zip(data.arrays, decoded, strict=True)):
        seen = slice(None) if data.observed is None else data.observed[m]
        assert_allclose(learned[m], (array - mean)[seen].square().mean(), rtol=1e-10)


def test_decoder_variance_without_samples_stays():
    model, data = make_model(), make_data(missing=True)
    data.observed[0] = False
    model.log_variances.copy_(torch.tensor([0.5, 0.5]))
    set_decoder_variances(model, data)
    assert model.log_variances[0] == 0.5
    assert model.log_variances[1] != 0.5


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_terms_of_a_pass_are_the_bound(missing, sampled):
    """Named terms of one pass against the bound that training differentiates."""
    model, data = make_model(sampled_responsibilities=sampled), make_data(missing)
    model.log_variances.copy_(torch.tensor([0.3, -0.2]))
    noise = data.normal(90, 2, seed(7))
    with torch.no_grad():
        expected = model.elbo(data.rows(slice(None)), noise).values.mean()
    assert_allclose(objective(model, data), expected, rtol=1e-12)


def test_statistics_do_not_depend_on_the_blocks(monkeypatch):
    model, data = make_model(), make_data(missing=True)
    whole = data_pass(model, data, seed(), NAMES)
    monkeypatch.setattr("skcausalpima._model.tensors.BLOCK_ROWS", 13)
    blocks = data_pass(model, data, seed(), NAMES)
    for name in ("counts", "first", "second", "origin"):
        one, other = (getattr(pass_.statistics, name) for pass_ in (whole, blocks))
        assert_allclose(one, other, atol=1e-10)
    for key in ("density", "weight", "assignment_entropy", "posterior_entropy"):
        assert_allclose(blocks.terms[key], whole.terms[key])


def test_variance_floors_are_relative():
    data = make_data(missing=True)
    floors = variance_floors(data)
    for m, array in enumerate(data.arrays):
        assert_allclose(floors[m], 1e-6 * array[data.observed[m]].square().mean())
    zeros = TensorData(Batch((torch.zeros(3, 2), torch.ones(3, 2)), None), torch.float64)
    assert_allclose(variance_floors(zeros), 1e-6)


def test_encoding_is_batch_independent_and_in_eval_mode():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    data = make_data()
    model = make_model(encoders=[encoder, None])
    whole = encode_all(model, data)
    part = encode_all(model, data.subset(slice(3)))
    assert_allclose(part.mean, whole.mean[:3], atol=1e-12)


# Nodes intervened on --------------------------------------------------------------------------


def cells_by_hand(model, data):
    """log p(cell | how nodes were set) + E log p(z | cell), -inf where the cell is ruled out."""
    prior = model.prior
    tables = [torch.softmax(logits, dim=node) for node, logits in enumerate(prior.table_logits)]
    edges = prior.edges()
    factors = []
    for node, table in enumerate(tables):
        weight = edges[1 - node, node]
        factors.append(weight * table + (1 - weight) * table.mean(dim=1 - node, keepdim=True))
    set_to = [logs.exp() for logs in prior.set_logs.split((2, 2))]
    logs = prior.expected_log_density(encode_all(model, data)).T.clone()
    for sample, number in enumerate(data.regime_index[0].tolist()):
        for cell, outcome in enumerate(np.ndindex(2, 2)):
            for node in range(2):
                is_set = node in REGIMES[number]
                p = set_to[node][outcome[node]] if is_set else factors[node][outcome]
                logs[sample, cell] += p.log()
            if data.allowed is not None and not data.allowed[cell, sample]:
                logs[sample, cell] = -torch.inf
    return logs.detach()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_bound_responsibilities_and_counts_know_what_was_set(known, missing):
    """A known outcome costs nothing in the bound, an unknown one its learned probability."""
    model = make_model().eval()
    data = intervene(make_data(missing), model, known)
    logs = cells_by_hand(model, data)
    evidence, gamma = logs.logsumexp(dim=1), logs.softmax(dim=1)
    assert_allclose(sample_posterior(model, data).cells, gamma, atol=1e-12)
    batch, noise = data.rows(slice(None)), data.normal(data.n_samples, 2, seed())
    posterior = model.encode(batch)
    errors = model.squared_errors(batch, rsample(posterior, noise))
    rest = model.training_log_likelihood(errors, batch.observed) + entropy(posterior.log_var)
    assert_allclose(model.elbo(batch, noise).values.detach(), (rest + evidence).detach())
    result = data_pass(model, data, seed(), NAMES)
    counts = torch.stack([gamma[data.regime_index[0] == number].sum(dim=0) for number in range(3)])
    assert_allclose(result.counts, counts, rtol=1e-12)
    assert_allclose(result.counts.sum(dim=0), result.statistics.counts, rtol=1e-12)
    terms = result.terms
    mixture = terms["density"] + terms["weight"] + terms["assignment_entropy"]
    assert mixture == pytest.approx(evidence.mean().item(), rel=1e-12)


@pytest.mark.parametrize("sampled_responsibilities", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_terms_add_up_where_nodes_were_set(known, sampled_responsibilities):
    """On the same draws, also with responsibilities that are not optimal."""
    options = {"sampled_responsibilities": sampled_responsibilities}
    model = make_model(modality_weights=[1.0, 1.0], **options).eval()
    data = intervene(make_data(), model, known)
    terms = data_pass(model, data, seed(7), NAMES).terms
    noise = data.normal(data.n_samples, 2, seed(7))
    bound = model.elbo(data.rows(slice(None)), noise).values.mean().item()
    assert terms["lower_bound"] == pytest.approx(bound, rel=1e-12)
    assert terms["objective"] == pytest.approx(bound, rel=1e-12)


@pytest.mark.parametrize("known", [False, True])
def test_block_update_with_a_given_graph_is_coordinate_ascent(monkeypatch, known):
    """Tables are swapped, too, and how nodes were set (up to its prior of one sample)."""
    monkeypatch.setattr(_prior, "PRIOR_COUNT", 1e-9)
    model = make_model()
    data = intervene(make_data(), model, known)
    adjacency = torch.tensor([[False, True], [False, False]])
    counts = data_pass(model, data, seed(7), NAMES).counts
    model.prior.fix_graph(adjacency, model.prior.family_tables(counts, adjacency))
    update = block_update(variance_floors(data), adjacency)
    bounds = []
    for _ in range(15):
        bounds.append(objective(model, data))
        counts = update(model, data, seed(7)).counts.reshape(3, 2, 2)
        first, second = counts[:2].sum(dim=(0, 2)), counts[0]  # where the node was not set
        tables = (first / first.sum())[:, None] * (second / second.sum(dim=1, keepdim=True))
        assert_allclose(model.prior.log_weights().exp(), tables.flatten(), atol=1e-9)
        set_to = counts[2].sum(dim=1) + 0.5, counts[1:].sum(dim=(0, 1)) + 0.5
        if not known:
            expected = torch.cat([totals / totals.sum() for totals in set_to])
            assert_allclose(model.prior.set_logs.exp(), expected)
    tolerance = 1e-9 if known else 1.0 / data.n_samples
    assert (np.diff(bounds) > -tolerance).all()
    assert bounds[-1] > bounds[0] + 0.1


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("weights", [[1.0, 1.0], [1.0, 2.0], None])
@pytest.mark.parametrize("sampled", [False, True])
@torch.no_grad()
def test_terms_with_own_likelihoods_are_those_of_the_bound(missing, weights, sampled):
    """On the same draws; the plain bound is that of weights of one."""
    model = own_model(modality_weights=weights, sampled_responsibilities=sampled)
    data = make_data(missing)
    batch, noise = data.rows(slice(None)), data.normal(data.n_samples, 2, seed(7))
    terms = data_pass(model, data, seed(7), NAMES).terms
    assert terms["objective"] == pytest.approx(model.elbo(batch, noise).values.mean().item())
    if weights == [1.0, 1.0]:
        assert terms["lower_bound"] == pytest.approx(terms["objective"])


@torch.no_grad()
def test_variances_per_cluster_are_optimal():
    """No other variance of a component gives a larger gamma-weighted likelihood: a grid search."""
    model, data = own_model(), make_data(missing=True)
    batch, z = data.rows(slice(None)), data.normal(data.n_samples, 2, seed(7))
    posterior = model.encode(batch)
    z = rsample(posterior, z)
    own = model.own_likelihoods(batch, z)
    gamma = model.log_responsibilities(posterior, evidence=model.evidence(own)).exp()
    update = block_update(torch.full((2,), 1e-9))
    update(model, data, seed(7))
    errors = (batch.arrays[0][:, None] - model.decoders[0](z).flatten(2)).square().sum(dim=2).T
    seen, found = gamma * data.observed[0], model.decoders[0].log_variances
    grid = found + torch.linspace(-1.0, 1.0, 2001)[:, None]
    losses = 6 * seen.sum(dim=1) * grid + (seen * errors).sum(dim=1) * torch.exp(-grid)
    assert_allclose(losses.argmin(dim=0), 1000, atol=1)
    means = torch.stack([(seen * errors).sum(), (own[1].squared_errors).sum()]) / data.n_elements
    assert_allclose(model.log_variances.exp(), means)


@torch.no_grad()
def test_pretraining_knows_the_error_beside_a_predicted_variance():
    model, data = own_model(), make_data(missing=True)
    batch, noise = data.rows(slice(None)), data.normal(data.n_samples, 2, seed())
    z = rsample(model.encode(batch), noise)
    errors = (model.decoders[1](z) - batch.arrays[1]).square().sum(dim=1) * data.observed[1]
    set_decoder_variances(model, data)
    assert_allclose(model.log_variances[1].exp(), errors.sum() / data.n_elements[1])
