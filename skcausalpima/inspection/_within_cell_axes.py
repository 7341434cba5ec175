"""Axes of a fit: what samples of one cell differ by, as factors without steps do."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_predict

from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.scalar_checks import count, validate_params
from .._base.types import Groups, Samples
from .._clustering.arrangement import means_of_labels
from .._data.several import check_rows_with
from .._held_out.held_out import folds_of
from .._held_out.stated_units import units_of
from .._held_out.units import Units
from .._inference.kept_models import model_of, samples_of
from .._structure.digraphs import node_graph
from ._fitted_estimator import check_estimator, outcome_names
from ._line_or_heaps import steps_of_nodes
from ._metadata_columns import Metadata, columns_of_numbers

#: Quantiles of a coordinate within a cell at which its path has a point (arbitrary).
STEPS = (0.05, 0.275, 0.5, 0.725, 0.95)
#: A column is held where axes have so much of the R^2 that a ridge regression on the samples has.
#: Evidence: all 24 fits of benchmarks/axes.py have .99 or more (seeds 0 and 1).
HELD = 0.9
#: Below this R^2 of the ridge a column is not in the data, and nobody can hold it (arbitrary).
LEAST_R2 = 0.1
#: Fewer samples say nothing of a column, or bend no path (arbitrary).
LEAST_SAMPLES = 30
#: Penalties of ridges, in units of the mean squared length of a row.
ALPHAS = np.logspace(-6, 2, 9)
#: Less scatter within cells, in squared units of the noise of an element, is rounding.
ROUNDING = 1e-10


@dataclass(frozen=True, kw_only=True, repr=False)
class WithinCellAxes(ShownTable):
    """What samples of one cell differ by; printed, and in a notebook, a table.

    Returned by :func:`within_cell_axes`.

    Parameters
    ----------
    shares : ndarray of shape (n_axes,)
        The part of the decoded variation within cells that lies along each axis.
    coordinates : ndarray of shape (n_samples, n_axes)
        Of the samples, 0 in the mean of each cell, in units of the noise of an element.
    components : ndarray of int of shape (n_samples,)
        The component of each sample, in whose cell these are.
    paths : ndarray of shape (n_components, n_axes, 5, latent_dim)
        Latent points along each axis in each component, where 5, 27.5, 50, 72.5 and 95 % of its
        samples lie below; NaN in empty ones. :class:`AxisDisplay` decodes them.
    column_names : tuple of hashable
        Columns of the metadata.
    r2 : ndarray of shape (n_axes + 3, n_columns)
        R^2 of each column, cross-validated: from the cell alone, from the cell and each axis, from
        the cell and all axes, and of a ridge regression on the samples themselves. NaN where fewer
        than 30 entries are known, or none differ.
    held : tuple of {"held", "not held", "not in the data", "not asked"}
        Of each column, whether axes and cells have .9 of the R^2 of the ridge regression.
    node_names : tuple of str
        The nodes.
    in_a_row : ndarray of bool of shape (n_nodes,)
        Whether the outcomes of a node, three or more, lie on a line, as in ``arrangement_``, and of
        a single node in what decodes from the means of its cells.
    order : tuple of ndarray of shape (n_outcomes,)
        The outcomes of each node along it.
    steps : tuple of {"kinds", "cut", "not told"}
        Of each node, whether its outcomes are kinds, with gaps between them, or one line or heap
        that was cut (``gaps_``). Kinds only where they are not cut, and certain to .95.
    outcome_names : tuple of tuple of str
        Names of the outcomes of each node.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> from skcausalpima.inspection import within_cell_axes
    >>> axes = within_cell_axes(model, X, n_axes=1)
    >>> axes.coordinates.shape, axes.steps
    ((60, 1), ('kinds',))
    """

    shares: np.ndarray
    coordinates: np.ndarray
    components: np.ndarray
    paths: np.ndarray
    column_names: tuple[Hashable, ...]
    r2: np.ndarray
    held: tuple[str, ...]
    node_names: tuple[str, ...]
    in_a_row: np.ndarray
    order: tuple[np.ndarray, ...]
    steps: tuple[str, ...]
    outcome_names: tuple[tuple[str, ...], ...]

    def to_frame(self) -> Frame:
        """Return the share of each axis, and R^2 of the metadata.

        Returns
        -------
        pandas.DataFrame
            Rows are ``cell``, each axis, ``all axes`` and ``ridge``; the columns are ``share`` and
            those of the metadata.

        Raises
        ------
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
        >>> X = X + np.random.default_rng(0).normal(size=X.shape)
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> from skcausalpima.inspection import within_cell_axes
        >>> axes = within_cell_axes(model, X, n_axes=1, metadata={"age": X[:, 0]})
        >>> axes.to_frame().index.tolist()
        ['cell', 'axis 1', 'all axes', 'ridge']
        """
        pd = pandas_for("to_frame")
        shares = [np.nan, *self.shares, self.shares.sum(), np.nan]
        columns = zip(self.column_names, self.r2.T, strict=True)
        return pd.DataFrame({"share": shares, **dict(columns)}, index=self._rows())

    def _rows(self) -> list[str]:
        """Return the names of the rows of ``r2``."""
        return ["cell", *axis_names(len(self.shares)), "all axes", "ridge"]

    def _as_table(self) -> TableText:
        """Return the figures in words."""
        shares = ["", *(f"{share:.0%}" for share in (*self.shares, self.shares.sum())), ""]
        rows = [
            [name, share, *("-" if np.isnan(r2) else f"{r2:.2f}" for r2 in of_row)]
            for name, share, of_row in zip(self._rows(), shares, self.r2, strict=True)
        ]
        head = ["", "share", *(f"R^2 of {name}" for name in self.column_names)]
        notes = [
            f"{name}: {MEANINGS[word]}"
            for name, word in zip(self.column_names, self.held, strict=True)
        ]
        for node, word in enumerate(self.steps):
            names = [self.outcome_names[node][k] for k in self.order[node]]
            row = f"in a row, {' - '.join(names)}: " if self.in_a_row[node] else ""
            notes.append(f"{self.node_names[node]}: {row}{MEANINGS[word]}")
        rows = rows if self.column_names else rows[1:-1]
        return TableText("Axes within cells", head, rows, notes)


#: What the words say.
MEANINGS = {
    "held": "held, cells and axes have what a ridge regression on the samples has",
    "not held": "not held, a ridge regression on the samples has more than cells and axes; more "
    "axes, a larger latent_dim or a longer training may help",
    "not in the data": "a ridge regression on the samples does not find it either",
    "not asked": f"not asked, fewer than {LEAST_SAMPLES} entries are known, or none differ",
    "kinds": "kinds, with gaps between them",
    "cut": "cut, there is no gap between outcomes: a factor without steps, or one heap",
    "not told": "not told whether outcomes are kinds or were cut",
}


@validate_params({"n_axes": [count(1)]}, prefer_skip_nested_validation=True)
def within_cell_axes(
    est: BaseEstimator,
    X: Samples,
    *,
    n_axes: int = 3,
    metadata: Metadata | None = None,
    groups: Groups = None,
) -> WithinCellAxes:
    r"""Find what samples of one cell differ by, and where known numbers of the samples are.

    A factor without steps, such as a temperature, is no node: it moves samples within their cells,
    or is cut in pieces, of which each is an outcome. Axes say what it does to the data.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples, in any form that it accepts. What they lack is filled in.
    n_axes : int, default=3
        Number of axes. There are fewer where cells have fewer directions.
    metadata : DataFrame, mapping or array-like of shape (n_samples, n_columns), default=None
        Columns of numbers, one for each sample. NaN is missing, and such a sample is left out for
        that column.
    groups : array-like of shape (n_samples,), default=None
        A label of each sample, such as its patient, by which samples belong together
        (:doc:`/guide/groups`): folds of the
        cross-validation keep them together.

    Returns
    -------
    WithinCellAxes
        Shares, coordinates, paths along the axes, and R^2 of the metadata.

    Raises
    ------
    TypeError
        A column of the metadata holds no numbers.
    ValueError
        X has one sample only, decoders make the same of all samples of a cell, or the metadata
        have another number of samples, no columns, or infinite numbers.

    See Also
    --------
    AxisDisplay : What data look like along the axes.
    associate_nodes : Compares nodes with known properties.

    Notes
    -----
    Latent coordinates have no unit, so axes are those of what decoders make of them. With the
    posterior mean z of a sample within its likeliest component c,

    .. math:: y = \frac{D(z, c) - D(m_c, c)}{\sigma},

    all elements of all modalities side by side, each in units of its noise. Less its mean in each
    cell, its leading singular vectors are the axes, and a coordinate is the product with one. A
    path is what a parabola in a coordinate makes of the latent points of a cell.

    R^2 is that of ridge regressions in five-fold cross-validation. Features are the cell, the
    coordinates, a slope of each cell, and squares and products of the coordinates; of the ceiling
    they are the samples, scaled as in the fit.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import within_cell_axes
    >>> rng = np.random.default_rng(0)
    >>> kind, heat = np.repeat([0, 1], 60), rng.uniform(-2, 2, size=120)
    >>> X = np.stack([9.0 * kind, 4 * heat, 3 * heat], axis=1) + rng.normal(size=(120, 3))
    >>> model = CausalPIMA(2, max_iter=5, random_state=0).fit(X)
    >>> axes = within_cell_axes(model, X, n_axes=1, metadata={"heat": heat})
    >>> axes.held
    ('held',)
    """
    check_estimator(est, "within_cell_axes")
    X, units = units_of(est, X, groups)
    model, modalities = model_of(est), samples_of(est, X)
    check_rows_with(X, metadata=metadata)
    columns = {} if metadata is None else columns_of_numbers(metadata, modalities.n_samples)
    if modalities.n_samples < 2:
        raise ValueError("X has one sample: axes need two or more, which differ by something.")
    posterior = model.posterior(modalities)
    components, means = posterior.probabilities.argmax(axis=1), est.cluster_means_
    samples, decoded, of_means = model.in_noise_units(modalities, posterior.centres, components)
    moved = decoded - of_means[components]
    moved -= means_of_labels(components, moved, len(means))[0][components]
    if np.square(moved).mean() < ROUNDING:
        raise ValueError(
            "decoders make the same of all samples of a cell, so that there are no axes: expected "
            "a model whose latent space has some variation within cells; experts with parameters "
            'per cluster have none (per="sample" has).'
        )
    n_axes = min(n_axes, *moved.shape, len(means[0]))
    axes = PCA(n_axes, random_state=0).fit(moved)
    coordinates = axes.transform(moved)
    asked = components, coordinates, samples, units
    r2 = np.array([_r2(number, *asked) for number in columns.values()])
    r2 = r2.reshape(len(columns), n_axes + 3).T
    rows, steps = steps_of_nodes(est, samples, of_means, components)
    return WithinCellAxes(
        shares=axes.explained_variance_ratio_,
        coordinates=coordinates,
        components=components,
        paths=_paths(posterior.centres - means[components], components, coordinates, means),
        column_names=tuple(columns),
        r2=r2,
        held=tuple(_word_of_column(*of_column[-2:].tolist()) for of_column in r2.T),
        node_names=tuple(node_graph(est.dag_)),
        in_a_row=rows.are_lines,
        order=tuple(rows.orders),
        steps=steps,
        outcome_names=tuple(map(tuple, outcome_names(est))),
    )


def axis_names(n_axes: int) -> list[str]:
    """Return the names of axes."""
    return [f"axis {k + 1}" for k in range(n_axes)]


def _r2(
    number: np.ndarray,
    components: np.ndarray,
    coordinates: np.ndarray,
    raw: np.ndarray,
    units: Units,
) -> list[float]:
    """Return R^2 of a column from cells, cells and each axis, all axes, and from the samples."""
    known = ~np.isnan(number)
    n_axes = coordinates.shape[1]
    of_known = units.take(np.flatnonzero(known))
    if of_known.n < LEAST_SAMPLES or np.ptp(number[known]) == 0:
        return [np.nan] * (n_axes + 3)
    marks = (components[known, None] == np.unique(components[known])).astype(np.float64)
    scaled = coordinates[known] / coordinates.std(axis=0)
    subsets = [scaled[:, :0], *np.split(scaled, n_axes, axis=1), scaled]
    features = [_features(marks, places) for places in subsets]
    return [_ridge_r2(table, number[known], of_known) for table in (*features, raw[known])]


def _features(marks: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return cells, coordinates, a slope of each cell, squares and products."""
    first, second = np.triu_indices(places.shape[1])
    slopes = (marks[:, :, None] * places[:, None]).reshape(len(marks), -1)
    return np.hstack([marks, places, slopes, places[:, first] * places[:, second]])


def _ridge_r2(features: np.ndarray, number: np.ndarray, units: Units) -> float:
    """Return R^2 of a ridge regression in five-fold cross-validation."""
    centred = features - features.mean(axis=0)
    length = np.sqrt(np.square(centred).sum(axis=1).mean()) or 1.0
    folds = folds_of(units, 5, 0)
    predicted = cross_val_predict(
        RidgeCV(ALPHAS), centred / length, number, groups=units.codes, cv=folds
    )
    return float(r2_score(number, predicted))


def _word_of_column(axes: float, ridge: float) -> str:
    """Return whether axes hold what a ridge regression on the samples finds."""
    if np.isnan(ridge):
        return "not asked"
    if max(axes, ridge) < LEAST_R2:
        return "not in the data"
    return "held" if axes >= HELD * ridge else "not held"


def _paths(
    moves: np.ndarray, components: np.ndarray, coordinates: np.ndarray, means: np.ndarray
) -> np.ndarray:
    """Return latent points along each axis in each component, by parabolas in the coordinate.

    Components with few samples have the line of all.
    """
    n_axes = coordinates.shape[1]
    paths = np.full((len(means), n_axes, len(STEPS), means.shape[1]), np.nan)
    for component in np.unique(components):
        inside = components == component
        rows = inside if inside.sum() >= LEAST_SAMPLES else np.ones(len(inside), dtype=bool)
        degree = 2 if inside.sum() >= LEAST_SAMPLES else 1
        for axis, places in enumerate(coordinates[rows].T):
            scale = np.abs(places).max() or 1.0
            bends = np.polynomial.polynomial.polyfit(places / scale, moves[rows], degree)
            steps = np.quantile(places, STEPS) / scale
            along = np.polynomial.polynomial.polyval(steps, bends).T
            paths[component, axis] = means[component] + along
    return paths
