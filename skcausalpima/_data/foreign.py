"""What is no array, and no container of arrays that we read: one error with a recipe for each.

Nothing is imported to recognize the types of other libraries: they are known by their names.
"""

from __future__ import annotations

import os
from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, Set, ValuesView
from numbers import Number
from types import EllipsisType
from typing import cast

import numpy as np
from scipy import sparse

from .._typing import Unchecked

#: What to do with a type of another library, by the module it is in and a word in its name.
RECIPES = {
    ("mudata", ""): "{name: part.to_df() for name, part in X.mod.items()}, with the same cells in "
    "each",
    ("anndata", ""): "X.to_df()",
    ("zarr", "Group"): "{name: X[name] for name in X.array_keys()}",
    ("pyarrow", "Table"): "X.to_pandas()",
    ("torch.utils.data", "TensorDataset"): "list(X.tensors), one tensor per modality",
    ("torch.utils.data", "DataLoader"): "the arrays in its dataset, [np.stack(part) for part in "
    "zip(*(X.dataset[k] for k in range(len(X.dataset))))]",
    ("torch.utils.data", "Dataset"): "[np.stack(part) for part in "
    "zip(*(X[k] for k in range(len(X))))], one array per modality",
}


def refuse_containers(value: Unchecked, what: str) -> None:
    """Raise where a value is known to be no array.

    Parameters
    ----------
    value : object
        Whatever a user passed.
    what : str
        What to call it in messages.

    Raises
    ------
    TypeError
        If it is a class, a text or a path, an iterator, a set, a view of a mapping, an array with
        fields, a container of another library, or anything else that NumPy would have to ask for
        one entry after the other; the message has a recipe that works.
    ValueError
        If it is a DataFrame with several levels of columns.
    """
    if isinstance(value, type):
        raise TypeError(f"{what} is the class {value.__name__}: expected arrays.")
    recipe = _foreign_recipe(value) or _plain_recipe(value)
    if recipe:
        raise TypeError(f"{what} is {describe(value)}: expected arrays. Pass {recipe}.")
    fields = getattr(getattr(value, "dtype", None), "names", None)
    if isinstance(fields, tuple):
        raise TypeError(
            f"{what} is an array with fields, {fields}: pass {{name: X[name] for name in "
            "X.dtype.names} for one modality per field, or pandas.DataFrame(X) for one table."
        )
    if not _is_readable(value):
        raise TypeError(
            f"{what} is {describe(value)}, which is no array for NumPy: expected arrays. Read all "
            "of it into one array per modality."
        )
    if (levels := column_levels(value)) > 1:
        raise ValueError(
            f"{what} is a DataFrame with {levels} levels of columns: expected one here. As X, "
            "two levels (modality, element) are its modalities; MultimodalData.from_frame(frame) "
            "reads them anywhere."
        )


def column_levels(value: Unchecked) -> int:
    """Return the number of levels that the columns of a DataFrame have; 1 for anything else."""
    levels = getattr(getattr(value, "columns", None), "nlevels", 1)
    return levels if isinstance(levels, int) else 1


def refuse_single_values(value: Unchecked, what: str) -> None:
    """Raise where a value is None or a number."""
    if value is None or isinstance(value, (Number, np.generic)):
        raise ValueError(
            f"{what} is {value!r}. Expected 2D array, one row per sample, or one array per "
            "modality."
        )


def _is_readable(value: Unchecked) -> bool:
    """Say whether NumPy can read a value without asking it for one entry after the other."""
    protocols = ("__array__", "__array_interface__", "__dlpack__")
    known = (Number, Sequence, Mapping, type(None), EllipsisType)
    if isinstance(value, known) or sparse.issparse(value):
        return True
    return any(hasattr(value, name) for name in protocols)


def _foreign_recipe(value: Unchecked) -> str:
    """Return what to do with a container of another library."""
    kinds = [(f"{kind.__module__}.", kind.__name__) for kind in type(value).__mro__]
    for (module, word), recipe in RECIPES.items():
        if any(place.startswith(f"{module}.") and word in name for place, name in kinds):
            return recipe
    return ""


def _plain_recipe(value: Unchecked) -> str:
    """Return what to do with something of Python's own."""
    if isinstance(value, (str, bytes, os.PathLike)):
        return "what it names, as read by np.load(..) or pandas.read_csv(..)"
    if isinstance(value, (Iterator, ValuesView)):
        return (
            "np.stack(list(X)) if it has the samples of one modality, or list(X) if it has one "
            "array per modality"
        )
    if isinstance(value, ItemsView):
        return "dict(X), the mapping that they are of"
    if isinstance(value, KeysView):
        return "the mapping itself, not its keys"
    return "np.array(sorted(X)): a set has no order" if isinstance(value, Set) else ""


def describe(value: Unchecked) -> str:
    """Say in a few words what a value is."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, (str, bytes, os.PathLike)):
        return f"{value!r:.100}"
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    return f"a {kind}" if shape is None else f"a {kind} of shape {tuple(cast('tuple', shape))}"
