"""What a fit leaves, stated once: the fitted state, the attributes that follow from it, its file.

Imports ``_model``, ``modules`` and what lies below them, layers 1 to 4.
"""
