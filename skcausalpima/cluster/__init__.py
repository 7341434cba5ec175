"""Clusters on a grid of nodes, of embeddings or any table of numbers, without a network."""

from ._grid_clustering import GridClustering

__all__ = ["GridClustering"]
