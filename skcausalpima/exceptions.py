"""Errors and warnings of the package."""

from sklearn.exceptions import ConvergenceWarning

__all__ = [
    "ArrangementWarning",
    "ContextWarning",
    "DivergenceError",
    "ExpertWarning",
    "InstabilityWarning",
    "InterruptionWarning",
    "NodeSizesWarning",
]


class ArrangementWarning(UserWarning):
    """The clusters could be assigned to grid cells in another way that fits nearly as well.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import ArrangementWarning
    >>> warnings.simplefilter("error", ArrangementWarning)
    >>> warnings.simplefilter("default", ArrangementWarning)
    """


class DivergenceError(ValueError):
    """Training diverged: numbers of the model, or its bound, are no longer finite.

    Also raised where a covariance matrix is no longer positive definite. The message says in which
    epoch of which phase that was.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA, Training
    >>> from skcausalpima.exceptions import DivergenceError
    >>> X = np.random.default_rng(0).normal(size=(30, 3))
    >>> try:
    ...     CausalPIMA((2,), training=Training(learning_rate=1e200), random_state=0).fit(X)
    ... except DivergenceError as error:
    ...     print(str(error).partition(":")[0])
    Training diverged
    """


class ContextWarning(UserWarning):
    """Offsets of the labels of a context cannot be told from differences of their cells.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import ContextWarning
    >>> warnings.simplefilter("error", ContextWarning)
    >>> warnings.simplefilter("default", ContextWarning)
    """


class ExpertWarning(UserWarning):
    """The model function of an expert decoder diverged in training, which ended there.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import ExpertWarning
    >>> warnings.simplefilter("error", ExpertWarning)
    >>> warnings.simplefilter("default", ExpertWarning)
    """


class InstabilityWarning(UserWarning):
    """Fits with another ``random_state``, or of other samples, may find other cells.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import InstabilityWarning
    >>> warnings.simplefilter("error", InstabilityWarning)
    >>> warnings.simplefilter("default", InstabilityWarning)
    """


class InterruptionWarning(ConvergenceWarning):
    """What goes on was interrupted, or stopped by a callback, and ended with what it had.

    Where several fits are made in a loop, make it an error: then the loop ends, too.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import InterruptionWarning
    >>> warnings.simplefilter("error", InterruptionWarning)
    >>> warnings.simplefilter("default", InterruptionWarning)
    """


class NodeSizesWarning(UserWarning):
    """None of the candidate node sizes is supported by the data.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import NodeSizesWarning
    >>> warnings.simplefilter("error", NodeSizesWarning)
    >>> warnings.simplefilter("default", NodeSizesWarning)
    """
