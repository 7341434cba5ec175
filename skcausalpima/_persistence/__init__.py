"""The file format of ``save`` and ``load``.

Imports ``_fit``, ``_inference``, ``_model``, ``modules`` and what lies below them, layers 1 to 7.
"""
