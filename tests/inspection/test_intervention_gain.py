"""Which experiment says most of the graph: against enumeration of all new data, and by hand."""

import sys
from itertools import product
from math import lgamma

import numpy as np
import pytest
from nodes_by_hand import all_dags as dags_by_orders
from nodes_by_hand import as_dag, global_state
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skcausalpima import CausalPIMA, Context
from skcausalpima._structure.constraints import EdgeConstraints, edge_constraints
from skcausalpima._structure.edge_probabilities import edge_probabilities, prior_of_graphs
from skcausalpima.exceptions import InstabilityWarning
from skcausalpima.inspection import InterventionGain, intervention_gain
from skcausalpima.inspection._all_graphs import AllGraphs, all_dags, log_probabilities
from skcausalpima.inspection._intervention_gain import expected_gains, graphs_of, settings

pytestmark = pytest.mark.filterwarnings("ignore::skcausalpima.exceptions.InstabilityWarning")


def listed(free, size="auto", constraints=None, penalty=0.0):
    constraints = constraints or EdgeConstraints.none(len(free))
    return AllGraphs.that_meet(constraints, free, *prior_of_graphs(free[0].shape, size, penalty))


def blurred(seed, sizes, n=60):
    """Counts that are not whole, and fewer of them of the first node, which was set in some."""
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.ones(np.prod(sizes)))
    counts = rng.multinomial(n, joint).reshape(sizes) * rng.uniform(0.5, 1.5, sizes)
    return [counts * 0.6, *[counts] * (len(sizes) - 1)]


def gains_of(graphs, asked, n_samples, n_draws=300):
    return expected_gains(graphs, asked, n_samples, n_draws, np.random.RandomState(0))


def predictive(free, dag, size, node, cell):
    """The probability of a node's outcome in the next sample, after counts, by loops."""
    parents = np.flatnonzero(dag[:, node])
    rows = [
        c for c in product(*map(range, free[node].shape)) if all(c[p] == cell[p] for p in parents)
    ]
    n_entries = np.prod([free[node].shape[k] for k in [*parents, node]])
    prior = size / n_entries
    hits = sum(free[node][c] for c in rows if c[node] == cell[node])
    total = sum(free[node][c] for c in rows)
    return (hits + prior) / (total + prior * free[node].shape[node])


def exact_gain(free, setting, n_samples, sizes, cost):
    """Expected information by all sequences of new samples, one after the other."""
    was_set, to = setting
    dags, shape = dags_by_orders(len(free)), free[0].shape
    models = list(product(sizes, dags))
    logs = [marginal(free, dag, size) - cost * dag.sum() for size, dag in models]
    weights = softmax(logs)
    of_graph = np.array([k % len(dags) for k in range(len(models))])
    now = np.bincount(of_graph, weights)
    gain = 0.0
    for data in product(product(*map(range, shape)), repeat=n_samples):
        likelihoods = []
        for size, dag in models:
            counts, likelihood = [table.copy() for table in free], 1.0
            for cell in data:
                for node in range(len(free)):
                    if node != was_set:
                        likelihood *= predictive(counts, dag, size, node, cell)
                        counts[node][cell] += 1
                    elif to is None:
                        likelihood /= shape[node]
                    else:
                        likelihood *= cell[node] == to
            likelihoods.append(likelihood)
        joint = np.bincount(of_graph, weights * likelihoods)
        if joint.sum() > 0:
            after = joint / joint.sum()
            gain += joint.sum() * (after * np.log(after / now)).sum()
    return gain


def marginal(free, dag, size):
    """The log marginal likelihood of counts, family by family."""
    total = 0.0
    for node, table in enumerate(free):
        parents = np.flatnonzero(dag[:, node])
        family = [*parents, node]
        others = tuple(k for k in range(table.ndim) if k not in family)
        counts = np.moveaxis(table.sum(axis=others), sorted(family).index(node), -1)
        counts = counts.reshape(-1, counts.shape[-1])
        a, b = size / len(counts), size / counts.size
        for row in counts:
            total += lgamma(a) - lgamma(a + row.sum())
            total += sum(lgamma(b + n) - lgamma(b) for n in row)
    return total


@pytest.mark.parametrize(("sizes", "n_samples"), [((2, 2), 2), ((2, 3), 1)])
def test_gains_are_those_of_all_new_data_one_by_one(sizes, n_samples):
    """Alarms falsely in 1 of 10 000 runs: at most ten gains, within 4.5 standard errors."""
    free, asked = blurred(1, sizes, 12), list(settings(sizes))
    graphs = listed(free)
    gains = gains_of(graphs, asked, n_samples, 600)
    errors = gains.std(axis=1) / np.sqrt(600)
    exact = [exact_gain(free, one, n_samples, graphs.sizes, graphs.edge_cost) for one in asked]
    assert (np.abs(gains.mean(axis=1) - exact) < 4.5 * errors + 1e-9).all()


@pytest.mark.parametrize("sizes", [(2, 3), (2, 2, 3), (2, 2, 2, 2)])
@pytest.mark.parametrize("size", ["auto", 2.5])
def test_graphs_have_the_probabilities_of_which_edges_have_theirs(sizes, size):
    free, rng = blurred(0, sizes), np.random.default_rng(0)
    names, order = list(range(len(sizes))), rng.permutation(len(sizes)).tolist()
    known = edge_constraints(names, required_edges=[order[:2]], tiers=order[1:])
    for constraints in (EdgeConstraints.none(len(sizes)), known):
        graphs = listed(free, size, constraints, penalty=0.3)
        shares = np.exp(log_probabilities(graphs.now()))
        expected = edge_probabilities(
            free[1],
            constraints,
            equivalent_sample_size=size,
            edge_cost=0.3,
            node_counts=free,
        )
        assert_allclose(
            shares @ graphs.graphs.reshape(len(shares), -1), expected.ravel(), atol=1e-9
        )


def test_all_dags_are_listed_once():
    for n_nodes in (2, 3, 4):
        listed_ones = {dag.tobytes() for dag in all_dags(n_nodes)}
        assert len(listed_ones) == len(all_dags(n_nodes))
        assert listed_ones == {dag.tobytes() for dag in dags_by_orders(n_nodes)}


def test_tables_are_drawn_from_their_posterior():
    """Means of Dirichlet distributions, also of a row without samples; 4.5 standard errors."""
    counts = np.array([[30.0, 10.0], [0.0, 0.0]])
    graphs = listed(
        [counts, counts], 1e-3, edge_constraints(["a", "b"], required_edges=[("a", "b")])
    )
    tables = np.array([model.tables[1] for model in graphs.draws(2000, np.random.RandomState(0))])
    assert np.isfinite(tables).all()
    assert_allclose(tables.mean(axis=0), [[0.75, 0.25], [0.5, 0.5]], atol=4.5 * 0.5 / 2000**0.5)
    assert (
        np.isin(tables[:, 1].round(3), [0, 1]).mean() > 0.9
    )  # such a prior expects zeros and ones


@pytest.mark.parametrize("sizes", [(2, 2, 2), (3, 2, 2)])
def test_gains_are_between_nothing_and_the_entropy(sizes):
    """Within 4.5 standard errors: alarms falsely in 1 of 5000 runs."""
    for seed in range(2):
        graphs = listed(blurred(seed, sizes, 300))
        shares = np.exp(log_probabilities(graphs.now()))
        gains = gains_of(graphs, list(settings(sizes)), 30, 100)
        errors = 4.5 * gains.std(axis=1) / 10
        assert (gains.mean(axis=1) > -errors).all()
        assert (gains.mean(axis=1) < -(shares * np.log(shares)).sum() + errors).all()


def test_where_one_graph_is_left_there_is_nothing_to_gain():
    constraints = edge_constraints(range(2), required_edges=[(0, 1)])
    graphs = listed(blurred(0, (2, 2)), constraints=constraints)
    assert len(graphs.graphs) == 1
    assert_allclose(gains_of(graphs, list(settings((2, 2))), 20, 10), 0.0, atol=1e-12)


def test_a_node_that_has_to_do_with_no_other_says_nothing():
    """It cannot tell a -> b from b -> a, which either end of the edge can."""
    table = np.array([[400.0, 100.0], [100.0, 400.0]])
    counts = np.stack([0.5 * table, 0.5 * table], axis=-1)
    alone = [(a, b) for pair in ((0, 2), (1, 2)) for a, b in (pair, pair[::-1])]
    graphs = listed([counts] * 3, constraints=edge_constraints(range(3), forbidden_edges=alone))
    gains = gains_of(graphs, [(None, None), (2, None), (2, 0), (0, None), (1, 1)], 50).mean(axis=1)
    assert_allclose(gains[:3], 0.0, atol=1e-3)
    assert (gains[3:] > 0.5).all()


@pytest.fixture(scope="module")
def found(fitted):
    return intervention_gain(fitted, 20, n_draws=40, random_state=0)


def test_what_it_says_of_a_fit(fitted, found):
    assert found.interventions[:4] == ((None, None), ("N1", None), ("N1", "0"), ("N1", "1"))
    assert found.gain.shape == found.gain_se.shape == (7,)
    assert found.graphs.shape == (3, 2, 2)
    assert found.probabilities.sum() == pytest.approx(1.0)
    assert (np.diff(found.probabilities) <= 0).all()
    p = found.probabilities
    assert found.entropy == pytest.approx(-(p * np.log(p)).sum())
    by_edges = np.tensordot(p, found.graphs, axes=1)
    assert_allclose(by_edges, fitted.edge_probabilities_, atol=0.02)  # counts of some epochs later
    assert found.best == found.interventions[found.gain.argmax()]


def test_a_seed_is_all_that_draws_depend_on(fitted, found):
    before = global_state()
    again = intervention_gain(fitted, 20, n_draws=40, random_state=0)
    other = intervention_gain(fitted, 20, n_draws=40, random_state=1)
    assert_array_equal(global_state(), before)
    assert_array_equal(again.gain, found.gain)
    assert (other.gain != found.gain).any()


def test_text_notebook_and_frame():
    gain = InterventionGain(
        interventions=((None, None), ("<a>", None), ("<a>", "low")),
        gain=np.array([0.01, 0.4, 0.3]),
        gain_se=np.full(3, 0.02),
        entropy=0.7,
        graphs=np.array([[[0, 1], [0, 0]], [[0, 0], [0, 0]]], dtype=bool),
        probabilities=np.array([0.9, 0.1]),
        node_names=("<a>", "b"),
        n_samples=50,
    )
    lines = str(gain).splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["<a>", "each,", "by", "chance", "0.40", "0.02"],
        ["<a>", "low", "0.30", "0.02"],
        ["nothing", "0.01", "0.02"],
    ]
    assert " ".join(lines[5:]).endswith(
        "the likeliest of 2 has probability 0.90 (others may tie): <a> -> b."
    )
    assert "&lt;a&gt;" in gain._repr_html_()
    assert "<a>" not in gain._repr_html_()
    frame = gain.to_frame()
    assert frame.index.tolist() == [("", ""), ("<a>", ""), ("<a>", "low")]
    assert_array_equal(frame["gain"], gain.gain)
    assert gain.best == ("<a>", None)


def test_a_frame_needs_pandas(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas; install it"):
        found.to_frame()


def test_interventions_of_the_fit_count(quick, pair):
    """The table of a node is learned from samples in which it was not set; so is its family."""
    n_samples = len(pair[0])
    was_set = np.full((n_samples, 2), -1)
    was_set[::4, 1] = np.arange(len(was_set[::4])) % 2
    est = quick().fit(pair, interventions=was_set)
    free = graphs_of(est).free
    totals = [table.sum() for table in free]
    assert_allclose(totals, [n_samples, (was_set[:, 1] < 0).sum()], rtol=1e-3)
    shares = np.exp(log_probabilities(graphs_of(est).now()))
    edges = np.tensordot(shares, graphs_of(est).graphs, axes=1)
    assert_allclose(edges, est.edge_probabilities_, atol=0.05)


def test_knowledge_and_names_are_those_of_the_fit(quick, pair):
    est = quick({"low": 2, "high": 2}).set_params(knowledge__forbidden=[("low", "high")])
    found = intervention_gain(est.fit(pair), 5, n_draws=2, random_state=0)
    assert found.node_names == ("low", "high")
    assert len(found.graphs) == 2
    assert not found.graphs[:, 0, 1].any()
    assert np.isfinite(found.gain_se).all()


def test_doubtful_cells_are_said(fitted, monkeypatch):
    monkeypatch.setattr("skcausalpima.inspection._intervention_gain.are_in_doubt", lambda est: True)
    with pytest.warns(InstabilityWarning, match="Cells of this fit may be wrong.*what experiments"):
        intervention_gain(fitted, 5, n_draws=2)


def test_errors_say_what_is_wrong(fitted):
    with pytest.raises(ValueError, match="'n_samples' parameter of intervention_gain"):
        intervention_gain(fitted, 0)
    with pytest.raises(ValueError, match="'n_samples' parameter of intervention_gain"):
        intervention_gain(fitted, 10.5)
    with pytest.raises(ValueError, match="'n_draws' parameter of intervention_gain"):
        intervention_gain(fitted, 10, n_draws=1)
    with pytest.raises(NotFittedError):
        intervention_gain(CausalPIMA((2, 2)), 10)
    with pytest.raises(TypeError, match=r"pass its last step, est\[-1\]"):
        intervention_gain(make_pipeline(fitted), 10)


def test_fits_without_probabilities_of_graphs_are_refused(quick, random_start, pair):
    with pytest.raises(ValueError, match="est has 1: with one node there is no graph"):
        intervention_gain(quick((2,)).fit(pair), 10)
    with pytest.raises(ValueError, match="was given or learned by gradient: fit it with structure"):
        intervention_gain(random_start((2, 2)).fit(pair), 10)
    with pytest.raises(ValueError, match="was given or learned by gradient: fit it with structure"):
        intervention_gain(quick((2, 2), structure=as_dag([(0, 1)], 2)).fit(pair), 10)


def test_more_nodes_and_causes_are_refused(quick, brief, pair):
    few = [array[:64] for array in pair]
    with pytest.raises(ValueError, match=r"all graphs of two to 4 nodes.*has 5: use edge_conf"):
        intervention_gain(brief((2,) * 5).fit(few), 10)
    X = {"a": few[0], "b": few[1], "site": np.arange(64) % 2}
    est = quick((2, 2), contexts=[Context("site", role="cause")]).fit(X)
    with pytest.raises(ValueError, match="depend on contexts with role='cause': fit without them"):
        intervention_gain(est, 10)
