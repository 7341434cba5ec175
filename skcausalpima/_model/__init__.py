"""From the estimator's parameters and the data to a torch model.

Imports ``_data``, ``_structure`` and ``modules``.
"""
