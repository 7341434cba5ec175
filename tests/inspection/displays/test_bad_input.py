"""What cannot be drawn says why."""

import networkx as nx
import numpy as np
import pytest

from skcausalpima.inspection import (
    AssociationDisplay,
    AxisDisplay,
    CalibrationDisplay,
    EdgeConfidenceDisplay,
    GraphDisplay,
    InterventionDisplay,
    LatentDisplay,
    NodeEffectDisplay,
    NodeSizesDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
    SummaryDisplay,
    TableDisplay,
    TrainingDisplay,
)

EDGE = nx.DiGraph([("a", "b")])
OF_AN_ESTIMATOR = [
    (AxisDisplay, {"component": 9}, r"holds samples of X, got 9: these are \[0, 1, 2, 3\]"),
    (AxisDisplay, {"modality": "sound"}, "there is no modality 'sound'"),
    (AxisDisplay, {"X": np.ones((80, 6, 5))}, "was fitted on"),
    (LatentDisplay, {"projection": "tsne"}, r'projection is "lda", "pca" or a pair .* got \'tsne'),
    (LatentDisplay, {"projection": (0, 50)}, "do not exist: there are"),
    (LatentDisplay, {"projection": (1, 1)}, "one dimension twice"),
    (LatentDisplay, {"projection": (0, 1, 2)}, r"projection is .* got \(0, 1, 2\)"),
    (LatentDisplay, {"c": "colour"}, "neither a node nor a column"),
    (LatentDisplay, {"c": [1, 2]}, r"c must have shape \(80,\)"),
    (LatentDisplay, {"X": np.ones((80, 6, 5))}, "was fitted on"),
    (PrototypeDisplay, {"kind": "median"}, "of 'mean', 'decoded', 'nearest', got 'median'"),
    (PrototypeDisplay, {"X": None, "kind": "nearest"}, "pass them as X"),
    (PrototypeDisplay, {"modality": "sound"}, "there is no modality 'sound'"),
    (PrototypeDisplay, {"modality": "curve", "x": [0, 1, 2]}, r"20 numbers, got shape \(3,\)"),
    (PrototypeDisplay, {"X": np.ones((80, 6, 5)), "kind": "nearest"}, "was fitted on"),
    (ReconstructionDisplay, {"modality": "sound"}, "there is no modality 'sound'"),
    (ReconstructionDisplay, {"given": ["image", "sound"]}, "there is no modality 'sound'"),
    (ReconstructionDisplay, {"given": []}, "given names no modality"),
    (ReconstructionDisplay, {"rows": [80]}, "rows go from 0 to 79"),
    (ReconstructionDisplay, {"rows": ["a"]}, "rows are the numbers of samples"),
    (ReconstructionDisplay, {"x": [0, 1]}, "say which one by modality"),
    (ReconstructionDisplay, {"x": {"sound": [0, 1]}}, r"x has \['sound'\]"),
    (SummaryDisplay, {"modality": 9}, "there is no modality 9"),
    (SummaryDisplay, {"X": np.ones((80, 6, 5))}, "was fitted on"),
]
WITHOUT_SAMPLES = [
    (NodeEffectDisplay, {"kind": "sum"}, "kind is one of 'difference', 'mean', got 'sum'"),
    (NodeEffectDisplay, {"modality": 7}, "there is no modality 7"),
    (InterventionDisplay, {"interventions": {"colour": 1}}, "colour"),
    (InterventionDisplay, {"interventions": {"hue": 2}}, "2"),
    (InterventionDisplay, {"interventions": {"hue": 1}, "n_draws": -1}, "n_draws"),
    (TableDisplay, {"node": "colour"}, r"no node 'colour': the nodes are \['temp.*', 'hue'\]"),
]
HISTORY = {"lower_bound": [1.0, 2.0]}
BY_HAND = [
    (LatentDisplay(np.zeros((4, 3)), [0] * 4, np.zeros((2, 3))), "one or two columns"),
    (LatentDisplay(np.zeros((4, 2)), [2] * 4, np.zeros((2, 2))), "labels are rows of means"),
    (PrototypeDisplay(np.zeros((3, 5)), (2, 2), ["a", "b"]), r"prototypes has 3 rows.* 4 cells"),
    (
        PrototypeDisplay(np.ones((2, 3)), (2,), ["a"], n_values=[[1, 2]]),
        "n_values has shape .1, 2.",
    ),
    (PrototypeDisplay(np.zeros((4, 5)), (2, 2), ["a"]), "a name for each in node_names"),
    (ReconstructionDisplay([np.zeros((2, 3))], [np.zeros((2, 4))]), "of the same shape in both"),
    (TableDisplay([0.5, 0.5], "N1", ["N2"]), r"one axis for each of the parents \['N2'\]"),
    (AssociationDisplay([[1.0], [0.5]], ["N1"], ["a", "b"]), r"have shape \(1, 2\).* got \(2, 1\)"),
    (EdgeConfidenceDisplay([[0.5]], ["a", "b"]), "a row and a column for each of the 2 nodes"),
    (EdgeConfidenceDisplay([[0.5]], ["a"], edges=[("a", "b")]), r"edges holds \('a', 'b'\)"),
    (CalibrationDisplay({}), "curves is empty"),
    (NodeSizesDisplay([(2,), (3,)], [-9, -8], [0.9]), "one number for each of the 2"),
    (NodeSizesDisplay([(2,), (3,)], [-9, -8], [1, 1], best=(4,)), r"best is \(4,\), which is none"),
    (InterventionDisplay({"before": {"a": [1]}, "set": {"b": [1]}}), "same nodes for each word"),
    (InterventionDisplay({}), "the same nodes for each word"),
    (TrainingDisplay({"density": [1.0]}), r'history must have the entry "lower_bound"'),
    (TrainingDisplay(HISTORY, polishing={}), r'polishing must have the entry "lower_bound"'),
    (TrainingDisplay(HISTORY | {"density": [1.0]}), r"one number per epoch .* got .*\(2,\)"),
    (GraphDisplay(nx.DiGraph([("a", "b"), ("b", "a")])), "has the cycle 'a' -> 'b' -> 'a'"),
    (GraphDisplay(nx.DiGraph()), "graph has no nodes"),
    (GraphDisplay([("a", "b")]), r"graph must be a networkx.DiGraph; got list"),
    (GraphDisplay(EDGE, strengths={("b", "a"): 1.0}), r"lacks the edges \[\('a', 'b'\)\]"),
    (GraphDisplay(EDGE, strengths={("a", "b"): np.nan}), r"lacks the edges \[\('a', 'b'\)\]"),
    (GraphDisplay(EDGE, compelled=[("b", "a")]), r"compelled holds \[\('b', 'a'\)\]"),
]


@pytest.mark.parametrize(("cls", "asked", "words"), OF_AN_ESTIMATOR)
def test_of_an_estimator_and_samples(shown_fit, shown_data, cls, asked, words):
    with pytest.raises(ValueError, match=words):
        cls.from_estimator(shown_fit, **({"X": shown_data} | asked))


@pytest.mark.parametrize(("cls", "asked", "words"), WITHOUT_SAMPLES)
def test_of_an_estimator(shown_fit, cls, asked, words):
    with pytest.raises(ValueError, match=words):
        cls.from_estimator(shown_fit, **asked)


@pytest.mark.parametrize(("display", "words"), BY_HAND)
def test_by_hand(display, words):
    with pytest.raises(ValueError, match=words):
        display.plot()


@pytest.mark.parametrize("graph", [nx.DiGraph(), nx.DiGraph([(0, 1), (1, 0)])])
def test_no_graph(graph):
    with pytest.raises(ValueError, match=r"graph has no nodes|has the cycle"):
        GraphDisplay.from_graph(graph)
    with pytest.raises(TypeError, match=r"needs a .* or a networkx.DiGraph as graph, got list"):
        GraphDisplay.from_graph([("a", "b")])
