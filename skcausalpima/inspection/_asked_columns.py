"""Columns as they are tested, beside the probabilities of cells that do not know them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from scipy.special import entr
from sklearn.base import BaseEstimator

from .._base.grid import NodeGrid
from .._base.types import Samples
from .._data.arrays import flat_rows
from .._data.element_axes import ElementAxes, names_of_elements, words_of_elements
from .._data.units import column_names
from .._held_out.units import Units
from .._inference.kept_models import model_of, samples_of
from ._column_effects import Estimates, estimate
from ._left_out import FoldsOfColumns, without_folds
from ._unseen import UnseenSamples

#: Fewest units of a cell that anything is said of: the errors hold for large samples (arbitrary).
LEAST_EFFECTIVE = 20

#: A fold of columns without which a fit knows less than this share of a node's entropy shows the
#: node alone: nothing is left by which to look at the fold (arbitrary).
LEAST_KNOWN = 0.05


class Fold(NamedTuple):
    """Columns that are left out together.

    Parameters
    ----------
    columns : ndarray of int of shape (n_columns,)
        Which of all.
    shares : ndarray of shape (n_samples, *node_sizes)
        Probabilities of cells without them.
    """

    columns: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class AskedColumns:
    """Samples as a table of columns, and what fits say of cells that have not seen them.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
        In the data's units, without the offsets of contexts; NaN where they are missing.
    names : tuple of (str, str)
        Modality and column.
    shapes : dict of str to tuple of int
        Shape of the columns of each modality.
    axes : dict of str to tuple of (ElementAxis or None)
        Where these lie, of modalities of which something says so.
    shares : ndarray of shape (n_samples, *node_sizes)
        Probabilities of cells by all columns.
    folds : list of Fold
        These without some.
    units : Units
        What samples belong to.
    """

    values: np.ndarray
    names: tuple[tuple[str, str], ...]
    shapes: dict[str, tuple[int, ...]]
    axes: dict[str, ElementAxes]
    shares: np.ndarray
    folds: list[Fold]
    units: Units

    @classmethod
    def of(cls, est: BaseEstimator, X: Samples, parts: UnseenSamples) -> Self:
        """Ask fits about samples that they have not seen, with and without folds of columns."""
        model = model_of(est)
        samples = model.contexts.removed(model.labelled(samples_of(est, X)))
        grid, sizes = NodeGrid(est.joint_.shape), est.joint_.shape
        order = np.argsort(grid.cells(est.cluster_states_))

        def in_cells(pieces: list[np.ndarray]) -> np.ndarray:
            table = np.empty((samples.n_samples, len(order)))
            for part, piece in zip(parts.parts, pieces, strict=True):
                table[part.rows] = piece
            return table[:, order].reshape(-1, *sizes)

        shares = in_cells([part.probabilities() for part in parts.parts])
        cells = shares.reshape(len(shares), -1).argmax(axis=1)
        folds = [
            FoldsOfColumns.of(samples, m, cells, decoder.takes_gaps)
            for m, decoder in enumerate(model.model.decoders)
        ]
        tables, names, of_values, shapes, axes = [], [], [], {}, {}
        for m, (modality, shape) in enumerate(zip(samples.names, samples.shapes, strict=True)):
            table, coding = np.asarray(samples.arrays[m], dtype=float), samples.columns[m]
            missing = flat_rows(samples.missing_elements(m))
            table = np.where(missing, np.nan, flat_rows(table))
            if coding is not None:
                if coding.has_depth:
                    table[:, -1] = 0.0  # counts as at the mean depth
                table, words = coding.probabilities(table)
                n_values = [len(column.value_names) for column in coding.columns]
                of_values.append(np.repeat(folds[m].folds, n_values))
                shape = (len(words),)
            else:
                words = tuple(map(str, column_names(samples, m) or _numbered(shape)))
                of_values.append(folds[m].folds)
            along = samples.form.tables[m].axes
            if words_of_elements(along, tuple(shape)):
                axes[modality] = along
                words = tuple(names_of_elements(along, tuple(shape), words) or words)
            tables.append(table)
            names += [(modality, word) for word in words]
            shapes[modality] = tuple(shape)
        fold_of, asked = np.concatenate(of_values), []
        for pieces in zip(*(without_folds(part, folds) for part in parts.parts), strict=True):
            which = np.flatnonzero(fold_of == pieces[0][0])
            asked.append(Fold(which, in_cells([piece for _, piece in pieces])))
        return cls(
            values=np.concatenate(tables, axis=1),
            names=tuple(names),
            shapes=shapes,
            axes=axes,
            shares=shares,
            folds=asked,
            units=parts.units,
        )

    @property
    def masses(self) -> np.ndarray:
        """How many units each cell has, of shape ``node_sizes``."""
        return np.tensordot(self.units.weights(), self.shares, axes=1)

    def known(self, node: int) -> np.ndarray:
        """Return the share of a node's entropy that is known without each fold, (n_folds,)."""
        return np.array([_known(fold.shares, node) for fold in self.folds])

    def estimates(
        self, fold: Fold, weights: np.ndarray, contrasts: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Estimates]]:
        """Yield columns of a fold with what is estimated of them, those with the same gaps at once.

        Parameters
        ----------
        fold : Fold
            The columns.
        weights : ndarray of shape (n_samples, n_means)
            On which they are regressed.
        contrasts : ndarray of shape (n_contrasts, n_means)
            Of the means.

        Yields
        ------
        columns : ndarray of int
            Which of all.
        estimates : Estimates
            Of them.
        """
        present = ~np.isnan(self.values[:, fold.columns])
        patterns, which = np.unique(present, axis=1, return_inverse=True)
        for k, rows in enumerate(patterns.T):
            columns = fold.columns[which.ravel() == k]
            if rows.sum() > weights.shape[1]:
                table = self.values[np.ix_(rows, columns)]
                units = self.units.take(np.flatnonzero(rows))
                yield columns, estimate(weights[rows], table, contrasts, units)


def _numbered(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the numbers of elements as their names."""
    return tuple(",".join(map(str, index)) for index in np.ndindex(*shape))


def _known(shares: np.ndarray, node: int) -> float:
    """Return the share of a node's entropy that probabilities take away."""
    others = tuple(axis for axis in range(1, shares.ndim) if axis != node + 1)
    of_node = shares.sum(axis=others)
    whole = entr(of_node.mean(axis=0)).sum()
    return float(1.0 - entr(of_node).sum(axis=1).mean() / whole) if whole > 0 else 0.0
