"""Which experiment says most of the graph: expected gains of information, by all DAGs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import entr
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._base.parameter_objects import ScoreSearch
from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for
from .._base.scalar_checks import count, validate_params
from .._base.types import Seed
from .._base.warn import warn_caller
from .._model.objects import parameters_of
from .._structure.constraints import edge_constraints
from .._structure.digraphs import node_graph
from .._structure.edge_probabilities import prior_of_graphs
from ..exceptions import InstabilityWarning
from ._all_graphs import MOST_NODES, AllGraphs, log_probabilities, probabilities
from ._fitted_estimator import are_in_doubt, check_estimator, outcome_names

#: What is set, and to what: numbers of a node and an outcome, None for nothing, and for evenly.
Setting = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True, repr=False)
class InterventionGain(ShownTable):
    """How much experiments are expected to say of the graph.

    Printed, it is a table, the experiment that says most in its first row.

    Parameters
    ----------
    interventions : tuple of (str or None, str or None)
        Node that is set, and its outcome in all new samples; an outcome of None: it is set to each
        outcome in an equal share of the samples, by chance. ``(None, None)``: nothing is set.
    gain : ndarray of shape (n_interventions,)
        Expected gain of information on the graph, in nats.
    gain_se : ndarray of shape (n_interventions,)
        Its standard error, from the draws.
    entropy : float
        Of the probabilities of graphs now, in nats: no gain is larger.
    graphs : ndarray of shape (n_graphs, n_nodes, n_nodes), dtype bool
        All graphs that knowledge allows, the likeliest first; ``[k, i, j]`` is i -> j.
    probabilities : ndarray of shape (n_graphs,)
        How likely each of them is now.
    node_names : tuple of str
        The nodes, in the order of the graphs' rows.
    n_samples : int
        Number of new samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import intervention_gain
    >>> noise = np.random.default_rng(0).normal(size=(160, 2))
    >>> X = np.repeat([[0, 0], [0, 9], [9, 0], [9, 9]], [60, 20, 20, 60], axis=0) + noise
    >>> model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
    >>> found = intervention_gain(model, 50, random_state=0)
    >>> found.graphs.shape, found.probabilities.shape
    ((3, 2, 2), (3,))
    """

    interventions: tuple[tuple[str | None, str | None], ...]
    gain: np.ndarray
    gain_se: np.ndarray
    entropy: float
    graphs: np.ndarray
    probabilities: np.ndarray
    node_names: tuple[str, ...]
    n_samples: int

    @property
    def best(self) -> tuple[str | None, str | None]:
        """The node and the outcome that are expected to say most.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import InterventionGain
        >>> InterventionGain(
        ...     interventions=((None, None), ("N1", None)), gain=np.array([0.0, 0.4]),
        ...     gain_se=np.full(2, 0.01), entropy=0.7, graphs=np.zeros((1, 2, 2), bool),
        ...     probabilities=np.ones(1), node_names=("N1", "N2"), n_samples=50).best
        ('N1', None)
        """
        return self.interventions[int(self.gain.argmax())]

    def to_frame(self) -> Frame:
        """Return one row per intervention.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``node`` and ``outcome``, empty where ``interventions`` has None;
            columns are ``gain`` and ``gain_se``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        See Also
        --------
        intervention_gain : Find the numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima.inspection import InterventionGain
        >>> InterventionGain(
        ...     interventions=(("N1", "low"), ("N1", "high")), gain=np.array([0.1, 0.4]),
        ...     gain_se=np.full(2, 0.01), entropy=0.7, graphs=np.zeros((1, 2, 2), bool),
        ...     probabilities=np.ones(1), node_names=("N1", "N2"), n_samples=50).to_frame()
                      gain  gain_se
        node outcome
        N1   low       0.1     0.01
             high      0.4     0.01
        """
        pd = pandas_for("to_frame")
        rows = [(node or "", outcome or "") for node, outcome in self.interventions]
        index = pd.MultiIndex.from_tuples(rows, names=["node", "outcome"])
        return pd.DataFrame({"gain": self.gain, "gain_se": self.gain_se}, index=index)

    def _as_table(self) -> TableText:
        """Write the gains, largest first, and what is known now."""
        rows = []
        for k in np.argsort(-self.gain, kind="stable"):
            node, outcome = self.interventions[k]
            words = ("nothing", "") if node is None else (node, outcome or "each, by chance")
            rows.append([*words, f"{self.gain[k]:z.2f}", f"{self.gain_se[k]:.2f}"])
        arrows = [
            f"{self.node_names[i]} -> {self.node_names[j]}" for i, j in np.argwhere(self.graphs[0])
        ]
        return TableText(
            f"Expected gain of information on the graph (nats) by {self.n_samples} more samples",
            ("what is set", "to", "gain", "+-"),
            rows,
            [
                f"Entropy of the graph now: {self.entropy:.2f}; the likeliest of "
                f"{len(self.graphs)} has probability {self.probabilities[0]:.2f} (others may tie): "
                f"{', '.join(arrows) or 'no arrows'}."
            ],
        )


@validate_params(
    {"n_samples": [count(1)], "n_draws": [count(2)], "random_state": ["random_state"]},
    prefer_skip_nested_validation=True,
)
def intervention_gain(
    est: BaseEstimator, n_samples: int, *, n_draws: int = 200, random_state: Seed = None
) -> InterventionGain:
    r"""Say which experiment is expected to tell most of the graph, of up to four nodes.

    Observations alone leave arrows open that point either way in graphs of one class. In new
    samples a node could be *set*. What they are expected to say of the graph G is how far they move
    its probabilities [1]_ [2]_ [3]_, which is by how much its entropy falls:

    .. math:: E_{D' \mid D, \mathrm{do}(v)} \, \mathrm{KL}\left(p(G \mid D, D') \,\|\,
        p(G \mid D)\right) = H(G \mid D) - E_{D' \mid D, \mathrm{do}(v)} H(G \mid D, D').

    All graphs are listed. Their probabilities are those behind ``edge_probabilities_``, on the
    fit's expected counts of cells; where nodes were set already (``fit(.., interventions=..)``), or
    are in the new samples, a node's family is scored on the others [4]_. Graphs and their tables
    are drawn from their posterior, and of each the counts of new samples in which the node is set.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator of two to four nodes whose graph was searched.
    n_samples : int
        Number of new samples, all of one experiment.
    n_draws : int, default=200
        Number of graphs and of new data sets that are drawn, the same graphs for each intervention.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.

    Returns
    -------
    InterventionGain
        Expected gains of setting nothing, each node to all of its outcomes by chance, and each node
        to each outcome; and how likely all graphs are now.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If ``est`` is none, such as a pipeline or a search that holds one.
    ValueError
        If ``est`` has one node or more than four, its graph was not searched (it was given, or
        learned by gradient) or depends on contexts that are causes.

    Warns
    -----
    skcausalpima.exceptions.InstabilityWarning
        Cells of the fit may be wrong, and so may all that is said of their graph be.

    See Also
    --------
    edge_confidence : How sure the graph is of the data there are.
    information_gain : Which modality to measure next.

    Notes
    -----
    The cells of new samples are taken to be certain, and what cells look like to be known: where
    they overlap, gains are smaller. The mean of both sides of the equation over the same draws is
    returned, which scatters less than either. Gains of two experiments do not add up: ask again
    after each. What an experiment costs is yours to say. Knowledge and score are those that
    ``est`` has now; a penalty on edges counts as that of the samples there are. Four nodes of two
    outcomes take about a second; time grows with the number of cells.

    References
    ----------
    .. [1] D. V. Lindley, "On a measure of the information provided by an experiment", Annals of
       Mathematical Statistics 27, 1956.
    .. [2] S. Tong and D. Koller, "Active learning for structure in Bayesian networks", IJCAI 2001.
    .. [3] K. P. Murphy, "Active learning of causal Bayes net structure", UC Berkeley, 2001.
    .. [4] G. F. Cooper and C. Yoo, "Causal discovery from a mixture of experimental and
       observational data", UAI 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import intervention_gain
    >>> noise = np.random.default_rng(0).normal(size=(160, 2))
    >>> X = np.repeat([[0, 0], [0, 9], [9, 0], [9, 9]], [60, 20, 20, 60], axis=0) + noise
    >>> model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
    >>> found = intervention_gain(model, 50, random_state=0)
    >>> found.interventions[:3]
    ((None, None), ('N1', None), ('N1', '0'))
    >>> round(found.entropy, 1), found.gain[:2].round(1)  # which way does the arrow point?
    (0.7, array([0. , 0.6]))
    """
    check_estimator(est, "intervention_gain")
    graphs, rng = graphs_of(est), check_random_state(random_state)
    if are_in_doubt(est):
        warn_caller(
            "[cells-in-doubt] Cells of this fit may be wrong (its report() says why). Then its "
            "graph is of other "
            "nodes than the true ones, and so is what experiments say of it.",
            InstabilityWarning,
        )
    names, labels = tuple(map(str, node_graph(est.dag_))), outcome_names(est)
    asked = list(settings(graphs.free[0].shape))
    gain = expected_gains(graphs, asked, n_samples, n_draws, rng)
    logs = log_probabilities(graphs.now())
    order = np.argsort(-logs, kind="stable")
    return InterventionGain(
        interventions=tuple(
            (
                None if node is None else names[node],
                None if node is None or outcome is None else labels[node][outcome],
            )
            for node, outcome in asked
        ),
        gain=gain.mean(axis=1),
        gain_se=gain.std(axis=1, ddof=1) / np.sqrt(n_draws),
        entropy=float(entr(np.exp(logs)).sum()),
        graphs=graphs.graphs[order],
        probabilities=np.exp(logs[order]),
        node_names=names,
        n_samples=n_samples,
    )


def graphs_of(est: BaseEstimator) -> AllGraphs:
    """Return all graphs of a fit, with its counts; an error where they cannot be listed."""
    params, names = parameters_of(est), list(map(str, node_graph(est.dag_)))
    if not 2 <= len(names) <= MOST_NODES:
        raise ValueError(
            f"intervention_gain lists all graphs of two to {MOST_NODES} nodes, but est has "
            f"{len(names)}: "
            + ("with one node there is no graph." if len(names) == 1 else "use edge_confidence.")
        )
    if est.edge_probabilities_ is None or not isinstance(params.structure, ScoreSearch):
        raise ValueError(
            "intervention_gain needs probabilities of graphs, but the graph of est was given or "
            "learned by gradient: fit it with structure='refined'."
        )
    if est._fitted.spec.causes:
        raise ValueError(
            "intervention_gain does not know graphs that depend on contexts with role='cause': "
            "fit without them, or use edge_confidence."
        )
    arrivals, sizes = est._fitted.arrivals, est._fitted.spec.node_sizes
    free = [
        arrivals.counts[[node not in was_set for was_set in arrivals.regimes]].sum(axis=0)
        for node in range(len(names))
    ]
    knowledge, search = params.knowledge, params.structure
    edges = {"required_edges": knowledge.required, "forbidden_edges": knowledge.forbidden}
    penalty = search.edge_penalty * float(arrivals.counts.sum())
    return AllGraphs.that_meet(
        edge_constraints(names, **edges, tiers=knowledge.tiers),
        [counts.reshape(sizes) for counts in free],
        *prior_of_graphs(sizes, search.equivalent_sample_size, penalty),
    )


def settings(sizes: Sequence[int]) -> Iterator[Setting]:
    """Yield nothing that is set, and each node: to all outcomes by chance, and to each of them."""
    yield None, None
    for node, size in enumerate(sizes):
        yield from ((node, outcome) for outcome in (None, *range(size)))


def expected_gains(
    graphs: AllGraphs,
    asked: Sequence[Setting],
    n_samples: int,
    n_draws: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return the gain of each intervention in each draw, (n_interventions, n_draws)."""
    logs = log_probabilities(graphs.now())
    entropy = entr(np.exp(logs)).sum()
    models = graphs.draws(n_draws, rng)
    shape = graphs.free[0].shape
    products = {node: [model.without(node) for model in models] for node, _ in dict.fromkeys(asked)}
    gains = np.empty((len(asked), n_draws))
    for k, (node, outcome) in enumerate(asked):
        table = np.ones(shape)
        if node is not None and outcome is not None:
            table = np.moveaxis(np.zeros(shape), node, 0)
            table[outcome] = 1.0
            table = np.moveaxis(table, 0, node)
        cells = [(product * table).ravel() for product in products[node]]
        new = [rng.multinomial(n_samples, cell / cell.sum()) for cell in cells]
        after = probabilities(graphs.log_weights(np.reshape(new, (-1, *shape)), node))
        # of the divergence and the fall of the entropy, which have one mean, the mean
        gains[k] = 0.5 * (entropy - after @ logs) - entr(after).sum(axis=1)
    return gains
