"""What a fit says of cells without a fold of columns, and which columns are left out together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.ndimage import binary_dilation

from .._data.arrays import flat_rows
from .._data.column_kinds import slices_of
from .._data.validation import Modalities
from ._residuals import centred_in_groups
from ._unseen import UnseenPart

#: Folds of the columns of each modality: on prototypes six did as well as one for each of 24.
N_FOLDS = 6

#: Rows and columns of patches, as many as there are folds.
N_PATCHES = (3, 2)

#: Neighbours in a row that correlate more than this within cells are left out as one stretch:
#: columns of tables that stand beside each other by chance do not (arbitrary).
STRETCH = 0.2

#: What borders on a stretch or patch is left out with it, so many parts of its length (arbitrary).
BORDER = 4


@dataclass(frozen=True, kw_only=True)
class FoldsOfColumns:
    """Which columns of a modality are left out together.

    Parameters
    ----------
    folds : ndarray of int of shape (n_columns,)
        The fold of each element, or in tables with words of each column.
    shape : tuple of int
        Of the columns, where neighbours are left out together; else empty.
    """

    folds: np.ndarray
    shape: tuple[int, ...] = ()

    @classmethod
    def of(cls, samples: Modalities, m: int, cells: np.ndarray, takes_gaps: bool) -> Self:
        """Deal out the columns of a modality.

        Columns of a table are dealt out in turn; neighbours in curves and images stay together, and
        all of a modality that cannot be asked without some of them.

        Parameters
        ----------
        samples : Modalities
            The samples.
        m : int
            Which modality.
        cells : ndarray of int of shape (n_samples,)
            Likeliest cells.
        takes_gaps : bool
            Whether single elements may be missing in this modality.
        """
        coding, shape, width = samples.columns[m], samples.shapes[m], samples.widths[m]
        n_columns = width if coding is None else len(coding.columns)
        if not takes_gaps:
            return cls(folds=np.full(n_columns, N_FOLDS + m))
        if coding is None and sum(n > 1 for n in shape) > 1:
            places = np.indices(shape[:2])
            rows, columns = (
                place * parts // n
                for place, parts, n in zip(places, N_PATCHES, shape[:2], strict=True)
            )
            patches = (rows * N_PATCHES[1] + columns).reshape(*shape[:2], *(1 for _ in shape[2:]))
            return cls(folds=np.broadcast_to(patches, shape).ravel(), shape=shape)
        if coding is None and width >= 2 * N_FOLDS and _neighbours(samples, m, cells) > STRETCH:
            return cls(folds=np.arange(width) * N_FOLDS // width, shape=(width,))
        return cls(folds=np.arange(n_columns) % N_FOLDS)

    def left_out(self, fold: int) -> np.ndarray:
        """Return which columns are not there when a fold is asked, with what borders on it."""
        asked = self.folds == fold
        if not self.shape or not asked.any():
            return asked
        parts = (N_FOLDS,) if len(self.shape) == 1 else N_PATCHES
        borders = [n // (BORDER * k) for n, k in zip(self.shape, parts, strict=False)]
        border = max(1, min(borders))
        around = np.ones((3,) * len(parts) + (1,) * (len(self.shape) - len(parts)), dtype=bool)
        return binary_dilation(asked.reshape(self.shape), around, iterations=border).ravel()


def _neighbours(samples: Modalities, m: int, cells: np.ndarray) -> float:
    """Return the mean correlation of neighbouring columns within cells."""
    if not samples.observed[m].any():
        return 0.0
    table = flat_rows(np.asarray(samples.arrays[m], dtype=float))
    there = ~flat_rows(samples.missing_elements(m))
    groups = np.unique(cells, return_inverse=True)[1]
    within = centred_in_groups(np.where(there, table, 0.0), there, groups)
    spread = np.sqrt(np.square(within).mean(axis=0))
    products, scale = (within[:, 1:] * within[:, :-1]).mean(axis=0), spread[1:] * spread[:-1]
    return float(np.divide(products, scale, out=np.zeros_like(scale), where=scale > 0).mean())


def without_folds(
    part: UnseenPart, folds: Sequence[FoldsOfColumns]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each fold, and the probabilities of the fit's components without its columns.

    Columns are set missing, as single elements are that samples lack: likelihoods and slopes of the
    decoder say what the others tell.

    Parameters
    ----------
    part : UnseenPart
        A fit, and samples that it has not seen.
    folds : sequence of FoldsOfColumns
        By modality.

    Yields
    ------
    fold : int
        Its number.
    probabilities : ndarray of shape (n_rows, n_components)
        In the order of the fit that was asked about.
    """
    for fold in np.unique(np.concatenate([one.folds for one in folds])).tolist():
        left_out = [one.left_out(fold) for one in folds]
        yield fold, part.probabilities(_without(part.samples, left_out))


def _without(samples: Modalities, left_out: Sequence[np.ndarray]) -> Modalities:
    """Return samples that lack columns, by modality."""
    arrays, observed = list(samples.arrays), samples.observed.copy()
    masks: list[np.ndarray | None] = []
    for m, columns in enumerate(left_out):
        coding, kept = samples.columns[m], ~columns
        if coding is not None:
            kept = np.ones(samples.widths[m], dtype=bool)  # the depth is no column
            for which, place in zip(columns, slices_of(coding.layout), strict=False):
                kept[place] = not which
        there = ~flat_rows(samples.missing_elements(m)) & kept
        has_depth = coding is not None and coding.has_depth
        observed[m] = (there[:, :-1] if has_depth else there).any(axis=1)
        there &= observed[m][:, None]
        array = arrays[m]
        if array is not None and columns.any():
            table = np.array(array)
            table[~there.reshape(table.shape)] = 0
            arrays[m] = table
        is_partly = bool((there.any(axis=1) & ~there.all(axis=1)).any())
        masks.append(there if is_partly else None)
    elements = tuple(masks) if any(mask is not None for mask in masks) else None
    return replace(samples, arrays=tuple(arrays), observed=observed, elements=elements)
