"""Contexts as a fit has found them: labels, their offsets, and which of them share cell weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .._data.arrays import flat_rows, value_blocks
from .._data.validation import Modalities


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedContexts:
    """Contexts, and what a fit has found of them.

    Parameters
    ----------
    labels : dict of str to ndarray of shape (n_labels,)
        By name of the context.
    roles : dict of str to str
        "measured" or "cause".
    mixes : dict of str to bool
        Whether cells may be more frequent under one label than under another.
    offsets : dict of str to (dict of str to ndarray of shape (n_labels, *shape))
        By modality and context, in the units of the data; those of a context have the mean zero
        over the training samples. Modalities that are not shifted are left out.
    counts : ndarray of shape (n_labels of the first, n_labels of the second, ..)
        Training samples of each combination of labels.
    """

    labels: dict[str, np.ndarray]
    roles: dict[str, str]
    mixes: dict[str, bool]
    offsets: dict[str, dict[str, np.ndarray]]
    counts: np.ndarray

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of labels of the contexts whose mix may differ."""
        return tuple(len(of) for name, of in self.labels.items() if self.mixes[name])

    def mix_index(self, codes: np.ndarray) -> np.ndarray | None:
        """Return which cell weights samples have, by their labels; None where all share them."""
        rows = codes[[self.mixes[name] for name in self.labels]]
        return np.ravel_multi_index(tuple(rows), self.sizes) if len(rows) else None

    def offset_rows(self, name: str, codes: np.ndarray) -> np.ndarray:
        """Return the offset of each sample in a modality; a label that is missing, -1, has none."""
        parts = zip(self.offsets[name].values(), codes, strict=True)
        rows = [np.where(_beside(k >= 0, of), of[k], 0.0) for of, k in parts]
        return np.sum(rows, axis=0)

    def removed(self, modalities: Modalities) -> Modalities:
        """Return samples without their offsets; what is missing stays zero."""
        codes, arrays = modalities.codes, list(modalities.arrays)
        for k, (name, array) in enumerate(zip(modalities.names, arrays, strict=True)):
            if array is None or name not in self.offsets:
                continue
            flat = flat_rows(array)
            out = np.empty(flat.shape, np.result_type(array.dtype, np.float32))
            for rows, values in value_blocks(flat):
                out[rows] = values - self.offset_rows(name, codes[:, rows]).reshape(values.shape)
            out[~modalities.observed[k]] = 0.0
            seen = None if modalities.elements is None else modalities.elements[k]
            if seen is not None:
                out[~seen] = 0.0
            arrays[k] = out.reshape(len(out), *modalities.shapes[k])
        return replace(modalities, arrays=tuple(arrays))

    def added(
        self, arrays: Sequence[np.ndarray], names: Sequence[str], codes: np.ndarray
    ) -> list[np.ndarray]:
        """Return modalities, of these names, with the offsets of samples of these labels."""
        found = []
        for array, name in zip(arrays, names, strict=True):
            if name in self.offsets:
                array = (array + self.offset_rows(name, codes)).astype(array.dtype)
            found.append(array)
        return found


def _beside(mask: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return a mask of rows with as many axes as a table of them."""
    return mask.reshape(-1, *[1] * (table.ndim - 1))
