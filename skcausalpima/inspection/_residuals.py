r"""What a fit leaves of samples, and of replicates that it draws with the same cells and gaps.

Of a sample x with its most probable component c, and the mean z of its latent point there, a column
of numbers leaves :math:`x - D(z, c)` (*own*) and :math:`x - D(m_c, c)` (*of cells*, with the mean
:math:`m_c` of the component). Columns of other likelihoods leave randomized quantile residuals
[1]_, the normal score of a number drawn between :math:`P(X < x)` and :math:`P(X \le x)`.

.. [1] P. K. Dunn and G. K. Smyth, "Randomized quantile residuals", Journal of Computational and
   Graphical Statistics 5, 1996.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator

from .._data.arrays import flat_rows
from .._data.column_kinds import ColumnTable, slices_of
from .._data.validation import Modalities, fitted_form
from .._inference.kept_models import model_of
from ._unseen import UnseenPart

#: Elements of replicates that are held at a time.
ELEMENTS_AT_ONCE = 2**22
#: Fields of :class:`Residuals` with a table for each modality.
TABLES = ("own", "of_cells", "seen")


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """What is left of samples.

    Parameters
    ----------
    own, of_cells : list of ndarray of shape (n_samples, n_columns)
        Of each modality, beside what is decoded from each sample's place, and from its cell's
        centre; 0 where missing.
    seen : list of ndarray of bool of shape (n_samples, n_columns)
        Which columns are observed.
    labels : ndarray of int of shape (n_samples,)
        The most probable component, in the order of the estimator.
    """

    own: list[np.ndarray]
    of_cells: list[np.ndarray]
    seen: list[np.ndarray]
    labels: np.ndarray


def joined(parts: Sequence[Residuals]) -> Residuals:
    """Return what is left of the samples of several parts, one after another."""
    tables = (zip(*(getattr(part, name) for part in parts), strict=True) for name in TABLES)
    by_column, of_cells, present = (
        [np.concatenate(table) for table in of_kind] for of_kind in tables
    )
    labels = np.concatenate([part.labels for part in parts])
    return Residuals(own=by_column, of_cells=of_cells, seen=present, labels=labels)


def residuals(part: UnseenPart, samples: Modalities, rng: np.random.RandomState) -> Residuals:
    """Return what the fit of a part leaves of samples."""
    model = part.model
    samples = model.labelled(samples)
    posterior = model.posterior(samples)
    labels = posterior.probabilities.argmax(axis=1)
    decoded = model.decode(posterior.centres, labels)
    centres = model.decode(model.means, np.arange(len(model.means)))
    bare, parts = model.contexts.removed(samples), []
    for m, array in enumerate(bare.arrays):
        present = ~flat_rows(samples.missing_elements(m))
        x = np.zeros(present.shape) if array is None else np.asarray(flat_rows(array), np.float64)
        coding, first = samples.columns[m], [flat_rows(part[m]) for part in (decoded, centres)]
        means = first[0].astype(np.float64), first[1].astype(np.float64)[labels]
        n_coded = 0 if coding is None else len(coding.columns)
        draws = rng.random_sample((len(x), n_coded))  # of numbers none
        if coding is not None:
            starts = [where.start for where in slices_of(coding.layout)]
            present = present.take(starts[:n_coded], axis=1)
        left = [model.model.decoders[m].residuals(x, mean, draws) for mean in means]
        parts.append(
            (
                *(values if present.all() else np.where(present, values, 0.0) for values in left),
                present,
            )
        )
    by_column, of_cells, shown = (list(which) for which in zip(*parts, strict=True))
    return Residuals(own=by_column, of_cells=of_cells, seen=shown, labels=part.components[labels])


def centred_in_groups(values: np.ndarray, present: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return values less their mean in each group, 0 where they are not seen."""
    member = np.equal.outer(np.arange(groups.max() + 1), groups).astype(np.float64)
    if present.all():
        means = (member @ values) / member.sum(axis=1)[:, None]
        return values - means[groups]
    means = (member @ values) / np.maximum(member @ present, 1.0)
    return np.where(present, values - means[groups], 0.0)


def replicates(
    part: UnseenPart, source: BaseEstimator, n_replicates: int, rng: np.random.RandomState
) -> Iterator[Residuals]:
    """Yield what is left of replicates: draws of a fit with the cells, gaps and contexts of X.

    The cell of each row is drawn from its probabilities by the part, and the data from the source's
    cell. Where the source is a fit to all samples, and the part one to a half of them, they differ
    by chance as the part and the truth do, if less so. Levels that the part has not seen are
    missing.
    """
    samples, model = part.model.labelled(part.samples), part.model
    codings = [table.coding for table in fitted_form(source).tables]
    steps = model.probabilities(samples).cumsum(axis=1)
    n, at_once = samples.n_samples, ELEMENTS_AT_ONCE // max(1, sum(samples.widths))
    at_once = min(n_replicates, max(1, at_once // samples.n_samples))
    for start in range(0, n_replicates, at_once):
        times = min(at_once, n_replicates - start)
        rows = np.tile(np.arange(n), times)
        cut = rng.random_sample((len(rows), 1)) * steps[rows, -1:]
        components = (steps[rows] < cut).sum(axis=1)
        asked = samples.take(rows)
        drawn = model_of(source).draw(
            part.components[components], rng, asked.contexts if asked.contexts.labels else None
        )
        left = residuals(part, _in_place_of(asked, drawn, codings), rng)
        for k in range(times):
            here = slice(k * n, (k + 1) * n)
            tables = {name: [table[here] for table in getattr(left, name)] for name in TABLES}
            yield Residuals(**tables, labels=left.labels[here])


def _in_place_of(
    samples: Modalities, drawn: Sequence[np.ndarray], codings: Sequence[ColumnTable | None]
) -> Modalities:
    """Return drawn elements with the gaps, contexts, levels and dtypes of samples."""
    arrays: list[np.ndarray | None] = []
    observed, masks = samples.observed.copy(), list(samples.elements or [None] * len(drawn))
    for m, (array, new, coding) in enumerate(zip(samples.arrays, drawn, codings, strict=True)):
        new, missing = _recoded(new, coding, samples.columns[m]), samples.missing_elements(m)
        unknown = np.isnan(new) & ~missing
        if unknown.any():
            missing = missing | unknown
            there = ~flat_rows(missing)
            observed[m] = there.any(axis=1)
            masks[m] = there if (there != observed[m][:, None]).any() else None
        new = np.where(missing, 0.0, new) if missing.any() else new
        arrays.append(None if array is None else new.astype(array.dtype, copy=False))
    elements = tuple(masks) if any(mask is not None for mask in masks) else None
    return replace(samples, arrays=tuple(arrays), observed=observed, elements=elements)


def _recoded(drawn: np.ndarray, source: ColumnTable | None, own: ColumnTable | None) -> np.ndarray:
    """Return elements of one table as another codes them; NaN of levels that it does not know."""
    if source is None or own is None:
        return drawn
    pairs = list(zip(source.columns, own.columns, strict=True))
    if all(theirs.levels == ours.levels for theirs, ours in pairs):
        return drawn
    flat = flat_rows(drawn)
    parts = [
        flat[:, where]
        if theirs.levels == ours.levels
        else ours.encode(theirs.decode(flat[:, where]), lenient=True)
        for (theirs, ours), where in zip(pairs, slices_of(source.layout), strict=True)
    ]
    return np.hstack(parts).reshape(len(flat), *own.element_shape)
