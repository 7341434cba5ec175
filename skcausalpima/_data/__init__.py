"""Checked input of users: arrays, weights, known nodes, interventions.

NumPy, SciPy and scikit-learn only, no torch. Of our rooms it may import the small files of
layer 1, such as ``_warnings``.
"""
