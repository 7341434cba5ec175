"""Named axes of DataArrays: the same samples together, the axes of ``fit``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .adapters import Table


def check_axes(names: Sequence[str], tables: Sequence[Table]) -> None:
    """Check that all DataArrays begin with the same axis, that of the samples."""
    named = [(name, of) for name, of in zip(names, tables, strict=True) if of.dims]
    for name, other in named[1:]:
        first = named[0][1]
        if first.dims[0] != other.dims[0]:
            common = [dim for dim in first.dims if dim in other.dims]
            to_first = f"X.transpose({common[0]!r}, ...)" if common else "X.transpose(..)"
            raise ValueError(
                f"modality {name!r} begins with the axis {other.dims[0]!r}, but {named[0][0]!r} "
                f"with {first.dims[0]!r}: the first axis counts the samples. Use {to_first}."
            )
        if _differ(first, other, first.dims[0]):
            raise ValueError(
                f"modality {name!r} has other labels along {first.dims[0]!r} than "
                f"{named[0][0]!r}: a sample is one entry of each. Align them with xarray.align."
            )


def check_axes_of_fit(
    names: Sequence[str], tables: Sequence[Table], fitted: Sequence[Table]
) -> None:
    """Check that the axes of DataArrays are those of ``fit``, in their order."""
    for name, now, before in zip(names, tables, fitted, strict=True):
        if now.kind != "xarray" or before.kind != "xarray":
            continue
        if now.dims[1:] != before.dims[1:]:
            wanted = ", ".join(map(repr, (now.dims[0], *before.dims[1:])))
            raise ValueError(
                f"modality {name!r} has the axes {now.dims}, but in fit it had {before.dims}: use "
                f"X.transpose({wanted})."
            )
        for dim in now.dims[1:]:
            if _differ(now, before, dim):
                raise ValueError(
                    f"modality {name!r} has other labels along {dim!r} than in fit: use "
                    f"X.sel or X.interp to take those of fit."
                )


def _differ(one: Table, other: Table, dim: str) -> bool:
    """Return True if two DataArrays have different labels along an axis."""
    if dim not in one.labels or dim not in other.labels:
        return False
    return not np.array_equal(one.labels[dim], other.labels[dim])
