"""What is told of how a fit began and how its training ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from .report import Report


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ConvergenceReport(Report):
    """How training ended: the attribute ``convergence_``.

    Parameters
    ----------
    ended : {"converged", "max_iter", "interrupted", "too early", "fallen"}
        "converged" where it stopped by itself, "max_iter" after all epochs, "interrupted" where the
        user or a callback ended it, "too early" where the bound still rose at the end, and "fallen"
        where it ended far below its best; ConvergenceWarnings tell of the last three.
    n_steps : int
        Gradient steps.
    spread : float or None
        Interquartile range of the bound between samples, in nats.
    rise : float or None
        By how much the bound rose per epoch at last, relative to ``spread``. It and
        ``label_changes`` are means over ``n_iter_no_change`` epochs, None if there are not twice as
        many.
    fall : float or None
        How far the bound ended below its best, relative to ``spread``.
    label_changes : float or None
        The share of samples that changed their component per epoch at last.
    moved : float or None
        The share that did not end in the component where they began.
    bound : float, default=None
        ``lower_bound_`` of the samples that the model is learned from, as ``history_`` is: the
        complete ones, where they are enough.
    share_of_samples : float, default=1.0
        Which part of the samples an epoch saw. All are seen by what ends a fit: mixture, tables,
        variances and graph.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> CausalPIMA(2, max_iter=2, random_state=0).fit(X).convergence_.ended
    'max_iter'
    """

    ended: str
    n_steps: int
    spread: float | None
    rise: float | None
    fall: float | None
    label_changes: float | None
    moved: float | None
    bound: float | None = None
    share_of_samples: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TriedStart(Report):
    """One way to begin that was tried: an entry of ``choices_.tried``.

    Parameters
    ----------
    modality_weights : str or dict of str to float
        "balanced", "elements", or the factor of each modality.
    views : dict of str to (str or None)
        Kind of each modality's derived view.
    agreement : float
        How far clusterings that begin so agree: the largest mean adjusted Rand index of the nodes
        in one of them and the others.
    is_taken : bool
        Whether the fit began so.
    scale : dict of str to (str or None), default={}
        Units of each modality.
    components : {"principal", "classes", "discriminant", "independent"}, default="principal"
        What clusters were sought in.
    error : float, default=nan
        Standard error of the agreement, NaN where it is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> rng = np.random.default_rng(0)
    >>> kind = rng.integers(2, size=60)
    >>> X = [8 * kind[:, None] + rng.normal(size=(60, n)) for n in (2, 20)]
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
    >>> [start.modality_weights for start in model.choices_.tried]
    ['balanced', 'elements']
    """

    modality_weights: str | dict[str, float]
    views: dict[str, str | None]
    agreement: float
    is_taken: bool
    scale: dict[str, str | None] = field(default_factory=dict)
    components: str = "principal"
    error: float = float("nan")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ChoicesReport(Report):
    """What was left to the data, and how it was decided: the attribute ``choices_``.

    Parameters
    ----------
    scale : dict of str to (str or None)
        Units of each modality, as they were taken.
    columns : dict of str to (float, int)
        The effective number of columns of each modality, and how many vary.
    modality_weights : str or dict of str to float
        "balanced", "elements", or the factor of each modality.
    views : dict of str to (str or None)
        Kind of each modality's derived view.
    linear : list of str
        Wide modalities whose networks have nothing but noise to learn, and take steps a tenth as
        long.
    tried : list of TriedStart
        The ways to begin that were tried, if there was more than one.
    counts : dict of str to (list of str)
        By modality, the columns that look like counts.
    predicted : list of str, default=[]
        Modalities whose networks predict the noise (``decoder_variance``).
    components : {"principal", "classes", "discriminant", "independent"}, default="principal"
        What clusters were sought in: principal components, all of them in units of latent classes
        or as discriminant ones, or independent ones.
    repeats : (int, str) or None, default=None
        Where nobody said which rows belong together, and they look like repeats: of how many units,
        and by what.
    one_value : dict of str to str, default={}
        Nodes that are one value of one column, of samples of which other columns show nothing of
        the node: which, in words.
    zeros_and_ones : dict of str to (list of str), default={}
        By modality, columns of numbers that hold 0 and 1 alone, but for one-hot columns.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> CausalPIMA(2, max_iter=2, random_state=0).fit(X).choices_.components
    'principal'
    """

    scale: dict[str, str | None]
    columns: dict[str, tuple[float, int]]
    modality_weights: str | dict[str, float]
    views: dict[str, str | None]
    linear: list[str]
    tried: list[TriedStart]
    counts: dict[str, list[str]]
    predicted: list[str] = field(default_factory=list)
    components: str = "principal"
    repeats: tuple[int, str] | None = None
    one_value: dict[str, str] = field(default_factory=dict)
    zeros_and_ones: dict[str, list[str]] = field(default_factory=dict)
