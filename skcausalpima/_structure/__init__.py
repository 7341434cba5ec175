"""Bayesian-network structure learning on counts, and where a graph is drawn.

``settings`` has what a fit asks for, with the user's knowledge as two matrices (``constraints``).
``search`` takes expected counts, which need not be whole, and the ``scores`` of families: exact for
few nodes, hill climbing for more. ``edge_probabilities`` averages over all graphs; ``equivalence``
says which of them counts cannot tell apart. ``graph_picture`` says what a picture shows, and where,
whoever draws it. Nothing here knows of samples or models.
"""
