"""Clusters, and which cell of the grid each of them is assigned to.

NumPy and scikit-learn only; imports no other room.
"""
