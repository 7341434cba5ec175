"""What a fitted model says about samples.

Imports ``_training`` and what lies below it; not ``_initialization``.
"""
