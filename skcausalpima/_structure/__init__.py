"""Structure by score: from a table of expected counts to a DAG and to edge probabilities.

Numpy arrays in, numpy arrays out; nothing here knows the estimator.
"""

from ._constraints import EdgeConstraints, check_constraints, cycle_path, edge_constraints
from ._probabilities import MAX_PROBABILITY_NODES, edge_probabilities
from ._scores import FamilyScores
from ._search import StructureResult, search_dag

__all__ = [
    "MAX_PROBABILITY_NODES",
    "EdgeConstraints",
    "FamilyScores",
    "StructureResult",
    "check_constraints",
    "cycle_path",
    "edge_constraints",
    "edge_probabilities",
    "search_dag",
]
