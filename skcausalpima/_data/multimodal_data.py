"""MultimodalData: several arrays of the same samples, indexable by sample."""

from __future__ import annotations

import html
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from types import EllipsisType
from typing import TYPE_CHECKING, TypeAlias, cast, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._base.types import Abscissa, Unchecked
from .adapters import Table, adapter_of, as_array, as_modality
from .aligned_rows import aligned_rows
from .arrays import check_shapes, common_n_samples, concatenate_rows, rows_or_gaps
from .column_dtypes import Dtypes, common_dtypes
from .element_axes import ElementAxes, axes_of_names, common_axes, stated_axes
from .missing_values import check_observed_blocks, observed_rows, same_values, with_nan
from .on_disk import Kept, OnDisk, on_disk
from .recipes import describe, is_mapping
from .selection_keys import position, positions, row_key
from .stated_axes import read_axes
from .table_labels import Columns, check_same_rows, common_columns, common_index

if TYPE_CHECKING:
    import pandas as pd

#: What chooses samples, or samples and modalities, of a container.
Key: TypeAlias = int | slice | list | np.ndarray | EllipsisType | tuple


class MultimodalData:
    """Several modalities of the same samples, in one container that can be split by sample.

    scikit-learn's tools that split data (``train_test_split``, ``cross_val_score``,
    ``GridSearchCV``, ...) take a bare list of two arrays for two samples. This container
    has the shape ``(n_samples, n_modalities)`` and is indexed by sample, so that it goes through
    all of them.

    Parameters
    ----------
    arrays : sequence or mapping of array-likes, each of shape (n_samples, ...)
        One array per modality; the first axis counts the samples, and numbers along one axis are
        one column. Sparse arrays are made dense, up to 4 GiB each. A mapping gives the names, too.
        ``None`` stands for a modality that is missing in all samples; a modality that is missing in
        some samples is NaN in all elements of those. At least one array is needed. Arrays are not
        copied.
    names : sequence of str, default=None
        Names of the modalities; ``modality0``, ``modality1``, ... by default.
    observed : array-like or mapping, default=None
        Booleans (or 0 and 1) of shape (n_samples, n_modalities), or by name of shape (n_samples,):
        False where a sample lacks the modality. What the array holds there is never looked at.
        None leaves it to NaN; where there is a mask, blocks of NaN are missing, too.
    axes : mapping of str to (array-like, (str, array-like) or list of these), default=None
        By name of the modality, where its elements lie: numbers that rise or fall, one for each
        point of a curve, alone or behind a name, which may end in " / " and a unit:
        ``("shift / cm-1", shift)``. Images and volumes have a list with an entry for each of their
        axes, or None. DataArrays have their coordinates, and DataFrames whose columns have a name
        (``frame.columns.name``) and are called by such numbers have these. Pictures, tables and
        reports of a fit say them in place of the numbers of elements.

    Attributes
    ----------
    arrays : tuple of (ndarray or None)
        The modalities by position.
    names : tuple of str
        Their names.
    modality_shapes : list of (tuple or None)
        Shape of one sample of each modality; None where the modality is missing in all.
    observed : ndarray of shape (n_samples, n_modalities), dtype bool
        Which samples have which modalities, by the mask and by NaN.
    dtypes : tuple of (dtype or None)
        The dtype of each modality.
    index : pandas.Index of length n_samples, or None
        Names of the samples: the index of the DataFrames; None where there is no DataFrame.
    axes : dict of str to (ndarray, (str, ndarray), list or None)
        Where the elements of each modality lie; None where nothing says so.
    shape : tuple
        ``(n_samples, n_modalities)``.
    ndim : int
        Always 2.

    Raises
    ------
    ValueError
        If arrays differ in their numbers of samples, if there is none, if a sparse one is too
        large, if DataFrames differ in their indexes, if names are not unique or not one per
        array, if ``observed`` has another shape or unknown names, or if ``axes`` has unknown names,
        or an axis is not as long as the samples, not finite, or neither rises nor falls.
    TypeError
        If an array is a container of another library, a name not a string, ``observed`` holds
        anything but booleans, or an axis anything but numbers.

    Notes
    -----
    ``X["image"]`` is the array of a modality, as it was given. ``X[i]``, ``X[rows]`` and
    ``X[rows, ...]``, with an integer, a slice, integers or a boolean mask, are the MultimodalData
    of these samples (``X[i]`` of one sample, so that it can be given to ``predict``).
    ``X[:, columns]``, with positions, names, a slice or a mask, is the MultimodalData of these
    modalities. Slices are views wherever NumPy's are. DataFrames become arrays (of objects, where
    a column has words), but the names and dtypes of their columns are remembered: an estimator
    refuses columns in another order than in its ``fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import train_test_split
    >>> from skcausalpima import MultimodalData
    >>> X = MultimodalData([np.zeros((8, 4, 4)), np.ones((8, 5))], names=["image", "curve"])
    >>> X
    MultimodalData(8 samples, image: (4, 4) float64, curve: (5,) float64)
    >>> train, test = train_test_split(X, random_state=0)
    >>> train.shape, test["curve"].shape
    ((6, 2), (2, 5))

    A spectrum runs along wavenumbers, whatever is chosen of its samples:

    >>> X = MultimodalData({"raman": np.ones((8, 3))}, axes={"raman": ("shift / cm-1", [9, 7, 5])})
    >>> X
    MultimodalData(8 samples, raman: (3,) float64 along shift / cm-1)
    >>> X[:4].axes["raman"]
    ('shift / cm-1', array([9., 7., 5.]))
    """

    _observed: np.ndarray | None

    def __init__(
        self,
        arrays: Sequence | Mapping,
        names: Sequence[str] | None = None,
        *,
        observed: ArrayLike | Mapping[str, ArrayLike] | None = None,
        axes: Mapping[str, Abscissa] | None = None,
    ) -> None:
        if is_mapping(arrays):
            if names is not None:
                raise TypeError("names is given twice: arrays is a mapping and names is not None.")
            arrays, names = list(arrays.values()), list(arrays)
        expected = "a sequence with one array per modality, or a mapping from names to arrays"
        adapter_of(arrays, "arrays", expected)
        if not isinstance(arrays, Sequence):
            raise TypeError(f"arrays is {describe(arrays)}: expected {expected}.")
        if names is None:
            names = [f"modality{k}" for k in range(len(arrays))]
        self.names: tuple[str, ...] = _check_names(names, len(arrays))
        self.arrays: tuple[Kept | None, ...] = tuple(
            array if array is None else on_disk(array, name) or as_modality(array, name)
            for array, name in zip(arrays, self.names, strict=True)
        )
        tables = list(map(Table.of, arrays))
        check_same_rows([table.rows for table in tables], self.names)
        self._n_samples = common_n_samples(self.arrays, self.names)
        self._observed = check_observed_blocks(observed, self.names, self._n_samples)
        self._columns: tuple[Columns, ...] = tuple(table.columns for table in tables)
        self._frame_dtypes: tuple[Dtypes, ...] = tuple(table.dtypes for table in tables)
        read = {} if axes is None else read_axes(axes, self.names, self.modality_shapes)
        pairs = zip(self.names, tables, strict=True)
        self._axes: tuple[ElementAxes, ...] = tuple(read.get(n, table.axes) for n, table in pairs)
        self.index: pd.Index | None = next((t.rows for t in tables if t.rows is not None), None)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of samples and of modalities.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> X.shape
        (3, 2)
        """
        return self._n_samples, len(self.names)

    @property
    def ndim(self) -> int:
        """Number of axes, as scikit-learn counts them: samples and modalities.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> X.ndim
        2
        """
        return 2

    @property
    def modality_shapes(self) -> list[tuple[int, ...] | None]:
        """Shape of one sample of each modality; None where the modality is missing in all.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> X.modality_shapes
        [(4, 4), (2,)]
        """
        return [None if array is None else array.shape[1:] for array in self.arrays]

    @property
    def dtypes(self) -> tuple[np.dtype | None, ...]:
        """Data type of each modality; None where the modality is missing in all.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> images = np.zeros((3, 4, 4), dtype=np.uint8)
        >>> MultimodalData({"image": images, "curve": np.ones((3, 2))}).dtypes
        (dtype('uint8'), dtype('float64'))
        """
        return tuple(None if array is None else array.dtype for array in self.arrays)

    @property
    def axes(self) -> dict[str, Abscissa | None]:
        """Where the elements of each modality lie, as it may be stated; None where nothing says so.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"curve": np.ones((3, 2))}, axes={"curve": ("time / s", [0, 0.5])})
        >>> X.axes
        {'curve': ('time / s', array([0. , 0.5]))}
        """
        return dict(zip(self.names, map(stated_axes, self._axes), strict=True))

    @property
    def observed(self) -> np.ndarray:
        """Which samples have which modalities, shape (n_samples, n_modalities).

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> curves = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 4.0]])
        >>> MultimodalData([np.zeros((3, 4, 4)), curves]).observed
        array([[ True,  True],
               [ True, False],
               [ True,  True]])
        """
        names = range(len(self.names))
        rows = [observed_rows(self.arrays[k], self._stated(k), len(self)) for k in names]
        return np.stack(rows, axis=1)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def keys(self) -> KeysView[str]:
        """Return the names of the modalities, so that ``dict(X)`` has their arrays.

        Returns
        -------
        KeysView of str
            In order.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> list(X.keys())
        ['image', 'hue']
        """
        return dict(self.items()).keys()

    def values(self) -> ValuesView[Kept | None]:
        """Return the arrays of the modalities.

        Returns
        -------
        ValuesView of (ndarray or None)
            In the order of the names.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> [float(array.max()) for array in X.values()]
        [0.0, 1.0]
        """
        return dict(self.items()).values()

    def items(self) -> ItemsView[str, Kept | None]:
        """Return names and arrays of the modalities.

        Returns
        -------
        ItemsView of (str, ndarray or None)
            In order.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"image": np.zeros((3, 4, 4)), "hue": np.ones((3, 2))})
        >>> {name: array.shape for name, array in X.items()}
        {'image': (3, 4, 4), 'hue': (3, 2)}
        """
        return dict(zip(self.names, self.arrays, strict=True)).items()

    def _stated(self, k: int) -> np.ndarray | None:
        """Return what the mask says of a modality; None where there is none."""
        return None if self._observed is None else self._observed[:, k]

    def __len__(self) -> int:
        return self._n_samples

    @overload
    def __getitem__(self, key: str) -> Kept | None: ...

    @overload
    def __getitem__(self, key: Key) -> MultimodalData: ...

    def __getitem__(self, key: str | Key) -> MultimodalData | Kept | None:
        if isinstance(key, str):
            return self.arrays[position(key, self.names)]
        if isinstance(key, tuple) and len(key) != 2:
            raise IndexError(
                f"X takes at most two indices, X[rows, columns], got {len(key)}; X[name][...] goes "
                "on into one modality"
            )
        rows, columns = key if isinstance(key, tuple) else (key, Ellipsis)
        chosen = positions(columns, self.names)
        rows = row_key(rows, self._n_samples)
        arrays = [self.arrays[k] for k in chosen]
        return (
            MultimodalData(
                [None if array is None else array[rows] for array in arrays],
                [self.names[k] for k in chosen],
                observed=None if self._observed is None else self._observed[rows][:, chosen],
            )
            ._with_columns(
                [self._columns[k] for k in chosen],
                [self._frame_dtypes[k] for k in chosen],
                [self._axes[k] for k in chosen],
            )
            ._with_index(None if self.index is None else self.index[rows])
        )

    def _with_columns(
        self,
        columns: Sequence[Columns],
        dtypes: Sequence[Dtypes] | None = None,
        axes: Sequence[ElementAxes] | None = None,
    ) -> MultimodalData:
        """Set names and dtypes of the columns that modalities had as DataFrames, and their axes."""
        self._columns = tuple(columns)
        if dtypes is not None:
            self._frame_dtypes = tuple(dtypes)
        if axes is not None:
            self._axes = tuple(axes)
        return self

    def _with_index(self, index: pd.Index | None) -> MultimodalData:
        """Set the names of the samples."""
        self.index = index
        return self

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(
            "MultimodalData is not converted to one array silently: use X.to_flat() for an array "
            "of shape (n_samples, total width), or X[name] for one modality."
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MultimodalData):
            return NotImplemented
        if self.names != other.names or self.shape != other.shape:
            return False
        observed = self.observed
        if not np.array_equal(observed, other.observed):
            return False
        return all(map(same_values, self.arrays, other.arrays, observed.T))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = [f"{name}: {text}" for name, text in self._summary()]
        return f"MultimodalData({', '.join([self._counted(), *parts])})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
            for name, text in self._summary()
        )
        return f"<table><caption>MultimodalData, {self._counted()}</caption>{rows}</table>"

    def _counted(self) -> str:
        """Return the number of samples in words."""
        return f"{self._n_samples} sample{'' if self._n_samples == 1 else 's'}"

    def _summary(self) -> list[tuple[str, str]]:
        """Return name and description of each modality."""
        lines = []
        for k, (name, array) in enumerate(zip(self.names, self.arrays, strict=True)):
            text = "missing" if array is None else f"{array.shape[1:]} {array.dtype}"
            n_missing = 0
            if isinstance(array, OnDisk):  # a short text is not worth reading a file
                text += ", on disk"
            elif array is not None:
                n_missing = int((~observed_rows(array, self._stated(k), len(self))).sum())
            along = [axis.name for axis in self._axes[k] if axis is not None and axis.name]
            text += f" along {', '.join(along)}" if along else ""
            lines.append((name, f"{text}, {n_missing} missing" if n_missing else text))
        return lines

    def to_flat(self) -> np.ndarray:
        """Return all modalities side by side, as one array.

        Returns
        -------
        ndarray of shape (n_samples, total width)
            The flattened modalities in order; the inverse is
            ``MultimodalData.from_flat(flat, X.modality_shapes, X.names)``. Blocks that the mask
            calls missing are NaN.

        See Also
        --------
        from_flat : Cut it into modalities again.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> X = MultimodalData({"hue": [[1, 2], [3, 4]], "mass": [5, 6]})
        >>> X.to_flat()
        array([[1, 2, 5],
               [3, 4, 6]])
        """
        flat = []
        for k, (name, array) in enumerate(zip(self.names, self.arrays, strict=True)):
            if array is None:
                raise ValueError(
                    f"modality {name!r} is None, so its width is unknown: drop it, or give an "
                    "array of NaN in its place."
                )
            if array.dtype.kind not in "buifc":
                raise TypeError(
                    f"modality {name!r} has dtype {array.dtype}: only numbers can be put side "
                    "by side in one array."
                )
            flat.append(with_nan(array, self._stated(k)))
        return np.concatenate(flat, axis=1)

    @classmethod
    def from_flat(
        cls,
        flat: ArrayLike,
        shapes: Sequence[int | Sequence[int]],
        names: Sequence[str] | None = None,
    ) -> MultimodalData:
        """Cut one array into modalities.

        Parameters
        ----------
        flat : array-like of shape (n_samples, total width)
            The flattened modalities side by side.
        shapes : sequence of (tuple of int or int)
            Shape of one sample of each modality.
        names : sequence of str, default=None
            Names of the modalities.

        Returns
        -------
        MultimodalData
            Views of ``flat``.

        See Also
        --------
        to_flat : Put modalities side by side.

        Examples
        --------
        >>> from skcausalpima import MultimodalData
        >>> flat = [[1, 2, 5], [3, 4, 6]]
        >>> X = MultimodalData.from_flat(flat, [2, 1], ["hue", "mass"])
        >>> X["hue"]
        array([[1, 2],
               [3, 4]])
        """
        table, flat = Table.of(flat), as_modality(flat, "flat")
        columns = table.columns
        shapes = check_shapes(shapes)
        sizes = [int(np.prod(shape)) for shape in shapes]
        ends = np.cumsum(sizes).tolist()
        if flat.ndim != 2 or flat.shape[1] != ends[-1]:
            raise ValueError(
                f"X has shape {flat.shape}, but the modality shapes {shapes} add up to "
                f"{ends[-1]} columns: pass a 2-D array of that width, or other shapes."
            )
        blocks = np.split(flat, ends[:-1], axis=1)
        arrays = [
            block.reshape(len(flat), *shape) for block, shape in zip(blocks, shapes, strict=True)
        ]
        pairs = zip(sizes, ends, strict=True)
        labels = [None if columns is None else columns[end - n : end] for n, end in pairs]
        axes = [
            axes_of_names(of) if len(n) == 1 else () for of, n in zip(labels, shapes, strict=True)
        ]
        return cls(arrays, names)._with_columns(labels, axes=axes)._with_index(table.rows)

    @classmethod
    def from_frame(cls, frame: Unchecked) -> MultimodalData:
        """Read a pandas DataFrame.

        Parameters
        ----------
        frame : DataFrame of n_samples rows
            Either with two levels of columns (modality, element), or with one column per
            modality whose cells are arrays of one shape (or numbers). A cell that is empty
            (None, NaN, NA) is a missing modality.

        Returns
        -------
        MultimodalData
            One modality per column, or per entry of the first level; None for a column whose
            cells are all empty.

        Examples
        --------
        >>> import pandas as pd
        >>> from skcausalpima import MultimodalData
        >>> columns = pd.MultiIndex.from_tuples([("size", "mm"), ("size", "mg"), ("hue", "nm")])
        >>> MultimodalData.from_frame(pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=columns)).names
        ('size', 'hue')
        """
        expected = "a pandas DataFrame"
        if isinstance(frame, type) or not hasattr(frame, "columns"):
            adapter_of(frame, "frame", expected)
            raise TypeError(f"frame is {describe(frame)}: expected {expected}.")
        table = cast("pd.DataFrame", frame)
        if table.columns.nlevels > 2:
            raise ValueError(
                f"frame has {table.columns.nlevels} levels of columns: expected one or two, "
                "(modality, element)."
            )
        if table.columns.nlevels == 2:
            groups = dict.fromkeys(table.columns.get_level_values(0))
            return cls({name: table[name] for name in groups})
        names = _check_names(table.columns, table.shape[1])
        arrays = [_stack_cells(table[name], name) for name in names]
        return cls(arrays, names)._with_index(table.index)

    @classmethod
    def align(
        cls, frames: Mapping[str, pd.DataFrame | pd.Series], how: str = "inner"
    ) -> MultimodalData:
        """Put DataFrames of unlike rows together, by the names of samples in their indexes.

        Parameters
        ----------
        frames : mapping of str to (DataFrame or Series)
            Two or more modalities by name. An index names each sample once. Entries that are
            labels of contexts, or other columns about samples, are aligned as all others.
        how : {"inner", "outer"}, default="inner"
            "inner" takes the samples that all frames have, in the order of the first frame.
            "outer" takes all samples, in the order in which they appear first: those of the first
            frame, then those that the second one adds, and so on. Where a sample lacks a modality,
            its row is NaN (None beside words), and ``observed`` is False.

        Returns
        -------
        MultimodalData
            Copies, whose ``index`` has the names of the samples. Columns are what they are in the
            whole frame: words, ordered categories, booleans and whole numbers are these still
            where rows are missing.

        Raises
        ------
        TypeError
            If frames is no mapping, or one of them has no index, as arrays have none.
        ValueError
            If there are fewer than two frames, if an index has several levels or a sample without
            a name or twice, if ``how`` is another word, or if no sample is in all frames (with
            "outer", if a frame shares none with any other).

        Warns
        -----
        UserWarning
            If rows of unlike frames have numbers for names, as where nothing was set as index.

        See Also
        --------
        concatenate : Put samples of the same modalities one after another.

        Examples
        --------
        >>> import pandas as pd
        >>> from skcausalpima import MultimodalData
        >>> mass = pd.DataFrame({"mass": [5, 6, 7]}, index=["a", "b", "c"])
        >>> hue = pd.DataFrame({"hue": [0.1, 0.2]}, index=["d", "b"])
        >>> MultimodalData.align({"mass": mass, "hue": hue}, how="inner")
        MultimodalData(1 sample, mass: (1,) int64, hue: (1,) float64)
        >>> X = MultimodalData.align({"mass": mass, "hue": hue}, how="outer")
        >>> list(X.index)
        ['a', 'b', 'c', 'd']
        >>> X.to_flat()
        array([[5. , nan],
               [6. , 0.2],
               [7. , nan],
               [nan, 0.1]])
        """
        index, places = aligned_rows(frames, how)
        tables = list(map(Table.of, frames.values()))
        arrays = [
            rows_or_gaps(as_modality(frame, name), rows, name)
            for (name, frame), rows in zip(frames.items(), places, strict=True)
        ]
        observed = np.stack(places, axis=1) >= 0
        return (
            cls(arrays, list(frames), observed=None if observed.all() else observed)
            ._with_columns(
                [table.columns for table in tables],
                [table.dtypes for table in tables],
                [table.axes for table in tables],
            )
            ._with_index(index)
        )

    @classmethod
    def concatenate(cls, parts: Sequence[MultimodalData]) -> MultimodalData:
        """Put the samples of several containers one after another.

        Parameters
        ----------
        parts : sequence of MultimodalData
            Containers of the same modalities (matched by name, in the order of the first one).

        Returns
        -------
        MultimodalData
            A modality that is None in some of the parts is NaN there.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import MultimodalData
        >>> part = MultimodalData({"a": np.zeros((3, 2))})
        >>> len(MultimodalData.concatenate([part, part]))
        6
        """
        parts = _check_parts(parts)
        names = parts[0].names
        for part in parts:
            if set(part.names) != set(names):
                raise ValueError(
                    f"all parts must have the modalities {list(names)}, got {list(part.names)}."
                )
        arrays = [concatenate_rows([(p[name], len(p)) for p in parts], name) for name in names]
        parts = [part[:, list(names)] for part in parts]
        columns = zip(*(part._columns for part in parts), strict=True)
        given = [
            [part._frame_dtypes[k] for part in parts if part.arrays[k] is not None]
            for k in range(len(names))
        ]
        observed = None
        if any(part._observed is not None for part in parts):
            observed = np.concatenate([part.observed for part in parts])
        axes = zip(*(part._axes for part in parts), strict=True)
        return (
            cls(arrays, names, observed=observed)
            ._with_columns(
                list(map(common_columns, columns, names)),
                list(map(common_dtypes, given, names)),
                list(map(common_axes, axes, names)),
            )
            ._with_index(common_index([part.index for part in parts]))
        )


def _stack_cells(column: pd.Series, name: str) -> np.ndarray | None:
    """Stack the cells of a pandas column; an empty cell becomes a block of NaN.

    Return None if all are empty: then nothing says how large a block is.
    """
    if len(column) == 0:
        raise ValueError(f"column {name!r} has no cells, so the shape of the modality is unknown.")
    empty = column.isna().to_numpy()
    if empty.all():
        return None
    cells = [
        np.atleast_1d(cell if isinstance(cell, str) else as_array(cell, f"column {name!r}"))
        for cell in column[~empty]
    ]
    shapes = {cell.shape for cell in cells}
    if len(shapes) != 1:
        raise ValueError(
            f"the cells of column {name!r} must hold arrays of one shape, got {sorted(shapes)}: "
            "resize or pad them first."
        )
    blocks = iter(cells)
    return concatenate_rows([(None if gap else next(blocks)[None], 1) for gap in empty], name)


def _check_parts(parts: Iterable[MultimodalData]) -> list[MultimodalData]:
    """Return the containers that are to be put one after another."""
    expected = "expected a sequence of MultimodalData"
    if not isinstance(parts, Iterator):
        adapter_of(parts, "parts")
    try:
        parts = list(parts)
    except TypeError as error:
        raise TypeError(f"parts is {describe(parts)}: {expected}.") from error
    if not parts:
        raise ValueError("parts is empty: pass at least one MultimodalData.")
    for part in parts:
        if not isinstance(part, MultimodalData):
            raise TypeError(f"parts holds {describe(part)}: {expected}.")
    return parts


def _check_names(names: Sequence[str], n_modalities: int) -> tuple[str, ...]:
    """Return the names of modalities, which must be different strings."""
    expected = "expected a sequence with one name per modality"
    if isinstance(names, str):
        raise TypeError(f"names is {names!r}: {expected}.")
    try:
        names = tuple(names)
    except TypeError as error:
        raise TypeError(f"names is {describe(names)}: {expected}.") from error
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"names of modalities must be strings, got {name!r}.")
    if len(names) != n_modalities:
        raise ValueError(f"expected {n_modalities} names, one per array, got {list(names)}.")
    if len(set(names)) < len(names):
        raise ValueError(f"names of modalities must be unique, got {list(names)}.")
    return tuple(str(name) for name in names)
