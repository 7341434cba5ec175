"""Budgets: how many samples are looked at where all would take long.

They bound seconds; a question whose answer goes by them has a margin of its own.
"""

#: Samples that a quick question is asked of (arbitrary).
FEW_ROWS = 1000

#: Samples that noise is estimated from, or curves are fitted to one by one (arbitrary).
SOME_ROWS = 2000

#: Samples that one mixture, or its directions, are found in (arbitrary).
MIXTURE_ROWS = 4096
