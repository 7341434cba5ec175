"""Algorithm 2: gradient steps and closed-form updates.

Imports ``_model`` and what lies below it.
"""
