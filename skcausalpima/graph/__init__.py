"""Categorical Bayesian networks: tables on a DAG, what if, equivalence classes, export."""

from ._categorical_dag import CategoricalDAG
from ._conditional import ConditionalDistribution

__all__ = ["CategoricalDAG", "ConditionalDistribution"]
