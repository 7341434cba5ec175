"""Warnings of the package."""

__all__ = ["ArrangementWarning", "NodeSizesWarning"]


class ArrangementWarning(UserWarning):
    """The clusters could be laid on the grid of nodes in another way that fits nearly as well.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import ArrangementWarning
    >>> warnings.simplefilter("error", ArrangementWarning)
    >>> warnings.simplefilter("default", ArrangementWarning)
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
