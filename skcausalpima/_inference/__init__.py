"""Answers of a fitted model about samples.

Imports ``_training``, ``_model``, ``modules`` and what lies below them, layers 1 to 6; not
``_initialization``, which is of the same layer.
"""
