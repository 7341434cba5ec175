"""Where a fit begins.

- ``linear``: the linear case of the model, found together by one score. NumPy, no torch.
"""
