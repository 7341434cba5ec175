"""One modality's array: views, blocks, samples that miss it (stored as zeros)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar, cast

import numpy as np
from sklearn.utils import check_array

from .._base.scalar_checks import is_integer
from .._base.types import Unchecked
from .on_disk import Kept, OnDisk

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

    Sparse: TypeAlias = sparse.sparray | sparse.spmatrix

Given = TypeVar("Given")
Rows = TypeVar("Rows", np.ndarray, OnDisk, np.ndarray | OnDisk)

#: Sparse arrays of more bytes than this, as dense arrays, are refused.
MAX_DENSE_BYTES = 4 * 2**30
FEWER_COLUMNS = (
    "Where that is too much, reduce it first, with sklearn.decomposition.TruncatedSVD, or take "
    "fewer columns."
)
#: What to do where samples differ in shape.
ADVICE_ON_SHAPES = (
    "If they are samples, resize or pad them to one shape, and make one array, as np.stack does."
)
ADVICE_ON_MODALITIES = (
    " If they are modalities, give them names: a mapping. Or make each an array of two axes or "
    "more, as by np.reshape(x, (len(x), -1))."
)
BLOCK_ELEMENTS = 2**16
"""Elements converted to float64 at a time: it fits the cache, and big data is not copied whole."""


def beyond_floats(what: str, error: OverflowError) -> str:
    """Say that a number is larger than any float."""
    return (
        f"{what} holds a number beyond those of a float: {error}. Express it in larger units, or "
        "take logarithms."
    )


def check_shapes(shapes: Unchecked) -> list[tuple[int, ...]]:
    """Return the modalities' shapes as a list of tuples of positive integers."""
    advice = "expected one shape per modality, as in [(28, 28, 3), (100,)]"
    is_word = isinstance(shapes, (str, bytes, Mapping))
    if is_word or not isinstance(shapes, Iterable) or getattr(shapes, "ndim", 1) == 0:
        raise TypeError(f"shapes is {shapes!r}: {advice}.")
    shapes, checked = list(shapes), []
    if len(shapes) == 0:
        raise ValueError(f"shapes is empty: {advice}.")
    for shape in shapes:
        sizes = [shape] if isinstance(shape, Integral) else shape
        is_list = isinstance(sizes, Sequence | np.ndarray) and not isinstance(sizes, (str, bytes))
        if not is_list or getattr(sizes, "ndim", 1) != 1 or len(sizes) == 0:
            raise ValueError(f"shapes holds {shape!r:.200}: {advice}.")
        if not all(is_integer(s) and s > 0 for s in sizes):
            raise ValueError(f"shapes holds {shape!r}: sizes must be positive integers.")
        checked.append(tuple(int(size) for size in sizes))
    return checked


def flat_rows(array: Rows) -> Rows:
    """Return an array of shape (n_samples, ...) as (n_samples, width); a view if possible."""
    return array.reshape(len(array), int(np.prod(array.shape[1:])))


def missing_rows(array: Kept) -> np.ndarray:
    """Return, for each sample, whether all its elements are NaN."""
    missing = np.zeros(len(array), dtype=bool)
    if array.dtype.kind != "f":
        return missing
    if isinstance(array, OnDisk):
        for rows, block in array.blocks():
            missing[rows] = missing_rows(block)
        return missing
    flat = flat_rows(array)
    if flat.shape[1] > 0:
        suspects = np.flatnonzero(np.isnan(flat[:, 0]))  # reads one column of a big array
        missing[suspects] = np.isnan(flat[suspects]).all(axis=1)
    return missing


def common_n_samples(arrays: Sequence[Kept | None], names: Sequence[str]) -> int:
    """Return the number of samples that all modalities have."""
    counts = {n: len(a) for n, a in zip(names, arrays, strict=True) if a is not None}
    if not counts:
        raise ValueError("there is no modality: pass at least one array that is not None.")
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in list(counts.items())[:5])
        short, long = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        hint = ", ..." if len(counts) > 5 else ""
        if len(counts) > 2:
            hint += (
                ". If these are samples of one modality, such as images of several sizes, resize "
                "or pad them to one shape, and pass np.stack(X)"
            )
        raise ValueError(
            f"all modalities must have the same number of samples, got {listed}{hint}. "
            f"{short!r} has {counts[long] - counts[short]} fewer than {long!r}. The first axis of "
            "each counts the samples: pass the same samples in the same order in each, with a row "
            "of NaN where a sample lacks a modality. MultimodalData.align(frames) makes "
            "them of DataFrames whose indexes name the samples."
        )
    return next(iter(counts.values()))


def row_blocks(n_rows: int, width: int) -> Iterator[slice]:
    """Cut rows into blocks that are small enough to be copied as float64."""
    step = max(1, BLOCK_ELEMENTS // max(1, width))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))


def value_blocks(flat: Kept) -> Iterator[tuple[slice, np.ndarray]]:
    """Return the rows of a table, some at a time, and which they are; see :func:`row_blocks`."""
    parts = flat.blocks() if isinstance(flat, OnDisk) else [(slice(0, len(flat)), flat)]
    for block, part in parts:
        for rows in row_blocks(*part.shape):
            yield slice(block.start + rows.start, block.start + rows.stop), part[rows]


def stored(array: Rows, name: str) -> Rows:
    """Return an array in its storage dtype, C order and native byte order, copied if it must be.

    The storage dtype is float32 for what float32 can hold (small integers, booleans, float16) and
    float64 for the rest. What is on disk must stay as it is from now on.
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
    dtype = np.dtype(np.float64 if wide else np.float32)
    if isinstance(array, OnDisk):
        return array.as_of_now().astype(dtype)
    return np.ascontiguousarray(array, dtype=dtype)


def concatenate_rows(pieces: Sequence[tuple[Kept | None, int]], name: str) -> np.ndarray | None:
    """Concatenate one modality's arrays; None of a known length becomes NaN."""
    present = [array for array, _ in pieces if array is not None]
    if not present:
        return None
    shapes = {tuple(array.shape[1:]) for array in present}
    if len(shapes) > 1:
        raise ValueError(f"modality {name!r} must have one shape, got {sorted(shapes)}.")
    gap = shapes.pop()
    fillers = {"O": np.array(None), "M": np.datetime64("NaT")}
    filler = fillers.get(present[0].dtype.kind, np.float32(np.nan))
    blocks = [
        np.full((n, *gap), filler) if array is None else np.asarray(array) for array, n in pieces
    ]
    return np.concatenate(blocks, dtype=common_dtype(blocks, name))


def rows_or_gaps(array: np.ndarray, rows: np.ndarray, name: str) -> np.ndarray:
    """Return a copy of some rows of a modality; those of number -1 are missing."""
    if (rows >= 0).all():
        return array[rows]
    last_is_missing = concatenate_rows([(array, len(array)), (None, 1)], name)
    return cast("np.ndarray", last_is_missing)[rows]


def common_dtype(blocks: Sequence[np.ndarray], name: str) -> np.dtype:
    """Return the dtype that holds all blocks; NumPy would make words of numbers beside words."""
    kinds = {"number" if block.dtype.kind in "buifc" else block.dtype.kind for block in blocks}
    if len(kinds) > 1:
        dtypes = " and ".join(dict.fromkeys(str(block.dtype) for block in blocks))
        raise TypeError(
            f"modality {name!r} has {dtypes}, which cannot be put together: convert them to one "
            "kind first (only numbers have NaN for missing samples)."
        )
    return np.result_type(*{block.dtype for block in blocks})


def compute_dtype(given: Sequence[Kept | None], kept: Sequence[Kept | None]) -> np.dtype:
    """Return the dtype of the floating modalities, or of all if none is floating."""
    both = zip(given, kept, strict=True)
    pairs = [(g, k) for g, k in both if g is not None and k is not None]
    floating = [k.dtype for g, k in pairs if g.dtype.kind == "f"]
    return np.result_type(*(floating or [k.dtype for _, k in pairs]))


def without_gradients(array: Given, what: str) -> Given:
    """Return a torch tensor as one that is no part of a graph; anything else as it is."""
    if not hasattr(array, "detach"):
        return array
    if str(getattr(array, "dtype", "")) == "torch.bfloat16":
        raise TypeError(f"{what} has dtype torch.bfloat16, which NumPy lacks: use .float().")
    return array.detach()


def dense(array: Sparse, what: str) -> np.ndarray:
    """Return a sparse array as a dense one."""
    if _dense_bytes(array) > MAX_DENSE_BYTES:
        raise ValueError(
            f"{what} is sparse, of shape {array.shape}: as a dense array, which a fit needs, it "
            f"would take {_dense_bytes(array) / 2**30:.1f} GiB, and at most "
            f"{MAX_DENSE_BYTES / 2**30:.0f} GiB are made. {FEWER_COLUMNS}"
        )
    return array.toarray()


def refuse_sparse(array: Sparse, what: str) -> NoReturn:
    """Raise since only a modality by name may be sparse: scikit-learn wants tables to be dense."""
    raise TypeError(
        f"{what} is a sparse array of shape {array.shape}, but dense data is required, which would "
        f"take {_dense_bytes(array) / 2**30:.3g} GiB: pass {what}.toarray(), or {{'counts': X}}, a "
        f"modality by name, which is made dense up to {MAX_DENSE_BYTES / 2**30:.0f} GiB. "
        f"{FEWER_COLUMNS}"
    )


def _dense_bytes(array: Sparse) -> int:
    """Return how many bytes a sparse array takes when it is dense."""
    return math.prod(array.shape) * array.dtype.itemsize


def refuse_ragged(value: Unchecked, what: str) -> None:
    """Raise where the entries of a list differ in shape."""
    if not isinstance(value, (list, tuple)):
        return
    try:
        shapes = list(dict.fromkeys(map(np.shape, value)))
    except ValueError:  # they are ragged themselves
        shapes = []
    such = f", such as {shapes[0]} and {shapes[1]}" if len(shapes) > 1 else ""
    advice = ADVICE_ON_MODALITIES if what == "X" else ""
    raise ValueError(
        f"{what} is a list whose entries differ in shape{such}. {ADVICE_ON_SHAPES}{advice}"
    )


def without_mask(array: Given, what: str) -> Given:
    """Return an array that masks nothing."""
    if np.ma.is_masked(array):
        raise TypeError(
            f"{what} is a masked array: fill it first (a sample that is missing is NaN in all its "
            "elements)."
        )
    return array


def table_cells(frame: pd.DataFrame, what: str) -> np.ndarray:
    """Return a DataFrame as an array: of numbers (or nullable ones), or else of objects."""
    if not frame.columns.is_unique:  # which scikit-learn refuses
        frame = frame.set_axis(range(frame.shape[1]), axis=1)
    try:
        return check_array(
            frame, ensure_all_finite=False, ensure_min_samples=0, ensure_min_features=0
        )
    except (OverflowError, TypeError, ValueError):
        return np.asarray(frame, dtype=object)


def check_words_fit(numbers_of_words: Mapping[str, int], n_rows: int, what: str) -> None:
    """Raise where a column has too many words for an element for each in each row.

    Parameters
    ----------
    numbers_of_words : mapping of str to int
        How many words each column has, by its name.
    n_rows : int
        Number of rows.
    what : str
        What to call the modality.

    Raises
    ------
    ValueError
        Names the column that has the most words, and says what to do.
    """
    n_bytes = 8 * n_rows * sum(numbers_of_words.values())
    if n_bytes <= MAX_DENSE_BYTES:
        return
    name = max(numbers_of_words, key=numbers_of_words.__getitem__)
    raise ValueError(
        f"{what} has {numbers_of_words[name]} words in column {name!r}: with an element for each "
        f"word, {n_rows} rows would take {n_bytes / 2**30:.1f} GiB, and at most "
        f"{MAX_DENSE_BYTES / 2**30:.0f} GiB are made. Leave the column out, give all words that "
        "few rows have one name, such as 'other', or pass fewer rows."
    )
