"""One modality's array: views, blocks, samples that miss it (stored as zeros)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils import check_array

from .._scalar_checks import is_integer
from .._typing import Unchecked

if TYPE_CHECKING:
    import pandas as pd

Given = TypeVar("Given")

BLOCK_ELEMENTS = 2**16
"""Elements converted to float64 at a time: it fits the cache, and big data is not copied whole."""


def as_modality(array: Unchecked, name: str) -> np.ndarray:
    """Return an array-like as an ndarray of at least two axes, without a copy where possible."""
    array = as_array(array, f"modality {name!r}")
    if array.ndim < 2:
        raise ValueError(
            f"modality {name!r} has shape {array.shape}: expected (n_samples, ...) with at least "
            "two axes. Reshape your data with array.reshape(-1, 1) if it has one number per sample."
        )
    return array


def as_array(array: Unchecked, what: str) -> np.ndarray:
    """Return an array-like as an ndarray, without a copy where possible; errors say ``what``."""
    refuse_containers(array, what)
    if sparse.issparse(array):
        raise TypeError(f"{what} is sparse: dense data is required, use '.toarray()'.")
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise TypeError(
            f"{what} is a masked array: fill it first (a sample that is missing is NaN in all its "
            "elements)."
        )
    array = without_gradients(array, what)
    try:
        if hasattr(array, "iloc") and hasattr(array, "columns"):  # perhaps of nullable dtypes
            array = check_array(
                array, ensure_all_finite=False, ensure_min_samples=0, ensure_min_features=0
            )
        array = np.asarray(array)
    except OverflowError as error:
        raise ValueError(f"{what} holds a number beyond those of a float: {error}") from error
    except (TypeError, ValueError, RuntimeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{what} cannot be read as a NumPy array of numbers: {error}") from error
    if array.dtype.kind == "V":
        raise TypeError(f"{what} is an array with fields, {array.dtype}: pass plain numbers.")
    return array


def as_points(array: ArrayLike, what: str) -> np.ndarray:
    """Return an array-like as a table of finite floats; errors say ``what``."""
    array = as_array(array, what)
    try:
        return check_array(array, dtype=[np.float64, np.float32], input_name=what)
    except (OverflowError, TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{what} must be a table of finite numbers: {error}") from error


def without_gradients(array: Given, what: str) -> Given:
    """Return a torch tensor as one that is no part of a graph; anything else as it is."""
    if not hasattr(array, "detach"):
        return array
    if str(getattr(array, "dtype", "")) == "torch.bfloat16":
        raise TypeError(f"{what} has dtype torch.bfloat16, which NumPy lacks: use .float().")
    return array.detach()


def refuse_containers(value: Unchecked, what: str) -> None:
    """Raise where a value is an AnnData, a MuData, a class, or a DataFrame with two levels."""
    if isinstance(value, type):
        raise TypeError(f"{what} is the class {value.__name__}: expected arrays.")
    packages = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    if packages & {"anndata", "mudata"}:
        is_several = "mudata" in packages
        form = "{name: part.to_df() for name, part in mdata.mod.items()}"
        raise TypeError(
            f"{what} is {describe(value)}: expected arrays. Pass "
            + (f"{form}, with the same cells in each." if is_several else "adata.to_df().")
        )
    levels = getattr(getattr(value, "columns", None), "nlevels", 1)
    if isinstance(levels, int) and levels > 1:
        raise ValueError(
            f"{what} is a DataFrame with {levels} levels of columns: expected one. "
            "MultimodalData.from_frame(frame) reads the levels (modality, element)."
        )


def check_shapes(shapes: Unchecked) -> list[tuple[int, ...]]:
    """Return the modalities' shapes as a list of tuples of positive integers."""
    advice = "expected one shape per modality, as in [(28, 28, 3), (100,)]"
    if isinstance(shapes, (str, bytes, Mapping)) or not isinstance(shapes, Iterable):
        raise TypeError(f"modality_shapes is {shapes!r}: {advice}.")
    try:
        shapes = list(shapes)
    except TypeError as error:
        raise TypeError(f"modality_shapes is {shapes!r}: {advice}.") from error
    if len(shapes) == 0:
        raise ValueError(f"modality_shapes is empty: {advice}.")
    checked = []
    for shape in shapes:
        sizes = [shape] if isinstance(shape, Integral) else shape
        if isinstance(sizes, (str, bytes)) or not isinstance(sizes, Sequence | np.ndarray):
            raise ValueError(f"modality_shapes holds {shape!r:.200}: {advice}.")
        if getattr(sizes, "ndim", 1) != 1 or len(sizes) == 0:
            raise ValueError(f"modality_shapes holds {shape!r:.200}: {advice}.")
        if not all(is_integer(s) and s > 0 for s in sizes):
            raise ValueError(f"modality_shapes holds {shape!r}: sizes must be positive integers.")
        checked.append(tuple(int(size) for size in sizes))
    return checked


def flat_rows(array: np.ndarray) -> np.ndarray:
    """Return an array of shape (n_samples, ...) as (n_samples, width); a view if possible."""
    return array.reshape(len(array), int(np.prod(array.shape[1:])))


def missing_rows(array: np.ndarray) -> np.ndarray:
    """Return, for each sample, whether all its elements are NaN."""
    missing = np.zeros(len(array), dtype=bool)
    flat = flat_rows(array)
    if array.dtype.kind == "f" and flat.shape[1] > 0:
        suspects = np.flatnonzero(np.isnan(flat[:, 0]))  # reads one column of a big array
        missing[suspects] = np.isnan(flat[suspects]).all(axis=1)
    return missing


def common_n_samples(arrays: Sequence[np.ndarray | None], names: Sequence[str]) -> int:
    """Return the number of samples that all modalities have."""
    counts = {n: len(a) for n, a in zip(names, arrays, strict=True) if a is not None}
    if not counts:
        raise ValueError("there is no modality: pass at least one array that is not None.")
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise ValueError(f"all modalities must have the same number of samples, got {listed}.")
    return next(iter(counts.values()))


def describe(value: Unchecked) -> str:
    """Say in a few words what a value is."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    return f"a {kind}" if shape is None else f"a {kind} of shape {tuple(shape)}"


def row_blocks(n_rows: int, width: int) -> Iterator[slice]:
    """Cut rows into blocks that are small enough to be copied as float64."""
    step = max(1, BLOCK_ELEMENTS // max(1, width))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def stored(array: np.ndarray, name: str) -> np.ndarray:
    """Return an array in its storage dtype, C order and native byte order, copied if it must be.

    The storage dtype is float32 for what float32 can hold (small integers, booleans, float16) and
    float64 for the rest.
    """
    if array.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: modality {name!r} has dtype {array.dtype}, pass its real "
            "and imaginary part (or modulus and phase) instead."
        )
    if array.dtype.kind not in "buif":
        raise TypeError(
            f"modality {name!r} has dtype {array.dtype}, expected numbers: convert it with "
            "array.astype(float), or encode it as numbers first."
        )
    wide = np.result_type(array.dtype, np.float32).itemsize > 4
    return np.ascontiguousarray(array, dtype=np.float64 if wide else np.float32)


def stack_cells(column: pd.Series, name: str) -> np.ndarray | None:
    """Stack the cells of a pandas column; an empty cell becomes a block of NaN.

    Return None if all are empty: then nothing says how large a block is.
    """
    if len(column) == 0:
        raise ValueError(f"column {name!r} has no cells, so the shape of the modality is unknown.")
    empty = column.isna().to_numpy()
    if empty.all():
        return None
    cells = [np.atleast_1d(as_array(cell, f"column {name!r}")) for cell in column[~empty]]
    shapes = {cell.shape for cell in cells}
    if len(shapes) != 1:
        raise ValueError(
            f"the cells of column {name!r} must hold arrays of one shape, got {sorted(shapes)}."
        )
    filler = [np.array(np.nan, dtype=np.float32)] if empty.any() else []
    dtype = _common_dtype([*cells, *filler], name)
    stacked = np.full((len(column), *shapes.pop()), np.nan if empty.any() else 0, dtype=dtype)
    stacked[~empty] = cells
    return stacked


def concatenate_rows(
    pieces: Sequence[tuple[np.ndarray | None, int]], name: str
) -> np.ndarray | None:
    """Concatenate one modality's arrays; None of a known length becomes NaN."""
    present = [array for array, _ in pieces if array is not None]
    if not present:
        return None
    shapes = {array.shape[1:] for array in present}
    if len(shapes) > 1:
        raise ValueError(f"modality {name!r} must have one shape, got {sorted(shapes)}.")
    gap = shapes.pop()
    filler = np.float32(np.nan)
    blocks = [np.full((n, *gap), filler) if array is None else array for array, n in pieces]
    return np.concatenate(blocks, dtype=_common_dtype(blocks, name))


def _common_dtype(blocks: Sequence[np.ndarray], name: str) -> np.dtype:
    """Return the dtype that holds all blocks; NumPy would make words of numbers beside words."""
    kinds = {"number" if block.dtype.kind in "buifc" else block.dtype.kind for block in blocks}
    if len(kinds) > 1:
        dtypes = " and ".join(dict.fromkeys(str(block.dtype) for block in blocks))
        raise TypeError(
            f"modality {name!r} has {dtypes}, which cannot be put together: convert them to one "
            "kind first (only numbers have NaN for missing samples)."
        )
    return np.result_type(*{block.dtype for block in blocks})


def compute_dtype(
    given: Sequence[np.ndarray | None], kept: Sequence[np.ndarray | None]
) -> np.dtype:
    """Return the dtype of the floating modalities, or of all if none is floating."""
    both = zip(given, kept, strict=True)
    pairs = [(g, k) for g, k in both if g is not None and k is not None]
    floating = [k.dtype for g, k in pairs if g.dtype.kind == "f"]
    return np.result_type(*(floating or [k.dtype for _, k in pairs]))
