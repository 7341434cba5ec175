"""ModalityTransformer: a transformer for each modality, and what becomes of what these return."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch, Tags, check_consistent_length, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._base.scikit_learn import (
    BaseComposition,
    check_method_params,
    fit_transform_one,
    raise_for_params,
    safe_indexing,
)
from .._base.types import Samples, Several, Unchecked, Values
from .adapters import as_modality
from .containers import container_of
from .element_axes import ElementAxes
from .missing_values import observed_rows
from .multimodal_data import MultimodalData
from .on_disk import Kept
from .recipes import describe
from .several import Expected, check_columns, check_none_is_missing, check_samples, read_several
from .table_labels import Columns, columns_of, named_columns

#: Transformers as scikit-learn's compositions have them.
Pairs: TypeAlias = list[tuple[str, Any]]


def _all_parts_invert(self: ModalityTransformer) -> bool:
    """Raise an AttributeError that names the part without an inverse."""
    stated = {**self.transformers, "remainder": self.remainder}
    parts = getattr(self, "transformers_", stated)
    for name, part in parts.items():
        if not isinstance(part, str) and not hasattr(part, "inverse_transform"):
            raise AttributeError(
                f"ModalityTransformer has no inverse_transform here, since the transformer of "
                f"{name!r}, {part!r}, has none."
            )
    return True


class ModalityTransformer(TransformerMixin, BaseComposition, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Apply a transformer to each modality.

    This is scikit-learn's :class:`~sklearn.compose.ColumnTransformer` for modalities: each is
    transformed on its own, and all come back together as a
    :class:`~skcausalpima.MultimodalData`, so that it can be the first step of a
    :class:`~sklearn.pipeline.Pipeline` that ends in :class:`~skcausalpima.CausalPIMA`.

    Parameters
    ----------
    transformers : dict of (str, transformer)
        Transformers by the name of the modality. ``"passthrough"`` leaves a modality as it is,
        ``"drop"`` takes it out. Names must not contain ``__``.
    remainder : {"passthrough", "drop"} or transformer, default="passthrough"
        What happens to modalities that ``transformers`` does not name. Of a transformer each of
        them gets a clone of its own.

    Attributes
    ----------
    transformers_ : dict of (str, transformer)
        The fitted transformers of all modalities, or ``"passthrough"`` or ``"drop"``, in the order
        of the modalities. Those that were given stay as they are.
    named_transformers_ : Bunch
        The same, by attribute.
    n_features_in_ : int
        Total number of elements of a sample.
    n_modalities_in_ : int
        Number of modalities.
    modality_names_in_ : ndarray of str
        Names of the modalities.
    modality_shapes_in_ : list of tuple of int
        Shape of one sample of each modality.
    modality_feature_names_in_ : dict of str to (ndarray of str or None)
        Names of the columns of each modality that was a DataFrame; None for all others.

    See Also
    --------
    MultimodalData : What is returned.
    CausalPIMA : The estimator that follows.

    Notes
    -----
    *Shapes.* scikit-learn's transformers want tables. A transformer is given the samples of a
    modality flattened, as a table of shape (n_samples, width); if the same columns come back, they
    get the shape of the modality again. They are the same if they are as many and, where the
    transformer can say, ``get_feature_names_out`` names them as before: an image stays an image
    under ``StandardScaler``, and becomes a table under ``PCA``, however many components are kept.
    A transformer that takes arrays of any shape is given the modality in its own shape, and what
    it returns is left as it is: that is :class:`~sklearn.preprocessing.FunctionTransformer` (with
    ``validate=False``, its default) and any transformer whose tags have ``no_validation`` or
    ``input_tags.three_d_array``. A ``Pipeline`` is treated as its first step is. Where an
    image is to be cropped and then standardised, let two ModalityTransformers follow each other.

    *Missing modalities.* A sample that lacks a modality, NaN in all elements, is not shown to the
    modality's transformer, neither in ``fit`` nor in ``transform``, and stays NaN; so does None in
    place of a modality in ``transform``. Samples that are NaN in part are passed on, to be
    imputed.

    *Names.* Modalities keep their names and their order. Sparse results and DataFrames become
    arrays; the names of their columns go through the transformers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcausalpima import ModalityTransformer
    >>> rng = np.random.default_rng(0)
    >>> X = {"image": rng.normal(size=(20, 8, 8)), "curve": rng.normal(size=(20, 5))}
    >>> ModalityTransformer({"image": StandardScaler()}).fit_transform(X)
    MultimodalData(20 samples, image: (8, 8) float64, curve: (5,) float64)
    >>> prep = ModalityTransformer({"image": make_pipeline(StandardScaler(), PCA(3))})
    >>> prep.fit_transform(X)
    MultimodalData(20 samples, image: (3,) float64, curve: (5,) float64)
    >>> prep.inverse_transform(prep.transform(X))
    MultimodalData(20 samples, image: (8, 8) float64, curve: (5,) float64)
    >>> prep.set_params(image__pca__n_components=2, remainder="drop").fit_transform(X)
    MultimodalData(20 samples, image: (2,) float64)
    """

    def __init__(
        self, transformers: Mapping[str, Transformer], remainder: Transformer = "passthrough"
    ) -> None:
        self.transformers = transformers
        self.remainder = remainder

    def fit(self, X: Several, y: ArrayLike | None = None, **params: Unchecked) -> Self:
        """Fit the transformers.

        Parameters
        ----------
        X : mapping, MultimodalData, or list of arrays of shape (n_samples, ...)
            Modalities of the same samples. The names of those in a list are ``modality0``,
            ``modality1``, ...
        y : array-like of shape (n_samples, ...), default=None
            Passed on to the transformers.
        **params : dict
            Metadata that the transformers request, if metadata routing is enabled.

        Returns
        -------
        ModalityTransformer
            The fitted transformer itself.

        Raises
        ------
        ValueError
            If ``transformers`` names a modality that X does not have, X is one array, a
            modality is missing in all samples, or a transformer changes the number of samples.
        TypeError
            If a transformer is none.

        See Also
        --------
        fit_transform : Fit, and transform the same samples.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> X = {"image": np.arange(144.0).reshape(9, 4, 4), "mass": np.ones((9, 1))}
        >>> ModalityTransformer({"image": PCA(2)}).fit(X).transformers_
        {'image': PCA(n_components=2), 'mass': 'passthrough'}
        """
        raise_for_params(params, self, "fit")
        self._fit_transform(X, y, process_routing(self, "fit", **params))
        return self

    def fit_transform(
        self, X: Several, y: ArrayLike | None = None, **params: Unchecked
    ) -> MultimodalData:
        """Fit the transformers and transform the same samples.

        Parameters
        ----------
        X : mapping, MultimodalData, or list of arrays of shape (n_samples, ...)
            Modalities of the same samples.
        y : array-like of shape (n_samples, ...), default=None
            Passed on to the transformers.
        **params : dict
            Metadata that the transformers request, if metadata routing is enabled.

        Returns
        -------
        MultimodalData
            The transformed modalities, without those that are dropped.

        See Also
        --------
        transform : Transform other samples.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> X = {"image": np.arange(144.0).reshape(9, 4, 4), "mass": np.ones((9, 1))}
        >>> ModalityTransformer({"image": PCA(2)}).fit_transform(X)
        MultimodalData(9 samples, image: (2,) float64, mass: (1,) float64)
        """
        raise_for_params(params, self, "fit_transform")
        return self._fit_transform(X, y, process_routing(self, "fit_transform", **params))

    def transform(self, X: Several) -> MultimodalData:
        """Transform each modality.

        Parameters
        ----------
        X : mapping, MultimodalData, or list of arrays of shape (n_samples, ...)
            The modalities of ``fit``, matched by name, those of a list by position; None for a
            modality that is missing in all samples.

        Returns
        -------
        MultimodalData
            The transformed modalities, without those that are dropped.

        See Also
        --------
        inverse_transform : The way back.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> X = {"image": np.arange(144.0).reshape(9, 4, 4), "mass": np.ones((9, 1))}
        >>> prep = ModalityTransformer({"image": PCA(2)}).fit(X)
        >>> prep.transform({"image": X["image"][:3], "mass": X["mass"][:3]})
        MultimodalData(3 samples, image: (2,) float64, mass: (1,) float64)
        """
        check_is_fitted(self)
        data = _read(X, Expected.by(self))
        fitted = columns_of(self.modality_feature_names_in_)
        check_columns(data, fitted)
        return transformed(data, self._parts, "transform")

    @available_if(_all_parts_invert)
    def inverse_transform(self, X: Samples) -> MultimodalData:
        """Undo ``transform``, where every transformer has an inverse.

        Parameters
        ----------
        X : mapping, MultimodalData, or list of arrays of shape (n_samples, ...)
            Modalities as ``transform`` returns them, or the list that
            :meth:`CausalPIMA.inverse_transform` returns; where there is one modality only, its
            array.

        Returns
        -------
        MultimodalData
            The modalities in their first shapes and units. Those that were dropped are not there.

        See Also
        --------
        transform : The way there.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> X = {"image": np.arange(144.0).reshape(9, 4, 4), "mass": np.ones((9, 1))}
        >>> prep = ModalityTransformer({"image": PCA(2)})
        >>> prep.inverse_transform(prep.fit_transform(X))
        MultimodalData(9 samples, image: (4, 4) float64, mass: (1,) float64)
        """
        check_is_fitted(self)
        names, shapes = list(self._parts), [part.shape_out for part in self._parts.values()]
        if len(names) == 1 and container_of(X) == "single":
            X = {names[0]: cast(ArrayLike, X)}
        data = _read(X, Expected(names, shapes, "ModalityTransformer returns"))
        return transformed(data, self._parts, "inverse_transform")

    def get_feature_names_out(self, input_features: Unchecked = None) -> np.ndarray:
        """Return names of the columns of ``transform(X).to_flat()``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Not used; it is here since Pipeline passes the names of the step before.

        Returns
        -------
        ndarray of str
            The modality, ``__`` and what its transformer calls the column, such as
            ``curve__pca0``; ``x0``, ``x1``, ... where it has no names.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> X = {"image": np.arange(144.0).reshape(9, 4, 4), "mass": np.ones((9, 1))}
        >>> ModalityTransformer({"image": PCA(2)}).fit(X).get_feature_names_out()
        array(['image__pca0', 'image__pca1', 'mass__x0'], dtype=object)
        """
        check_is_fitted(self)
        names = [name for part in self._parts.values() for name in part.column_names()]
        return np.array(names, dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing: whatever is asked for, ``transform`` returns a MultimodalData.

        It is here so that the steps after this one can be set by ``Pipeline.set_output``.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            A table has no place for modalities of several axes, so this changes nothing.

        Returns
        -------
        ModalityTransformer
            The transformer itself.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> X = {"image": np.arange(144.0).reshape(9, 4, 4), "mass": np.ones((9, 1))}
        >>> prep = ModalityTransformer({"image": PCA(2)})
        >>> prep = prep.set_output(transform="pandas")
        >>> type(prep.fit_transform(X)).__name__
        'MultimodalData'
        """
        known = ("default", "pandas", "polars")
        if transform is not None and not (isinstance(transform, str) and transform in known):
            raise ValueError(
                f"transform is {transform!r}: expected 'default', 'pandas', 'polars' or None."
            )
        return self

    def get_params(self, deep: bool = True) -> Values:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Also return the transformers by name, and their parameters as ``<name>__<parameter>``.

        Returns
        -------
        dict
            Values by name.

        See Also
        --------
        set_params : Change them.

        Examples
        --------
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> ModalityTransformer({"image": PCA(2)}).get_params()["image__n_components"]
        2
        """
        return self._get_params("_named_parts", deep=deep)

    def set_params(self, **params: Unchecked) -> Self:
        """Set parameters, or replace transformers by name.

        Parameters
        ----------
        **params : dict
            Names as ``get_params`` returns them. The dict ``transformers`` that was given is not
            changed. The name of a modality that it does not have is an error.

        Returns
        -------
        ModalityTransformer
            The transformer itself.

        See Also
        --------
        get_params : The names and values.

        Examples
        --------
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> prep = ModalityTransformer({"image": PCA(2)})
        >>> prep.set_params(image__n_components=3, remainder="drop")
        ModalityTransformer(remainder='drop',
                            transformers={'image': PCA(n_components=3)})
        """
        if "transformers" in params:  # first, for the other names are about the new ones
            self.transformers = cast(Mapping, params.pop("transformers"))
        return self._set_params("_named_parts", **params)

    @property
    def _named_parts(self) -> Pairs:
        """The transformers as scikit-learn's compositions have them: a list of pairs."""
        given = self.transformers
        return list(given.items()) if isinstance(given, Mapping) else given

    @_named_parts.setter
    def _named_parts(self, pairs: Pairs) -> None:
        self.transformers = dict(pairs)

    @property
    def named_transformers_(self) -> Bunch:
        """The fitted transformers, by attribute.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.decomposition import PCA
        >>> from skcausalpima import ModalityTransformer
        >>> X = {"image": np.arange(144.0).reshape(9, 4, 4), "mass": np.ones((9, 1))}
        >>> prep = ModalityTransformer({"image": PCA(2)}).fit(X)
        >>> prep.named_transformers_.image
        PCA(n_components=2)
        """
        return Bunch(**self.transformers_)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which metadata the transformers request.

        Returns
        -------
        MetadataRouter
            In the form that scikit-learn's routing wants.

        Examples
        --------
        >>> from sklearn import config_context
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skcausalpima import ModalityTransformer
        >>> with config_context(enable_metadata_routing=True):
        ...     scaler = StandardScaler().set_fit_request(sample_weight=True)
        ...     router = ModalityTransformer({"image": scaler}).get_metadata_routing()
        ...     router.consumes("fit", ["sample_weight"])
        {'sample_weight'}
        """
        router = MetadataRouter(owner=self)
        for name, part in {**self.transformers, "remainder": self.remainder}.items():
            if isinstance(part, str):
                continue
            callee = "fit_transform" if hasattr(part, "fit_transform") else "fit"
            mapping = MethodMapping().add(caller="fit", callee=callee)
            mapping.add(caller="fit_transform", callee=callee)
            router.add(method_mapping=mapping, **{name: part})
        return router

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a table does not say which modality is which
        tags.input_tags.allow_nan = True
        return tags

    def _sk_visual_block_(self) -> Unchecked:
        """Draw what a ColumnTransformer of the same parts draws."""
        parts = getattr(self, "transformers_", self.transformers)
        remainder = "drop" if hasattr(self, "transformers_") else self.remainder
        columns = [(str(name), part, [name]) for name, part in parts.items()]
        return ColumnTransformer(columns, remainder=remainder)._sk_visual_block_()

    def _fit_transform(self, X: Several, y: ArrayLike | None, routed: Values) -> MultimodalData:
        """Fit clones; set attributes only when all have been fitted."""
        data = _read(X)
        check_transformers(self.transformers, self.remainder, data.names)
        self._validate_names(list(self.transformers))
        check_none_is_missing(data)
        check_consistent_length(data, y)
        chosen = {name: self.transformers.get(name, self.remainder) for name in data.names}
        parts, results = {}, {}
        for name, transformer in chosen.items():
            if isinstance(transformer, str) and transformer == "drop":
                continue
            params = routed.get(name if name in self.transformers else "remainder", {})
            parts[name], results[name] = fit_part(data, name, transformer, y, params)
        if not parts:
            raise ValueError("all modalities are dropped: keep at least one.")
        self._parts = parts
        self.transformers_ = {
            name: parts[name].transformer if name in parts else "drop" for name in chosen
        }
        self.modality_shapes_in_ = cast(list[tuple[int, ...]], data.modality_shapes)
        self.n_features_in_ = sum(map(math.prod, self.modality_shapes_in_))
        self.n_modalities_in_ = len(data.names)
        self.modality_feature_names_in_ = named_columns(data.names, data._columns)
        self.modality_names_in_ = np.array(data.names, dtype=object)
        return _joined(results, data[:, list(parts)], parts)


def _read(X: Samples, expected: Expected | None = None) -> MultimodalData:
    """Return several modalities in the order that is expected, whatever is in them."""
    container = container_of(X)
    if container == "single":
        raise ValueError(
            f"X is {describe(X)}, so one array: ModalityTransformer needs to know which modality "
            "is which. Pass a mapping from names to arrays, a MultimodalData, or a list of arrays; "
            "MultimodalData.from_flat(X, shapes, names) cuts a flat array."
        )
    data, _ = read_several(X, container, expected)
    check_samples(data, expected)
    return data


#: A transformer of scikit-learn's kind, or the word for doing nothing or for leaving out.
Transformer: TypeAlias = BaseEstimator
#: Keyword arguments by the name of the transformer's method.
Metadata: TypeAlias = dict[str, dict[str, ArrayLike]]


@dataclass(frozen=True)
class ModalityPart:
    """A fitted transformer of one modality, and the shapes of a sample on its way through.

    Parameters
    ----------
    name : str
        The modality.
    transformer : transformer or "passthrough"
        Fitted.
    shape, shape_out : tuple of int
        Shape of a sample before and after.
    given, returned : tuple of int
        Shape in which the transformer gets a sample, and in which it returns one.
    columns : tuple of str, default=None
        Names of the columns before; None where nothing names them.
    axes : tuple of (ElementAxis or None), default=()
        Where the elements lie before, if something says so.
    """

    name: str
    transformer: Transformer
    shape: tuple[int, ...]
    given: tuple[int, ...]
    returned: tuple[int, ...]
    shape_out: tuple[int, ...]
    columns: Columns = None
    axes: ElementAxes = ()

    def column_names(self) -> list[str]:
        """Return the names of the elements of a transformed sample, flattened."""
        width = math.prod(self.shape_out)
        names = self.columns_out or _names_out(self.transformer)
        if names is None or len(names) != width:
            names = [f"x{k}" for k in range(width)]
        return [f"{self.name}__{name}" for name in names]

    @property
    def columns_out(self) -> Columns:
        """Names of the columns after, if they had some before."""
        if self.columns is None or self.transformer == "passthrough":
            return self.columns
        names = _names_out(self.transformer, self.columns)
        is_whole = names is not None and len(names) == math.prod(self.shape_out)
        return tuple(map(str, names)) if names is not None and is_whole else None

    @property
    def axes_out(self) -> ElementAxes:
        """Where the elements lie after, if they are still the same."""
        names = None if isinstance(self.transformer, str) else _names_out(self.transformer)
        is_same = names is None or names == [f"x{k}" for k in range(math.prod(self.shape))]
        return self.axes if is_same and self.shape_out == self.shape else ()

    def apply(self, method: str, array: Kept, present: np.ndarray) -> Kept:
        """Transform the samples that have the modality, or undo it; the others are NaN."""
        if self.transformer == "passthrough":
            return array
        ways = {
            "transform": (self.given, self.returned, self.shape_out),
            "inverse_transform": (self.returned, self.given, self.shape),
        }
        given, returned, shape = ways[method]
        if not present.any():  # transformers want at least one sample
            dtype = np.result_type(array.dtype, np.float32) if array.dtype.kind in "biu" else None
            return np.full((len(array), *shape), np.nan, dtype=dtype or array.dtype)
        call = getattr(self.transformer, method)
        result = _call(call, _rows(array, present, given), self.name, self.transformer)
        if result.shape[1:] != returned:
            raise ValueError(
                f"the transformer of modality {self.name!r}, {self.transformer!r}, returned "
                f"samples of shape {result.shape[1:]} from {method}, expected {returned} "
                "as in fit: every sample must come out in one and the same shape, and "
                "inverse_transform must lead back to the shape that transform was given."
            )
        return _with_gaps(result.reshape(len(result), *shape), present, self.name)


def check_transformers(
    transformers: Mapping[str, Transformer], remainder: Transformer, names: Sequence[str]
) -> None:
    """Check the parameters of a ModalityTransformer against the names of the modalities."""
    if not isinstance(transformers, Mapping):
        raise TypeError(
            f"transformers is {transformers!r}: expected a dict from names of modalities to "
            "transformers."
        )
    unknown = [name for name in transformers if name not in names]
    if unknown:
        raise ValueError(
            f"transformers names the modalities {unknown}, but X has {list(names)}: name only "
            "those (the modalities of a list are modality0, modality1, ...)."
        )
    for name, part in {**transformers, "remainder": remainder}.items():
        is_word = isinstance(part, str) and part in ("drop", "passthrough")
        fits = hasattr(part, "fit") or hasattr(part, "fit_transform")
        if not is_word and (isinstance(part, type) or not fits or not hasattr(part, "transform")):
            raise TypeError(
                f"the transformer of {name!r} is {part!r}: expected an instance with fit and "
                "transform, 'passthrough' or 'drop'."
            )


def transformed(
    data: MultimodalData, parts: Mapping[str, ModalityPart], method: str
) -> MultimodalData:
    """Transform modalities, each by its own part; what is missing stays so.

    Parameters
    ----------
    data : MultimodalData
        Has all modalities that there are parts for.
    parts : mapping of str to ModalityPart
        By name of the modality.
    method : {"transform", "inverse_transform"}
        Which way.

    Returns
    -------
    MultimodalData
        The modalities in the order of the parts.
    """
    data = data[:, list(parts)]
    present = data.observed.T
    arrays = {
        part.name: None if array is None else part.apply(method, array, rows)
        for part, array, rows in zip(parts.values(), data.arrays, present, strict=True)
    }
    return _joined(arrays, data, parts, method == "transform")


def _joined(
    arrays: Mapping[str, Kept | None],
    data: MultimodalData,
    parts: Mapping[str, ModalityPart],
    forward: bool = True,
) -> MultimodalData:
    """Return what parts made of data; columns that are passed through keep their dtypes."""
    pairs = list(zip(parts.values(), data._frame_dtypes, strict=True))
    columns = [part.columns_out if forward else part.columns for part, _ in pairs]
    axes = [part.axes_out if forward else part.axes for part, _ in pairs]
    kept = [dtypes if part.transformer == "passthrough" else None for part, dtypes in pairs]
    made = MultimodalData(arrays, observed=data._observed)._with_columns(columns, kept, axes)
    return made._with_index(data.index)


def fit_part(
    data: MultimodalData, name: str, transformer: Transformer, y: ArrayLike | None, params: Metadata
) -> tuple[ModalityPart, Kept]:
    """Fit a clone of a transformer to the samples that have the modality.

    Parameters
    ----------
    data : MultimodalData
        All modalities.
    name : str
        Which of them.
    transformer : transformer or "passthrough"
        Not fitted, left as it is.
    y : array-like of shape (n_samples, ...) or None
        Passed on.
    params : dict of (str, dict)
        Metadata by the transformer's method; what has a value per sample is cut to the samples.

    Returns
    -------
    part : ModalityPart
        With the fitted clone.
    transformed : ndarray of shape (n_samples, ...)
        Missing samples are NaN.
    """
    k, array = data.names.index(name), cast("Kept", data[name])
    shape, columns, axes = array.shape[1:], data._columns[k], data._axes[k]
    present = observed_rows(array, data._stated(k), len(data))
    if isinstance(transformer, str):
        return ModalityPart(name, transformer, shape, shape, shape, shape, columns, axes), array
    if not present.any():
        raise ValueError(
            f"modality {name!r} is missing in all samples, so its transformer cannot be "
            "fitted: leave it out of fit, or drop it."
        )
    if not present.all():
        rows = np.flatnonzero(present)
        y = None if y is None else safe_indexing(y, rows)
        params = {
            method: check_method_params(present, given, rows) for method, given in params.items()
        }
    transformer = clone(transformer)
    given = shape if _takes_any_shape(transformer) else (math.prod(shape),)

    def fit_transform(rows: np.ndarray) -> np.ndarray:
        return fit_transform_one(transformer, rows, y, None, params=params)[0]

    result = _call(fit_transform, _rows(array, present, given), name, transformer)
    returned = shape_out = result.shape[1:]
    if given != shape and returned == given:
        names = _names_out(transformer)
        if names is None or names == [f"x{k}" for k in range(given[0])]:  # the same columns
            shape_out = shape
    part = ModalityPart(name, transformer, shape, given, returned, shape_out, columns, axes)
    return part, _with_gaps(result.reshape(len(result), *shape_out), present, name)


def _takes_any_shape(transformer: Transformer) -> bool:
    """Return whether a transformer takes samples of any shape; a Pipeline asks its first step."""
    while isinstance(transformer, Pipeline):
        steps = [step for _, step in transformer.steps if step not in (None, "passthrough")]
        transformer = steps[0] if steps else None
    if not hasattr(transformer, "__sklearn_tags__"):
        return False
    tags = get_tags(transformer)
    return tags.no_validation or tags.input_tags.three_d_array


def _rows(array: Kept, present: np.ndarray, given: tuple[int, ...]) -> np.ndarray:
    """Return the samples that have the modality in the shape for the transformer."""
    rows = np.asarray(array if present.all() else array[present])
    return rows.reshape(len(rows), *given)


def _call(method: Callable, rows: np.ndarray, name: str, transformer: Transformer) -> np.ndarray:
    """Return the result as a dense array of as many samples; errors say whose they are."""
    try:
        with config_context(transform_output="default"):  # tables would become arrays anyway
            result = method(rows)
        result = as_modality(result.toarray() if sparse.issparse(result) else result, name)
    except Exception as error:
        flattens = (
            ", since its first step takes samples of any shape. Where a later step wants a table, "
            "put that step into a second ModalityTransformer after this one, which flattens samples"
        )
        error.add_note(
            f"This is about modality {name!r}: its transformer, {transformer!r}, was given an "
            f"array of shape {rows.shape}{'' if rows.ndim == 2 else flattens}."
        )
        raise
    if len(result) != len(rows):
        raise ValueError(
            f"the transformer of modality {name!r}, {transformer!r}, returned {len(result)} "
            f"samples for {len(rows)}: a transformer in ModalityTransformer must return one sample "
            "for each that it gets, so that the modalities still belong together."
        )
    return result


def _with_gaps(result: np.ndarray, present: np.ndarray, name: str) -> np.ndarray:
    """Put samples back among the missing ones."""
    if present.all():
        return result
    if result.dtype.kind not in "buifc":
        raise TypeError(
            f"the transformer of modality {name!r} returned dtype {result.dtype}, which has no NaN "
            "for the samples that miss it: return numbers, or drop these samples."
        )
    dtype = np.result_type(result.dtype, np.float32)
    full = np.full((len(present), *result.shape[1:]), np.nan, dtype=dtype)
    full[present] = result
    return full


def _names_out(transformer: Transformer, columns: Columns = None) -> Sequence[str] | None:
    """Return the names of a transformer's columns, or None where it has none."""
    try:
        names = transformer.get_feature_names_out(columns)
    except (AttributeError, ValueError):  # a step of a Pipeline has none, or wants some of the user
        return None
    return None if names is None else list(names)  # None: a Pipeline whose steps all pass through
