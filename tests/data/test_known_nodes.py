"""Outcomes that are known for some samples: they name nodes, and training respects them."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from small_models import small_settings, small_spec
from some_slow import some_slow

from skcausalpima import CausalPIMA
from skcausalpima._clustering.arrangement import arrange
from skcausalpima._clustering.candidates import choose_candidate, propose_candidates
from skcausalpima._clustering.matching import known_agreements, tolerated_share
from skcausalpima._clustering.placements import make_problem, misfits_of
from skcausalpima._data.known_nodes import allowed_cells
from skcausalpima._data.samples import read_knowledge
from skcausalpima._held_out.matching import align_nodes, known_counts
from skcausalpima._model.build import build_model
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import BlockUpdate, data_pass
from skcausalpima.datasets import make_circles_images
from skcausalpima.functional import log_responsibilities
from skcausalpima.metrics import matched_accuracy
from skcausalpima.modules import Batch

GROUP = np.repeat(np.arange(4), 18)
FACTORS = np.stack([GROUP // 2, GROUP % 2], axis=1)  # of the fixture ``pair``: images, curves
NODES = {"N1": 2, "N2": 2}


def some_known(column, node, n_nodes=2, rows=slice(0, None, 7)):
    """Give one node's outcomes for every seventh sample."""
    known = np.full((len(column), n_nodes), -1)
    known[rows, node] = column[rows]
    return known


# What goes in ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (np.zeros((72, 3), dtype=int), r"shape \(n_samples, n_nodes\) = \(72, 2\).*got .*72, 3"),
        (np.zeros(72, dtype=int), r"shape \(n_samples, n_nodes\) = \(72, 2\).*got shape \(72,\)"),
        (np.zeros((71, 2), dtype=int), r"\(72, 2\).*got shape \(71, 2\)"),
        (np.full((72, 2), 2), r"of the node 'N1' must lie between 0 and 1.* got 2"),
        (np.full((72, 2), [0, -2]), r"of the node 'N2' must lie between 0 and 1.* got -2"),
        ([[10**30, 0]] * 72, r"of the node 'N1' must lie between 0 and 1.* got 10{30}\."),
        (np.full((72, 2), -1e30), r"of the node 'N1' must lie between 0 and 1.* got -1"),
        (np.full((72, 2), 2**64 - 1, dtype=np.uint64), "must lie between.* got 18446744073709551"),
        (np.full((72, 2), 0.5), "of the node 'N1' must be whole numbers or labels.*got 0.5"),
        (np.zeros((72, 2), dtype=bool), "must be whole numbers or labels.* got False in sample 0"),
        (np.array([["a", 1], [1, "a"]] * 36, dtype=object), "must be whole .*got 'a' in sample 0"),
        ({"N1": list("abc") * 24}, r"'N1' has 3 labels, \['a', 'b', 'c'\], .*node_sizes is 2"),
        ({"x": [0] * 72}, r"known_nodes has \['x'\], but the nodes are \['N1', 'N2'\]"),
        (pd.DataFrame({"N1": [0] * 72, "x": 0}), r"has \['x'\], but the nodes are"),
        (pd.DataFrame({"x": [0] * 72}), r"got shape \(72, 1\)"),
        ({"N1": [0] * 71}, "'N1' has 71 entries, but X has 72 samples"),
        ({"N1": np.zeros((72, 1))}, r"known_nodes\['N1'\] has shape \(72, 1\)"),
    ],
)
def test_what_is_not_an_outcome_is_refused(known, message):
    with pytest.raises(ValueError, match=message):
        read_knowledge(known, None, 72, NODES)


KNOWN = some_known(FACTORS[:, 0], 1)
LABELS = [None if n < 0 else ("glass", "steel")[n] for n in KNOWN[:, 1]]
KINDS = pd.Categorical(LABELS, categories=["glass", "steel"])


@pytest.mark.parametrize(
    "known",
    [
        KNOWN.tolist(),
        KNOWN.astype(np.int8),
        pd.DataFrame(KNOWN[:, ::-1], columns=["N2", "N1"]),
        {"N2": LABELS},
        {"N2": pd.Series(KINDS), "N1": [np.nan] * 72},
        pd.DataFrame({"N2": LABELS, "N1": None}),
        pd.DataFrame({"a": [-1] * 72, "b": LABELS}),
        np.array([[None, label] for label in LABELS], dtype=object),
        [[-1, label] for label in LABELS],
    ],
)
def test_forms_of_known_outcomes(known):
    found = read_knowledge(known, None, 72, NODES)
    assert_array_equal(found.known_nodes, KNOWN)
    is_labelled = "glass" in str(known)
    assert found.outcome_names == [None, ("glass", "steel") if is_labelled else None]


def test_labels_name_the_outcomes(brief, pair):
    model, by_number = (brief().fit(pair, known_nodes=known) for known in ({"N2": LABELS}, KNOWN))
    assert_array_equal(model.node_labels_, by_number.node_labels_)
    assert model.dag_.nodes["N2"]["states"] == ("glass", "steel")
    assert "states" not in model.dag_.nodes["N1"]
    assert model.to_graph().states == {"N2": ("glass", "steel")}


@pytest.mark.slow
def test_labels_are_kept_by_files_pickles_and_later_fits(brief, pair, tmp_path):
    order = pd.Categorical(LABELS, categories=["steel", "glass"])
    model = brief(warm_start=True).fit(pair, known_nodes={"N2": order})
    model.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    copy = pickle.loads(pickle.dumps(model))
    assert (
        loaded.dag_.nodes["N2"]["states"]
        == copy.dag_.nodes["N2"]["states"]
        == tuple(order.categories)
    )
    table = loaded.to_graph().table("N2")
    assert table.columns.tolist() == ["steel", "glass"]
    assert (loaded.intervene({"N2": "glass"}, 3)[1][:, 1] == 1).all()
    glass = [label if label == "glass" else None for label in LABELS]
    known = loaded.fit(pair, known_nodes={"N2": glass}).node_labels_[:, 1]
    assert all(known[row] == 1 for row, label in enumerate(glass) if label)
    assert loaded.dag_.nodes["N2"]["states"] == ("steel", "glass")
    with pytest.raises(ValueError, match=r"labels .'wood'.*outcomes are .'steel', 'glass'"):
        loaded.fit(pair, known_nodes={"N2": ["wood"] * 72})


def test_outcomes_without_a_label_get_a_name(brief, pair):
    model = brief((2, 3)).fit(pair, known_nodes={"N2": LABELS})
    assert model.dag_.nodes["N2"]["states"] == ("glass", "steel", "outcome 2")


@pytest.mark.slow
def test_nothing_known_changes_nothing(quick, pair, fitted):
    model = quick().fit(pair, known_nodes=np.full((72, 2), np.nan))
    assert_array_equal(model.transform(pair), fitted.transform(pair))
    assert_array_equal(model.labels_, fitted.labels_)
    assert model.lower_bound_ == fitted.lower_bound_


# Counting and naming ---------------------------------------------------------------------------


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    sizes = (2, 3, 2)
    known = np.stack([rng.integers(-1, size, 40) for size in sizes], axis=1)
    return known, sizes, rng.integers(5, size=40)


def test_allowed_cells_one_by_one(labelled):
    known, sizes, _ = labelled
    allowed = allowed_cells(known, sizes)
    for cell, outcomes in enumerate(np.ndindex(*sizes)):
        for sample, row in enumerate(known):
            fits = all(k in (-1, o) for k, o in zip(row, outcomes, strict=True))
            assert allowed[cell, sample] == fits


def test_known_counts_one_by_one(labelled):
    known, sizes, labels = labelled
    for node, table in enumerate(known_counts(known, labels, 5, sizes)):
        for cluster, outcome in np.ndindex(*table.shape):
            expected = ((labels == cluster) & (known[:, node] == outcome)).sum()
            assert table[cluster, outcome] == expected


def renamings(sizes):
    """Swaps of nodes of one size, each with every renumbering of outcomes."""
    numbers = list(itertools.product(*(itertools.permutations(range(size)) for size in sizes)))
    for order in itertools.permutations(range(len(sizes))):
        if all(sizes[k] == size for k, size in zip(order, sizes, strict=True)):
            yield from ((list(order), number) for number in numbers)


@pytest.mark.parametrize("sizes", [(2, 2), (2, 3, 2), (3, 3)])
def test_alignment_is_the_best_renaming(sizes):
    rng = np.random.default_rng(1)
    for _ in range(10):
        outcomes = np.stack([rng.integers(size, size=6) for size in sizes], axis=1)
        counts = [rng.poisson(1.0, size=(6, size)) for size in sizes]
        aligned, order, agreement = align_nodes(outcomes, counts)
        rows = np.arange(6)
        best = max(
            sum(
                counts[position][rows, np.array(number[position])[outcomes[:, node]]].sum()
                for position, node in enumerate(order)
            )
            for order, number in renamings(sizes)
        )
        assert agreement == best
        assert agreement == sum(
            t[rows, aligned[:, position]].sum() for position, t in enumerate(counts)
        )
        for position, node in enumerate(order):  # only renamed
            both = np.stack([aligned[:, position], outcomes[:, node]])
            assert len(np.unique(both, axis=1).T) == len(np.unique(outcomes[:, node]))


def test_alignment_leaves_what_is_not_known():
    outcomes = np.array([[0, 1, 0], [1, 0, 2], [0, 0, 1]])
    nothing = [np.zeros((3, size), dtype=int) for size in (2, 2, 3)]
    aligned, order, agreement = align_nodes(outcomes, nothing)
    assert_array_equal(aligned, outcomes)
    assert_array_equal(order, [0, 1, 2])
    assert agreement == 0


@pytest.mark.parametrize("exhaustive", [True, False])
@pytest.mark.parametrize(("sizes", "n_clusters"), [((2, 2), 4), ((2, 3), 6), ((2, 2), 3)])
def test_arrangement_agrees_first_and_fits_second(monkeypatch, sizes, n_clusters, exhaustive):
    """Against all placings of the clusters."""
    if not exhaustive:
        monkeypatch.setattr("skcausalpima._clustering.arrangement.MAX_EXHAUSTIVE", 0)
    rng = np.random.default_rng(2)
    for _ in range(3):
        means = rng.normal(size=(n_clusters, 4))
        counts = [rng.poisson(0.4, size=(n_clusters, size)) for size in sizes]
        found = arrange(means, np.ones(n_clusters), sizes, known=counts, random_state=0)
        cells = range(int(np.prod(sizes)))
        placings = np.array(list(itertools.permutations(cells, n_clusters)))
        problem = make_problem(means, sizes)
        agreement = sum(
            table[np.arange(n_clusters), problem.outcomes[placings, node]].sum(axis=1)
            for node, table in enumerate(counts)
        )
        n_known = sum(table.sum() for table in counts)
        tolerated = agreement >= n_known * tolerated_share(agreement.max() / n_known, n_known)
        assert tolerated[(placings == found.cells).all(axis=1)]
        assert_allclose(misfits_of(found.cells[None], problem), found.misfit, atol=1e-9)
        smallest = misfits_of(placings[tolerated], problem).min()
        if exhaustive:
            assert_allclose(found.misfit, smallest, atol=1e-9)
        else:  # the search goes for the largest agreement
            most = misfits_of(placings[agreement == agreement.max()], problem).min()
            assert smallest - 1e-9 <= found.misfit <= most + 1e-9


def test_a_candidate_that_contradicts_is_not_chosen():
    """Three starts mix up one factor in the same way; the one that known outcomes support wins."""
    rng = np.random.default_rng(3)
    nodes = np.stack(np.unravel_index(np.repeat(np.arange(4), 50), (2, 2)), axis=1)
    data = np.array([6.0, 5.0]) * nodes + rng.normal(size=(200, 2))
    good = propose_candidates(data, (2, 2), random_state=0).all()[0]
    wrong = replace(good, labels=rng.permutation(good.labels))
    known = some_known(nodes[:, 0], 0, rows=slice(0, None, 4))
    candidates = [wrong, wrong, wrong, good]
    assert choose_candidate(candidates, data, (2, 2), random_state=0)[1].chosen != 3
    report = choose_candidate(candidates, data, (2, 2), known=known, random_state=0)[1]
    assert report.chosen == 3
    assert report.known_agreement[3] > 0.95
    assert report.known_agreement[0] < 0.8


# Fits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init", "node", "factor"),
    some_slow([("arranged", 0, 1), ("linear", 1, 0)], [("arranged", 0, 1)]),
)
def test_known_outcomes_name_the_node(quick, pair, init, factor, node):
    for column in (FACTORS[:, factor], 1 - FACTORS[:, factor]):
        model = quick(init=init, max_iter=8).fit(pair, known_nodes=some_known(column, node))
        nodes = model.predict_nodes(pair)[:, node]
        assert (nodes == column).mean() > 0.95


@pytest.mark.parametrize("init", some_slow(["arranged", "linear", "paper"], ["paper"]))
def test_known_outcomes_number_those_of_one_node(quick, pair, init):
    """No other numbering is better; random networks do not separate the groups in this time."""
    column = np.array([2, 0, 3, 1])[GROUP]
    known = some_known(column, 0, n_nodes=1, rows=slice(0, None, 5))
    options = {"posterior": "mean_field"} if init == "paper" else {}
    model = quick((4,), init=init, max_iter=10, **options).fit(pair, known_nodes=known)
    nodes = model.predict_nodes(pair)[:, 0]
    assert (nodes == column).mean() == matched_accuracy(column, nodes)
    if init != "paper":
        assert (nodes == column).mean() > 0.9


@pytest.mark.parametrize(
    ("node_sizes", "init"),
    some_slow(
        itertools.product([(2, 2), (3, 2), (4,)], ["arranged", "linear", "paper"]),
        [((3, 2), "paper")],
    ),
)
def test_labels_respect_even_nonsense(quick, pair, init, node_sizes):
    rng = np.random.default_rng(4)
    known = np.stack([rng.integers(-1, size, 72) for size in node_sizes], axis=1)
    model = quick(node_sizes, init=init, max_iter=1).fit(pair, known_nodes=known)
    assert_array_equal(model.node_labels_[known >= 0], known[known >= 0])
    assert_array_equal(model.node_labels_, model.cluster_states_[model.labels_])
    assert (model.predict_nodes(pair) != model.node_labels_).any()
    assert np.isfinite(model.lower_bound_)
    assert_allclose(model.score(pair), model.lower_bound_, rtol=1e-6)


@pytest.mark.slow
def test_everything_known(quick, pair):
    model = quick(posterior="mean_field", training__validation_fraction=0.2, n_init=2).fit(
        pair, known_nodes=FACTORS
    )
    assert_array_equal(model.node_labels_, FACTORS)
    assert_allclose(model.joint_, 0.25, atol=1e-2)


@pytest.mark.slow
def test_fit_predict_and_fit_transform_pass_them_on(brief, pair):
    known = some_known(FACTORS[:, 1], 0)
    model = brief().fit(pair, known_nodes=known)
    assert_array_equal(brief().fit_predict(pair, known_nodes=known), model.labels_)
    assert_array_equal(brief().fit_transform(pair, known_nodes=known), model.transform(pair))


# Training --------------------------------------------------------------------------------------


def seed(number=0):
    return torch.Generator().manual_seed(number)


def make_data(pair):
    known = np.stack([np.random.default_rng(k).integers(-1, 2, 72) for k in range(2)], axis=1)
    arrays = [array.reshape(72, -1) for array in pair]
    arrays = [(array - array.mean(axis=0)) / array.std() for array in arrays]
    allowed = torch.as_tensor(allowed_cells(known, (2, 2)))
    return TensorData(Batch(tuple(map(torch.as_tensor, arrays)), None, allowed), torch.float64)


def make_model(sampled=False):
    options = {"modality_weights": (1.0, 2.0), "sampled_responsibilities": sampled}
    model = build_model(small_spec(((3, 2), (4,)), **options), seed(1))
    with torch.no_grad():
        model.prior.means.normal_(generator=seed(2))
        model.prior.table_logits.normal_(generator=seed(3))
    return model


def test_the_bound_sums_over_allowed_cells(pair):
    """Decoders that say the same everywhere leave what the mixture and encoders say."""
    model, data = make_model(), make_data(pair)
    batch, noise = data.rows(slice(None)), data.normal(72, model.n_draws, seed(7))
    with torch.no_grad():
        for parameter in model.decoders.parameters():
            parameter.zero_()
        posterior = model.posterior(batch)
        cells = np.exp((model.prior.log_weights()[:, None] + posterior.log_normalizers()).numpy())
        potentials = np.array(
            [posterior.expected_log_potentials(torch.full((72,), c)).numpy() for c in range(4)]
        )
        bounds = {}
        for name, allowed in {"all": np.ones((4, 72)), "some": data.allowed.numpy()}.items():
            gamma = cells * allowed / (cells * allowed).sum(axis=0)
            bounds[name] = np.log((cells * allowed).sum(axis=0)) - (gamma * potentials).sum(axis=0)
            stated = torch.as_tensor(allowed, dtype=torch.bool)
            found = posterior.evidence(model.prior.log_weights(), stated)
            assert_allclose(found.log_gamma.exp(), gamma, rtol=1e-10)
        free = model.elbo(replace(batch, allowed=None), noise).values
        change = bounds["some"] - bounds["all"]
        assert np.ptp(change) > 0.1
        assert_allclose(model.elbo(batch, noise).values, free.numpy() + change, rtol=1e-10)


def test_the_mean_fields_cells_are_those_allowed(pair):
    model, data = make_model(sampled=True), make_data(pair)
    with torch.no_grad():
        posterior = model.encode(data.rows(slice(None)))
        log_density = model.prior.expected_log_density(posterior)
        cells = (model.prior.log_weights()[:, None] + log_density).exp()
        log_density = model.log_density(posterior, data.allowed)
        gamma = log_responsibilities(model.prior.log_weights(), log_density).exp()
    expected = cells * data.allowed / (cells * data.allowed).sum(dim=0)
    assert_allclose(gamma, expected, rtol=1e-10)


@pytest.mark.parametrize("sampled", [False, True])
def test_a_pass_names_the_terms_of_that_bound(pair, sampled):
    model, data = make_model(sampled), make_data(pair)
    noise = data.normal(72, model.n_draws, seed(7))
    bound = model.elbo(data.rows(slice(None)), noise).values.mean()
    bound.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    terms = data_pass(model, data, seed(7)).terms
    assert_allclose(terms["objective"], bound.detach(), rtol=1e-12)


def test_updates_of_the_mixture_are_expectation_maximization(pair, monkeypatch):
    """While encoders and decoders say the same, the evidence of the allowed cells never falls."""
    monkeypatch.setattr(BlockUpdate, "set_information", lambda *_, **__: None)
    model, data = make_model(), make_data(pair)
    mixture, evidence = small_settings().mixture, []
    for _ in range(15):  # at the same draws
        update = BlockUpdate(mixture=mixture, generator=seed(7), variance_floors=None)
        evidence.append(update(model, data).terms["evidence"])
    assert (np.diff(evidence) > -1e-10).all()
    assert evidence[-1] > evidence[0] + 0.1


def test_subsets_and_batches_take_their_columns(pair):
    data = make_data(pair)
    rows = torch.tensor([3, 50, 7])
    assert torch.equal(data.subset(rows).allowed, data.allowed[:, rows])
    assert torch.equal(data.rows(rows).allowed, data.allowed[:, rows])


# The claim -------------------------------------------------------------------------------------


def circles_with_known(seed, share, factor, swap=False):
    """Give a share of one factor's outcomes in column 0."""
    data = make_circles_images(1000, random_state=seed)
    column = 1 - data.factors[:, factor] if swap else data.factors[:, factor]
    rows = np.random.default_rng(seed).choice(1000, int(1000 * share), replace=False)
    known = np.full((1000, 3), -1)
    known[rows, 0] = column[rows]
    return data.images, known, column


def named_share(seed, share, factor, swap=False, **parameters):
    """Return how often node 0 is the factor among samples whose outcome was not given."""
    images, known, column = circles_with_known(seed, share, factor, swap)
    model = CausalPIMA((2, 2, 2), max_iter=3, random_state=seed, **parameters)
    model.fit(images, known_nodes=known)
    assert_array_equal(model.node_labels_[known >= 0], known[known >= 0])
    rest = known[:, 0] < 0
    return (model.predict_nodes(images)[rest, 0] == column[rest]).mean()


@pytest.mark.long
@pytest.mark.parametrize(
    ("seed", "factor", "swap", "share"),
    [
        (301, 0, False, 0.02),
        (301, 1, True, 0.02),
        (301, 2, True, 0.02),
        (300, 2, False, 0.05),
    ],
)
def test_a_few_percent_name_any_factor(seed, factor, swap, share):
    """Without them node 0 is this factor, numbered like this, in one of six fits."""
    assert named_share(seed, share, factor, swap) >= 0.95


@pytest.mark.parametrize("sizes", [(2, 3), (2, 2), (3, 2, 3), (4,)])
def test_agreements_of_many_are_those_of_each(sizes):
    rng = np.random.default_rng(0)
    counts = [rng.integers(4, size=(7, size)) for size in sizes]
    many = np.stack([rng.integers(size, size=(40, 7)) for size in sizes], axis=2)
    each = [align_nodes(outcomes, counts)[2] for outcomes in many]
    assert_array_equal(known_agreements(many, counts), each)
