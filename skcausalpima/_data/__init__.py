"""What the user passes, checked: arrays, weights, known nodes, interventions.

NumPy, SciPy and scikit-learn only, no torch; of our rooms it imports the small files of layer 1
(``_warnings``).
"""
