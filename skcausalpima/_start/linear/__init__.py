r"""The linear case of the model: factor analysis with a mixture in its space, one score in nats.

.. math::

    x = b + W z + e, \quad z | c \sim N(m_c, S_c), \quad c \sim A, \quad e \sim N(0, diag(\psi))

What is missing is integrated out. All numbers are found together, as a mixture identifies more than
second moments: loadings of one Gaussian, held, lose directions that it calls noise.

- ``table``: columns in their units, rows by what they lack.
- ``model``: the parameters, the E step, densities and draws.
- ``em``: the M step, and runs.
- ``evidence``: how far own covariances are trusted, and the score.
- ``starts``: labels to begin with.
- ``search``: dimensions, shapes of covariances and starts; the maximum of the score.
- ``shapes``: what each kind is, as points on which effects of nodes add up.
"""

from .search import Budget, Maximum, linear_maximum

__all__ = ["Budget", "Maximum", "linear_maximum"]
