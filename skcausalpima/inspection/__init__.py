"""Confidence of a fitted graph, calibration of probabilities, meaning of nodes, pictures."""

from .._base.reports.cells import (
    ArrangementReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from .._base.reports.contexts import AdaptedLabel, ContextReport
from .._base.reports.training import ChoicesReport, ConvergenceReport, TriedStart
from .._inference.evidence import ModalityEvidence
from ._associations import NodeAssociations, associate_nodes
from ._calibration import CalibrationCurve, calibration_curves
from ._displays.associations import AssociationDisplay
from ._displays.calibration import CalibrationDisplay
from ._displays.confidence import EdgeConfidenceDisplay
from ._displays.graph import GraphDisplay
from ._displays.heat_map import TableDisplay
from ._displays.intervention import InterventionDisplay
from ._displays.latent import LatentDisplay
from ._displays.node_effects import NodeEffectDisplay
from ._displays.node_sizes import NodeSizesDisplay
from ._displays.prototypes import PrototypeDisplay
from ._displays.reconstruction import ReconstructionDisplay
from ._displays.summary import SummaryDisplay
from ._displays.training import TrainingDisplay
from ._edge_confidence import EdgeConfidence, edge_confidence
from ._fit_report import FitReport
from ._goodness_of_fit import goodness_of_fit
from ._goodness_report import FitLine, GoodnessOfFit
from ._node_effects import NodeEffects, node_effects
from ._table_intervals import OutcomeIntervals, TableIntervals, table_intervals

__all__ = [
    "AdaptedLabel",
    "ArrangementReport",
    "AssociationDisplay",
    "CalibrationCurve",
    "CalibrationDisplay",
    "ChoicesReport",
    "ContextReport",
    "ConvergenceReport",
    "EdgeConfidence",
    "EdgeConfidenceDisplay",
    "FitLine",
    "FitReport",
    "FoundAgainReport",
    "GapsReport",
    "GoodnessOfFit",
    "GraphDisplay",
    "InterventionDisplay",
    "LatentDisplay",
    "ModalityEvidence",
    "NodeAssociations",
    "NodeEffectDisplay",
    "NodeEffects",
    "NodeSizesDisplay",
    "OutcomeIntervals",
    "PrototypeDisplay",
    "ReconstructionDisplay",
    "SeparationReport",
    "StabilityReport",
    "SummaryDisplay",
    "TableDisplay",
    "TableIntervals",
    "TrainingDisplay",
    "TriedStart",
    "associate_nodes",
    "calibration_curves",
    "edge_confidence",
    "goodness_of_fit",
    "node_effects",
    "table_intervals",
]
