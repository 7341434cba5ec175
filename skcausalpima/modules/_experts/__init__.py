"""Expert decoders: what a user states about a function, and how a model uses it.

Part of ``modules``: imports its neighbours there, ``functional`` and other rooms of layers 1 and 2.
"""
