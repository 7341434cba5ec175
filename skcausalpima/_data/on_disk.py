"""Samples that stay on disk: chosen without reading, and read in runs of rows."""

from __future__ import annotations

import importlib
import itertools
import math
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from .._base.scalar_checks import is_integer
from .._base.types import Unchecked, Values

if TYPE_CHECKING:
    import h5py
    import zarr

#: What takes at most so many bytes as floating numbers is read into memory.
MAX_READ_BYTES = 2**28

#: Rows that are read at once take about so many bytes.
BLOCK_BYTES = 2**20

#: Rows that nobody asked for are read with their neighbours where they take less than this.
GAP_BYTES = 2**15


#: Size of a file, and when it was written to.
Stamp: TypeAlias = tuple[int, int]


def _stamp(path: str) -> Stamp:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True, kw_only=True)
class PlainFile:
    """Rows one after another in a file, as of a memory map.

    They are read, not mapped: mapped pages count for the memory of the process, and where a file
    has shrunk, touching them kills it.
    """

    path: str
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    chunk: int = 1

    def stamp(self) -> Stamp:
        """Return what is another one when the file has been written to, or replaced."""
        return _stamp(self.path)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows as new memory, of the dtype of the file."""
        width = math.prod(self.shape[1:])
        offset = self.offset + start * width * self.dtype.itemsize
        values = np.fromfile(self.path, self.dtype, (stop - start) * width, offset=offset)
        if len(values) < (stop - start) * width:
            raise EOFError("the file has become shorter")
        return values.reshape(stop - start, *self.shape[1:])


class DatasetFile:
    """Rows of a dataset of h5py or zarr, which is asked for slices."""

    def __init__(self, dataset: h5py.Dataset | zarr.Array) -> None:
        self.dataset = dataset
        self.shape, self.dtype = tuple(dataset.shape), np.dtype(dataset.dtype)
        self.chunk = (getattr(dataset, "chunks", None) or (1,))[0]
        file = getattr(dataset, "file", None)
        if file is not None:  # h5py
            self.directory, self.path = "", f"{dataset.name} of {file.filename}"
        else:  # zarr: what is missing there is read as zeros
            root = getattr(dataset.store, "root", getattr(dataset.store, "path", ""))
            self.directory = os.path.join(root, dataset.path) if root else ""
            self.path = self.directory or f"{dataset!r}"

    def stamp(self) -> Stamp | None:
        """Return the same of the folder of zarr; h5py keeps its file open, and others off it."""
        return _stamp(self.directory) if self.directory else None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows as new memory, of the dtype of the file."""
        if self.directory and not os.path.exists(self.directory):
            raise FileNotFoundError(f"there is no {self.directory}")
        values = np.asarray(self.dataset[start:stop])
        if len(values) < stop - start:
            raise EOFError("the dataset has become shorter")
        return values

    def __getstate__(self) -> Values:
        state = vars(self).copy()
        if hasattr(self.dataset, "file"):  # h5py has no pickles
            state["dataset"] = (self.dataset.file.filename, self.dataset.name)
        return state

    def __setstate__(self, state: Values) -> None:
        vars(self).update(state)
        if isinstance(self.dataset, tuple):
            path, name = self.dataset
            self.dataset = importlib.import_module("h5py").File(path, "r")[name]


#: Rows in a file; can be pickled, and then reads the file by its name.
RowFile: TypeAlias = PlainFile | DatasetFile


@dataclass(frozen=True, kw_only=True, eq=False)
class OnDisk:
    """Samples of a modality on disk: ``array[rows]`` chooses, ``np.asarray(array)`` reads.

    Parameters
    ----------
    file : RowFile
        Where they are.
    name : str
        The modality's, for messages.
    rows : ndarray of int of shape (n_samples,)
        Their numbers in the file.
    sample_shape : tuple of int
        Shape of one sample.
    dtype : dtype
        What they are read as.
    missing : ndarray of shape (n_samples,), dtype bool, default=None
        Samples that are read as zeros; the numbers of all others must be finite. With None nothing
        is looked at.
    stamp : tuple of int, default=None
        That of the file, which must stay; None where it may change.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from skcausalpima._data.on_disk import OnDisk, PlainFile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "samples")
    ...     np.arange(6, dtype=np.uint8).tofile(path)
    ...     file = PlainFile(path=path, offset=0, shape=(3, 2), dtype=np.dtype(np.uint8))
    ...     array = OnDisk.of(file, "counts")
    ...     array.shape, np.asarray(array[[2, 0, 2]])
    ((3, 2), array([[4, 5],
           [0, 1],
           [4, 5]], dtype=uint8))
    """

    file: RowFile
    name: str
    rows: np.ndarray
    sample_shape: tuple[int, ...]
    dtype: np.dtype
    missing: np.ndarray | None = None
    stamp: Stamp | None = None

    @classmethod
    def of(cls, file: RowFile, name: str, step: int = 1) -> OnDisk:
        """Return all samples in a file, or every so many-th."""
        rows, shape = np.arange(0, file.shape[0], step), tuple(file.shape[1:])
        return cls(file=file, name=name, rows=rows, sample_shape=shape, dtype=_native(file.dtype))

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_samples, *sample_shape)``."""
        return len(self.rows), *self.sample_shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def rows_at_once(self) -> int:
        """How many samples are best read together."""
        row_bytes = max(1, math.prod(self.file.shape[1:]) * self.file.dtype.itemsize)
        chunk = self.file.chunk
        return chunk * max(1, BLOCK_BYTES // (row_bytes * chunk))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice | np.ndarray) -> OnDisk:
        if is_integer(rows):  # one sample
            return np.asarray(self[np.array([rows])])[0]
        missing = None if self.missing is None else self.missing[rows]
        return replace(self, rows=self.rows[rows], missing=missing)

    def reshape(self, *shape: int) -> OnDisk:
        """Return the same samples in another shape, ``(n_samples, *sample_shape)``."""
        return replace(self, sample_shape=shape[1:])

    def astype(self, dtype: DTypeLike) -> OnDisk:
        """Return the same samples, to be read as another dtype."""
        return replace(self, dtype=np.dtype(dtype))

    def as_of_now(self) -> OnDisk:
        """Return the same samples, whose file must stay what it is from now on."""
        return replace(self, stamp=self.file.stamp())

    def raw(self) -> OnDisk:
        """Return the same samples, to be read as the dtype of the file."""
        return self.astype(_native(self.file.dtype))

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Read all samples, some at a time, in order."""
        for start in range(0, len(self), self.rows_at_once):
            rows = slice(start, min(start + self.rows_at_once, len(self)))
            yield rows, np.asarray(self[rows])

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        array = np.empty(self.shape, dtype or self.dtype)
        order = np.argsort(self.rows, kind="stable")
        ordered = self.rows[order]
        for run in self._runs(ordered):
            rows = ordered[run]
            block = self._read(int(rows[0]), int(rows[-1]) + 1)
            if not (np.diff(rows) == 1).all():
                block = block[rows - rows[0]]
            array[order[run]] = block.reshape(len(rows), *self.sample_shape)
        if self.missing is not None:
            array[self.missing] = 0
            if array.dtype.kind == "f" and not np.isfinite(array).all():  # since they were read
                refuse_on_disk(self, "is not finite any more")
        return array

    def _runs(self, rows: np.ndarray) -> Iterator[slice]:
        """Cut rows in rising order into such as are read at once."""
        n_at_once = self.rows_at_once
        gap = max(self.file.chunk, GAP_BYTES * n_at_once // BLOCK_BYTES)
        ends = (np.diff(rows) > gap) | (np.diff(rows // n_at_once) > 0)
        edges = [0, *(np.flatnonzero(ends) + 1).tolist(), len(rows)]
        return (slice(start, stop) for start, stop in itertools.pairwise(edges) if start < stop)

    def _read(self, start: int, stop: int) -> np.ndarray:
        try:
            values = self.file.read(start, stop)
            if self.stamp is not None and self.file.stamp() != self.stamp:
                raise OSError("the file has been written to or replaced, and holds other numbers")
            return values
        except Exception as error:
            raise OSError(
                f"modality {self.name!r} can no longer be read from {self.file.path}: {error}. "
                "The estimator is as it was: put the file back and call the method again, or read "
                "the data into memory first, with np.array(..)."
            ) from error


#: One modality, in memory or on disk.
Kept: TypeAlias = np.ndarray | OnDisk


def refuse_on_disk(array: Kept, what: str) -> None:
    """Raise where single elements of data on disk are missing."""
    if not isinstance(array, OnDisk):
        return
    raise ValueError(
        f"modality {array.name!r}, which is on disk, {what} in some sample: expected finite "
        "numbers, or NaN in all elements of a sample whose modality is missing. Where single "
        "elements are missing, read the modality into memory first, with np.array(..)."
    )


def on_disk(array: Unchecked, name: str) -> OnDisk | None:
    """Return samples that are to stay on disk; None for all others, which are read or refused.

    Parameters
    ----------
    array : object
        Whatever a user passed.
    name : str
        The modality's.

    Returns
    -------
    OnDisk or None
        Of memory maps, and of datasets of h5py and zarr, whose numbers take more than
        ``MAX_READ_BYTES`` as floats.
    """
    samples = replace(array, name=name) if isinstance(array, OnDisk) else _found(array, name)
    if samples is None or samples.ndim < 2 or samples.dtype.kind not in "buif":
        return None
    item = np.result_type(samples.dtype, np.float32).itemsize
    return samples if math.prod(samples.shape) * item > MAX_READ_BYTES else None


def _found(array: Any, name: str) -> OnDisk | None:
    """Return the samples of a memory map or dataset."""
    if isinstance(array, np.memmap):
        return _of_memmap(array, name)
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(array).__mro__}
    if not kinds & {("h5py", "Dataset"), ("zarr", "Array")} or not array.shape:
        return None
    return OnDisk.of(DatasetFile(array), name)


def _of_memmap(array: np.memmap, name: str) -> OnDisk | None:
    """Return the samples of a memory map whose rows lie one after another in its file."""
    root = array if isinstance(array.base, mmap.mmap) else array.base
    if not isinstance(root, np.memmap) or root.mode == "c" or array.ndim < 2 or not array.size:
        return None
    if root.mode != "r":
        root.flush()
    path, offset = root.filename, array.ctypes.data - root.ctypes.data + root.offset
    row_bytes, (step, rest) = array[0].nbytes, divmod(array.strides[0], max(1, array[0].nbytes))
    if path is None or rest or step < 1 or not array[0].flags.c_contiguous:
        return None
    shape = (step * (len(array) - 1) + 1, *array.shape[1:])
    if not os.path.exists(path) or os.path.getsize(path) < offset + shape[0] * row_bytes:
        return None
    file = PlainFile(path=str(path), offset=offset, shape=shape, dtype=array.dtype)
    return OnDisk.of(file, name, step)


def _native(dtype: np.dtype) -> np.dtype:
    """Return a dtype of the byte order of this machine."""
    return dtype.newbyteorder("=")
