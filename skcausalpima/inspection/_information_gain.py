"""What to measure next: how much each missing modality is expected to say of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.scalar_checks import count, validate_params
from .._base.types import Samples, Seed
from .._inference.information import expected_entropies, node_entropies
from .._inference.kept_models import model_of, samples_of
from .._structure.digraphs import node_graph
from ._fitted_estimator import check_estimator


@dataclass(frozen=True, kw_only=True, repr=False)
class InformationGain(ShownTable):
    """How much measuring what samples lack is expected to say of nodes.

    Printed, it is a table of means over the samples that lack a modality.

    Parameters
    ----------
    gain : ndarray of shape (n_samples, n_modalities, n_nodes)
        Expected drop of the node's entropy, in nats; NaN where the modality is there already.
    gain_se : ndarray of shape (n_samples, n_modalities, n_nodes)
        Its standard error, from the draws; NaN also of a single draw.
    entropy : ndarray of shape (n_samples, n_nodes)
        The entropy of now, in nats.
    modality_names : tuple of str
        The modalities.
    node_names : tuple of str
        The nodes that were asked about.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import information_gain
    >>> X = np.repeat([[0.0, 1.0], [8.0, 9.0]], 30, axis=0)
    >>> X = X + np.random.default_rng(0).normal(size=X.shape)
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit({"a": X, "b": -X})
    >>> found = information_gain(model, [X[:5], None], n_draws=2, random_state=0)
    >>> found.gain.shape, found.best
    ((5, 2, 1), array([1, 1, 1, 1, 1]))
    """

    gain: np.ndarray
    gain_se: np.ndarray
    entropy: np.ndarray
    modality_names: tuple[str, ...]
    node_names: tuple[str, ...]

    @property
    def best(self) -> np.ndarray:
        """Number of the modality that says most of all nodes together, -1 where none is lacking.

        Of shape (n_samples,).

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import InformationGain
        >>> gain = np.array([[[0.1], [0.3]], [[0.2], [np.nan]], [[np.nan], [np.nan]]])
        >>> InformationGain(
        ...     gain=gain, gain_se=gain / 10, entropy=np.full((3, 1), 0.5),
        ...     modality_names=("image", "curve"), node_names=("N1",)).best
        array([ 1,  0, -1])
        """
        total = self.gain.sum(axis=2)
        lacking = ~np.isnan(total)
        return np.where(lacking.any(axis=1), np.where(lacking, total, -np.inf).argmax(axis=1), -1)

    def to_frame(self) -> Frame:
        """Return one row per sample and modality that it lacks.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``sample``, its number, and ``modality``; columns are the nodes.

        Raises
        ------
        ImportError
            If pandas is not installed.

        See Also
        --------
        information_gain : Find the numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import InformationGain
        >>> gain = np.array([[[0.1], [0.3]], [[0.2], [np.nan]]])
        >>> InformationGain(
        ...     gain=gain, gain_se=gain / 10, entropy=np.full((2, 1), 0.5),
        ...     modality_names=("image", "curve"), node_names=("N1",)).to_frame()
                          N1
        sample modality
        0      image     0.1
               curve     0.3
        1      image     0.2
        """
        pd = pandas_for("to_frame")
        samples, modalities = np.nonzero(~np.isnan(self.gain).any(axis=2))
        names = [self.modality_names[m] for m in modalities]
        index = pd.MultiIndex.from_arrays([samples, names], names=["sample", "modality"])
        return pd.DataFrame(
            self.gain[samples, modalities], index=index, columns=list(self.node_names)
        )

    def _as_table(self) -> TableText:
        """Write means over the samples that lack a modality, and for how many each is best."""
        rows, best = [], self.best
        for m, name in enumerate(self.modality_names):
            gain = self.gain[:, m][~np.isnan(self.gain[:, m]).any(axis=1)]
            if len(gain):
                means = [f"{mean:.2f}" for mean in gain.mean(axis=0)]
                rows.append([name, str(len(gain)), *means, str((best == m).sum())])
        entropy = ", ".join(
            f"{name} {mean:.2f}"
            for name, mean in zip(
                self.node_names, self.entropy[best >= 0].mean(axis=0), strict=True
            )
        )
        return TableText(
            "Expected drop of the entropy of nodes (nats), by what is measured next",
            ("modality", "lacking", *self.node_names, "best for"),
            rows,
            [f"Entropy of these samples now: {entropy}."],
        )


@validate_params(
    {
        "nodes": ["array-like", str, None],
        "n_draws": [count(1)],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def information_gain(
    est: BaseEstimator,
    X: Samples,
    *,
    nodes: Sequence[str] | str | None = None,
    n_draws: int = 16,
    random_state: Seed = None,
) -> InformationGain:
    r"""Say what to measure next, of samples that lack modalities.

    How much is measuring the modality m expected to say of the node j? Its values are drawn from
    what the fit predicts for the sample, each is answered by the fit as if it had been measured,
    and the gain is the mean by which the node's entropy falls [1]_:

    .. math:: H(q(N_j | x_S)) - E_{x_m \sim q(x_m | x_S)} H(q(N_j | x_S, x_m)).

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples in the form of the training data, some of which lack modalities. A sample may lack
        all of them.
    nodes : str or sequence of str, default=None
        Nodes that are of interest; None takes all.
    n_draws : int, default=16
        Number of values of each missing modality that are drawn per sample.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.

    Returns
    -------
    InformationGain
        Gains of samples by modality and node, and which modality is best for each sample.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If ``est`` is none, such as a pipeline or a search that holds one.
    ValueError
        No sample lacks a modality, a node does not exist, or X does not match the training data.

    See Also
    --------
    skcausalpima.CausalPIMA.modality_evidence : Which modality shows which node.

    Notes
    -----
    Gains are of one modality each; of two that say the same each has the whole gain until one is
    measured. Costs are yours: divide by them. Single elements that are missing are not asked about.
    The answer is as good as the fit: where its probabilities are too sure, so are the gains.

    References
    ----------
    .. [1] D. V. Lindley, "On a measure of the information provided by an experiment", Annals of
       Mathematical Statistics 27, 1956.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import information_gain
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat([0, 1], 100)
    >>> clear = rng.normal(size=(200, 6)) + 6 * group[:, None]
    >>> vague = rng.normal(size=(200, 6)) + 0.3 * group[:, None]
    >>> X = {"clear": clear, "vague": vague}
    >>> est = CausalPIMA((2,), max_iter=2, random_state=0).fit(X)
    >>> found = information_gain(est, [np.full((3, 6), np.nan)] * 2, random_state=0)
    >>> found.best  # measure the clear one
    array([0, 0, 0])
    """
    check_estimator(est, "information_gain")
    names = tuple(map(str, node_graph(est.dag_)))
    asked = names if nodes is None else (nodes,) if isinstance(nodes, str) else tuple(nodes)
    unknown = [node for node in asked if node not in names]
    if unknown or not asked:
        what = f"There is no node {unknown[0]!r}" if unknown else "nodes is empty"
        raise ValueError(f"{what}: expected some of the nodes {list(names)}, or None for all.")
    which = [names.index(node) for node in asked]
    fitted, modalities = model_of(est), samples_of(est, X)
    if modalities.observed.all():
        raise ValueError(
            "No sample of X lacks a modality, so nothing is left to measure: pass samples with "
            "None or NaN in place of the modalities that could be measured."
        )
    modalities, rng = fitted.labelled(modalities), check_random_state(random_state)
    entropy = node_entropies(fitted, modalities)[:, which]
    shape = (modalities.n_samples, len(modalities.names), len(which))
    gain, gain_se = np.full(shape, np.nan), np.full(shape, np.nan)
    for m, rows, drawn in expected_entropies(fitted, modalities, n_draws, rng):
        gain[rows, m] = entropy[rows] - drawn[:, :, which].mean(axis=1)
        if n_draws > 1:
            gain_se[rows, m] = drawn[:, :, which].std(axis=1, ddof=1) / np.sqrt(n_draws)
    return InformationGain(
        gain=gain,
        gain_se=gain_se,
        entropy=entropy,
        modality_names=modalities.names,
        node_names=asked,
    )
