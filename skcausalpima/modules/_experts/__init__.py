"""Expert decoders: what a user states about a function, and how a model uses it.

``expert_decoder`` has what is stated, of parameters in ``signature``, tried by ``checks`` before
anything is fitted; ``functions`` are ready-made. In a model it becomes an expert with parameters
per cluster (``cluster``) or per sample, in the units of the scaled modality (``scaled``).
"""
