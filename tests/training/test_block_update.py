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
    swapped,
)
from some_slow import each_once
from torch import nn

from skcausalpima._inference.posterior import sample_posterior
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import BlockUpdate, data_pass, variance_floors
from skcausalpima.modules import Batch
from skcausalpima.modules._structured import drawn_components

COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]


@pytest.fixture
def same_potentials(monkeypatch):
    """Leave potentials as sharp as they are: what is learned of the mixture is another question."""
    monkeypatch.setattr(BlockUpdate, "set_information", lambda *_, **__: None)


@torch.no_grad()
def evidence(model, data):
    """Return the mean of log Z: with potentials that stay it is a log-likelihood.

    The constant that samples of their own precision leave out, which depends on the means, is here.
    """
    model.eval()
    batch = data.rows(slice(None))
    posterior = model.posterior(batch)
    values = posterior.evidence(model.log_weights(batch.regime_index), batch.allowed).value
    if not model.posterior(batch).potential.is_shared:
        (linear, precision), at = posterior.potential, posterior.origin
        values = values + linear @ at - 0.5 * (precision @ at) @ at
    return values.mean().item()


@pytest.mark.parametrize(
    ("covariance_type", "missing"), each_once(list(COVARIANCE_TYPES), [True, False])
)
def test_block_update_is_expectation_maximization(covariance_type, missing, same_potentials):
    """The likelihood of the mixture, given what samples say, rises with every swap."""
    model, data = make_model(covariance_type), make_data(missing)
    update = block_update(variance_floors(data), covariance_type=covariance_type)
    values = [evidence(model, data)]
    for _ in range(15):
        before = objective(model, data)
        result = swapped(update, model, data)
        assert_allclose(result.terms["objective"], before, rtol=1e-12)
        values.append(evidence(model, data))
    assert (np.diff(values) > -1e-10).all()
    assert values[-1] > values[0] + 0.1


@pytest.mark.parametrize("missing", [False, True])
def test_decoder_variances_are_optimal(missing, same_potentials):
    """On the same draws no other variance gives a better bound."""
    model, data = make_model(modality_weights=[1.0, 1.0]), make_data(missing)
    batch, noise = data.rows(slice(None)), data.normal(90, model.n_draws, seed(7))
    means, covariances = model.prior.means.clone(), model.prior.covariances.clone()
    swapped(block_update(variance_floors(data)), model, data)
    model.prior.means.copy_(means)
    model.prior.covariances.copy_(covariances)
    best = model.log_variances.clone()
    with torch.no_grad():
        bound = model.elbo(batch, noise).values.mean()
        for m in range(2):
            for change in (-0.05, 0.05):
                model.log_variances.copy_(best)
                model.log_variances[m] += change
                assert model.elbo(batch, noise).values.mean() < bound


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_decoder_variance_is_the_mean_squared_error(missing, sampled):
    """At draws of latent points with the prior N(0, I)."""
    model, data = make_model(sampled_responsibilities=sampled), make_data(missing)
    noise = data.normal(90, model.n_draws, seed())
    with torch.no_grad():
        decoded = model.decode(model.eval().unit_points(data.rows(slice(None)), noise))
    set_decoder_variances(model, data)
    learned = model.log_variances.exp()
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
    noise = data.normal(90, model.n_draws, seed(7))
    with torch.no_grad():
        expected = model.elbo(data.rows(slice(None)), noise).values.mean()
    assert_allclose(objective(model, data), expected, rtol=1e-12)


def test_statistics_do_not_depend_on_the_blocks(monkeypatch):
    model, data = make_model(), make_data(missing=True)
    whole = data_pass(model, data, seed())
    monkeypatch.setattr("skcausalpima._model.tensors.BLOCK_ROWS", 13)
    blocks = data_pass(model, data, seed())
    for name in ("counts", "first", "second", "origin"):
        one, other = (getattr(pass_.statistics, name) for pass_ in (whole, blocks))
        assert_allclose(one, other, atol=1e-10)
    for key in ("evidence", "potential"):
        assert_allclose(blocks.terms[key], whole.terms[key])


def test_variance_floors_are_relative():
    data = make_data(missing=True)
    floors = variance_floors(data)
    for m, array in enumerate(data.arrays):
        assert_allclose(floors[m], 1e-6 * array[data.observed[m]].square().mean())
    zeros = TensorData(Batch((torch.zeros(3, 2), torch.ones(3, 2)), None), torch.float64)
    assert_allclose(variance_floors(zeros), 1e-6)


def test_passes_are_batch_independent_and_in_eval_mode():
    """Sums of parts, of one of three samples too, are the sums of the whole."""
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    data = make_data()
    model = make_model(encoders=[encoder, None]).train()
    whole = data_pass(model, data, seed()).statistics
    parts = [
        data_pass(model.train(), data.subset(rows), seed()).statistics
        for rows in (slice(3), slice(3, 90))
    ]
    for name in ("counts", "first", "second"):
        one, two, both = (getattr(of, name) for of in (*parts, whole))
        assert_allclose(one + two, both, atol=1e-10)


# Nodes intervened on --------------------------------------------------------------------------


def cells_by_hand(model, data):
    """log p(cell | how nodes were set) + log Z, -inf where the cell is ruled out."""
    prior = model.prior
    tables = [torch.softmax(logits, dim=node) for node, logits in enumerate(prior.table_logits)]
    edges = prior.edges()
    factors = []
    for node, table in enumerate(tables):
        weight = edges[1 - node, node]
        factors.append(weight * table + (1 - weight) * table.mean(dim=1 - node, keepdim=True))
    set_to = [logs.exp() for logs in prior.set_logs.split((2, 2))]
    logs = model.posterior(data.rows(slice(None))).log_normalizers().T.clone()
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
    batch, noise = data.rows(slice(None)), data.normal(data.n_samples, model.n_draws, seed())
    posterior = model.posterior(batch)
    cells = drawn_components(gamma.log().T, noise[:, -1])
    errors = model.squared_errors(batch, posterior.points(cells, noise[:, :-1]))
    rest = model.training_log_likelihood(errors, batch.observed)
    each = [posterior.expected_log_potentials(torch.full_like(cells, c)) for c in range(4)]
    mixture = evidence - (gamma * torch.stack(each, dim=1)).sum(dim=1)
    assert_allclose(model.elbo(batch, noise).values.detach(), (rest + mixture).detach())
    result = data_pass(model, data, seed())
    counts = torch.stack([gamma[data.regime_index[0] == number].sum(dim=0) for number in range(3)])
    assert_allclose(result.counts, counts, rtol=1e-12)
    assert_allclose(result.counts.sum(dim=0), result.statistics.counts, rtol=1e-12)
    terms = result.terms
    if missing:  # terms are of potentials that are densities of their locations
        evidence = evidence + posterior._constants()
    assert terms["evidence"] == pytest.approx(evidence.mean().item(), rel=1e-9)
    assert terms["evidence"] + terms["potential"] == pytest.approx(mixture.mean().item(), rel=1e-9)


@pytest.mark.parametrize("sampled_responsibilities", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_terms_add_up_where_nodes_were_set(known, sampled_responsibilities):
    """On the same draws, also with responsibilities that are not optimal."""
    options = {"sampled_responsibilities": sampled_responsibilities}
    model = make_model(modality_weights=[1.0, 1.0], **options).eval()
    data = intervene(make_data(), model, known)
    terms = data_pass(model, data, seed(7)).terms
    noise = data.normal(data.n_samples, model.n_draws, seed(7))
    bound = model.elbo(data.rows(slice(None)), noise).values.mean().item()
    assert terms["lower_bound"] == pytest.approx(bound, rel=1e-12)
    assert terms["objective"] == pytest.approx(bound, rel=1e-12)


@pytest.mark.parametrize("known", [False, True])
def test_block_update_with_a_given_graph_is_expectation_maximization(
    monkeypatch, known, same_potentials
):
    """Tables are swapped, too, and how nodes were set (up to its prior of one sample)."""
    monkeypatch.setattr("skcausalpima.modules._prior.PRIOR_COUNT", 1e-9)
    model = make_model()
    data = intervene(make_data(), model, known)
    adjacency = torch.tensor([[False, True], [False, False]])
    counts = data_pass(model, data, seed(7)).counts
    model.prior.fix_graph(adjacency, model.prior.family_tables(counts, adjacency))
    update = block_update(variance_floors(data), adjacency)
    bounds = []
    for _ in range(15):
        bounds.append(evidence(model, data))
        counts = swapped(update, model, data).counts.reshape(3, 2, 2)
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
@torch.no_grad()
def test_terms_with_own_likelihoods_are_those_of_the_published_bound(missing, weights):
    """On the same draws; the plain bound is that of weights of one."""
    model = own_model(modality_weights=weights, sampled_responsibilities=True)
    data = make_data(missing)
    batch, noise = data.rows(slice(None)), data.normal(data.n_samples, 2, seed(7))
    terms = data_pass(model, data, seed(7)).terms
    assert terms["objective"] == pytest.approx(model.elbo(batch, noise).values.mean().item())
    if weights == [1.0, 1.0]:
        assert terms["lower_bound"] == pytest.approx(terms["objective"])


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("weights", [[1.0, 1.0], [1.0, 2.0], None])
@torch.no_grad()
def test_terms_with_own_likelihoods_are_those_of_the_bound(missing, weights):
    """On the same draws; weights change training alone, and what is told of its objective."""
    model, plain = own_model(modality_weights=weights), own_model(modality_weights=[1.0, 1.0])
    data = make_data(missing)
    batch, noise = data.rows(slice(None)), data.normal(data.n_samples, plain.n_draws, seed(7))
    terms = data_pass(model, data, seed(7)).terms
    assert terms["lower_bound"] == pytest.approx(plain.elbo(batch, noise).values.mean().item())
    weighted = terms["lower_bound"]
    for m, name in enumerate(NAMES):
        weighted += (model.likelihood_weight(m) - 1.0) * terms[f"reconstruction_{name}"]
    assert terms["objective"] == pytest.approx(float(weighted))


@torch.no_grad()
def test_variances_per_cluster_are_optimal():
    """No other variance of a component gives a larger gamma-weighted likelihood: a grid search."""
    model, data = own_model(), make_data(missing=True)
    batch, noise = data.rows(slice(None)), data.normal(data.n_samples, model.n_draws, seed(7))
    found = model.assign(batch, noise, model.prior.log_weights())
    gamma, errors = found.log_gamma.exp(), torch.empty(4, 90).double()
    for c in range(4):  # at a point in each component
        z = found.posterior.points(torch.full((90,), c), noise[:, :-1])
        mean = model.decoders[0](z).flatten(2)[:, c]
        errors[c] = (batch.arrays[0] - mean).square().sum(dim=1)
    other = (model.decoders[1](found.z) - batch.arrays[1]).square().sum(dim=1)
    update = block_update(torch.full((2,), 1e-9))
    swapped(update, model, data)
    seen, found = gamma * data.observed[0], model.decoders[0].log_variances
    grid = found + torch.linspace(-1.0, 1.0, 2001)[:, None]
    losses = 6 * seen.sum(dim=1) * grid + (seen * errors).sum(dim=1) * torch.exp(-grid)
    assert_allclose(losses.argmin(dim=0), 1000, atol=1)
    sums = torch.stack([(seen * errors).sum(), (other * data.observed[1]).sum()])
    assert_allclose(model.log_variances.exp(), sums / data.n_elements)


@torch.no_grad()
def test_pretraining_knows_the_error_beside_a_predicted_variance():
    model, data = own_model(), make_data(missing=True)
    batch, noise = data.rows(slice(None)), data.normal(data.n_samples, model.n_draws, seed())
    z = model.unit_points(batch, noise)
    errors = (model.decoders[1](z) - batch.arrays[1]).square().sum(dim=1) * data.observed[1]
    set_decoder_variances(model, data)
    assert_allclose(model.log_variances[1].exp(), errors.sum() / data.n_elements[1])
