"""Bayesian-network structure learning on counts: constraints, scores, search.

NumPy only; imports no other room.
"""
