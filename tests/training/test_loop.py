"""Passes, block-coordinate updates, stopping and steps of training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats
from small_models import small_settings, small_spec
from torch import nn

from skcausalpima._data.known_nodes import allowed_cells
from skcausalpima._inference.posterior import bounds, posterior_and_cells, score_draws
from skcausalpima._inference.sampling import drawn_data
from skcausalpima._model.build import build_model
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import BlockUpdate, data_pass, encode_all, variance_floors
from skcausalpima._training.early_stopping import Stopper
from skcausalpima._training.loop import Progress, pretrain, train
from skcausalpima.functional import entropy, rsample
from skcausalpima.modules import Batch, _prior

NAMES = ("image", "curve")
COVARIANCE_TYPES = ["full", "tied", "diag", "spherical"]


def seed(number=0):
    return torch.Generator().manual_seed(number)


def make_data(missing=False):
    rng = np.random.default_rng(0)
    group = rng.integers(4, size=90)
    arrays = [
        rng.normal(size=(90, 6)) + 2.0 * (group // 2)[:, None],
        rng.normal(size=(90, 4)) - 2.0 * (group % 2)[:, None],
    ]
    observed = None
    if missing:
        observed = np.ones((2, 90), dtype=bool)
        observed[0, :20] = observed[1, 30:50] = False
        arrays = [array * seen[:, None] for array, seen in zip(arrays, observed, strict=True)]
        observed = torch.as_tensor(observed)
    return TensorData(Batch(tuple(map(torch.as_tensor, arrays)), observed), torch.float64)


def make_model(covariance_type="full", **options):
    """A model in the middle of nowhere: every parameter random."""
    full = covariance_type in ("full", "tied")
    defaults = {"full_covariances": full, "modality_weights": (1.0, 2.0)}
    model = build_model(small_spec(((3, 2), (4,)), **(defaults | options)), seed(1))
    with torch.no_grad():
        model.prior.means.normal_(generator=seed(2))
        model.prior.table_logits.normal_(generator=seed(3))
    return model


def block_update(floors, adjacency=None, **mixture):
    return BlockUpdate(
        names=NAMES,
        mixture=small_settings(**mixture).mixture,
        variance_floors=floors,
        adjacency=adjacency,
    )


def set_decoder_variances(model, data):
    block_update(variance_floors(data)).decoder_variances(model, data, seed())


def objective(model, data, number=7):
    return data_pass(model, data, seed(number), NAMES).terms["objective"]


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


@pytest.mark.parametrize("kl_weight", [0.0, 1.0])
def test_pretraining_raises_the_bound(kl_weight):
    model, data = make_model(), make_data()
    noise = data.normal(90, 2, seed(7))

    def bound():
        with torch.no_grad():
            return model.unit_elbo(data.rows(slice(None)), noise, kl_weight).mean().item()

    before, prior = bound(), {k: v.clone() for k, v in model.prior.state_dict().items()}
    seen = []
    pretrain(
        model,
        data,
        small_settings(kl_weight=kl_weight),
        block_update(None),
        generator=seed(),
        report=lambda epoch, terms: seen.append((epoch, float(terms["objective"]))),
    )
    assert bound() > before + 0.5
    assert [epoch for epoch, _ in seen] == list(range(len(seen)))
    assert seen[-1][1] > seen[0][1] + 0.5
    for name, tensor in model.prior.state_dict().items():
        assert torch.equal(tensor, prior[name])


def run_training(model, data, held_out=None, report=lambda epoch, terms: None, **options):
    settings = small_settings(**({"reg_covar": 1e-6, "shrinkage": 10.0} | options))
    update = block_update(variance_floors(data), reg_covar=1e-6, shrinkage=10.0)
    progress = Progress(model, settings.gradient, Stopper(0.0, n_iter_no_change=2), report)
    train(model, data, held_out, progress, settings, update, seed())
    progress.stopper.restore(model)
    return progress


def test_training_raises_the_bound():
    model, data = make_model(), make_data()
    before = objective(model, data)
    seen = []
    result = run_training(model, data, report=lambda epoch, terms: seen.append((epoch, terms)))
    assert objective(model, data) > before + 1.0
    assert [epoch for epoch, _ in seen] == [0, 1, 2, 3]
    assert [terms for _, terms in seen] == result.history
    assert not result.stopper.converged


def test_errors_of_the_epoch_are_those_of_its_steps():
    """At a learning rate of nearly nothing they are the mean squared errors of the model."""
    model, data = make_model(), make_data(missing=True)
    run_training(model, data, learning_rate=1e-12, temperatures=np.ones(1), batch_size=90)
    generator = seed()
    order = torch.randperm(90, generator=generator)
    noise = data.normal(90, 2, generator)
    batch = data.rows(order)
    with torch.no_grad():
        errors = model.squared_errors(batch, rsample(model.encode(batch), noise)).sum(dim=1)
    assert_allclose(model.log_variances.exp(), errors / data.n_elements, rtol=1e-6)


def test_variance_floors_are_relative():
    data = make_data(missing=True)
    floors = variance_floors(data)
    for m, array in enumerate(data.arrays):
        assert_allclose(floors[m], 1e-6 * array[data.observed[m]].square().mean())
    zeros = TensorData(Batch((torch.zeros(3, 2), torch.ones(3, 2)), None), torch.float64)
    assert_allclose(variance_floors(zeros), 1e-6)


def test_graph_steps_move_the_graph_alone():
    """With a network learning rate of nearly nothing, what moves the tables is the extra steps."""
    distances = []
    for n_graph_steps in (0, 20):
        model, data = make_model(), make_data()
        start = model.prior.table_logits.detach().clone()
        run_training(model, data, n_steps=n_graph_steps)
        distances.append((model.prior.table_logits.detach() - start).norm().item())
    assert distances[1] > 1.5 * distances[0]


def test_graph_steps_fit_the_counts():
    """Many of them bring A to the shares of the clusters under a complete graph."""
    model, data = make_model(), make_data()
    model.prior.scores.data = torch.tensor([0.0, 50.0], dtype=torch.float64)
    options = {"temperatures": np.ones(1), "n_steps": 500, "graph_learning_rate": 0.05}
    run_training(model, data, learning_rate=1e-12, **options)
    counts = data_pass(model, data, seed(), NAMES).statistics.counts
    assert_allclose(model.prior.log_weights().exp().detach(), counts / counts.sum(), atol=0.05)


def test_gradient_clipping(monkeypatch):
    norms = []
    step = torch.optim.Adam.step

    def record(self, *arguments, **keywords):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        gradients = [gradient.flatten() for gradient in gradients if gradient is not None]
        norms.append(torch.cat(gradients).norm().item())
        return step(self, *arguments, **keywords)

    monkeypatch.setattr(torch.optim.Adam, "step", record)
    run_training(make_model(), make_data(), max_grad_norm=0.5, temperatures=np.ones(1))
    assert max(norms) <= 0.5 + 1e-6


def test_held_out_data_decide_and_the_best_state_is_kept():
    model, data = make_model(), make_data()
    training, held_out = data.subset(slice(0, 20)), data.subset(slice(60, 90))
    states = []

    def note(epoch, terms):
        states.append((terms["objective"], {k: v.clone() for k, v in model.state_dict().items()}))

    options = {"learning_rate": 0.03, "temperatures": np.ones(60), "report": note}  # overfits
    result = run_training(model, training, held_out, **options)
    assert all("held_out_bound" in terms for terms in result.history)
    best = max(states, key=lambda state: state[0])[1]
    assert best is not states[-1][1]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, best[name])


@pytest.mark.parametrize(
    ("tol", "objectives", "stopped_at"),
    [
        (1.0, [0.0, 2.0, 2.5, 2.9], 3),  # rises of less than tol do not count
        (1.0, [0.0, 2.0, 0.0, 3.5, 0.0, 0.0], 5),
        (0.0, [0.0, -1.0, -2.0, -3.0, -4.0], None),
        (1.0, [np.nan, np.nan, np.nan], 1),
    ],
)
def test_stopper(tol, objectives, stopped_at):
    stopper = Stopper(tol, n_iter_no_change=2)
    stops = [stopper.stop(value, None) for value in objectives]
    assert (stops.index(True) if True in stops else None) == stopped_at


def test_batches():
    data = make_data(missing=True)
    batches = list(data.shuffled(40, seed()))
    assert [len(batch.arrays[0]) for batch in batches] == [40, 40, 10]
    rows = torch.cat([batch.arrays[1] for batch in batches])
    assert_allclose(np.sort(rows, axis=0), np.sort(data.arrays[1], axis=0))
    assert batches[0].observed.shape == (2, 40)


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "sizes"),
    [(90, 89, [90]), (5, 2, [2, 3]), (6, 4, [4, 2]), (2, 1, [1, 1]), (1, 4, [1])],
)
def test_no_sample_is_left_over_alone(n_samples, batch_size, sizes):
    """Batch normalization cannot train on one sample."""
    data = make_data().subset(slice(n_samples))
    batches = data.shuffled(batch_size, seed())
    assert [len(batch.arrays[0]) for batch in batches] == sizes


@pytest.mark.parametrize("latent_dim", [1, 2, 9, 20])
def test_score_draws_have_exact_moments(latent_dim):
    draws = score_draws(latent_dim)
    assert draws.shape == (2 * max(8, latent_dim), latent_dim)
    assert_allclose(draws.mean(axis=0), 0.0, atol=1e-14)
    assert_allclose(draws.T @ draws / len(draws), np.eye(latent_dim), atol=1e-12)


def test_encoding_is_batch_independent_and_in_eval_mode():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    data = make_data()
    model = make_model(encoders=[encoder, None])
    whole = encode_all(model, data)
    part = encode_all(model, data.subset(slice(3)))
    assert_allclose(part.mean, whole.mean[:3], atol=1e-12)


# Nodes intervened on ------------------------------------------------------------------------

REGIMES = [(), (1,), (0, 1)]


def intervene(data, model, known):
    """Say that some nodes were set; to what, if that is known."""
    numbers = torch.arange(data.n_samples) % 3
    data = replace(data, samples=replace(data.samples, regime_index=numbers[None]))
    model.prior.set_interventions(REGIMES)
    if not known:
        counts = np.random.default_rng(1).uniform(1, 9, (3, 4))
        model.prior.set_interventions(REGIMES, torch.as_tensor(counts))
        return data
    outcomes = np.full((data.n_samples, 2), -1)
    for number, nodes in enumerate(REGIMES):
        for node in nodes:
            outcomes[numbers == number, node] = np.arange(data.n_samples)[numbers == number] % 2
    allowed = torch.as_tensor(allowed_cells(outcomes, (2, 2)))
    return replace(data, samples=replace(data.samples, allowed=allowed))


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
    assert_allclose(posterior_and_cells(model, data)[1], gamma, atol=1e-12)
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


def test_the_best_state_has_how_nodes_were_set():
    model = make_model()
    intervene(make_data(), model, known=False)
    stopper, best = Stopper(0.0, 10), model.prior.set_logs.clone()
    stopper.stop(1.0, model)
    model.prior.set_interventions(REGIMES, torch.ones(3, 4, dtype=torch.float64))
    stopper.stop(0.0, model)
    stopper.restore(model)
    assert torch.equal(model.prior.set_logs, best)


def own_model(**options):
    """Networks per cluster for the images, a network with variances for the curves."""
    words = {"decoders": ["cluster_mlp", None], "predict_variances": [False, True]}
    model = make_model(**(words | options))
    generator = seed(9)
    with torch.no_grad():
        for parameter in model.decoders.parameters():
            parameter.normal_(std=0.5, generator=generator)
        model.decoders[0].log_variances.normal_(generator=generator)
    return model.eval()


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


@pytest.mark.parametrize("missing", [False, True])
@torch.no_grad()
def test_score_and_cells_take_own_likelihoods_in_expectation(missing):
    """Draw by draw, component by component, with SciPy's densities."""
    model, data = own_model(), make_data(missing)
    batch = data.rows(slice(None))
    posterior, prior = model.encode(batch), model.prior
    draws = torch.as_tensor(score_draws(2))
    seen = torch.ones(2, 90) if data.observed is None else data.observed
    evidence = torch.zeros(4, 90).double()
    for draw in draws:
        z = posterior.mean + posterior.log_var.mul(0.5).exp() * draw
        for c in range(4):
            deviation = model.decoders[0].log_variances[c].mul(0.5).exp()
            mean = model.decoders[0](z)[:, c].flatten(1)
            part = stats.norm.logpdf(batch.arrays[0], mean, deviation).sum(axis=1)
            evidence[c] += seen[0] * torch.as_tensor(part) / len(draws)
        mean, log_variance = model.decoders[1].moments(z)
        part = stats.norm.logpdf(batch.arrays[1], mean, log_variance.mul(0.5).exp()).sum(axis=1)
        evidence += seen[1] * torch.as_tensor(part) / len(draws)
    logs = prior.log_weights()[:, None] + model.log_density(posterior) + evidence
    assert_allclose(posterior_and_cells(model, data)[1], logs.softmax(dim=0).T, atol=1e-12)
    expected = logs.logsumexp(dim=0) + entropy(posterior.log_var)
    assert_allclose(bounds(model, data), expected, rtol=1e-10)


@torch.no_grad()
def test_draws_have_the_variances_of_the_decoders():
    """At one latent point, within five standard errors; the draws are seeded."""
    model, point = own_model(), np.array([[0.4, -0.7]])
    z, cells = np.repeat(point, 20_000, axis=0), np.full(20_000, 2)
    arrays = drawn_data(model, z, cells, np.random.RandomState(0))
    z = torch.as_tensor(point)
    mean, log_variance = model.decoders[1].moments(z)
    expected = [
        (model.decoders[0](z)[0, 2].flatten(), model.decoders[0].log_variances[2].expand(6)),
        (mean[0], log_variance[0]),
    ]
    for array, (mean, log_variance) in zip(arrays, expected, strict=True):
        deviation = log_variance.mul(0.5).exp().numpy()
        errors = (array.mean(axis=0) - mean.numpy()) / deviation
        assert np.abs(errors).max() < 5 / np.sqrt(20_000)
        assert np.abs(array.std(axis=0) / deviation - 1).max() < 5 / np.sqrt(40_000)


@pytest.mark.parametrize("word", ["cluster_mlp", "cluster_conv"])
def test_steps_and_updates_raise_the_bound_of_own_likelihoods(word):
    model, data = own_model(decoders=[word, None]), make_data()
    before = objective(model, data)
    run_training(model, data, temperatures=np.ones(30))
    assert objective(model, data) > before + 1.0
