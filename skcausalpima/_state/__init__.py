"""What a fit leaves, stated once, and its file.

``FittedState`` (``fitted``) has every primary fact; ``public_attributes`` there follow from it, and
are stored nowhere. The declaration of a field is its check: its type, and ``array`` (``fields``)
the dtype and axes of an array. ``training`` has what fits that go on need: ``TrainingState``,
``BegunFit`` of a checkpoint, ``Arrivals``.

``plain`` turns values into plain data and back, for pickles and for files. ``file`` writes and
reads one file as a whole; ``stored`` says what is in it, and the order in which loading checks it:
fields, then numbers against the model, which is built without memory (``stored_model``). Files
of another number of the format are refused.
"""
