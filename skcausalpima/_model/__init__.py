"""From the estimator's parameters and the data to a torch model.

Imports ``modules`` and ``graph`` (layer 3), ``functional``, ``_data``, ``_structure``,
``_clustering`` and ``_parameter_objects`` (layer 2), and the small files of layer 1.
"""
