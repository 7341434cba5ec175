"""Confidence of a fitted graph, calibration of probabilities, meaning of nodes, pictures."""

from .._base.reports.cells import (
    ArrangementReport,
    CellValuesReport,
    FoundAgainReport,
    GapsReport,
    SeparationReport,
    StabilityReport,
)
from .._base.reports.contexts import AdaptedLabel, ContextReport
from .._base.reports.training import ChoicesReport, ConvergenceReport, TriedStart
from .._inference.modality_evidence import ModalityEvidence
from .._judge.alarms import Alarm
from ._associations import NodeAssociations, associate_nodes
from ._calibration import CalibrationCurve, calibration_curves
from ._displays.associations import AssociationDisplay
from ._displays.axes import AxisDisplay
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
from ._edge_confidence import edge_confidence
from ._edge_report import EdgeConfidence
from ._fit_report import FitReport
from ._goodness_of_fit import goodness_of_fit
from ._goodness_report import FitLine, GoodnessOfFit
from ._group_tables import GroupTables
from ._information_gain import InformationGain, information_gain
from ._interval_report import OutcomeIntervals, TableIntervals
from ._intervention_gain import InterventionGain, intervention_gain
from ._node_effects import NodeEffects, node_effects
from ._table_intervals import table_intervals
from ._within_cell_axes import WithinCellAxes, within_cell_axes

__all__ = [
    "AdaptedLabel",
    "Alarm",
    "ArrangementReport",
    "AssociationDisplay",
    "AxisDisplay",
    "CalibrationCurve",
    "CalibrationDisplay",
    "CellValuesReport",
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
    "GroupTables",
    "InformationGain",
    "InterventionDisplay",
    "InterventionGain",
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
    "WithinCellAxes",
    "associate_nodes",
    "calibration_curves",
    "edge_confidence",
    "goodness_of_fit",
    "information_gain",
    "intervention_gain",
    "node_effects",
    "table_intervals",
    "within_cell_axes",
]
