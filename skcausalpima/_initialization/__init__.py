"""Where training begins: networks, clusters, tables and graph.

Imports ``_training`` and what lies below it.
"""
