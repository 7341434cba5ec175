"""Scaling of the modalities: centring per element, one scale per modality or per element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np

from .arrays import flat_rows, row_blocks, value_blocks
from .on_disk import Kept, OnDisk
from .ranks import Ranks
from .validation import Modalities

#: Largest size of values (and inverse of the smallest) that may go without scaling.
MAX_UNSCALED = 1e6

SCALES = ("modality", "feature", None)

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
    """

    centre: tuple[np.ndarray, ...]
    factor: tuple[np.ndarray | float, ...]

    @classmethod
    def fit(
        cls, modalities: Modalities, scale: Scale, sample_weight: np.ndarray | None = None
    ) -> ModalityScaler:
        """Find centres and factors from the observed samples.

        Parameters
        ----------
        modalities : Modalities
            The training data; no array may be None.
        scale : {"modality", "feature", None}, or a sequence or mapping of these
            ``"modality"``: elements are centred and the modality has the mean variance 1.
            ``"feature"``: each element has mean 0 and variance 1. None: nothing is changed.
        sample_weight : ndarray of shape (n_samples,), default=None
            Nonnegative weights.

        Returns
        -------
        ModalityScaler
            That of the samples of all ranks. The factor of what does not vary is 1.
        """
        centres: list[np.ndarray] = []
        factors: list[np.ndarray | float] = []
        weights = np.ones(modalities.n_samples) if sample_weight is None else sample_weight
        for k, word in enumerate(resolve_scale(scale, modalities.names)):
            shape, array = modalities.shapes[k], cast(Kept, modalities.arrays[k])
            if word is None:
                _check_magnitude(array, modalities.names[k], modalities.ranks)
                centres.append(np.zeros(shape))
                factors.append(1.0)
                continue
            seen = None if modalities.elements is None else modalities.elements[k]
            weights_k = np.asarray(weights) * modalities.observed[k]
            ranks = modalities.ranks
            centre, spread = _moments_of_observed(flat_rows(array), weights_k, seen, ranks)
            factor = _factor(spread, word)
            _check_finite(factor, modalities.names[k])
            centres.append(np.reshape(centre, shape))
            factors.append(factor if np.ndim(factor) == 0 else np.reshape(factor, shape))
        return cls(tuple(centres), tuple(factors))

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
        out = np.empty(flat.shape, flat.dtype)
        for rows, values in value_blocks(flat):
            with np.errstate(over="ignore"):  # inf, which callers check
                out[rows] = (values - self.centre[k].ravel()) / np.ravel(self.factor[k])
        out[~modalities.observed[k]] = 0.0
        seen = None if modalities.elements is None else modalities.elements[k]
        if seen is not None:
            out[~seen] = 0.0
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
        centre = tuple(self.centre[m] for m in modalities)
        return ModalityScaler(centre, tuple(self.factor[m] for m in modalities))

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
        self, observed: np.ndarray, elements: Sequence[np.ndarray | None] | None = None
    ) -> np.ndarray:
        """Return what turns log-densities of scaled data into those of the data in user's units.

        Parameters
        ----------
        observed : ndarray of shape (n_modalities, n_samples), dtype bool
            Which modalities of which samples count.
        elements : sequence of (ndarray of shape (n_samples, width), dtype bool, or None)
            Per modality which elements count; None for all.

        Returns
        -------
        ndarray of shape (n_samples,)
            Minus the sum of the logarithms of the factors of all observed elements: add it.
        """
        per_element = [
            -np.log(np.broadcast_to(factor, centre.shape))
            for factor, centre in zip(self.factor, self.centre, strict=True)
        ]
        shares = observed.astype(np.float64)
        total = np.array([part.sum() for part in per_element]) @ shares
        for part, seen in zip(per_element, elements or (), strict=elements is not None):
            if seen is not None:  # some samples are observed in part
                total -= (~seen & seen.any(axis=1, keepdims=True)) @ part.ravel()
        return total


def resolve_scale(scale: Scale, names: Sequence[str]) -> list[str | None]:
    """Return one word per modality.

    Parameters
    ----------
    scale : {"modality", "feature", None}, or a sequence or mapping of these
        One word for all, one per modality in order, or one per name.
    names : sequence of str
        Names of the modalities.

    Returns
    -------
    list of (str or None)
        In the order of ``names``.
    """
    if scale is None or isinstance(scale, str):
        words = [scale] * len(names)
    elif isinstance(scale, Mapping):
        if set(scale) != set(names):
            raise ValueError(
                f"scale must have one entry for each of the modalities {list(names)}, got the "
                f"names {list(scale)}."
            )
        words = [scale[name] for name in names]
    elif isinstance(scale, (Sequence, np.ndarray)):
        words = list(scale)
    else:
        raise TypeError(f"scale must be one of {SCALES}, or one of these per modality: {scale!r}.")
    if len(words) != len(names):
        raise ValueError(f"scale must have one entry per modality, {len(names)}, got {len(words)}.")
    for word in words:
        if not (word is None or (isinstance(word, str) and word in SCALES)):
            raise ValueError(
                f"scale must be one of {SCALES}, or one of these per modality, got {word!r}."
            )
    return words


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


def _moments(flat: Kept, weights: np.ndarray, ranks: Ranks) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted mean and standard deviation of each column, in float64 and two passes.

    They are those of the rows of all ranks. The standard deviation of a column that varies by no
    more than rounding is 0.
    """
    width = flat.shape[1]
    total = ranks.sum(weights.sum())
    if total <= 0:
        return np.zeros(width), np.zeros(width)
    sums, largest = np.zeros(width), 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # the caller checks
        for rows, values in value_blocks(flat):
            block = values.astype(np.float64)
            sums += weights[rows] @ block
            largest = max(largest, float(block.max()), -float(block.min()))
    sums, largest = ranks.sum(sums), ranks.largest(largest)
    mean = sums / total
    if not np.isfinite(mean).all():
        return mean, np.full(width, np.inf)
    # A power of two: dividing by it is exact, and squares neither overflow nor underflow.
    unit = np.ldexp(1.0, int(np.frexp(largest)[1]) - 1)
    first, second = np.zeros(width), np.zeros(width)
    with np.errstate(over="ignore", invalid="ignore"):  # the caller checks
        for rows, values in value_blocks(flat):
            centred = (values - mean) / unit
            first += weights[rows] @ centred
            second += weights[rows] @ np.square(centred)
    first, second = ranks.sum(first), ranks.sum(second)
    if not np.isfinite(second).all():
        return mean, np.full(width, np.inf)
    shift = first / total  # what rounding left in the mean
    variance = np.maximum(second / total - shift**2, 0.0)
    mean = mean + shift * unit
    n_rows = int(ranks.sum(np.array(len(flat))))
    variance[variance <= (_rounding(flat, n_rows) * np.abs(mean) / unit) ** 2] = 0.0
    return mean, np.sqrt(variance) * unit


def _moments_of_observed(
    flat: Kept, weights: np.ndarray, elements: np.ndarray | None, ranks: Ranks
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same where elements are missing: each column by its observed elements."""
    if not ranks.largest(elements is not None) or isinstance(flat, OnDisk):
        return _moments(flat, weights, ranks)
    if elements is None:  # here; other ranks have gaps
        elements = np.ones(flat.shape, dtype=bool)
    columns = zip(flat.T, elements.T, strict=True)
    parts = [_moments(column[:, None], weights * seen, ranks) for column, seen in columns]
    means, spreads = zip(*parts, strict=True)
    return np.concatenate(means), np.concatenate(spreads)


def _rounding(flat: Kept, n_rows: int) -> float:
    """Return the standard deviation, relative to the mean, that rounding alone can cause.

    In the data, a few units in the last place; in the two passes, n * eps for the mean, of which
    the second pass corrects all but a share n * eps in the variance. (scikit-learn's
    _is_constant_feature does not correct, and has n * eps.)
    """
    eps = np.finfo(np.float64).eps
    return max(4.0 * np.finfo(flat.dtype).eps, 100.0 * eps, (n_rows * eps) ** 1.5)


def _factor(spread: np.ndarray, word: str) -> np.ndarray | float:
    """Return the divisor from the standard deviations; 1 where nothing varies."""
    if word == "feature":
        return np.where(spread > 0, spread, 1.0)
    largest = spread.max()
    if largest == 0 or not np.isfinite(largest):
        return 1.0 if largest == 0 else float(largest)
    return float(largest * np.sqrt(np.mean(np.square(spread / largest))))


def _check_finite(factor: np.ndarray | float, name: str) -> None:
    if not np.isfinite(factor).all():
        raise ValueError(
            f"the values of modality {name!r} are too large for float64 arithmetic: rescale it."
        )
