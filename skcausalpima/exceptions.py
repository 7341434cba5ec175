"""Warnings of the package."""

__all__ = ["ArrangementWarning", "ExpertWarning", "NodeSizesWarning"]


class ArrangementWarning(UserWarning):
    """The clusters could be laid on the grid of nodes in another way that fits nearly as well.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import ArrangementWarning
    >>> warnings.simplefilter("error", ArrangementWarning)
    >>> warnings.simplefilter("default", ArrangementWarning)
    """


class ExpertWarning(UserWarning):
    """The law of an expert decoder diverged in training, which ended there.

    Examples
    --------
    >>> import warnings
    >>> from skcausalpima.exceptions import ExpertWarning
    >>> warnings.simplefilter("error", ExpertWarning)
    >>> warnings.simplefilter("default", ExpertWarning)
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
