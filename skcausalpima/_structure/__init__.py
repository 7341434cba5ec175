"""Bayesian-network structure learning on counts: constraints, scores, search.

NumPy, SciPy, scikit-learn and networkx only, no torch. Of our rooms it may
import the small files of layer 1, and imports none.
"""
