"""What parameters leave to the data: the weights of modalities, and derived views."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Side:
    """One way to see the data.

    Parameters
    ----------
    weights : tuple of float or None
        Factor of each modality's log-likelihood; None for balanced ones.
    views : tuple of (str or None)
        Kind of each modality's derived view.
    """

    weights: tuple[float, ...] | None
    views: tuple[str | None, ...]

    def with_view(self, m: int, kind: str | None) -> Side:
        """Return the side on which one more modality has a view."""
        return replace(self, views=(*self.views[:m], kind, *self.views[m + 1 :]))


@dataclass(frozen=True, kw_only=True)
class LeftOpen:
    """What is to be decided by clusterings of the data.

    Parameters
    ----------
    weights : bool, default=False
        Whether modalities are balanced, or count by their elements.
    views : tuple of int, default=()
        Modalities that may have the view that suits them, or none.
    """

    weights: bool = False
    views: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TriedSide:
    """A side, and how far clusterings on it agree with each other.

    Parameters
    ----------
    side : Side
        Weights and views.
    agreement : float
        Of the clustering that the others agree with most: mean adjusted Rand index of nodes.
    """

    side: Side
    agreement: float
