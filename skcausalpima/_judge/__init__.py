"""What speaks for and against the cells of a fit, in numbers; what is said of it stands elsewhere.

- ``held_out_groups``: do cells explain groups that were held out better than one Gaussian does?
- ``repeats``: do rows look like repeats of fewer units, where nobody said so?
"""
