"""The graph end to end: how it is learned, what is known of it, and nodes intervened on."""

import itertools
import pickle

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from some_slow import some_slow

from skcausalpima import (
    BackgroundKnowledge,
    GradientStructure,
    Initialization,
    ScoreSearch,
)
from skcausalpima._structure.equivalence import cpdag

NAMES = ["a", "b", "c"]
STEP = np.array([[0.75, 0.25], [0.25, 0.75]])


def show(nodes, sizes, seed=0, dtype=float):
    """One modality per node: its outcome through a random linear map, plus noise."""
    rng = np.random.default_rng(seed)
    arrays = []
    for column, size in zip(nodes.T, sizes, strict=True):
        image = 3.0 * rng.normal(size=(size, 8))[column]
        arrays.append((image + 0.5 * rng.normal(size=image.shape)).astype(dtype))
    return arrays


def draw_chain(n_samples, seed=0, set_middle=slice(0)):
    """Draw a -> b -> c; b is drawn evenly in the samples where it is set."""
    rng = np.random.default_rng(seed)
    first = rng.integers(2, size=n_samples)
    middle = (rng.random(n_samples) < STEP[first, 1]).astype(int)
    middle[set_middle] = rng.integers(2, size=len(middle[set_middle]))
    last = (rng.random(n_samples) < STEP[middle, 1]).astype(int)
    return np.stack([first, middle, last], axis=1)


def search(score="bic", polishing_epochs=2, **parts):
    return ScoreSearch(score, polishing_epochs=polishing_epochs, **parts)


def known(**parts):
    return {"knowledge": BackgroundKnowledge(**parts)}


@pytest.fixture(scope="module")
def fast(quick):
    """Make an estimator that fits in a fraction of a second and finds clear clusters."""

    def make(node_sizes=(2, 2, 2), init="arranged", **parameters):
        init = Initialization(init, pretraining_epochs=3)
        defaults = {"structure": search(), "training__batch_size": 300, "init": init}
        return quick(dict(zip(NAMES, node_sizes, strict=False)), **(defaults | parameters))

    return make


@pytest.fixture(scope="module")
def chain():
    """Outcomes and data of 300 samples of a -> b -> c."""
    nodes = draw_chain(300)
    return nodes, show(nodes, (2, 2, 2))


def graph(*edges, nodes="abc"):
    made = nx.DiGraph()
    made.add_nodes_from(nodes)
    made.add_edges_from(edges)
    return made


def check_agreement(model, names=NAMES):
    """The graph is acyclic, and the tables multiply to the joint and to the model's weights."""
    dag = model.dag_
    assert list(dag) == list(names)
    assert nx.is_directed_acyclic_graph(dag)
    joint = np.ones(model.joint_.shape)
    for cell in np.ndindex(*joint.shape):
        outcome = dict(zip(names, cell, strict=True))
        for name in names:
            family = [*dag.predecessors(name), name]
            joint[cell] *= model.cpts_[name][tuple(outcome[member] for member in family)]
    assert_allclose(joint, model.joint_, rtol=1e-12, atol=0)
    assert model.joint_.sum() == pytest.approx(1.0, abs=1e-12)
    assert_array_equal(model.weights_, model.joint_[tuple(model.cluster_states_.T)])
    position = {name: k for k, name in enumerate(names)}
    for parent, child, attributes in dag.edges(data=True):
        edge = position[parent], position[child]
        assert attributes["weight"] == model.edge_weights_[edge]
        assert isinstance(attributes["compelled"], bool)
        joined = model.edge_weights_[edge] + model.edge_weights_[edge[::-1]]
        has_sum = model.edge_probabilities_ is not None  # of others no sum would be one
        assert attributes.get("adjacent") == (min(joined, 1.0) if has_sum else None)
        assert model.node_scores_[edge[0]] < model.node_scores_[edge[1]]


def adjacency_of(model):
    return nx.to_numpy_array(model.dag_, weight=None) > 0


# How the graph is learned ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "score"),
    [pytest.param(np.float32, "bdeu", marks=pytest.mark.long), (np.float64, "bic")],
)
def test_refined(fast, chain, dtype, score):
    """The chain is found; given the middle the ends are apart, and no arrow is identified."""
    nodes, X = chain
    X = [array.astype(dtype) for array in X]
    some = np.where(np.arange(300)[:, None] % 10 == 0, nodes, -1)
    model = fast(structure=search(score)).fit(X, known_nodes=some)
    check_agreement(model)
    assert (model.node_labels_ == nodes).mean() > 0.98
    assert set(map(frozenset, model.dag_.edges)) == {frozenset("ab"), frozenset("bc")}
    assert not any(nx.get_edge_attributes(model.dag_, "compelled").values())
    assert_array_equal(model.edge_weights_, model.edge_probabilities_)
    probabilities = model.edge_probabilities_ + model.edge_probabilities_.T
    assert probabilities[0, 1] > 0.99
    assert probabilities[1, 2] > 0.99
    assert sorted(model.node_scores_) == [0, 1, 2]
    assert model.transform(X).dtype == dtype
    assert len(model.history_["lower_bound"]) == model.n_iter_ == 3  # without polishing


@pytest.mark.long
def test_polishing_trains_on(fast, chain):
    _, X = chain
    models = [fast(init="linear", structure=search(polishing_epochs=n)).fit(X) for n in (0, 4)]
    assert_array_equal(models[0].history_["lower_bound"], models[1].history_["lower_bound"])
    assert (models[0].transform(X) != models[1].transform(X)).all()
    for model in models:
        check_agreement(model)


def test_gradient(fast, chain):
    model = fast(structure="gradient").fit(chain[1])
    check_agreement(model)
    assert model.edge_probabilities_ is None
    assert_array_equal(adjacency_of(model), model.edge_weights_ >= 0.5)
    directed = cpdag(adjacency_of(model))
    for (i, j), compelled in zip(
        np.argwhere(adjacency_of(model)),
        nx.get_edge_attributes(model.dag_, "compelled").values(),
        strict=True,
    ):
        assert compelled == (not directed[j, i])


def test_lines_of_the_gradient_have_weights(fast, chain):
    """They are no probabilities, of which sums would be one."""
    model = fast(structure=GradientStructure(edge_threshold=0.0), max_iter=1).fit(chain[1])
    lines = [*model.to_graph().summary().split("\n"), *str(model.report()).split("\n")]
    lines = [line for line in lines if " -- " in line]
    assert lines
    assert all(" weight " in line and "adjacent" not in line for line in lines)


@pytest.mark.parametrize(
    "structure",
    [
        pytest.param(graph(), marks=pytest.mark.long),
        graph("cb", "ab"),
        pytest.param(graph("ca", "cb", "ab", nodes="cab"), marks=pytest.mark.slow),
        pytest.param(nx.MultiDiGraph([("a", "b"), ("a", "b"), ("b", "c")]), marks=pytest.mark.long),
    ],
    ids=["none", "collider", "complete", "multi"],
)
def test_a_given_graph_is_kept(fast, chain, structure):
    model = fast(structure=structure, init="paper", max_iter=1).fit(chain[1])
    check_agreement(model)
    assert set(model.dag_.edges) == {(i, j) for i, j in nx.DiGraph(structure).edges}
    assert model.edge_probabilities_ is None
    assert_array_equal(model.edge_weights_, adjacency_of(model))
    assert all(nx.get_edge_attributes(model.dag_, "compelled").values())


@pytest.mark.slow
def test_a_graph_as_a_parameter(fast, chain):
    given = graph("ab")
    model = fast(structure=given, init="paper", max_iter=1)
    copy = clone(model)
    assert copy.structure is not given
    assert set(copy.structure.edges) == {("a", "b")}
    assert model.get_params()["structure"] is given
    assert "DiGraph" in repr(model)
    model.fit(chain[1])
    assert model.structure is given
    assert set(given.edges) == {("a", "b")}
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict(chain[1]), model.predict(chain[1]))
    assert dict(loaded.dag_.edges) == dict(model.dag_.edges)
    assert set(loaded.structure.edges) == {("a", "b")}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"structure": nx.Graph([("a", "b")])}, "'structure' parameter .*networkx.*DiGraph"),
        ({"structure": nx.DiGraph([("N1", "N2")])}, r"nodes \['N1', 'N2'\], but the nodes are"),
        ({"structure": nx.DiGraph(["ab", "bc", "ca"])}, "cycle 'a' -> 'b' -> 'c' -> 'a'"),
        ({"structure": graph("ab")} | known(forbidden=[("a", "b")]), "forbidden edge"),
        ({"structure": "fixed"}, "'structure' parameter"),
        ({"structure": search("aic")}, "'structure__score' parameter"),
        ({"structure": search(edge_penalty=-1.0)}, "'structure__edge_penalty' parameter"),
        ({"structure": search(edge_penalty=np.inf)}, "'structure__edge_penalty' parameter"),
        ({"structure": search(polishing_epochs=-1)}, "'structure__polishing_epochs' parameter"),
        (known(required="ab"), "'knowledge__required' parameter"),
        (known(required=[("a", "b")], tiers=["b", "a"]), "'a' -> 'b' is both required and"),
    ],
)
def test_what_cannot_be_is_refused_before_training(fast, chain, monkeypatch, parameters, message):
    monkeypatch.setattr("skcausalpima._fit.whole.best_run", None)
    with pytest.raises(ValueError, match=message):
        fast(**parameters).fit(chain[1])


@pytest.mark.long
def test_edge_penalty_prunes(fast, chain):
    """An edge of the chain is worth about 0.13 nats per sample."""
    _, X = chain
    assert (
        fast(structure=search(edge_penalty=1.0), init="linear").fit(X).dag_.number_of_edges() == 0
    )
    assert fast(structure=search(edge_penalty=0.01)).fit(X).dag_.number_of_edges() == 2
    free, costly = (
        fast(structure=structure, init="linear").fit(X).edge_weights_.sum()
        for penalty in (0.0, 1.0)
        for structure in [GradientStructure(learning_rate=0.3, edge_penalty=penalty)]
    )
    assert costly < 0.5 * free


# What is known of edges ------------------------------------------------------------------------


LEARNED = [(search, np.float64), (GradientStructure, np.float32)]


@pytest.mark.parametrize(
    ("structure", "dtype", "init"),
    some_slow(
        [(*way, init) for init in ("paper", "linear", "arranged") for way in LEARNED],
        [(*LEARNED[0], "paper")],
    ),
)
def test_knowledge_holds_exactly(fast, chain, structure, init, dtype):
    _, X = chain
    stated = known(
        required=[("c", "a")], forbidden=[("c", "b"), ("b", "c")], tiers=[["b", "c"], "a"]
    )
    options = {"n_init": 2 if init == "linear" else 1}
    options["structure"] = structure(edge_penalty=0.001)
    model = fast(init=init, **options, **stated)
    model.fit([array.astype(dtype) for array in X])
    check_agreement(model)
    assert init == "paper" or len(np.unique(model.labels_)) > 1
    assert model.dag_.has_edge("c", "a")
    assert model.dag_.edges["c", "a"]["compelled"]
    assert set(model.dag_.edges) <= {("c", "a"), ("b", "a")}
    for weights in (model.edge_weights_, model.edge_probabilities_):
        if weights is not None:
            assert weights[2, 0] == 1
            assert (weights[[0, 0, 2, 1, 0, 1, 2], [1, 2, 1, 2, 0, 1, 2]] == 0).all()
            assert 0 <= weights[1, 0] <= 1


@pytest.mark.long
def test_names_follow_the_statement(fast, chain):
    """The middle of the chain is the one whose edges are not excluded, whichever modality it is."""
    nodes, _ = chain
    for order, name, others in (
        ([0, 1, 2], "a", "bc"),
        ([1, 0, 2], "b", "ac"),
        ([0, 2, 1], "c", "ab"),
    ):
        X = show(nodes[:, order], (2, 2, 2))
        model = fast(**known(forbidden=[tuple(others), tuple(others[::-1])])).fit(X)
        middle = model.node_labels_[:, NAMES.index(name)]
        agreement = (middle == nodes[:, 1]).mean()
        assert max(agreement, 1 - agreement) > 0.97
        assert {frozenset(edge) for edge in model.dag_.edges} == {
            frozenset((name, other)) for other in others
        }


# Nodes intervened on ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "cause"),
    some_slow(itertools.product(["outcomes", "targets"], [0, 1]), [("targets", 1)]),
)
def test_one_intervention_orients_an_edge(fast, form, cause):
    """The first node is set in 150 of 600 samples; the data look the same in either direction."""
    rng = np.random.default_rng(cause)
    is_set = np.arange(600) % 4 == 0
    nodes = np.empty((600, 2), dtype=int)
    nodes[:, cause] = rng.integers(2, size=600)
    if cause == 0:
        nodes[is_set, 0] = rng.integers(2, size=150)
    nodes[:, 1 - cause] = rng.random(600) < STEP[nodes[:, cause], 1]
    if cause == 1:
        nodes[is_set, 0] = rng.integers(2, size=150)
    X, knowledge = show(nodes, (2, 2)), {}
    if form == "outcomes":
        given = np.where(is_set[:, None] & [True, False], nodes, -1)
    else:
        given = np.where(is_set, "a", None)
        knowledge["known_nodes"] = np.where(np.arange(600)[:, None] % 40 == 1, nodes, -1)
    model = fast((2, 2))
    model.fit(X, interventions=given, **knowledge)
    check_agreement(model, NAMES[:2])
    assert (model.node_labels_[:, 0] == nodes[:, 0]).mean() > 0.98
    assert list(model.dag_.edges) == [(NAMES[cause], NAMES[1 - cause])]
    assert model.edge_probabilities_[cause, 1 - cause] > 0.99
    assert all(nx.get_edge_attributes(model.dag_, "compelled").values())


@pytest.mark.slow
def test_a_set_node_without_a_name_is_warned_of(fast):
    nodes = np.random.default_rng(0).integers(2, size=(60, 2))
    X, given = show(nodes, (2, 2)), np.where(np.arange(60) % 4 == 0, "b", None)
    with pytest.warns(UserWarning, match=r"interventions set \['b'\], but nothing says") as caught:
        fast((2, 2), max_iter=1).fit(X, interventions=given)
    assert [warning.filename for warning in caught if "but nothing" in str(warning.message)] == [
        __file__
    ]


@pytest.fixture(scope="module")
def experiment():
    """The chain of 300 samples with b set in every third of them; what was set; the data."""
    is_set = np.arange(300) % 3 == 0
    nodes = draw_chain(300, 1, np.flatnonzero(is_set))
    given = np.where(is_set[:, None] & [False, True, False], nodes, -1)
    return nodes, given, show(nodes, (2, 2, 2))


def table_by_hand(nodes, node, parents, rows):
    """The conditional table of labels, eight cells sharing one sample as a prior."""
    counts = np.full([2] * (len(parents) + 1), 1.0 / 2 ** (len(parents) + 1))
    np.add.at(counts, tuple(nodes[rows][:, [*parents, node]].T), 1.0)
    return counts / counts.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("structure", some_slow([graph("ab", "bc", "ac"), "refined"], []), ids=str)
def test_tables_are_learned_where_the_node_was_not_set(fast, experiment, structure):
    nodes, given, X = experiment
    known = np.where((np.arange(300)[:, None] % 10 == 1) & [True, False, False], nodes, -1)
    model = fast(structure=structure).fit(X, interventions=given, known_nodes=known)
    check_agreement(model)
    free = given[:, 1] < 0
    for node, name in enumerate(NAMES):
        parents = [NAMES.index(parent) for parent in model.dag_.predecessors(name)]
        rows = free if name == "b" else slice(None)
        expected = table_by_hand(model.node_labels_, node, parents, rows)
        assert_allclose(model.cpts_[name], expected, atol=0.04)
    assert_array_equal(model.node_labels_[~free, 1], nodes[~free, 1])
    if structure == "refined":
        assert set(model.dag_.edges) == {("a", "b"), ("b", "c")}
        assert all(nx.get_edge_attributes(model.dag_, "compelled").values())


@pytest.mark.slow
def test_what_a_fitted_model_says_is_observational(fast, experiment):
    """Predictions come from weights_ alone; the labels also know what was set."""
    _, given, X = experiment
    model = fast(init="linear").fit(X, interventions=given)
    weights = pickle.loads(pickle.dumps(model)).predict_proba(X)
    assert_array_equal(weights, model.predict_proba(X))
    assert model.score(X) == pytest.approx(model.lower_bound_, rel=1e-12)
    nothing = [None, None, None]
    missing = model.predict_proba([np.full_like(X[0], np.nan), *nothing[1:]])
    assert_allclose(missing, np.tile(model.weights_, (len(missing), 1)), rtol=1e-4)


@pytest.mark.slow
def test_labels_know_which_node_was_set(fast):
    """Where b is not seen its neighbours tell of it, but not if it was set: it always was to 1."""
    is_set = np.arange(300) % 3 == 0
    nodes = draw_chain(300, 1)
    nodes[is_set, 1] = 1
    X = show(nodes, (2, 2, 2))
    X[1][:60] = np.nan
    known = np.where(np.arange(300)[:, None] % 10 == 1, nodes, -1)
    known[:60] = -1
    model = fast().fit(X, interventions=np.where(is_set, "b", None), known_nodes=known)
    rows = np.flatnonzero(is_set[:60])
    right = (model.node_labels_[rows, 1] == 1).mean()
    assert right >= 0.9
    assert right > (model.predict_nodes(X)[rows, 1] == 1).mean()
    assert_array_equal(model.node_labels_, model.cluster_states_[model.labels_])


@pytest.mark.parametrize(
    ("form", "dtype", "posterior"),
    [
        pytest.param("outcomes", np.float64, "structured", marks=pytest.mark.long),
        pytest.param("outcomes", np.float32, "mean_field", marks=pytest.mark.slow),
        pytest.param("targets", np.float32, "structured", marks=pytest.mark.long),
    ],
)
def test_interventions_with_missing_modalities_and_validation(
    fast, experiment, form, dtype, posterior
):
    nodes, given, X = experiment
    X = [array.astype(dtype) for array in X]
    for k, array in enumerate(X):
        array[np.arange(300) % 20 == k] = np.nan
    known = np.where(np.arange(300)[:, None] % 10 == 1, nodes, -1)
    if form == "targets":
        given = np.where(given[:, 1] >= 0, 1, -1)
    model = fast(
        training__validation_fraction=0.2, posterior=posterior, n_init=1 + (form == "targets")
    )
    model.fit(X, interventions=given, known_nodes=known)
    check_agreement(model)
    terms = {
        "structured": ["evidence", "potential"],
        "mean_field": ["density", "weight", "assignment_entropy", "posterior_entropy"],
    }[posterior]
    terms += [f"reconstruction_{name}" for name in model.modality_names_in_]
    total = sum(model.history_[term] for term in terms)
    assert_allclose(total, model.history_["lower_bound"], rtol=1e-6)
    assert_array_equal(model.node_labels_[known >= 0], known[known >= 0])


@pytest.mark.long
def test_interventions_and_names_from_edges(fast, experiment):
    """b is named by what it was set to; which of its neighbours is a follows from a -> b."""
    nodes, given, _ = experiment
    for order in ([0, 1, 2], [2, 1, 0]):
        X = show(nodes[:, order], (2, 2, 2))
        model = fast(**known(required=[("a", "b")])).fit(X, interventions=given)
        assert set(model.dag_.edges) == {("a", "b"), ("b", "c")}
        first = model.node_labels_[:, 0] == nodes[:, 0]
        assert max(first.mean(), 1 - first.mean()) > 0.97


@pytest.mark.long
def test_a_node_set_in_every_sample_has_no_table_to_learn(fast, experiment):
    nodes, _, X = experiment
    given = np.where([[False, True, False]], nodes, -1)
    model = fast().fit(X, interventions=given)
    check_agreement(model)
    assert model.dag_.in_degree("b") == 0
    assert_allclose(model.cpts_["b"], 0.5)
    assert model.dag_.has_edge("b", "c")
    assert model.dag_.edges["b", "c"]["compelled"]
    assert_array_equal(model.node_labels_[:, 1], nodes[:, 1])


@pytest.mark.long
@pytest.mark.parametrize("structure", [search(edge_penalty=0.1), graph(nodes="a")])
def test_a_single_node(fast, structure):
    nodes = np.repeat([0, 1, 2], 40)[:, None]
    X = show(nodes, (3,))[0]
    given = np.where(np.arange(120)[:, None] % 2, nodes, -1)
    options = {"structure": structure} | known(tiers=["a"])
    for interventions in (None, given, np.where(given[:, 0] >= 0, "a", None), nodes):
        model = fast((3,), **options).fit(X, interventions=interventions)
        check_agreement(model, ["a"])
        assert not model.dag_.edges
        if interventions is nodes:  # set in every sample: there is no table to learn
            assert_allclose(model.cpts_["a"], 1 / 3)
    # Its bound holds no choice of a cell either: that of a third, where they are known alone.
    seen = fast((3,), **options).fit(X, known_nodes=nodes)
    gained = model.history_["evidence"] - seen.history_["evidence"]
    assert_allclose(gained, np.log(3), rtol=1e-6)
    mean_field = fast((3,), posterior="mean_field", **options).fit(X, interventions=nodes)
    assert_array_equal(mean_field.history_["weight"], 0.0)
    assert_allclose(mean_field.history_["assignment_entropy"], 0.0, atol=1e-12)
