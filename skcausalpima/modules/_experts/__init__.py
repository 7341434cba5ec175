"""Expert decoders: what a user states about a function, and how a model uses it.

Imports its neighbours in ``modules`` and ``functional``.
"""
