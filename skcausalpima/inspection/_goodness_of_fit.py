"""Where a fitted model does not hold: what it leaves of samples, beside what it leaves of draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata
from sklearn.base import BaseEstimator

from .._base.scalar_checks import count, validate_params
from .._base.types import Groups, Samples
from .._data.element_axes import names_of_elements
from .._data.several import check_rows_with
from .._data.units import column_names
from .._held_out.stated_units import units_of
from ._fit_lines import (
    BETWEEN,
    CELLS,
    HEAPS,
    LEAST_OF_CELL,
    METADATA,
    TAILS,
    TOGETHER,
    Asked,
    Statistics,
    statistics,
)
from ._fitted_estimator import check_estimator
from ._goodness_report import HALVES, FitLine, GoodnessOfFit
from ._metadata_columns import Metadata, read_metadata
from ._residuals import joined, replicates, residuals
from ._unseen import UnseenSamples, unseen_parts

#: Of the draws.
SEED = 0
#: Standardised maxima are no smaller than this, so that logarithms of the smallest, which say
#: nothing, do not widen the spread of all (arbitrary).
SMALLEST = 0.5
#: Fewest samples of a category of metadata (arbitrary).
LEAST_OF_CATEGORY = 5
#: Two heaps, not a line: a cut explains more of an axis than of a uniform one, .75 (arbitrary).
TWO_HEAPS = 0.8


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What is said of a line: unit of its size, the least that matters (arbitrary), what to do."""

    unit: str
    least: float
    cure: str


KINDS = {
    TAILS: _Kind(
        unit="kurtosis beyond the model's",
        least=1.0,
        cure="Noise has other tails than normal ones: take logarithms or roots of such columns, "
        "set outliers aside (tail_probability names them), or state likelihoods= of counts.",
    ),
    TOGETHER: _Kind(
        unit="correlation beyond the model's",
        least=0.2,
        cure="Columns vary together within cells in a way that the latent space does not hold: "
        "raise latent_dim, up to the number of columns.",
    ),
    BETWEEN: _Kind(
        unit="correlation beyond the model's",
        least=0.2,
        cure="Modalities share what the latent space does not hold: raise latent_dim; if they were "
        "measured together, state that label as contexts=.",
    ),
    CELLS: _Kind(
        unit="ratio of the spread to the model's",
        least=1.25,
        cure='Noise differs between cells: decoder_variance="predicted", and mixture="full".',
    ),
    HEAPS: _Kind(
        unit="share of the variance within cells along the axis",
        least=0.05,
        cure="A further factor, or a line (a factor without steps), along this direction: add a "
        "node to node_sizes if it has steps; without, it stays within the cells.",
    ),
    METADATA: _Kind(
        unit="correlation within cells beyond the model's",
        least=0.2,
        cure="Samples of one cell differ by this column: state it as contexts= if it says how they "
        "were measured; else it may be a node of its own in node_sizes.",
    ),
}
CURE_OF_TWO_HEAPS = (
    "A further factor of two heaps along this direction: add a node of two outcomes to node_sizes, "
    "or, if a single cell shows it, an outcome to a node (select_node_sizes compares these)."
)


@validate_params(
    {"seen": ["boolean"], "n_replicates": [count(19)]}, prefer_skip_nested_validation=True
)
def goodness_of_fit(
    est: BaseEstimator,
    X: Samples,
    *,
    metadata: Metadata | None = None,
    groups: Groups = None,
    seen: bool = True,
    n_replicates: int = 199,
) -> GoodnessOfFit:
    r"""Say where a fitted model does not hold, how much so, and what to change.

    What the fit leaves of samples that it has not seen is compared with what it leaves of
    replicates: samples that it draws itself, with the same cells, gaps and contexts.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator; it stays as it is.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples, in any form that it accepts.
    metadata : DataFrame, mapping or array-like of shape (n_samples, n_columns), default=None
        What is known of samples beside X, as in :func:`associate_nodes`: instrument, day, age. Each
        column has a line, which asks whether samples of one cell differ by it.
    groups : array-like of shape (n_samples,), default=None
        A label of each sample, such as its patient, by which samples belong together
        (:doc:`/guide/groups`): halves keep them
        together, and one sample of each, drawn at random, is asked about.
    seen : bool, default=True
        Whether X is what the estimator was fitted to. Then two clones are fitted to halves of it,
        and each is asked about the other half: on samples of its own a fit alarms where nothing is
        wrong. Pass False with new samples, which takes no fits.
    n_replicates : int, default=199
        Number of replicates, at least 19. No p-value is below 1 / (n_replicates + 1).

    Returns
    -------
    GoodnessOfFit
        Lines with p-values, sizes and cures; printed, a short text.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If ``est`` is no CausalPIMA, or metadata cannot be read.
    ValueError
        If samples are too few, or some of them are of the fit though ``seen`` is False; if metadata
        have another number of samples or no columns, or hold what cannot be compared.

    See Also
    --------
    skcausalpima.CausalPIMA.report : Whether to believe cells and nodes.
    associate_nodes : Whether a node is a column of metadata.
    skcausalpima.CausalPIMA.tail_probability : Single samples that are unlike others.

    Notes
    -----
    Of a sample x with its most probable component c and its latent point z there, what is left is
    :math:`x - D(z, c)`, of columns that are no numbers a randomized quantile residual [1]_; within
    cells, :math:`x - D(m_c, c)`, with the mean :math:`m_c` of the component. Both are centred in
    each cell of the samples that are asked about, and scaled there. Modalities of more than 64
    columns have kurtosis and spread as a whole, and else are seen along their eight leading
    directions. Each replicate goes through the same steps, with directions of its own; none is
    fitted to. Of halves, replicates are drawn by the fit to all samples.

    - *tails*: kurtosis of each column;
    - *together*: correlations of columns of one modality;
    - *between*: correlations of columns of two modalities;
    - *cells*: spread of each column in each cell;
    - *heaps*: how much of the three leading axes within cells, and of the first of each cell, one
      cut into two explains. A further factor, or a line, along this direction is one answer unless
      two heaps show;
    - *metadata*: correlations of columns with normal scores of numbers, or with categories, within
      cells. A column that the nodes determine has nothing to say here.

    A line has statistics :math:`s_j`. Standardised over samples and replicates they are
    :math:`U_j`, and the line is tested by :math:`T = \max_j |U_j|` (of heaps
    :math:`\max_j U_j`): its p-value is :math:`(1 + b) / (1 + R)` where b of R replicates have a T
    as large. All lines together are tested by the largest standardised :math:`\log T`.

    With enough samples no model holds. So each line has a size in words that can be judged, and is
    silent below a size at which nothing that one reads of a fit changes. Replicates are drawn from
    the fit as if it were known exactly: fits to few samples find more than 5 %, of images and
    curves most of all, and halves of few curves have tails that the fit to all has not.

    References
    ----------
    .. [1] P. K. Dunn and G. K. Smyth, "Randomized quantile residuals", Journal of Computational and
       Graphical Statistics 5, 1996.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import goodness_of_fit
    >>> rng = np.random.default_rng(0)
    >>> X = np.tile([[0.0, 1.0, 0, 0], [8.0, 9.0, 0, 0]], (150, 1)) + rng.normal(size=(300, 4))
    >>> instrument = rng.choice(["A", "B"], size=300)
    >>> X[instrument == "B", 2] += 2
    >>> est = CausalPIMA(2, max_iter=2, random_state=0).fit(X[:150])
    >>> found = goodness_of_fit(
    ...     est, X[150:], metadata={"instrument": instrument[150:]}, seen=False, n_replicates=99)
    >>> found.worst.name, found.worst.where
    ('metadata: instrument', 'column 2')
    """
    check_estimator(est, "goodness_of_fit")
    X, units = units_of(est, X, groups)
    unseen = unseen_parts(est, X, units, seen=seen, caller="goodness_of_fit")
    unseen, rng = unseen.of_one_each(), np.random.RandomState(SEED)
    parts = unseen.parts
    rows = np.concatenate([part.rows for part in parts])
    known: dict[str, np.ndarray] = {}
    limits: list[str] = []
    if metadata is not None:
        check_rows_with(X, metadata=metadata)
        known, limits = _indicators(metadata, rows)
    data = joined([residuals(part, part.samples, rng) for part in parts])
    asked = _asked(est, unseen, data.labels, known)
    drawn = zip(*(replicates(part, est, n_replicates, rng) for part in parts), strict=True)
    compared = [statistics(data, asked), *(statistics(joined(left), asked) for left in drawn)]
    lines, p_value = _compared(compared)
    if len(asked.enough) < len(asked.cells):
        few = len(asked.cells) - len(asked.enough)
        limits.append(f"{few} cells have fewer than {LEAST_OF_CELL} samples: not asked alone.")
    agreement = unseen.agreement
    result = GoodnessOfFit(
        lines=lines,
        p_value=p_value,
        n_samples=len(rows),
        n_replicates=n_replicates,
        agreement={}
        if agreement is None
        else dict(zip(unseen.node_names, agreement.tolist(), strict=True)),
        limits=tuple(limits),
    )
    return result if result.worst is None or not seen else replace(result, limits=(*limits, HALVES))


def _asked(
    est: BaseEstimator, unseen: UnseenSamples, labels: np.ndarray, metadata: dict[str, np.ndarray]
) -> Asked:
    """Return names of all that lines are about."""
    samples, columns = unseen.parts[0].samples, []
    for m, coding in enumerate(samples.columns):
        if coding is not None:
            named = [column.name for column in coding.columns]
            is_uniform = len({column.word for column in coding.columns}) == 1
            axes = samples.form.tables[m].axes if is_uniform else ()
            columns.append(list(names_of_elements(axes, coding.shape, named) or named))
            continue
        names = column_names(samples, m)
        numbers = range(samples.widths[m])
        columns.append(list(names) if names else [f"column {k}" for k in numbers])
    outcomes = est.cluster_states_
    cells = [
        ", ".join(f"{n}={k}" for n, k in zip(unseen.node_names, row, strict=True))
        for row in outcomes
    ]
    counts = np.bincount(labels, minlength=len(cells))
    sizes = [len(part.rows) for part in unseen.parts]
    return Asked(
        modalities=samples.names,
        columns=columns,
        cells=cells,
        parts=np.repeat(np.arange(len(sizes)), sizes),
        enough=np.flatnonzero(counts >= LEAST_OF_CELL),
        metadata=metadata,
    )


def _indicators(metadata: Metadata, rows: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return normal scores of numbers and indicators of categories, NaN where they are missing.

    And why some columns are not asked.
    """
    known: dict[str, np.ndarray] = {}
    limits: list[str] = []
    for name, column in read_metadata(metadata, len(rows)).items():
        values = column[rows]
        if values.dtype.kind == "f":
            present = ~np.isnan(values)
            table = np.full((len(values), 1), np.nan)
            table[present, 0] = ndtri((rankdata(values[present]) - 0.5) / max(present.sum(), 1))
            varies = len(np.unique(values[present])) > 1
        else:
            codes, counts = np.unique(values[values >= 0], return_counts=True)
            others = counts.sum() - counts
            many = codes[np.minimum(counts, others) >= LEAST_OF_CATEGORY]
            table = np.where(values[:, None] < 0, np.nan, values[:, None] == many)
            varies = len(many) > 0
        if varies:
            known[str(name)] = table
        else:
            limits.append(
                f"metadata {name!r} does not vary, or has no two values with {LEAST_OF_CATEGORY} "
                "samples each: not asked."
            )
    return known, limits


def _compared(compared: Sequence[dict[str, Statistics]]) -> tuple[tuple[FitLine, ...], float]:
    """Return the lines, and the p-value of all together; the first entry is of the samples."""
    lines, misfits = [], []
    for name, first in compared[0].items():
        values = np.stack([statistic[name].values for statistic in compared])
        spread, middle = values.std(axis=0), values.mean(axis=0)
        units = np.where(spread > 1e-12, (values - middle) / np.where(spread > 1e-12, spread, 1), 0)
        units = units if name == HEAPS else np.abs(units)
        largest, j = units.max(axis=1), int(units[0].argmax())
        logs = np.log(np.maximum(largest, SMALLEST))
        misfits.append((logs - logs.mean()) / max(logs.std(), 1e-12))
        kind = KINDS[METADATA if name.startswith(METADATA) else name]
        off = abs(values[0, j] - values[1:, j].mean())
        size = np.exp(off) if name == CELLS else off
        size = size if first.sizes is None else first.sizes[j]
        heaps = name == HEAPS and values[0, j] >= TWO_HEAPS
        lines.append(
            FitLine(
                name=name,
                p_value=_p_value(largest),
                misfit=float(misfits[-1][0]),
                size=float(size),
                least_size=kind.least,
                unit=kind.unit,
                where=first.where[j],
                cure=CURE_OF_TWO_HEAPS if heaps else kind.cure,
            )
        )
    order = sorted(lines, key=lambda line: -line.misfit)
    return tuple(order), _p_value(np.max(misfits, axis=0))


def _p_value(values: np.ndarray) -> float:
    """Return the share of values, the first one among them, that are as large as the first."""
    return float(np.mean(values >= values[0] - 1e-12))
