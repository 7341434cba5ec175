"""What a fit tells of itself: a record for each question, whose fields are the figures.

Frozen dataclasses that know nothing but NumPy: whoever finds figures makes one, ``_state`` keeps
them, users read them as attributes. What a record is shown as is in ``report``; ``cells`` has those
on cells and nodes, ``training`` how a fit began and ended, ``contexts`` what is told of labels.
"""
