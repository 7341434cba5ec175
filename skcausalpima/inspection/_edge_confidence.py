"""Confidence of edges and stability of nodes over refits to bootstrap samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import networkx as nx
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.utils import check_random_state

from .._base.grid import NodeGrid
from .._base.scalar_checks import JOBS, count, validate_params
from .._base.scikit_learn import StrOptions, check_method_params, safe_indexing
from .._base.types import Groups, Samples, Seed, Unchecked, Values
from .._base.warn import warn_caller
from .._clustering.margins import AGREED
from .._data.known_nodes import outcome_names
from .._data.samples import read_knowledge
from .._data.several import check_rows_with
from .._data.validation import as_container
from .._fit.mixture_refits import MixtureRefits, mixture_refits
from .._held_out.fits import completed_in_parts, for_a_part
from .._held_out.held_out import HeldOut
from .._held_out.stated_units import units_of
from .._held_out.units import Units
from .._structure.digraphs import copy_graph, is_by_chance, node_graph
from .._structure.equivalence import canonical_member
from ..exceptions import InterruptionWarning
from ._edge_report import EdgeConfidence
from ._fitted_estimator import check_estimator, check_same_sizes
from ._matched_refits import MatchedRefit, announced_refits, arrows, match_refit


@validate_params(
    {
        "refit": [StrOptions({"auto", "all", "mixture"})],
        "n_bootstraps": [count(1), None],
        "resample": ["boolean"],
        "params": [dict, None],
        "n_jobs": [JOBS, None],
        "random_state": ["random_state"],
        "verbose": ["verbose", None],
    },
    prefer_skip_nested_validation=False,  # the refits check their own parameters
)
def edge_confidence(
    est: BaseEstimator,
    X: Samples,
    *,
    refit: str = "auto",
    n_bootstraps: int | None = None,
    resample: bool = True,
    groups: Groups = None,
    params: dict[str, Unchecked] | None = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
    verbose: int | None = None,
) -> EdgeConfidence:
    r"""Refit on bootstrap samples and count how often edges and nodes are found again.

    Clones of the estimator are fitted to samples drawn with replacement [1]_ and predict the nodes
    of all of X. The names of nodes and outcomes are arbitrary in each fit, so each refit is matched
    with the estimator first. Nodes are matched among those of one size, and outcomes within nodes,
    so that most predicted outcomes agree. Then its graph is read in the estimator's nodes.

    An edge between nodes that are not found again is no edge between the same things: look at
    ``node_stability`` first.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator; it stays as it is.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        The data that it was fitted to, in any form that it accepts.
    refit : {"auto", "all", "mixture"}, default="auto"
        What is learned anew. With "mixture" the networks stay, and clusters, their places on the
        grid, tables and graph are learned from bootstrap samples of what the encoders say, by
        expectation maximization that begins at the fit's own clusters: 200 refits in a third of a
        fit (1000 images) to one and a half (small tables with much overlap). It is surer than
        whole refits where the starts of the fit disagree, see the notes. ``"auto"`` is "mixture"
        where ``arrangement_.agreement`` is 0.95 or more and the mixture can be refitted (no
        experts, parameters as they were in the fit), else "all"; ``refit`` of the result says which
        it was.
    n_bootstraps : int, default=None
        Number of refits, 20, or 200 of the mixture. A share p has the standard error
        sqrt(p (1 - p) / n_bootstraps), at most 0.11 for 20 and 0.04 for 200.
    resample : bool, default=True
        Whether the refits get bootstrap samples. If False, all have all of X and differ by their
        seeds only, which shows what depends on the luck of the start, and not what depends on the
        sample.
    groups : array-like of shape (n_samples,), default=None
        A label of each sample, such as its patient, by which samples belong together
        (:doc:`/guide/groups`): whole groups are
        drawn, and in the choice of a graph each counts as one sample.
    params : dict, default=None
        Parameters of ``fit``, such as ``known_nodes``: pass those that the estimator was fitted
        with. Entries with one element per sample are drawn along with the samples.
    n_jobs : int, default=None
        Number of refits at a time. The result does not depend on it, as long as a fit does not
        depend on the number of threads that PyTorch has. Encoders or decoders of your own that
        draw random numbers (dropout) need processes, joblib's default: threads would share
        PyTorch's global generator.
    random_state : int, RandomState instance or None, default=None
        Source of the bootstrap samples and of the refits' seeds. None takes it from NumPy's
        global state, an int or RandomState leaves that untouched.
    verbose : int, default=None
        1 prints what is expected, how many refits are done and what time is left, in a line that is
        rewritten (five whole ones but in a terminal or notebook); 2 a line for each; 0
        nothing. None is 1 in a terminal or notebook where it takes over ten seconds, else 0.

    Returns
    -------
    EdgeConfidence
        The shares, and what each refit gave. After an interrupt (Ctrl-C) it is of the refits that
        are complete.

    Raises
    ------
    TypeError
        If ``est`` is no CausalPIMA, such as a pipeline that holds one.
    ValueError
        The node sizes of the estimator were changed since its fit, or all refits fail.
        ``refit="mixture"`` with ``resample=False``, with parameters that are no longer those of the
        fit, or of a fit whose networks decide more: experts, decoders per cluster, a graph learned
        by gradient, the published posterior.
    KeyboardInterrupt
        If it comes before a refit is complete.

    Warns
    -----
    sklearn.exceptions.FitFailedWarning
        Some refits fail; the shares are those of the others, and ``failures`` says why.
    skcausalpima.exceptions.InterruptionWarning
        An interrupt came before all refits were complete.

    See Also
    --------
    skcausalpima.graph.CategoricalDAG.summary : Prints the confidence of each edge of ``dag``.

    Notes
    -----
    That fits agree is no proof that they are right: they share their assumptions and, since a
    bootstrap sample holds about 63 % of the samples, much of their data. The stability is over all
    of X, those samples that a refit was trained on and those that it has not seen. With
    ``validation_fraction``, copies of one sample may train and validate, so that training stops
    late.

    *Of the mixture alone.* ``refit="mixture"`` sees what comes from the sample by way of clusters
    and counts, and nothing of what other starts and networks would find. Some whole refits find
    other clusters than the fit, also where outcomes are clear, and it does not know of them. How
    far the starts of the fit agree tells where. On the same bootstrap samples, where
    ``arrangement_.agreement`` was .95 or more, shares of adjacencies and arrows differed by chance
    alone, and nodes seemed more stable by .01. From .9 to .95 shares of adjacencies differed by .13
    (root mean square, chance subtracted), below .9 by .26, ``|2 p - 1|`` was .08 and .23 larger in
    the mean, and nodes seemed more stable by .06 and .15 (``benchmarks/refits.py``, 14, 12 and 18
    networks). There take it for a first look, and an edge that it doubts for doubtful.

    Drawing with replacement makes dependence where there is none [2]_, so that bootstrap samples
    have more edges. Between two independent binary nodes, a BIC search finds one in 1 % of the
    samples of 1000, and in 6 % of their bootstrap samples. A low share of an edge that ``dag_``
    lacks is no evidence for it.

    The adjusted Rand index [3]_ needs no match of outcomes and is corrected for chance, which gives
    two unrelated balanced binary nodes a matched accuracy of 0.5 or more. Data without structure
    often leave all samples in one cell, on which all fits agree; hence its 0 for constant nodes.

    References
    ----------
    .. [1] N. Friedman, M. Goldszmidt and A. Wyner, "Data analysis with Bayesian networks: a
       bootstrap approach", UAI 1999.
    .. [2] H. Steck and T. S. Jaakkola, "Bias-corrected bootstrap and model uncertainty", NIPS 2003.
    .. [3] L. Hubert and P. Arabie, "Comparing partitions", Journal of Classification 2, 1985.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.graph import CategoricalDAG
    >>> from skcausalpima.inspection import edge_confidence
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat([0, 1, 2, 3], 50)
    >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
    >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
    >>> X = [images, curves]
    >>> est = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
    >>> found = edge_confidence(est, X, n_bootstraps=2, random_state=0)
    >>> found.node_stability.round(1)
    array([1., 1.])
    >>> found.edge.shape
    (2, 2)
    >>> dag = CategoricalDAG(found.dag, est.cpts_)  # dag.summary() shows the confidence
    """
    check_estimator(est, "edge_confidence")
    X, units = units_of(est, X, groups)
    reference = est.predict_nodes(X)  # checks X, too
    dag = node_graph(est.dag_)
    sizes = check_same_sizes(est)
    known = _numbered(params or {}, X, len(reference), dag)
    if refit == "mixture" and not resample:
        raise ValueError("refit='mixture' has no seeds of its own: it needs resample=True.")
    kept = None
    if refit == "mixture" or (refit == "auto" and resample and _agreement(est) >= AGREED):
        try:
            kept = mixture_refits(est, X, units=units, **known)
        except (TypeError, ValueError):  # whole refits say what cannot be
            if refit == "mixture":
                raise
    n_bootstraps = n_bootstraps or (20 if kept is None else 200)
    seeds = check_random_state(random_state).randint(2**31 - 1, size=n_bootstraps)
    if kept is not None:
        size, call = kept.at_once, partial(_of_mixture, kept, is_by_chance(dag), tuple(sizes))
    else:
        given = as_container(X, est), known, units if resample else None, reference, sizes
        size, call = 1, partial(_refit, clone(est), *given)
    lines = announced_refits(est, n_bootstraps, kept is None, n_jobs, verbose, "edge_confidence")
    refits, interrupted = completed_in_parts(call, seeds, size, n_jobs, lines)
    if interrupted:
        warn_caller(
            f"Interrupted: the shares are those of {len(refits)} of {n_bootstraps} refits.",
            InterruptionWarning,
        )
    failures = {k: refit for k, refit in refits.items() if isinstance(refit, str)}
    first = next(iter(failures.values()), "")
    if len(failures) == len(refits):
        raise ValueError(f"All {len(refits)} refits failed, the first one with {first}")
    if failures:
        warn_caller(
            f"{len(failures)} of {len(refits)} refits failed and are left out, numbers "
            f"{list(failures)}; the first one with {first}",
            FitFailedWarning,
        )
    dag = node_graph(est.dag_, with_causes=True)  # as tables have them for axes
    confidence = _summarize(dag, [r for r in refits.values() if not isinstance(r, str)], failures)
    return replace(confidence, refit="all" if kept is None else "mixture")


def _agreement(est: BaseEstimator) -> float:
    """Return how far the starts of a fit agree with each other; 0 where there is one."""
    arrangement = getattr(est, "arrangement_", None)
    return 0.0 if arrangement is None else arrangement.agreement


def _numbered(params: Values, X: Samples, n_samples: int, dag: nx.DiGraph) -> Values:
    """Return parameters of ``fit`` with numbers for labels: a sample of them may lack some."""
    stated = params.get("known_nodes"), params.get("interventions")
    check_rows_with(X, known_nodes=stated[0], interventions=stated[1])
    if all(given is None or np.asarray(given).dtype.kind in "iu" for given in stated):
        return dict(params)
    nodes = dict(dag.nodes(data="size"))
    knowledge = read_knowledge(*stated, n_samples, nodes, outcome_names(dag))
    numbered = {"known_nodes": knowledge.known_nodes}
    if knowledge.interventions is not None and not knowledge.unknown_settings:
        numbered["interventions"] = knowledge.interventions.outcomes
    return {name: numbered.get(name, value) for name, value in params.items()}


def _refit(
    estimator: BaseEstimator,
    X: Samples,
    params: Values,
    units: Units | None,
    reference: np.ndarray,
    sizes: Sequence[int],
    seeds: Sequence[int],
) -> Sequence[MatchedRefit | str]:
    """Fit a clone to all samples, or to drawn units, and match it; or return what went wrong."""
    (part,) = HeldOut.bootstrap(units or Units(len(reference)), seeds).parts
    estimator = clone(estimator).set_params(random_state=part.seed)
    try:
        if units is not None:
            params = check_method_params(X, params, part.rows) | part.units.fit_params
            for_a_part(estimator).fit(safe_indexing(X, part.rows), **params)
        else:
            estimator.fit(X, **params)
        graph = arrows(node_graph(estimator.dag_))
        return [match_refit(graph, estimator.predict_nodes(X), reference, sizes)]
    except Exception as error:  # whatever it is, it must not lose the other refits
        return [f"{type(error).__name__}: {error}"]


def _of_mixture(
    kept: MixtureRefits, by_chance: bool, sizes: tuple[int, ...], seeds: Sequence[int]
) -> Sequence[MatchedRefit | str]:
    """Learn the mixture anew from some bootstrap samples, and match it."""
    outcomes = NodeGrid(sizes).outcomes()
    reference, matched = outcomes[kept.cells], []
    for cells, graph, _ in kept.replicates(seeds):
        edges = graph.adjacency
        compelled = edges & graph.compelled & (not by_chance)
        matched.append(match_refit((edges, compelled), outcomes[cells], reference, sizes))
    return matched


def _summarize(
    dag: nx.DiGraph, refits: Sequence[MatchedRefit], failures: dict[int, str]
) -> EdgeConfidence:
    """Take means over the refits and write the confidence into a copy of the graph.

    A graph that a search has found stands for its class. Each refit's does in the order of its own
    nodes, so that reversible edges would point either way by chance.
    """
    parts = (np.stack(part) for part in zip(*refits, strict=True))
    all_edges, all_compelled, rand_indices, orders = parts
    own_edges, own_compelled = arrows(node_graph(dag))
    if np.array_equal(own_edges, canonical_member(own_edges, required=own_compelled)):
        pairs = zip(all_edges, all_compelled, strict=True)
        all_edges = np.stack([canonical_member(edges, required=sure) for edges, sure in pairs])
    adjacency = (all_edges | all_edges.swapaxes(1, 2)).mean(axis=0)
    compelled = all_compelled.mean(axis=0)
    dag, names = copy_graph(dag), tuple(node_graph(dag))  # nx's copy may reorder axes of tables
    confidence = np.where(own_compelled, compelled, adjacency)
    for i, j in np.argwhere(own_edges):
        dag.edges[names[i], names[j]]["confidence"] = float(confidence[i, j])
    return EdgeConfidence(
        dag=dag,
        edge=all_edges.mean(axis=0),
        adjacency=adjacency,
        compelled=compelled,
        node_stability=rand_indices.mean(axis=0),
        worst_node_stability=rand_indices.min(axis=0),
        node_names=names,
        edges=all_edges,
        compelled_edges=all_compelled,
        rand_indices=rand_indices,
        node_orders=orders,
        failures=failures,
    )
