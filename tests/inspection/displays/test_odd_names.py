"""Names are shown as they are: dollars are no mathematics, and nothing needs to be there."""

import numpy as np
import pytest
from drawn_texts import drawn_texts

from skcausalpima.graph import CategoricalDAG
from skcausalpima.inspection import (
    AssociationDisplay,
    CalibrationCurve,
    CalibrationDisplay,
    EdgeConfidenceDisplay,
    GraphDisplay,
    InterventionDisplay,
    LatentDisplay,
    NodeEffectDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
    TableDisplay,
    TrainingDisplay,
)

FIRST, SECOND, EMPTY = r"$\no$", "a_$b$_c", ""
NAMES = [FIRST, SECOND, EMPTY]
TABLES = [[0.5, 0.5], np.full((2, 2), 0.5), np.full((2, 2), 0.5)]
DAG = CategoricalDAG.from_arrays(np.eye(3, k=1), TABLES, NAMES)
SHARES = np.full((3, 3), 0.5)
CURVE = CalibrationCurve(prob_pred=SHARES[0], prob_true=SHARES[0], counts=SHARES[0])
DRAWN = {
    "graph": lambda: GraphDisplay.from_graph(DAG),
    "table": lambda: TableDisplay.from_graph(DAG, SECOND),
    "intervention": lambda: InterventionDisplay.from_graph(DAG, {FIRST: 1}, seen=True),
    "latent": lambda: LatentDisplay(
        SHARES[:, :2], [0, 1, 2], SHARES[:, :2], cluster_names=NAMES, node_names=NAMES
    ).plot(),
    "prototypes": lambda: PrototypeDisplay(SHARES, (3,), ["a"], outcome_names=[NAMES]).plot(),
    "effects": lambda: NodeEffectDisplay([SHARES], [FIRST], columns=NAMES).plot(),
    "samples": lambda: InterventionDisplay(
        {FIRST: {"a": [1.0]}}, samples={FIRST: SHARES}, titles={FIRST: NAMES}
    ).plot(),
    "reconstruction": lambda: ReconstructionDisplay(
        [SHARES], [SHARES], modality_names=[FIRST], titles=NAMES
    ).plot(),
    "associations": lambda: AssociationDisplay(SHARES, NAMES, NAMES).plot(),
    "calibration": lambda: CalibrationDisplay(
        {(asked, seen): CURVE for asked in NAMES for seen in NAMES}
    ).plot(),
    "confidence": lambda: EdgeConfidenceDisplay(SHARES, NAMES).plot(),
    "training": lambda: TrainingDisplay(
        {"lower_bound": [1.0, 2.0], f"reconstruction_{FIRST}": [1.0, 2.0]}
    ).plot(),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_names_are_shown_as_they_are(draw):
    texts = [text.replace(r"\$", "$") for text, _ in drawn_texts(draw().figure_)]
    assert any(FIRST in text for text in texts)
    assert not any(r"\$" in text for text in texts)  # nor are they marked twice
