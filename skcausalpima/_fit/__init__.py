"""One whole fit: initialize, train, select the graph; once or from several seeds.

Imports ``_initialization``, ``_inference``, ``_training``, ``_model`` and what lies below them,
layers 1 to 7.
"""
