"""What fits say of nodes: factors, or kinds that were laid on a grid."""

import warnings

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skcausalpima import CausalPIMA
from skcausalpima._clustering.arrangement_report import with_factors
from skcausalpima._clustering.factors_or_kinds import Additivity
from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import ArrangementReport, GapsReport, GraphDisplay


def four_kinds(seed, n_samples=200):
    rng = np.random.default_rng(seed)
    kind = rng.integers(4, size=n_samples)
    return rng.normal(0, 3, (4, 8))[kind] + rng.normal(size=(n_samples, 8))


def two_factors(seed, n_samples=200):
    rng = np.random.default_rng(seed)
    factors = rng.integers(2, size=(n_samples, 2))
    return rng.normal(size=(n_samples, 8)) + 6 * factors @ np.linalg.qr(rng.normal(size=(8, 2)))[
        0
    ].T, factors


@pytest.fixture(scope="module")
def of_kinds():
    return CausalPIMA((2, 2), max_iter=5, random_state=1).fit(four_kinds(1))


@pytest.fixture(scope="module")
def of_factors():
    return CausalPIMA((2, 2), max_iter=5, random_state=0).fit(two_factors(0)[0])


def test_factors_are_told(of_factors):
    found = of_factors.arrangement_
    assert found.told.tolist() == [True, True]
    assert found.p_value < 0.05
    assert (found.node_p_values < 0.05).all()
    report = of_factors.report(detail="full")
    assert report.verdict == "told"
    assert "supported as factors              N1, N2" in str(report)
    assert report.advice[0].startswith("No alarm was raised")


def test_kinds_are_not_told_and_that_is_no_alarm():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        est = CausalPIMA((2, 2), max_iter=5, random_state=1).fit(four_kinds(1))
    assert not est.arrangement_.told.all()
    report = est.report()
    assert report.verdict == "not told"
    (advice,) = report.advice
    assert "cautious reading is node_sizes=4, kinds without factors." in advice
    assert "No alarm was raised" not in str(report)


def test_known_outcomes_make_a_factor(of_kinds):
    known = {"N1": [None] * 200, "N2": [None] * 200}
    for row in range(40):
        known["N2"][row] = int(of_kinds.node_labels_[row, 1])
    est = CausalPIMA((2, 2), max_iter=3, random_state=1).fit(four_kinds(1), known_nodes=known)
    assert est.arrangement_.told[1]


@pytest.mark.parametrize("n_known", [2, 30])
def test_labels_that_somebody_made_up_make_none(n_known):
    known = np.full((200, 2), -1)
    known[:n_known] = np.random.default_rng(5).integers(2, size=(n_known, 2))
    known[:2] = [[0, 0], [1, 1]]
    est = CausalPIMA((2, 2), max_iter=3, random_state=1).fit(four_kinds(1), known_nodes=known)
    assert not est.arrangement_.told.all()


@pytest.mark.short_fits
@pytest.mark.parametrize(
    ("parameters", "asked"),
    [
        ({"node_sizes": (4,)}, None),
        ({"node_sizes": (2, 2), "init": "paper"}, None),
        ({"node_sizes": (2, 2)}, True),
    ],
)
def test_nobody_is_asked_of_one_node_or_a_published_start(parameters, asked):
    est = CausalPIMA(**parameters, max_iter=1, random_state=0).fit(two_factors(0, 60)[0])
    assert (est.arrangement_ is not None) == bool(asked)
    assert ("told" in est.dag_.nodes["N1"]) == bool(asked)
    if not asked and len(est.dag_) > 1:
        assert est.report().verdict in ("not told", "alarmed")
        assert "No alarm was raised" not in str(est.report(detail="full"))


def test_what_is_told_goes_to_files_and_comes_back(of_kinds, tmp_path):
    of_kinds.save(tmp_path / "model")
    loaded = CausalPIMA.load(tmp_path / "model")
    assert_array_equal(loaded.arrangement_.told, of_kinds.arrangement_.told)
    assert loaded.dag_.nodes == of_kinds.dag_.nodes


def test_further_samples_keep_what_was_told(of_factors):
    est = CausalPIMA((2, 2), max_iter=5, random_state=0).fit(two_factors(0)[0])
    est.partial_fit(two_factors(0)[0][:50])
    assert_array_equal(est.arrangement_.told, of_factors.arrangement_.told)
    assert est.dag_.nodes["N1"]["told"]


@pytest.mark.parametrize(
    ("doubt", "told"),
    [
        ({}, [True, True]),
        ({"is_unstable": True}, [False, False]),
        ({"node_agreement": np.array([1.0, 0.5])}, [False, False]),
        ({"cut": [False, True]}, [False, False]),
        ({"pairs": np.array([[0, 1]])}, [False, False]),
        ({"is_unstable": True, "known": [False, True]}, [False, True]),
        ({"found": False}, None),
    ],
)
def test_doubtful_cells_tell_nothing(doubt, told):
    sums = Additivity(p_value=0.01, node_p_values=np.array([0.01, 0.15]), n_directions=2)
    gaps = GapsReport(
        nodes=np.zeros(2),
        cut=np.array(doubt.get("cut", [False, False])),
        pairs=doubt.get("pairs", np.empty((0, 2), int)),
    )
    arrangement = ArrangementReport(
        misfit=0.1,
        gap=2.0,
        ties=0,
        node_shares=np.full(2, 0.45),
        node_agreement=doubt.get("node_agreement", np.ones(2)),
        agreement=1.0,
        smallest_share=0.2,
        found=doubt.get("found", True),
        certainty=None,
    )
    known = np.array(doubt.get("known", [False, False]))
    found = with_factors(arrangement, gaps, sums, doubt.get("is_unstable", False), known)
    assert told == (None if found.told is None else found.told.tolist())


def marked(told):
    graph = nx.DiGraph([("hue", "shift"), ("hue", "radius")])
    nx.set_node_attributes(graph, dict.fromkeys(graph, 2), "size")
    nx.set_node_attributes(graph, {"hue": True, "shift": True, "radius": told}, "told")
    return graph


@pytest.mark.parametrize("told", [True, False])
def test_edges_of_nodes_that_are_not_told_are_dashed(told):
    display = GraphDisplay.from_graph(marked(told))
    styles = {edge: line.get_linestyle() for edge, line in display.lines_.items()}
    plt.close()
    assert styles["hue", "shift"] in ("-", "solid")
    assert (styles["hue", "radius"] == styles["hue", "shift"]) == told
    assert ("not told" in display.ax_.get_xlabel().replace("\n", " ")) == (not told)
    half = np.full(2, 0.5)
    cpts = {"hue": half, "shift": np.full((2, 2), 0.5), "radius": np.full((2, 2), 0.5)}
    dag = CategoricalDAG(marked(told), cpts)
    assert ("stroke-dasharray" in dag._repr_svg_()) == (not told)
    lines = dag.summary().splitlines()
    assert [line.endswith("not told") for line in lines] == [False, not told]
