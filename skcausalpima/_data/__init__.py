"""What the user passes, checked: arrays, weights, known nodes, interventions.

NumPy and scikit-learn only; imports no other room.
"""
