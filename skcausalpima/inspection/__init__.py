"""How sure a fitted graph is, and what its nodes and modalities have to say."""

from ._associations import NodeAssociations, associate_nodes
from ._edge_confidence import EdgeConfidence, edge_confidence
from ._modality_evidence import ModalityEvidence

__all__ = [
    "EdgeConfidence",
    "ModalityEvidence",
    "NodeAssociations",
    "associate_nodes",
    "edge_confidence",
]
