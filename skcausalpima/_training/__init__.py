"""Algorithm 2: gradient steps and closed-form updates.

Imports ``_state``, ``_model``, ``modules`` and what lies below them, layers 1 to 5.
"""
