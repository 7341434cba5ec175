"""The start of training: networks, clusters, tables, graph and experts, in ``initialize``.

Imports ``_training``, ``_model``, ``modules`` and what lies below them, layers 1 to 6; not
``_inference``, which is of the same layer.
"""
