"""The report of a fit: complete, within 80 columns, safe in a notebook, and right in its advice."""

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from made_reports import CURVE, WELL, changed, of_draws

from skcausalpima import CausalPIMA, Training
from skcausalpima._judge.figures import Figures, collected
from skcausalpima._judge.judge import findings
from skcausalpima.inspection import (
    FitReport,
    GapsReport,
    SeparationReport,
    TriedStart,
    calibration_curves,
)
from skcausalpima.inspection._report_lines import sections

pytestmark = pytest.mark.short_fits


def cannot_draw(n_samples):
    raise ValueError("what is drawn is not finite")


@cache
def dag_of_two_nodes():
    return CausalPIMA((2, 2), max_iter=1, random_state=0).fit(np.eye(8)).dag_


def estimator(report):
    """Return something that has the attributes from which the report was made."""
    est = CausalPIMA()
    est.__dict__.update(
        lower_bound_=0.0,
        dag_=dag_of_two_nodes(),
        joint_=np.full((2, 2), 0.25),
        labels_=np.zeros(report.n_samples, int),
        cluster_states_=report.cells,
        cluster_means_=4.0 * report.cells + 9.0 * ~report.as_expected[:, None],
        separation_=SeparationReport(
            smallest=4.0,
            empty=report.separation.empty,
            merged=np.array([[0, 1]])[: len(report.merged)],
            occupancy=report.shares,
            certainty=report.separation.certainty,
            outlying=report.separation.outlying,
            set_aside=report.separation.set_aside,
        ),
        found_again_=report.found_again,
        gaps_=GapsReport(
            nodes=report.gaps.nodes,
            cut=report.gaps.cut,
            pairs=np.array([[0, 2]])[: len(report.joined)],
        ),
        arrangement_=report.arrangement,
        stability_=report.stability,
        convergence_=report.convergence,
        choices_=report.choices,
        n_iter_=50,
        history_={"objective": np.zeros(1)},
    )
    return est


def test_a_report_has_the_figures_of_the_fit(fitted):
    report = fitted.report()
    assert report.node_names == ("N1", "N2")
    assert report.n_samples == 72
    assert (np.diff(report.shares) <= 0).all()
    assert report.shares.sum() == pytest.approx(1)
    assert report.separation is fitted.separation_
    assert report.arrangement is fitted.arrangement_
    assert report.stability is fitted.stability_
    assert report.n_iter == fitted.n_iter_
    assert report.convergence is fitted.convergence_
    assert report.gaps is fitted.gaps_
    assert [edge[:2] for edge in report.edges] == list(fitted.dag_.edges)
    assert report.choices is fitted.choices_
    full = fitted.report(detail="full")
    for title in ("Cells", "Data", "Separation", "Arrangement", "Stability", "Training", "Graph"):
        assert f"\n{title}\n" in str(full)
        assert f"<b>{title}</b>" in report._repr_html_()
    assert repr(report) == str(report)
    assert report._repr_html_() == full._repr_html_()
    assert len(str(report).splitlines()) <= 25
    assert str(report).splitlines()[0] == str(full).splitlines()[0]
    assert report.differs["N1"][0].modality in fitted.modality_names_in_


def text(**figures):
    """Write the whole report of a fit with other figures."""
    return str(changed(**figures, detail="full"))


@pytest.mark.slow
def test_one_node_has_no_arrangement_and_no_edges(quick, pair):
    report = quick((3,)).fit(pair).report()
    assert report.arrangement is None
    assert "edges" not in str(replace(report, detail="full"))
    assert "Graph" not in str(report)
    assert report.verdict == "told" or report.alarms


@pytest.mark.parametrize("n_nodes", [2, 6, 12])
def test_lines_fit_into_a_terminal(n_nodes):
    names = tuple(f"a node with quite a long name {k}" for k in range(n_nodes))
    cells = np.stack(np.unravel_index(np.arange(64), (64,) + (1,) * (n_nodes - 1)), axis=1)
    report = changed(
        node_names=names,
        node_sizes=(64,) + (1,) * (n_nodes - 1),
        cells=cells,
        shares=np.full(64, 1 / 64),
        merged=np.stack([cells[:20], cells[20:40]], axis=1),
        arrangement={
            "node_shares": np.full(n_nodes, 1 / n_nodes),
            "node_agreement": np.full(n_nodes, 0.5),
            "node_p_values": np.full(n_nodes, 0.5),
            "told": np.zeros(n_nodes, bool),
        },
        separation={"certainty": np.full(n_nodes, 0.9), "occupancy": np.full(64, 1 / 64)},
        as_expected=np.ones(64, bool),
        gaps={"nodes": np.full(n_nodes, np.nan), "cut": np.zeros(n_nodes, bool)},
        joined=np.stack([cells[:20], cells[20:40]], axis=1),
        edges=tuple((names[0], name, 1.0, True) for name in names[1:]),
        calibration=dict.fromkeys(["all", *names], CURVE),
        detail="full",
    )
    for one in (report, replace(report, detail="short")):
        assert max(map(len, str(one).splitlines())) <= 79
    assert "48 cells with 75.0 % of the samples" in str(report)
    assert "and 16 more" in " ".join(str(report).split())


def test_nodes_that_were_not_arranged_are_said_to_be_placed_by_chance():
    assert "placed by chance                  init is not 'arranged'" in str(
        replace(WELL, arrangement=None, detail="full")
    )
    assert "placed by chance" not in text()


def test_outcomes_in_a_row_are_told_along_it():
    """By their names, of nodes whose outcomes lie on a line alone."""
    rows = {"in_a_row": np.array([False, True]), "order": [np.arange(2), np.array([1, 0, 2])]}
    told = text(arrangement=rows, node_sizes=(2, 3))
    assert "outcomes in a row                 size 1 - 0 - 2\n" in told
    named = {"outcome_names": (("a", "b"), ("mid", "low", "high"))}
    told = text(arrangement=rows, node_sizes=(2, 3), **named)
    assert "outcomes in a row                 size low - mid - high\n" in told
    assert "in a row" not in text()


def test_names_are_no_markup_in_a_notebook():
    names = ("<script>alert(1)</script>", "a & b")
    report = changed(node_names=names, edges=((*names, 1.0, True),))
    page = report._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "a &amp; b" in page


def test_choices_are_told():
    assert "scale of image                    one number" in text()
    assert "weights and views tried" not in text()
    starts = [
        TriedStart(
            modality_weights="balanced", views={"image": None}, agreement=0.5, is_taken=False
        ),
        TriedStart(
            modality_weights={"image": 1.0},
            views={"image": "power_spectrum"},
            agreement=0.9,
            is_taken=True,
        ),
    ]
    report = changed(
        choices={
            "scale": {"image": "feature"},
            "columns": {"image": (1.5, 9)},
            "tried": starts,
            "modality_weights": {"image": 1.0},
            "views": {"image": "power_spectrum"},
        },
        detail="full",
    )
    words = " ".join(str(report).split())
    assert "each column its own (1.5 of 9 columns hold the variance)" in words
    assert "starts tried (halves agree) 0.50 if balanced, no views 0.90 if image 1, power_" in words
    assert words.count("(taken)") == 1
    assert "weights in training" not in words
    trained = text(choices={"tried": starts, "modality_weights": "elements"})
    assert "weights in training elements" in " ".join(trained.split())
    close = text(choices={"scale": {"image": "feature"}, "columns": {"image": (2.9, 9)}})
    assert "a close call" in close
    assert "as it is" in text(choices={"scale": {"image": None}})


def test_reversible_edges_have_no_arrow():
    assert "shape -- size" in str(WELL)
    assert "shape -> size" in str(changed(edges=(("shape", "size", 0.9, True),)))


@pytest.mark.parametrize(
    ("weight", "is_compelled", "line"),
    [
        (0.5, False, "shape -- size                   adjacent 0.98"),
        (0.7, True, "shape -- size                   adjacent 0.98"),  # no sure direction
        (0.9, True, "shape -> size                   weight 0.90"),
    ],
)
def test_what_has_no_direction_has_the_number_of_both(weight, is_compelled, line):
    edges = (("shape", "size", weight, is_compelled),)
    assert line in text(edges=edges, adjacent={("shape", "size"): 0.98})
    assert " ".join(line.split()) in " ".join(
        str(changed(edges=edges, adjacent={("shape", "size"): 0.98})).split()
    )
    word = f"weight {weight:.2f}"  # of training by gradient, which has no probabilities
    assert word in text(edges=edges).split("shape -")[1].split("\n")[0]


def test_it_is_told_how_often_cells_of_draws_are_right(fitted):
    report = fitted.report()
    curves = calibration_curves(fitted, n_samples=300, random_state=0)
    assert list(report.calibration) == ["all", "modality0", "modality1"]
    for seen, curve in report.calibration.items():
        assert curve.confidence == curves["cells", seen].confidence
        assert curve.accuracy == curves["cells", seen].accuracy
    assert str(report) == str(fitted.report())
    full = text(calibration={"all": CURVE, "image": CURVE})
    assert "if the model holds: sure of cells 0.50, right in 1.00 of its draws" in full
    assert "  image alone                     0.50, right in 1.00" in full


def test_what_takes_long_is_not_asked(fitted, monkeypatch):
    monkeypatch.setattr("skcausalpima.inspection._reported_fit.MOST_CELLS", 7)
    assert list(fitted.report().calibration) == ["all"]
    monkeypatch.setattr("skcausalpima.inspection._reported_fit.MOST_ELEMENTS", 9)
    assert fitted.report().calibration
    slow = copy.copy(fitted)
    slow.decoders = "mlp"
    assert slow.report().calibration == {}


@pytest.mark.slow
def test_what_cannot_be_drawn_is_not_told(fitted):
    est = copy.copy(fitted)
    est.sample = cannot_draw
    report = FitReport.of(est)
    assert report.calibration == {}
    assert "draws" not in str(replace(report, detail="full"))


def test_several_fits_are_told():
    indices = np.array([[1.0, 0.9, 0.5], [0.9, 1.0, 0.4], [0.5, 0.4, 1.0]])
    full = text(stability={"rand_indices": indices, "agreement": 0.5, "unstable": True})
    assert "agreement of the 3 fits           0.50" in full
    assert "the two that differ most          0.40" in full
    words = " ".join(full.split())
    assert "[other-seeds] The cells may depend on random_state: the 3 fits" in words


@pytest.mark.parametrize(
    ("enough", "told", "advised"),
    [
        (120, "about 120", "Measure about 120, or"),
        (None, "more than 300", "5 times as many would not help"),
    ],
)
def test_few_samples_are_told(enough, told, advised):
    report = changed(found_again=of_draws(0.9, 0.3, 0.2, enough=enough))
    lines = dict(sections(report)["Stability"])
    assert lines["found again in draws of its own"] == "1 of 3, of 60 each"
    assert lines["samples that would do"] == told
    assert advised in report.advice[0]
    assert report.verdict == "alarmed"
    assert "of cells in doubt" in str(report)


def test_starts_say_nothing_against_a_fit_whose_draws_are_found_again():
    moved = {"stability": {"with_starts": 0.5}, "convergence": {"moved": 0.4}}
    assert changed(**moved).verdict == "alarmed"
    report = changed(**moved, found_again=of_draws(0.9, 0.95))
    assert report.verdict == "told"
    assert "of cells in doubt" not in str(report)


def test_short_runs_are_told():
    assert "short runs" not in text()
    full = text(stability={"with_starts": 0.5, "short_runs": 0.85})
    assert "agreement with other starts       0.50 (1 in full, 0 by chance)" in full
    assert "this fit and two short runs       0.85" in full
    assert "was replaced" not in full
    lines = sections(changed(stability={"short_runs": 0.82, "replaced": True}))["Stability"]
    told = dict(lines)["this fit and two short runs"]
    assert told == "0.82 (of a run that differed, and was replaced)"


@pytest.mark.parametrize(
    ("rise", "told"),
    [
        (0.05, "rose by 0.1 nats per sample and epoch, 5.0 % of its spread"),
        (-0.00015, "fell by 0.0003 nats per sample and epoch, 0.0 % of its spread"),
        (0.0, "rose by 0 nats per sample and epoch, 0.0 % of its spread"),
    ],
)
def test_a_bound_rises_or_falls(rise, told):
    lines = sections(changed(convergence={"rise": rise}))["Training"]
    assert dict(lines)["bound at last"] == told


def test_the_figures_of_an_estimator_are_those_that_are_judged():
    odd = np.array([True, True, True, False])
    for figures in (
        {},
        {"shares": np.array([0.5, 0.3, 0.195, 0.005])},
        {"shares": np.array([0.5, 0.3, 0.195, 0.005]), "as_expected": odd},
        {"merged": np.array([[[0, 0], [0, 1]]])},
        {"joined": np.array([[[0, 0], [1, 0]]])},
        {"separation": {"empty": np.array([3])}},
    ):
        made = changed(**figures, node_names=("N1", "N2"))
        judged = collected(Figures, vars(estimator(made)), ())
        assert findings(judged) == made.alarms


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (list("abcd"), "a, b, c and 1 more of 'image'"),
        (["a", "b"], "If they are, fit with likelihoods={'image': {'a': 'negative_binomial', 'b'"),
    ],
)
def test_counts_are_named(columns, told):
    assert told in changed(choices={"counts": {"image": columns}}).advice[0]


def test_lines_of_a_notebook_are_indented_as_in_a_terminal():
    report = changed(calibration={"all": CURVE, "micrograph": CURVE})
    page = report._repr_html_()
    assert '<th style="padding-left: 1em" dir="auto">micrograph alone</th>' in page
    assert '<th dir="auto">if the model holds: sure of cells</th>' in page


def test_one_line_alone_is_called_agreement():
    seen = {"short_runs": 0.85, "with_starts": 0.5, "among_starts": 0.9}
    labels = [label for lines in sections(changed(stability=seen)).values() for label, _ in lines]
    assert sum("agreement" in label for label in labels) == 1


def test_a_depth_that_was_divided_out_is_told():
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(rng.normal(size=(60, 1)) + 2.0) * np.ones(6))
    model = CausalPIMA(2, likelihoods="poisson", max_iter=2, random_state=0).fit(counts)
    assert str(model.report(detail="full")).count("depth of modality0   ") == 1
    model = CausalPIMA(2, max_iter=2, random_state=0).fit(np.sqrt(counts))
    assert "depth of" not in str(model.report(detail="full"))


def test_samples_that_are_far_less_probable_are_named():
    """Two in a hundred with twelve times the noise cost a node, and nothing said which."""
    rng = np.random.default_rng(0)
    factors = rng.integers(2, size=(200, 2))
    X = 3.0 * np.repeat(factors, 4, axis=1) + rng.normal(size=(200, 8))
    keep = Training(outliers="keep")
    est = CausalPIMA((2, 2), training=keep, random_state=0)
    assert len(est.fit(X).separation_.outlying) == 0
    X[[17, 60]] = 3.0 * np.repeat(factors[[17, 60]], 4, axis=1) + 8 * rng.normal(size=(2, 8))
    model = est.fit(X)
    assert model.separation_.outlying.tolist() == [17, 60]
    report = model.report()
    assert any("rows 17, 60 of X" in sentence for sentence in report.advice)
    weighted = est.fit(X, sample_weight=np.r_[0.0, np.ones(199)])
    assert weighted.separation_.outlying.tolist() == [17, 60]


def test_rows_that_are_named_are_few():
    report = changed(separation={"outlying": np.arange(30)})
    assert "rows 0, 1, 2, 3, 4, 5, 6, 7 and 22 more of X" in report.advice[0]
    assert report.verdict == "told"


@pytest.fixture
def frame():
    rows = np.random.default_rng(0).normal(size=(40, 2)) + 9 * (np.arange(40) % 2)[:, None]
    return pd.DataFrame(rows, columns=["a", "b"])


def of_other_form(pair):
    """Return what is no X of a fit to two arrays."""
    yield from ([pair[0]], [pair[0], pair[1][:, :-1]], [pair[0], pair[1][:-1]])
    yield from ([part[:0] for part in pair], {"other": pair[0], "names": pair[1]})


def message(method, X):
    """Return with what a method refuses X."""
    with pytest.raises(ValueError, match=r"\S") as raised:
        method(X)
    return str(raised.value)


def test_samples_of_another_form_are_refused_as_predict_does(fitted, pair):
    for X in of_other_form(pair):
        assert message(fitted.report, X) == message(fitted.predict, X)


def test_columns_of_another_name_are_refused_as_predict_does(frame):
    est = CausalPIMA(2, max_iter=1, random_state=0).fit(frame)
    for X in (frame.rename(columns={"a": "z"}), frame[["b"]], frame.assign(c=1.0)):
        assert message(est.report, X) == message(est.predict, X)


def test_samples_of_another_number_are_not_those_of_the_fit(frame):
    est = CausalPIMA(2, max_iter=1, random_state=0).partial_fit(frame)
    for X in (frame[1:], frame[:1], pd.concat([frame, frame[:1]])):
        expected = f"X has {len(X)} sample(s), and the estimator was fitted to 40: report(X) takes"
        assert message(est.report, X).startswith(expected)
    est.partial_fit(frame[:20])
    for X in (frame[:20], pd.concat([frame, frame[:20]])):  # those of the last call, or of all
        assert est.report(X).n_samples == 20
