"""Warnings of the package."""

__all__ = ["ArrangementWarning"]


class ArrangementWarning(UserWarning):
    """The clusters could be laid on the grid of nodes in another way that fits nearly as well.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import ArrangementWarning
    >>> warnings.simplefilter("error", ArrangementWarning)
    >>> warnings.simplefilter("default", ArrangementWarning)
    """
