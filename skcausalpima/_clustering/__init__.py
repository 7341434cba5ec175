"""Clusters, and which cell of the grid each of them is assigned to.

NumPy, SciPy and scikit-learn only, no torch. Of our rooms it may import the small files of
layer 1, such as ``_grid``.
"""
