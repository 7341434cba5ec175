"""Samples that a fit has not seen: new ones, or two halves, each asked by a fit to the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from weakref import WeakKeyDictionary

import numpy as np
from sklearn.base import BaseEstimator, clone

from .._base.grid import NodeGrid
from .._base.progress_lines import ProgressLines
from .._base.scikit_learn import safe_indexing
from .._base.types import Samples
from .._data.sample_weight import may_coincide, row_digests
from .._data.validation import Modalities, as_container
from .._held_out.fits import for_a_part
from .._held_out.held_out import HeldOut, Part
from .._held_out.matching import match, node_agreements
from .._held_out.units import Units
from .._inference.fitted_model import FittedModel
from .._inference.kept_models import model_of, samples_of
from .._state.fitted import FittedState
from .._structure.digraphs import node_graph
from ._fitted_estimator import check_estimator, check_same_sizes
from ._halves_of_one_heap import HalvesOfOneHeap
from ._line_or_heaps import cut_nodes

#: Fewest samples of a half, and for each cell of the grid (arbitrary).
LEAST_OF_HALF, LEAST_OF_CELL = 20, 5
#: Of the halves, and of the fits to them.
SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class UnseenPart:
    """A fit, and samples that it has not seen.

    Parameters
    ----------
    est : CausalPIMA
        The fit: the estimator itself, or a clone that was fitted to the other half.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        The samples, as the fit takes them.
    rows : ndarray of int of shape (n_rows,)
        Which rows of all samples these are.
    components : ndarray of int of shape (n_components,)
        The estimator's component that each component of the fit stands for.
    """

    est: BaseEstimator
    X: Samples
    rows: np.ndarray
    components: np.ndarray

    @cached_property
    def samples(self) -> Modalities:
        """The samples, checked."""
        return samples_of(self.est, self.X)

    @property
    def model(self) -> FittedModel:
        """The trained model of the fit."""
        return model_of(self.est)

    def some(self, rows: np.ndarray) -> UnseenPart:
        """Return the part with those of its samples that are among these rows."""
        kept = np.flatnonzero(np.isin(self.rows, rows))
        few = safe_indexing(as_container(self.X, self.est), kept)
        return replace(self, X=few, rows=self.rows[kept])

    def in_terms_of_fit(self, of_components: np.ndarray) -> np.ndarray:
        """Return what has a column for each component of the fit in the estimator's order."""
        table = np.empty_like(of_components)
        table[:, self.components] = of_components
        return table

    def probabilities(self, samples: Modalities | None = None) -> np.ndarray:
        """Return those of the estimator's components, (n_rows, n_components).

        Of the part's own samples, or of these, of which some elements may be set missing.
        """
        asked = self.samples if samples is None else samples
        return self.in_terms_of_fit(self.model.probabilities(asked))


@dataclass(frozen=True, kw_only=True, eq=False)
class UnseenSamples:
    """Fits, and samples that they have not seen; and of which nodes these may be asked.

    Parameters
    ----------
    parts : tuple of UnseenPart
        One, the estimator and all samples; or two, clones that were fitted to half of them.
    units : Units
        What all samples belong to.
    node_names : tuple of str
        The nodes.
    agreement : ndarray of shape (n_nodes,) or None
        Adjusted Rand index of what the fits to the halves say of all samples; None of one part.
    cut : ndarray of bool of shape (n_nodes,)
        Which nodes cut one heap in two.
    told : ndarray of bool of shape (n_nodes,)
        False of nodes that may be kinds which were laid on a grid, for all that the fit tells.
    """

    parts: tuple[UnseenPart, ...]
    units: Units
    node_names: tuple[str, ...]
    agreement: np.ndarray | None
    cut: np.ndarray
    told: np.ndarray
    _compare: Callable[[], HalvesOfOneHeap]

    @cached_property
    def gate(self) -> HalvesOfOneHeap:
        """How far halves agree beside those of one heap; it takes seconds, once."""
        return self._compare()

    @cached_property
    def why_not(self) -> tuple[str, ...]:
        """Why nothing is tested of each node; "" where it is tested."""
        return tuple(map(self._why_not, range(len(self.node_names))))

    @property
    def untold(self) -> tuple[str, ...]:
        """A sentence on nodes that are tested though they may be kinds, if there are any."""
        asked = zip(self.node_names, self.told, self.why_not, strict=True)
        names = ", ".join(name for name, is_told, why in asked if not (is_told or why))
        sentence = f"{names}: not told whether factors or kinds that were laid on a grid; tested."
        return (sentence,) if names else ()

    def of_one_each(self) -> UnseenSamples:
        """Return the same with one sample of each unit, drawn at random; itself of single ones."""
        if self.units.are_rows:
            return self
        rows = self.units.one_of_each(np.random.RandomState(SEED))
        return replace(self, parts=tuple(part.some(rows) for part in self.parts))

    def _why_not(self, node: int) -> str:
        name = self.node_names[node]
        if self.cut[node]:
            return (
                f"{name} is two halves of one heap: no gap (gaps_.cut), and a line explains the "
                "samples as well as two kinds do: not tested."
            )
        agreement, limit = self.gate.agreement[node], self.gate.limits[node]
        if self.agreement is not None:
            agreement = min(agreement, self.agreement[node])
        if agreement > limit:
            return ""
        return (
            f"Halves of the samples agree on {name} by {agreement:.2f}, those of one heap of this "
            f"covariance by up to {limit:.2f} (adjusted Rand): not tested."
        )


#: What was made last of each fit, by a digest of the samples.
_KEPT: WeakKeyDictionary[FittedState, tuple[bytes, UnseenSamples]] = WeakKeyDictionary()


def unseen_parts(
    est: BaseEstimator,
    X: Samples,
    units: Units | None = None,
    *,
    seen: bool = True,
    caller: str,
) -> UnseenSamples:
    """Return fits and samples that they have not seen.

    Parameters
    ----------
    est : CausalPIMA
        A fitted estimator; it stays as it is.
    X : sequence, mapping, MultimodalData, array-like or DataFrame
        Samples.
    units : Units, default=None
        What samples belong to: those of one unit lie in one half. None where each stands alone.
    seen : bool, default=True
        Whether these are what it was fitted to. Then two clones are fitted to random halves
        (once for a fit and samples, as long as the fit lives), and each is asked about the other;
        their nodes and outcomes are matched to the estimator's by what both say of all samples.
    caller : str
        Who asks, for messages.

    Returns
    -------
    UnseenSamples
        Two parts, or one where ``seen`` is false.

    Raises
    ------
    ValueError
        If there are too few samples, if a fit to a half fails, or if ``seen`` is false and samples
        are recognized as some of the fit.
    """
    check_estimator(est, caller)
    samples = samples_of(est, X)
    units = units or Units(samples.n_samples)
    n_cells = len(est.weights_)
    n_needed = 2 * max(LEAST_OF_HALF, LEAST_OF_CELL * n_cells)
    n_units = units.take(np.delete(np.arange(samples.n_samples), samples.without_values)).n
    if n_units < n_needed:
        things = "samples" if units.are_rows else "groups of samples"
        raise ValueError(
            f"{caller} needs at least {n_needed} {things} for {n_cells} cells, two halves that are "
            f"compared, got {n_units}: pass more of them."
        )
    samples.check_joined()
    if not seen:
        _check_unseen(est, samples, caller)
        rows = np.arange(samples.n_samples)
        part = UnseenPart(est=est, X=X, rows=rows, components=np.arange(n_cells))
        return _of_parts(est, samples, units, (part,), est.predict_nodes(X), None)
    check_same_sizes(est)
    key, kept = _key(samples, units), _KEPT.get(est._fitted)
    if kept is None or key is None or kept[0] != key:
        kept = key or b"", _halves(est, X, samples, units, caller)
        _KEPT[est._fitted] = kept
    return kept[1]


def _check_unseen(est: BaseEstimator, samples: Modalities, caller: str) -> None:
    """Refuse samples that the fit has learned from."""
    digests, known = row_digests(samples), est._fitted.row_digests
    if digests is None or known is None or may_coincide(samples, len(digests)):
        return
    rows = np.flatnonzero(np.isin(digests, known))
    if len(rows):
        raise ValueError(
            f"{len(rows)} of {len(digests)} samples are among those that est was fitted to, the "
            f"first one in row {rows[0]}. There a fit finds differences in noise: {caller} with "
            "seen=False expects others. Leave these out, or pass seen=True."
        )


def _key(samples: Modalities, units: Units) -> bytes | None:
    """Return by what samples are known again; None where they are on disk."""
    digests = row_digests(samples)
    labels = samples.codes.tobytes() + units.numbers.tobytes()
    return None if digests is None else digests.tobytes() + labels


def _halves(
    est: BaseEstimator, X: Samples, samples: Modalities, units: Units, caller: str
) -> UnseenSamples:
    """Fit clones to two halves, and match them."""
    data, sizes = as_container(X, est), est.joint_.shape
    # labels of contexts are in both halves, as far as two samples have them
    halves = HeldOut.folds(units, 2, SEED, samples.codes)
    lines = ProgressLines(getattr(est, "verbose", 0), f"[{caller}]")
    fits = halves.fits(partial(_fitted, est, data, caller), lines=lines, things="fits to halves")
    if len(fits.results) < 2:
        raise KeyboardInterrupt
    nodes, parts, outcomes = est.predict_nodes(X), [], []
    grid = NodeGrid(sizes)
    order = np.argsort(grid.cells(est.cluster_states_))
    for half, part in zip(fits.results.values(), halves.parts, strict=True):
        labels = half.predict(data)
        matched = match(half.cluster_states_, labels, nodes, sizes)
        parts.append(
            UnseenPart(
                est=half,
                X=safe_indexing(data, part.held),
                rows=part.held,
                components=order[grid.cells(matched.outcomes)],
            )
        )
        outcomes.append(matched.outcomes[labels])
    agreement = node_agreements(outcomes[0], outcomes[1], sizes)
    return _of_parts(est, samples, units, tuple(parts), nodes, agreement)


def _fitted(est: BaseEstimator, data: Samples, caller: str, part: Part) -> BaseEstimator:
    """Fit a clone to a half of the samples."""
    try:
        half = for_a_part(clone(est).set_params(random_state=part.seed))
        return half.fit(safe_indexing(data, part.rows), **part.units.fit_params)
    except ValueError as error:
        raise ValueError(
            f"{caller} fits clones of est to two halves of X, and one failed: {error} Pass samples "
            "that est was not fitted to, with seen=False, or more of them."
        ) from error


def _of_parts(
    est: BaseEstimator,
    samples: Modalities,
    units: Units,
    parts: tuple[UnseenPart, ...],
    nodes: np.ndarray,
    agreement: np.ndarray | None,
) -> UnseenSamples:
    """Collect what is known of each node; nothing of it holds the estimator."""
    sizes = est.joint_.shape
    arrangement = getattr(est, "arrangement_", None)
    are_told = getattr(arrangement, "told", None)  # None where nobody asked, as of a single node
    model = model_of(est)
    return UnseenSamples(
        parts=parts,
        units=units,
        node_names=tuple(node_graph(est.dag_)),
        agreement=agreement,
        cut=cut_nodes(est, samples),
        told=np.ones(len(sizes), bool) if are_told is None else are_told,
        _compare=partial(HalvesOfOneHeap.of, model, samples, nodes, sizes, units),
    )
