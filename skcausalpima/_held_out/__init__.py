"""Rows held out: which rows belong together, parts of them, fits to parts, and what these say.

- ``units``: rows and the groups that they belong to; every deal, draw and exchange keeps a group
  together.
- ``held_out``: parts of the rows by a plan (halves, folds, bootstrap), and one fit for each part.
- ``fits``: many fits, one by one or in parallel.
- ``matching``: nodes and cells of one fit in the terms of another, and how far they agree.
- ``difference``: one paired difference with its standard error, and one rule, *better by two
  errors*.

Whoever holds rows out hands in the function that fits. Nothing here knows what is fitted.
"""
