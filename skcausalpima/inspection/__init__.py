"""How sure a fitted graph is, and what its nodes have to do with what else is known."""

from ._associations import NodeAssociations, associate_nodes
from ._edge_confidence import EdgeConfidence, edge_confidence

__all__ = ["EdgeConfidence", "NodeAssociations", "associate_nodes", "edge_confidence"]
