"""What is told of contexts and their labels."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from .report import Report


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AdaptedLabel(Report):
    """What :meth:`~skcausalpima.CausalPIMA.adapt` has found of a new label of a context.

    An entry of the attribute ``adapted_``.

    Parameters
    ----------
    context : str
        Name of the context.
    label : label
        The new one.
    n_samples : int
        Number of samples that it was learned from, complete ones.
    standard_errors : dict of str to ndarray of the shape of a sample
        Of the label's offset, by modality, in the units of the data.
    unknown : float
        Share of the samples that are in no known cell.
    interval : (float, float)
        Its 95 % interval.
    tail_moves : list of ndarray of shape (n_ranks,)
        For each term of :meth:`~skcausalpima.CausalPIMA.tail_probability`, by how many nats what
        samples of the label are compared with moves, by rank: the offset is not known exactly, and
        cells are frequent in other ways.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> rng = np.random.default_rng(0)
    >>> kind, site = rng.integers(2, size=200), rng.integers(3, size=200)
    >>> x = rng.normal(size=(200, 3)) + 8 * kind[:, None] + 5 * site[:, None] * [1, 0, 0]
    >>> old, new = ({"x": x[of], "site": site[of]} for of in (site < 2, site == 2))
    >>> model = CausalPIMA(2, contexts="site", max_iter=5, random_state=0).fit(old).adapt(new)
    >>> told = model.adapted_[0]
    >>> told.label, told.n_samples == len(new["x"])
    (2, True)
    """

    context: str
    label: Hashable
    n_samples: int
    standard_errors: dict[str, np.ndarray]
    unknown: float
    interval: tuple[float, float]
    tail_moves: list[np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ContextReport(Report):
    """What a fit says of one context.

    An entry of ``contexts`` of a :class:`~skcausalpima.inspection.FitReport`.

    Parameters
    ----------
    role : {"measured", "cause"}
        As it was stated.
    labels : list of label
        Its labels.
    counts : ndarray of shape (n_labels,)
        Expected number of training samples of each.
    shares : list of (tuple of ndarray of shape (node_size,))
        Of each label, by node, the shares of its outcomes.
    links : list of str
        Nodes that differ between labels.
    overlap : float
        The least one of two labels: the sum over cells of the smaller share.
    moves : dict of str to float
        Root mean square of the offsets, by modality, in units of its spread without them.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> rng = np.random.default_rng(0)
    >>> kind, site = rng.integers(2, size=200), rng.integers(2, size=200)
    >>> x = rng.normal(size=(200, 3)) + 8 * kind[:, None] + 5 * site[:, None] * [1, 0, 0]
    >>> X = {"x": x, "site": site}
    >>> model = CausalPIMA(2, contexts="site", max_iter=5, random_state=0).fit(X)
    >>> model.report().contexts["site"].labels
    [0, 1]
    """

    role: str
    labels: list[Hashable]
    counts: np.ndarray
    shares: list[tuple[np.ndarray, ...]]
    links: list[str]
    overlap: float
    moves: dict[str, float]
