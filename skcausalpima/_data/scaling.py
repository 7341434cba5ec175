"""Scaling of the modalities: centring per element, one scale per modality or per element."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np

from .._base.warn import warn_caller
from .arrays import flat_rows, row_blocks, value_blocks
from .column_kinds import ColumnTable, has_many_levels, slices_of
from .on_disk import Kept
from .ranks import Ranks
from .selection_keys import entries_of
from .units import (
    MAX_DEVIATION,
    column_labels,
    effective_columns,
    has_unlike_units,
    is_table,
    moments_of_observed,
    unit_of,
)
from .validation import Modalities

#: Largest size of values (and inverse of the smallest) that may go without scaling.
MAX_UNSCALED = 1e6

SCALES = ("auto", "modality", "feature", None)

#: What nothing is to see is divided by so many of its standard deviations.
UNSEEN = 1e6

#: So many columns with most of the variance are named.
N_NAMED = 3

#: Of one modality what :class:`ModalityScaler` has of each.
ScaledOne: TypeAlias = tuple[
    np.ndarray, np.ndarray | float, str | None, tuple[float, int], np.ndarray | None
]
#: One word for all modalities, or one for each, in order or by name.
Scale: TypeAlias = str | Sequence[str | None] | Mapping[str, str | None] | None


@dataclass(frozen=True)
class ModalityScaler:
    r"""The affine map :math:`(x - \mathrm{centre}) / \mathrm{factor}` of each modality.

    Parameters
    ----------
    centre : tuple of ndarray of shape (*shape), dtype float64
        Taken from each element.
    factor : tuple of (ndarray of shape (*shape) or float)
        The scale of each element, or of the whole modality; positive.
    words : tuple of (str or None)
        What each modality is scaled by: "modality", "feature", "noise", "columns" (of several
        kinds), or None for nothing.
    effective : tuple of (float, int)
        How many columns the variance of each modality is spread over, and how many vary: see
        :func:`.units.effective_columns`. (0, 0) where nothing is scaled.
    numbers : tuple of (ndarray of shape (*shape), dtype bool, or None)
        Which elements of each modality are numbers, which have densities; None for all.
    """

    centre: tuple[np.ndarray, ...]
    factor: tuple[np.ndarray | float, ...]
    words: tuple[str | None, ...]
    effective: tuple[tuple[float, int], ...]
    numbers: tuple[np.ndarray | None, ...]

    @classmethod
    def fit(
        cls,
        modalities: Modalities,
        scale: Scale,
        sample_weight: np.ndarray | None = None,
        with_experts: Collection[int] = (),
    ) -> ModalityScaler:
        """Find centres and factors from the observed samples.

        Parameters
        ----------
        modalities : Modalities
            The training data; no array may be None.
        scale : {"auto", "modality", "feature", None}, or a sequence or mapping of these
            ``"modality"``: elements are centred and the modality has the mean variance 1.
            ``"feature"``: each element has mean 0 and variance 1, or less where it would lie
            more than ``MAX_DEVIATION`` from 0. None: nothing is changed. ``"auto"``: the second
            for tables whose columns are of unlike units (:func:`.units.has_unlike_units`), the
            first for all else.
        sample_weight : ndarray of shape (n_samples,), default=None
            Nonnegative weights.
        with_experts : collection of int, default=()
            Modalities with experts, whose functions are of one unit.

        Returns
        -------
        ModalityScaler
            That of the samples of all ranks. The factor of what does not vary is 1.
        """
        weights = np.ones(modalities.n_samples) if sample_weight is None else sample_weight
        words = resolve_scale(scale, modalities.names)
        parts = [
            _fit_one(modalities, k, word, np.asarray(weights), k in with_experts)
            for k, word in enumerate(words)
        ]
        return cls(*zip(*parts, strict=True))

    def transform(self, modalities: Modalities) -> list[np.ndarray]:
        """Return each modality scaled, flat and in its storage dtype; missing samples
        and elements are 0.

        Parameters
        ----------
        modalities : Modalities
            Data of the fitted shapes.

        Returns
        -------
        list of ndarray of shape (n_samples, width)
            New memory, also where nothing is scaled.
        """
        return [self.transform_one(modalities, k) for k in range(len(modalities.arrays))]

    def transform_one(self, modalities: Modalities, k: int) -> np.ndarray:
        """Return one modality as :meth:`transform` does."""
        array = modalities.arrays[k]
        if array is None:
            return np.zeros((modalities.n_samples, modalities.widths[k]), dtype=modalities.dtype)
        flat = flat_rows(array)
        coding = modalities.columns[k]
        is_wide = coding is not None and coding.has_many_levels
        out = np.empty(flat.shape, modalities.dtype if is_wide else flat.dtype)
        for rows, values in value_blocks(flat):
            with np.errstate(over="ignore"):  # inf, which callers check
                out[rows] = (values - self.centre[k].ravel()) / np.ravel(self.factor[k])
        out[~modalities.observed[k]] = 0.0
        elements = None if modalities.elements is None else modalities.elements[k]
        if elements is not None:
            out[~elements] = 0.0
        return out

    def inverse_transform(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return scaled arrays in the original shapes and units.

        Parameters
        ----------
        arrays : sequence of ndarray of shape (..., width)
            One per modality, with any number of leading axes.

        Returns
        -------
        list of ndarray of shape (..., *shape)
            Each in the dtype of the array given.
        """
        restored = []
        for array, centre, factor in zip(arrays, self.centre, self.factor, strict=True):
            flat = array.reshape(-1, centre.size)
            out = np.empty_like(flat)
            for rows in row_blocks(*flat.shape):
                with np.errstate(over="ignore", invalid="ignore"):  # inf, which callers check
                    out[rows] = flat[rows] * np.ravel(factor) + centre.ravel()
            restored.append(out.reshape(*array.shape[:-1], *centre.shape))
        return restored

    def take(self, modalities: Sequence[int]) -> ModalityScaler:
        """Return the scaler of some modalities, by their numbers."""
        parts = vars(self).items()
        return replace(
            self, **{name: tuple(entries[m] for m in modalities) for name, entries in parts}
        )

    def with_units(
        self, k: int, spread: np.ndarray, variance: np.ndarray, word: str
    ) -> ModalityScaler:
        """Return a scaler whose modality ``k`` has each column in units of its own.

        Parameters
        ----------
        k : int
            Number of the modality.
        spread : ndarray of shape (width,)
            Units of the columns, as they are scaled now.
        variance : ndarray of shape (width,)
            Variances of the columns, as they are scaled now.
        word : str
            What such units are called.

        Returns
        -------
        ModalityScaler
            The modality has the mean variance 1, as with "modality".
        """
        level = np.sqrt(np.mean(variance / np.square(spread)))
        unit = np.reshape(spread * (level if level > 0 else 1.0), self.centre[k].shape)
        factor, words = list(self.factor), list(self.words)
        factor[k], words[k] = np.broadcast_to(self.factor[k], unit.shape) * unit, word
        return replace(self, factor=tuple(factor), words=tuple(words))

    def inverse_spread(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return standard deviations of scaled elements in the original shapes and units.

        Parameters
        ----------
        arrays : sequence of ndarray of shape (..., width)
            One per modality, with any number of leading axes.

        Returns
        -------
        list of ndarray of shape (..., *shape)
            Each in the dtype of the array given.
        """
        uncentred = tuple(np.zeros_like(centre) for centre in self.centre)
        return replace(self, centre=uncentred).inverse_transform(arrays)

    def log_jacobian(
        self, observed: np.ndarray, elements: Mapping[int, np.ndarray] | None = None
    ) -> np.ndarray:
        """Return what turns log-densities of scaled data into those of the data in user's units.

        Parameters
        ----------
        observed : ndarray of shape (n_modalities, n_samples), dtype bool
            Which modalities of which samples count.
        elements : mapping of int to ndarray of bool of shape (n_samples, width), default=None
            Which elements count, by number of the modality, where not all do.

        Returns
        -------
        ndarray of shape (n_samples,)
            Minus the sum of the logarithms of the factors of all observed elements: add it.
        """
        per_element = [
            -np.log(np.broadcast_to(factor, centre.shape))
            for factor, centre in zip(self.factor, self.centre, strict=True)
        ]
        for part, is_number in zip(per_element, self.numbers, strict=True):
            if is_number is not None:  # all others have probabilities, whatever the unit
                part[~is_number] = 0.0
        shares = observed.astype(np.float64)
        total = np.array([part.sum() for part in per_element]) @ shares
        for m, mask in (elements or {}).items():  # some samples are observed in part
            total -= (~mask & mask.any(axis=1, keepdims=True)) @ per_element[m].ravel()
        return total


def resolve_scale(scale: Scale, names: Sequence[str]) -> list[str | None]:
    """Return one word per modality.

    Parameters
    ----------
    scale : {"auto", "modality", "feature", None}, or a sequence or mapping of these
        One word for all, one per modality in order, or one per name; ``"auto"`` for modalities
        that a mapping does not name.
    names : sequence of str
        Names of the modalities.

    Returns
    -------
    list of (str or None)
        In the order of ``names``.
    """
    if not (scale is None or isinstance(scale, (str, Mapping, Sequence, np.ndarray))):
        raise TypeError(f"scale must be one of {SCALES}, or one of these per modality: {scale!r}.")
    words = entries_of(scale, names, "scale", "auto")
    for word in words:
        if not (word is None or (isinstance(word, str) and word in SCALES)):
            raise ValueError(
                f"scale must be one of {SCALES}, or one of these per modality, got {word!r}."
            )
    return words


def _fit_one(
    modalities: Modalities, k: int, word: str | None, weights: np.ndarray, has_expert: bool
) -> ScaledOne:
    """Return how one modality is scaled."""
    shape, array = modalities.shapes[k], cast(Kept, modalities.arrays[k])
    name, ranks = modalities.names[k], modalities.ranks
    coding = modalities.columns[k]
    if coding is not None:
        return _fit_columns(modalities, k, coding, weights)
    if word is None:
        _check_magnitude(array, name, ranks)
        return np.zeros(shape), 1.0, None, (0.0, 0), None
    centre, spread, farthest = moments_of_observed(modalities, k, weights)
    if word != "feature":
        is_unlike = not has_expert and has_unlike_units(spread) and is_table(modalities, k)
        if is_unlike and word == "modality":
            _warn_of_units(modalities, k, spread)
        elif word == "auto":
            word = "feature" if is_unlike else "modality"
    factor = unit_of(spread, farthest, word)
    _check_finite(factor, name)
    if np.ndim(factor) > 0:
        factor = np.reshape(factor, shape)
    return np.reshape(centre, shape), factor, word, effective_columns(spread), None


def units_of_columns(
    coding: ColumnTable, centre: np.ndarray, spread: np.ndarray, farthest: np.ndarray
) -> np.ndarray:
    """Return the units of the elements of a table before all are divided by one number."""
    units = unit_of(spread, farthest, "feature") * np.ones(len(spread))
    for (word, size), part in zip(coding.layout, slices_of(coding.layout), strict=True):
        if word == "categorical":
            units[part] = np.sqrt(np.maximum(centre[part], MAX_DEVIATION**-2.0))
        elif word == "ordinal":
            units[part] *= np.sqrt(size)
    return units


def _fit_columns(
    modalities: Modalities, k: int, coding: ColumnTable, weights: np.ndarray
) -> ScaledOne:
    r"""Return the same of columns of several kinds: the units of factor analysis of mixed data.

    Numbers, yes or no, and ordered categories have the variance 1 each, indicators of categories
    are divided by the roots of their shares (multiple correspondence analysis), logarithms of
    counts are left as they are beside each other. Then all are divided by one number, so that the
    mean variance is 1: that of columns of few words, since of many nearly all words are rare, vary
    little in these units, and would be blown up beyond ``MAX_DEVIATION``. The depth is divided by
    so much that nothing but the decoder sees it.
    """
    shape = modalities.shapes[k]
    centre, spread, farthest = moments_of_observed(modalities, k, weights)
    factor = units_of_columns(coding, centre, spread, farthest)
    is_seen = np.ones(len(factor), dtype=bool)
    if coding.has_depth:
        factor[:-1] = unit_of(spread[:-1], farthest[:-1], "modality")
        factor[-1] *= UNSEEN
        is_seen[-1] = False
    _check_finite(factor, modalities.names[k])
    few = [not has_many_levels(*column) for column in coding.layout for _ in range(column[1])]
    mean = np.mean(np.square(spread / factor)[is_seen & few]) if any(few) else 0.0
    factor[is_seen] *= np.sqrt(mean) if mean > 0 else 1.0
    n_columns = len(coding.columns)
    numbers = [word == "gaussian" for word, size in coding.layout for _ in range(size)]
    centre, factor, is_number = (np.reshape(values, shape) for values in (centre, factor, numbers))
    return centre, factor, "columns", (float(n_columns), n_columns), is_number


def _warn_of_units(modalities: Modalities, k: int, spread: np.ndarray) -> None:
    """Tell which columns are all that a table divided by one number shows."""
    variances = np.square(spread / spread.max())
    first = np.argsort(-variances, kind="stable")[:N_NAMED]
    n_shown = 1 + int(np.argmax(np.cumsum(variances[first]) >= 0.9 * variances.sum()))
    shown = column_labels(modalities, k, first[:n_shown])
    share = variances[first[:n_shown]].sum() / variances.sum()
    several = "s" if n_shown > 1 else ""
    warn_caller(
        f"The column{several} {', '.join(shown)} of modality {modalities.names[k]!r} "
        f"ha{'ve' if several else 's'} {share:.0%} of its variance, and scale='modality' divides "
        "all columns by one number, so that the model sees little else. Use scale='auto' or "
        "scale='feature' if the columns are of unlike units."
    )


def _check_magnitude(array: Kept, name: str, ranks: Ranks) -> None:
    """Raise where numbers that nothing scales would under- or overflow in training."""
    blocks = (block for _, block in value_blocks(flat_rows(array)))
    largest = max(max(float(block.max()), -float(block.min())) for block in blocks)
    largest = ranks.largest(largest)
    if largest > MAX_UNSCALED or 0 < largest < 1 / MAX_UNSCALED:
        raise ValueError(
            f"modality {name!r} has values of up to {largest:.3g} in size, which scale=None leaves "
            f"as they are: expected a size between {1 / MAX_UNSCALED:g} and {MAX_UNSCALED:g}. Use "
            "scale='modality', or change the unit."
        )


def _check_finite(factor: np.ndarray | float, name: str) -> None:
    if not np.isfinite(factor).all():
        raise ValueError(
            f"the values of modality {name!r} are too large for float64 arithmetic: rescale it."
        )
