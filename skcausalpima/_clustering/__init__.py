"""Clusters, and which cell of the grid each of them is assigned to.

NumPy, SciPy and scikit-learn only, no torch; of our rooms it imports ``_grid``.
"""
