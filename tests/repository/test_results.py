"""Whatever public functions hand to users has a short text, a table of a notebook, and a frame."""

import dataclasses
import importlib
import inspect
from html.parser import HTMLParser

import networkx as nx
import numpy as np
import pytest

import skcausalpima.inspection as ins
from skcausalpima._base.reports.shown_table import MOST_ROWS
from skcausalpima._state.fitted import ExpertTable
from skcausalpima.callback import EpochRecord
from skcausalpima.inspection._displays.display import Display
from skcausalpima.metrics import NodeRecovery
from skcausalpima.model_selection import NodeSizeSelection

#: Where users are handed results. ``functional`` and ``modules`` are for builders: what is in these
#: is parts of a computation, tensors among them.
MODULES = ["callback", "cluster", "datasets", "graph", "inspection", "metrics", "model_selection"]
EVIL = '<script>alert("1")</script>\n\u202e$x$ & "שלום"'

CLASSES = [
    item
    for module in map(importlib.import_module, (f"skcausalpima.{name}" for name in MODULES))
    for item in vars(module).values()
    if inspect.isclass(item) and item.__name__ in module.__all__
]
RESULTS = [
    item
    for item in CLASSES
    if (dataclasses.is_dataclass(item) or issubclass(item, tuple)) and not issubclass(item, Display)
]
DISPLAYS = [item for item in CLASSES if issubclass(item, Display)]

ONE, PAIR = np.array([0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])
LINE = ins.FitLine(
    name="tails", p_value=0.01, misfit=4.0, size=3.0, least_size=1.0, unit="kurtosis",
    where=EVIL, cure="Take logarithms.",
)  # fmt: skip
DAG = nx.DiGraph([("N1", EVIL)])
DAG.nodes["N1"]["states"] = ("low", EVIL)
TABLES = {"N1": np.array([0.4, 0.6]), EVIL: PAIR}
DRAWS = {name: np.stack([table] * 2) for name, table in TABLES.items()}

MADE = [
    ins.AdaptedLabel(
        context=EVIL, label=2, n_samples=9, standard_errors={"x": ONE}, unknown=0.1,
        interval=(0.0, 0.2), tail_moves=[ONE],
    ),
    ins.Alarm(code="counts", sentence=EVIL, remedy="State it.", figure=3.0),
    ins.CalibrationCurve(prob_pred=ONE, prob_true=ONE, counts=np.array([9.0])),
    ins.CellValuesReport(n_samples=ONE, counts={EVIL: PAIR}, means={EVIL: PAIR}),
    ins.ContextReport(
        role="cause", labels=[EVIL], counts=ONE, shares=[(ONE,)], links=[EVIL], overlap=0.5,
        moves={EVIL: 0.1},
    ),
    ins.EdgeConfidence(
        dag=DAG, edge=PAIR, adjacency=PAIR, compelled=PAIR, node_stability=PAIR[0],
        worst_node_stability=PAIR[1], node_names=tuple(DAG), edges=PAIR[None] > 0.5,
        compelled_edges=PAIR[None] > 0.5, rand_indices=PAIR[:1], node_orders=np.array([[0, 1]]),
        failures={1: EVIL},
    ),
    LINE,
    ins.FoundAgainReport(found=True, agreement=ONE, n_samples=9, enough_samples=None),
    ins.GapsReport(nodes=ONE, cut=ONE > 1, pairs=np.zeros((0, 2), int)),
    ins.GoodnessOfFit(
        lines=(LINE,), p_value=0.01, n_samples=9, n_replicates=199, agreement={EVIL: 0.5},
        limits=(EVIL,),
    ),
    ins.InformationGain(
        gain=np.full((1, 1, 1), 0.1), gain_se=np.full((1, 1, 1), 0.01), entropy=np.ones((1, 1)),
        modality_names=(EVIL,), node_names=(EVIL,),
    ),
    ins.InterventionGain(
        interventions=((None, None), (EVIL, EVIL)), gain=PAIR[0], gain_se=PAIR[0], entropy=0.7,
        graphs=np.ones((1, 2, 2), bool), probabilities=ONE, node_names=tuple(DAG), n_samples=9,
    ),
    ins.ModalityEvidence(
        influence=ONE[None], conflict=ONE[None], modality_names=(EVIL,), node_names=(EVIL,),
        alone=ONE[None], without=ONE[None], said=ONE[None],
        alone_se=ONE[None], without_se=ONE[None], said_se=ONE[None],
    ),
    ins.NodeAssociations(
        statistic=PAIR, p_value=PAIR, expected=PAIR, n_samples=np.array([9, 8]),
        node_names=tuple(DAG), column_names=(EVIL, 3), measures=("nmi", "eta_squared"),
    ),
    ins.NodeEffects(
        effect={EVIL: PAIR}, low={EVIL: PAIR}, high={EVIL: PAIR}, p_value={EVIL: PAIR},
        false_discovery_rate={EVIL: PAIR / 10}, outcomes={EVIL: ("0", EVIL)},
        columns=((EVIL, EVIL), ("X", "b")), shapes={"X": (2,)}, notes=(EVIL,),
    ),
    ins.OutcomeIntervals(
        low={EVIL: ONE}, high={EVIL: ONE}, level=0.9, outcome_names={EVIL: (EVIL,)}
    ),
    ins.TableIntervals(
        low=TABLES, high=TABLES, level=0.9, node_names=tuple(DAG), dag=DAG, draws=DRAWS
    ),
    ins.TriedStart(modality_weights={EVIL: 1.0}, views={EVIL: None}, agreement=0.5, is_taken=True),
    EpochRecord(
        phase="training", epoch=3, n_epochs=49, step=13, lower_bound=-1.5, objective=-2.0,
        terms={EVIL: 1.0}, run=1, n_runs=1, seconds=2.0, seconds_left=30.0,
    ),
    ExpertTable({EVIL: np.array([0, 1]), "b": PAIR[0]}, ["b"], {EVIL: ("0", EVIL)}),
    NodeRecovery(ONE, np.array([0])),
    NodeSizeSelection(
        (2,), None,
        {"node_sizes": [(2,)], "stability": ONE, "verdict": [EVIL]},
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def results(quick, pair):
    """One of each class: those that are made by hand, and those of a fit."""
    site = np.array([EVIL, "b"] * 36)
    X = dict(zip([EVIL, "curve"], pair, strict=True))
    fitted = quick(node_sizes={EVIL: 2, "b": 2}).fit(X)
    of_fit = [
        fitted.report(), fitted.separation_, fitted.arrangement_, fitted.stability_,
        fitted.choices_, fitted.convergence_,
        ins.table_intervals(fitted, X, by=site, n_draws=2, random_state=0).by,
        ins.within_cell_axes(fitted, X, metadata={EVIL: np.arange(72) + 0.5}),
    ]  # fmt: skip
    return {type(result): result for result in [*MADE, *of_fit]}


class Page(HTMLParser):
    """Which elements a page has, and whether each ends."""

    def __init__(self, text):
        super().__init__()
        self.names, self.open = set(), []
        self.feed(text)

    def handle_starttag(self, name, attributes):
        self.names.add(name)
        self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name


@pytest.mark.short_fits
@pytest.mark.parametrize("kind", [*RESULTS, ExpertTable], ids=lambda kind: kind.__name__)
def test_a_result_has_three_forms(kind, results):
    """A class that is new is made above, and all three are looked at."""
    result = results[kind]
    text = str(result)
    assert repr(result) == text
    assert len(text.splitlines()) < 3 * MOST_ROWS
    assert not {"\u202e", "\r"} & set(text)
    assert not any(name in text for name in ("object at 0x", f"{kind.__name__}(low="))
    page = Page(result._repr_html_())
    assert page.open == []
    assert "table" in page.names
    assert page.names <= {*("b", "h4", "p", "div", "table", "tr", "th", "td"), *OF_REPORTS}
    frame = result.to_frame()
    assert type(frame).__name__ == "DataFrame"
    assert len(frame) > 0


OF_REPORTS = "style", "span", "ol", "li"


def test_long_tables_are_cut_in_texts_and_not_in_frames():
    n = MOST_ROWS + 3
    found = NodeRecovery(np.ones(n), np.arange(n))
    for text in (str(found), found._repr_html_()):
        assert "and 3 rows more, which to_frame() has" in text
    assert found._repr_html_().count("<tr>") == MOST_ROWS + 1
    assert len(found.to_frame()) == n


def test_results_that_are_tuples_are_taken_apart():
    accuracies, permutation = NodeRecovery(ONE, np.array([0]))
    assert accuracies is ONE
    assert permutation.tolist() == [0]


@pytest.mark.parametrize("kind", DISPLAYS, ids=lambda kind: kind.__name__)
def test_a_display_does_not_print_its_address(kind):
    display = object.__new__(kind)
    assert repr(display) == f"<{kind.__name__}, which plot() draws>"
    display.figure_ = None
    assert repr(display) == f"<{kind.__name__}, drawn>"
