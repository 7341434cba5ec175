"""The fitted state, the attributes that follow from it, and its file.

Imports ``_model``, ``modules`` and what lies below them, layers 1 to 4.
"""
