"""Names are shown as they are: dollars are no mathematics, and nothing needs to be there."""

import os
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from drawn_texts import drawn_texts

from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import (
    AssociationDisplay,
    AxisDisplay,
    CalibrationCurve,
    CalibrationDisplay,
    EdgeConfidenceDisplay,
    GraphDisplay,
    InterventionDisplay,
    LatentDisplay,
    NodeEffectDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
    SummaryDisplay,
    TableDisplay,
    TrainingDisplay,
)

SHARES = np.full((3, 3), 0.5)
TABLES = [[0.5, 0.5], np.full((2, 2), 0.5), np.full((2, 2), 0.5)]
CURVE = CalibrationCurve(prob_pred=SHARES[0], prob_true=SHARES[0], counts=SHARES[0])
DOLLARS = (r"$\no$", "a_$b$_c", "")
MARKUP = ("<b>&", '"it\'s"', "\\x")
FROM_THE_RIGHT = ("\u05e9\u05dc\u05d5\u05dd", "\u202e\u05e9", "\u0633\u0644\u0627\u0645")
BREAKS = ("a\nb", "c\td", "\x00")
DRAWN = {
    "graph": lambda first, names: GraphDisplay.from_graph(dag(names)),
    "table": lambda first, names: TableDisplay.from_graph(dag(names), names[1]),
    "intervention": lambda first, names: InterventionDisplay.from_graph(
        dag(names), {first: 1}, seen=True
    ),
    "latent": lambda first, names: LatentDisplay(
        SHARES[:, :2],
        [0, 1, 2],
        SHARES[:, :2],
        cluster_names=names,
        node_names=names,
        axis_names=names[:2],
    ).plot(),
    "colours": lambda first, names: LatentDisplay(
        SHARES[:, :2], [0, 1, 2], SHARES[:, :2], c=names, c_name=first
    ).plot(),
    "prototypes": lambda first, names: PrototypeDisplay(
        SHARES, (3,), ["a"], outcome_names=[names], columns=names, value_name=first
    ).plot(),
    "kinds": lambda first, names: PrototypeDisplay(
        SHARES, (3,), [first], outcome_names=[names], parts=[(names[0], "categorical", names)]
    ).plot(),
    "effects": lambda first, names: NodeEffectDisplay(
        [SHARES], [first], columns=names, value_name=first
    ).plot(),
    "axes": lambda first, names: AxisDisplay(
        [SHARES], [first], names, columns=names, value_name=first
    ).plot(),
    "samples": lambda first, names: InterventionDisplay(
        {first: {"a": [1.0]}}, samples={first: SHARES}, titles={first: names}
    ).plot(),
    "reconstruction": lambda first, names: ReconstructionDisplay(
        [SHARES], [SHARES], modality_names=[first], titles=names, value_names=[first]
    ).plot(),
    "associations": lambda first, names: AssociationDisplay(
        SHARES, names, names, measure=first
    ).plot(),
    "calibration": lambda first, names: CalibrationDisplay(
        {(asked, seen): CURVE for asked in names for seen in names}
    ).plot(),
    "confidence": lambda first, names: EdgeConfidenceDisplay(SHARES, names).plot(),
    "training": lambda first, names: TrainingDisplay(
        {"lower_bound": [1.0, 2.0], f"reconstruction_{first}": [1.0, 2.0]}
    ).plot(),
    "summary": lambda first, names: SummaryDisplay(
        LatentDisplay(SHARES[:, :2], [0, 1, 2], SHARES[:, :2], node_names=[first]),
        PrototypeDisplay(SHARES, (3,), [first], value_name=first),
        GraphDisplay(dag(names).graph),
        TrainingDisplay({"lower_bound": [1.0, 2.0], f"reconstruction_{first}": [1.0, 2.0]}),
    ).plot(),
}


def dag(names):
    return CategoricalDAG.from_arrays(np.eye(3, k=1), TABLES, list(names))


@pytest.mark.filterwarnings("ignore:Glyph")  # a font need not have every letter
@pytest.mark.parametrize("names", [DOLLARS, MARKUP, FROM_THE_RIGHT, BREAKS])
@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_names_are_shown_as_they_are(draw, names):
    """Dollars, brackets and quotes are no markup; line breaks and control characters are spaces."""
    texts = [text.replace(r"\$", "$") for text, _ in drawn_texts(draw(names[0], names).figure_)]
    shown = names[0].replace("\n", " ")
    assert any(shown in text for text in texts)
    assert not any(r"\$" in text for text in texts)  # nor are they marked twice
    assert not any(set(text) & set("\t\0\u202e") for text in texts)


@pytest.mark.parametrize("name", ["$x$", "<b>", '"', "a\nb", "\u05e9\u05dc\u05d5\u05dd", "x" * 60])
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_files_take_any_name(tmp_path, name, ending):
    """Text of an SVG is text, so that what is in it must be escaped."""
    display = PrototypeDisplay(SHARES, (3,), [name], columns=[name, "b", "c"]).plot()
    path = tmp_path / f"picture.{ending}"
    with mpl.rc_context({"svg.fonttype": "none"}):
        display.figure_.savefig(path)
    if ending == "svg":
        texts = [part.text or "" for part in ElementTree.parse(path).iter() if part.text]
        assert any(name.replace("\n", " ")[:8] in text for text in texts)


@pytest.mark.posix
def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user writes everywhere")
    display = PrototypeDisplay(SHARES, (3,), ["heat"]).plot()
    with pytest.raises(PermissionError, match="kept"):
        display.figure_.savefig(folder / "picture.png")
