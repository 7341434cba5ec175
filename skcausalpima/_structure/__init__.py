"""Structure learning on counts: constraints, scores, search; and where a graph is drawn.

NumPy, SciPy, scikit-learn and networkx only, no torch. Of our rooms it may
import the small files of layer 1, and imports none.
"""
