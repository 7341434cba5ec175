"""From the estimator's parameters and the data to a torch model.

Imports ``modules`` and ``graph`` (layer 3), ``functional``, ``_data``, ``_structure``,
``_clustering`` (layer 2) and ``_base``.
"""
