"""What parameters leave to the data, and what was tried: weights, views, units of columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from .._clustering.many_cells import has_many_cells
from .._clustering.margins import FEW_CELLS, MAX_SEARCHED
from .._data.units import is_table
from .._data.validation import Modalities
from .spec import ModelSpec, are_tables_of_numbers
from .stated import Parameters


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
        Whether modalities are balanced, or count by their elements, where clusters are found.
    are_numbers : bool, default=False
        Whether all modalities are tables of numbers: these may be trained by elements although
        balanced ones find the clusters.
    views : tuple of int, default=()
        Modalities that may have the view that suits them, or none.
    columns : tuple of int, default=()
        Tables whose columns may be in units of their noise.
    dimension : bool, default=False
        Whether the latent space has as many dimensions as clusters need.
    """

    weights: bool = False
    are_numbers: bool = False
    views: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    dimension: bool = False


@dataclass(frozen=True, kw_only=True)
class TriedSide:
    """One way to begin, and how far clusterings in it agree with each other.

    Parameters
    ----------
    side : Side
        Weights and views.
    scale : tuple of (str or None)
        Units of each modality.
    components : {"principal", "classes", "discriminant", "independent"}
        What clusters were sought in.
    agreement : float
        Of the clustering that the others agree with most: mean adjusted Rand index of nodes.
    error : float
        Standard error of the agreement, NaN where it is not known.
    is_taken : bool
        Whether clusters are those that were found on it.
    """

    side: Side
    scale: tuple[str | None, ...]
    components: str
    agreement: float
    error: float
    is_taken: bool


def is_contested(init: str, node_sizes: Sequence[int]) -> bool:
    """Return whether clusterings of the data are asked for anything; so many cells take too long.

    Examples
    --------
    >>> from skcausalpima._model.left_open import is_contested
    >>> is_contested("arranged", (4,) * 5), is_contested("arranged", (4,) * 6)
    (True, False)
    >>> is_contested("arranged", (200,)), is_contested("linear", (2, 2))
    (False, False)
    """
    limit = MAX_SEARCHED if len(node_sizes) > 1 else FEW_CELLS
    return init == "arranged" and math.prod(node_sizes) <= limit


def tables_of_own_scale(
    params: Parameters,
    modalities: Modalities,
    stated: Sequence[str | None],
    with_experts: Collection[int],
) -> tuple[int, ...]:
    """Return the tables whose scale, and whose one noise variance, are left to the data."""
    if params.decoder_variance not in ("auto", "learned"):
        return ()
    autos = (
        m
        for m, word in enumerate(stated)
        if word == "auto" and m not in with_experts and modalities.columns[m] is None
    )
    return tuple(m for m in autos if modalities.widths[m] > 1 and is_table(modalities, m))


def what_is_left_open(
    params: Parameters, modalities: Modalities, spec: ModelSpec, tables: tuple[int, ...]
) -> LeftOpen:
    """Return what of the model clusterings of the data are to decide."""
    dimension = params.latent_dim is None
    if not is_contested(params.init.method, spec.node_sizes):
        return LeftOpen(dimension=dimension)
    is_auto = isinstance(params.views, str)
    views = tuple(m for m, kind in enumerate(spec.views) if is_auto and kind is not None)
    is_open = isinstance(params.modality_weights, str) and params.modality_weights == "auto"
    is_open &= len(spec.shapes) > 1
    columns = () if has_many_cells(spec.node_sizes) else tables
    are_numbers = is_open and are_tables_of_numbers(spec, modalities)
    return LeftOpen(
        weights=is_open,
        are_numbers=are_numbers,
        views=views,
        columns=columns,
        dimension=dimension,
    )
