"""What an estimator tells of the input of ``fit``, and what a fit that goes on keeps of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .._typing import Unchecked, Values
from .column_kinds import COUNTS, ColumnTable
from .containers import Form
from .stated_likelihoods import stated_by_modality
from .table_labels import Columns


def input_attributes(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    tables: Sequence[ColumnTable | None],
    columns: Sequence[Columns],
) -> Values:
    """Return the attributes that describe what a fit was given.

    Parameters
    ----------
    names : sequence of str
        The modalities.
    shapes : sequence of tuple of int
        Shape of the elements of one sample of each.
    tables : sequence of (ColumnTable or None)
        How their columns became elements; None where these are the columns.
    columns : sequence of (tuple of str or None)
        Names of their columns.
    """
    given = [shape if of is None else of.shape for shape, of in zip(shapes, tables, strict=True)]
    of_numbers = ["gaussian" if of is None else dict.fromkeys(of, "gaussian") for of in columns]
    pairs = zip(tables, of_numbers, strict=True)
    words = [plain if table is None else table.words for table, plain in pairs]
    return {
        "n_features_in_": sum(math.prod(shape) for shape in given),
        "n_modalities_in_": len(names),
        "modality_names_in_": np.array(names, dtype=object),
        "modality_shapes_in_": given,
        "likelihoods_": dict(zip(names, words, strict=True)),
    }


def check_kept_likelihoods(likelihoods: Unchecked, fitted: Form) -> None:
    """Check that a fit that goes on is not asked for other likelihoods than it has.

    Parameters
    ----------
    likelihoods : {"auto", ..}, sequence or mapping
        What is stated now.
    fitted : Form
        Of the fit.

    Raises
    ------
    ValueError
        Names a column of another likelihood.
    """
    stated = stated_by_modality(likelihoods, fitted.names, fitted.container == "single")
    for name, words, table in zip(fitted.names, stated, fitted.tables, strict=True):
        coding = table.coding
        before = {None: "gaussian"} if coding is None else {c.name: c.word for c in coding.columns}
        for column, word in before.items():
            now = words if isinstance(words, str) else words.get(str(column), "auto")
            if now != word and (now != "auto" or word in COUNTS):
                place = f"modality {name!r}" + ("" if column is None else f", column {column!r}")
                raise ValueError(
                    f"likelihoods is now {now!r} for {place}, but the fit has {word!r}: set it "
                    "back, or start afresh."
                )
