"""Contexts of samples (instruments, sites): what their labels add to data, and cells by label.

``find_contexts`` (``offsets``) finds offsets before anything else is: a mixture that all labels
share (``alignment``, of principal scores in ``points``) tells clusters, and least squares within
these the offsets. ``FittedContexts`` (``fitted``) takes them from samples and gives them back; from
there on a fit sees samples without them. It has the mix of cells of each label, too: ``doubts``
says what data leave open, ``moved_nodes`` which nodes labels change alone.

What is learned of a label that comes later is in ``_fit/adaptation``; labels that are unknown are
averaged over in ``_inference/contexts``.
"""
