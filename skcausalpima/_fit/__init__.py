"""One whole fit: initialize, train, select the graph; once or from several seeds.

Imports ``_initialization`` and what lies below it.
"""
