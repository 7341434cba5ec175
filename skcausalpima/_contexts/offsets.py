"""Offsets of labels: a mixture in principal scores tells clusters, and least squares offsets.

Given the clusters, x = mean of the cluster + offsets of the labels + noise is one linear model of
all labels of all contexts. Offsets are shrunk as far as noise could have made them, so that a rare
label keeps few of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace

import numpy as np
from sklearn.utils.extmath import randomized_svd

from .._base.grid import NodeGrid, n_effects
from .._base.parameter_objects import Context
from .._base.warn import warn_caller
from .._data.arrays import flat_rows
from .._data.cell_contents import AS_MAPPING
from .._data.samples import FitSamples
from .._data.scaling import ModalityScaler, Scale
from .._data.validation import Modalities
from ..exceptions import ContextWarning
from .alignment import align, rivals
from .fitted import FittedContexts
from .points import Design, Points, spread_of

#: Rows that the mixture is fitted to, of each label at least so many, and its components at most.
ROWS_OF_MIXTURE, LEAST_ROWS, MAX_COMPONENTS = 4000, 100, 64

#: Principal scores for each effect of the nodes, and at most. Of so few columns there are more:
#: noise is a large part of these, which first scores may hold in the place of a node.
SCORES_PER_EFFECT, SCORES_OF_FEW, MAX_SCORES = 2, 4, 20

#: Samples for each of these, at least: of fewer, offsets would do as well by chance.
SAMPLES_PER_SCORE = 50

#: Variance of offsets, in that of the noise, below which there are none.
LEAST_SPREAD = 1e-9

#: Labels of a context that are asked about: time grows with their cube (200 labels of 600 samples
#: took 86 s, 60 took 3 s).
MANY_LABELS = 100

#: How often missing elements are filled in with what the linear model expects there.
N_FILLED = 5


def find_contexts(
    stated: Sequence[Context],
    samples: FitSamples,
    node_sizes: Sequence[int],
    scale: Scale,
    with_experts: Collection[int],
) -> FittedContexts:
    """Return contexts with the offsets that their labels have.

    Parameters
    ----------
    stated : sequence of Context
        What parameters say of them.
    samples : FitSamples
        As they are trained on.
    node_sizes : sequence of int
        Numbers of outcomes of the nodes.
    scale : str, sequence, mapping or None
        How modalities are scaled.
    with_experts : collection of int
        Modalities with experts.

    Returns
    -------
    FittedContexts
        Of these samples.
    """
    modalities = samples.modalities
    labels, codes = modalities.contexts.labels, modalities.codes
    sizes = tuple(map(len, labels.values()))
    _check_filled(labels, codes)
    contexts = FittedContexts(
        labels=labels,
        roles={context.name: context.role for context in stated},
        mixes={context.name: bool(context.mix) for context in stated},
        offsets={},
        cells=np.zeros((*sizes, 0)),
    )
    combinations, settings = np.unique(codes, axis=1, return_inverse=True)
    of_contexts = [np.eye(size)[row] for size, row in zip(sizes, combinations, strict=True)]
    mixes = contexts.mix_index(combinations)
    if samples.knowledge.interventions is not None:  # of which labels may have unequal parts
        mixes = np.arange(combinations.shape[1])
    elif mixes is None:
        mixes = np.zeros_like(combinations[0])
    design = Design(
        settings=settings.reshape(-1),
        labels=np.concatenate(of_contexts, axis=1),
        sizes=sizes,
        mixes=np.unique(mixes, return_inverse=True)[1],
        weights=np.ones(modalities.n_samples) if samples.weights is None else samples.weights,
    )
    shifted = _shifted(stated, modalities, with_experts)
    means = _offsets_of(modalities, design, shifted, np.ones((1, modalities.n_samples)), None)
    centred = _with_offsets(contexts, means, design, modalities).removed(modalities)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the scaler of the fit tells
        scaler = ModalityScaler.fit(centred, scale, samples.weights, with_experts)
    shown = [
        m for m, present in enumerate(modalities.observed) if design.summed(present).min() >= 2
    ]
    shown = shown or list(range(len(modalities.names)))
    points = _points(centred, scaler, means, shown, design, node_sizes)
    complete = np.all(modalities.observed[shown], axis=0)
    gamma, used, doubtful = _clusters(points, complete, node_sizes)
    weighted = replace(design, weights=design.weights * used)
    offsets = _offsets_of(modalities, weighted, shifted, gamma, scaler)
    rivals = [
        {
            name: values.tolist()[code]
            for (name, values), code in zip(labels.items(), setting, strict=True)
        }
        for setting in combinations.T[doubtful]
    ]
    return replace(_with_offsets(contexts, offsets, design, modalities), rivals=rivals)


def _with_offsets(
    contexts: FittedContexts,
    offsets: Mapping[int, np.ndarray],
    design: Design,
    modalities: Modalities,
) -> FittedContexts:
    """Return contexts with offsets, of shape (n_labels, width) by modality.

    Those of each context get the mean zero over the samples.
    """
    counts = design.by_context(design.summed(design.weights) @ design.labels)
    named: dict[str, dict[str, np.ndarray]] = {}
    for m, flat in offsets.items():
        parts = zip(contexts.labels, design.by_context(flat), counts, strict=True)
        named[modalities.names[m]] = {
            name: (rows - (n @ rows) / n.sum()).reshape(len(rows), *modalities.shapes[m])
            for name, rows, n in parts
        }
    return replace(contexts, offsets=named)


def _offsets_of(
    modalities: Modalities,
    design: Design,
    shifted: np.ndarray,
    gamma: np.ndarray,
    scaler: ModalityScaler | None,
) -> dict[int, np.ndarray]:
    """Return the offsets of all labels in the modalities that are shifted, given clusters.

    They are shrunk in the units of a scaler; without one they are not.
    """
    offsets = {}
    for m in np.flatnonzero(shifted.any(axis=0)).tolist():
        flat = flat_rows(np.asarray(modalities.arrays[m]))
        present = design.weights * modalities.observed[m]
        elements = None if modalities.elements is None else modalities.elements[m]
        factor = 1.0 if scaler is None else np.ravel(scaler.factor[m])
        counts = present.sum() if elements is None else present @ elements
        sums = present @ flat.astype(np.float64)
        x = (flat - sums / np.maximum(counts, np.finfo(float).tiny)) / factor
        moved = design.labels * np.repeat(shifted[:, m], design.sizes)
        present_design = replace(design, weights=present, labels=moved)
        x = x.astype(np.result_type(flat.dtype, np.float32))
        offsets[m] = factor * _least_squares(
            x, elements, present_design, gamma, shrinks=scaler is not None
        )
    return offsets


def _least_squares(
    x: np.ndarray, elements: np.ndarray | None, design: Design, gamma: np.ndarray, shrinks: bool
) -> np.ndarray:
    """Return the offsets of all labels beside the means of clusters, of shape (n_labels, width).

    Parameters
    ----------
    x : ndarray of shape (n_samples, width)
        One modality, its columns about zero.
    elements : ndarray of bool of the same shape, or None
        Which elements are observed; None for all.
    design : Design
        Labels of the samples.
    gamma : ndarray of shape (n_clusters, n_samples)
        Responsibilities.
    shrinks : bool
        Whether offsets are shrunk as far as noise could have made them.
    """
    labels, tiny = design.labels, np.finfo(float).tiny
    of_settings = np.eye(len(labels))[design.settings].T * design.weights
    of_clusters = gamma * design.weights
    counts = np.maximum(of_clusters.sum(axis=1), tiny)
    shared = of_settings @ gamma.T
    shares = shared / counts
    left = labels.T @ (np.diag(of_settings.sum(axis=1)) - shares @ shared.T) @ labels
    inverse = np.linalg.pinv(left, rcond=1e-10, hermitian=True)
    if elements is not None:
        x = np.where(elements, x, 0.0)
    for _ in range(1 if elements is None else N_FILLED):
        sums = of_clusters.astype(x.dtype) @ x
        right = labels.T @ (of_settings.astype(x.dtype) @ x - shares @ sums)
        offsets = inverse @ right
        if shrinks:
            total = float(np.einsum("n,nj,nj->", design.weights, x, x, dtype=np.float64))
            of_means = (np.square(sums) / counts[:, None]).sum()
            unexplained = total - of_means - (offsets * right).sum()
            noise = max(unexplained, 0.0) / (design.weights.sum() * x.shape[1])
            # the variance of offsets is that of their estimates, less what noise makes of it
            parts = zip(*map(design.by_context, (offsets, inverse.diagonal())), strict=True)
            spread = [np.square(rows).mean() - noise * scatter.mean() for rows, scatter in parts]
            ratios = [noise / max(variance, LEAST_SPREAD * noise, tiny) for variance in spread]
            ridge = np.diag(np.repeat(ratios, design.sizes))
            offsets = np.linalg.pinv(left + ridge, rcond=1e-10) @ right
        if elements is not None:
            moves = labels @ offsets
            means = (sums - shared.T @ moves) / counts[:, None]
            x = np.where(elements, x, gamma.T @ means + moves[design.settings])
    return offsets


def _points(
    centred: Modalities,
    scaler: ModalityScaler,
    means: Mapping[int, np.ndarray],
    shown: Sequence[int],
    design: Design,
    node_sizes: Sequence[int],
) -> Points:
    """Return principal scores of samples, given what centring by label has taken from them.

    They are of modalities that are ``shown`` by samples of all settings: a site may lack some.
    Those that are shifted, those of ``means``, and those that are not have scores of their own.
    """
    per_effect, effects = SCORES_PER_EFFECT, n_effects(node_sizes)
    is_narrow = sum(centred.widths[m] for m in shown) <= MAX_SCORES
    if is_narrow and centred.n_samples >= SAMPLES_PER_SCORE * SCORES_OF_FEW * effects:
        per_effect = SCORES_OF_FEW
    n_scores = min(MAX_SCORES, per_effect * effects)
    scores, moves, is_free = [], [], []
    for group in ([m for m in shown if m in means], [m for m in shown if m not in means]):
        if not group:
            continue
        units = [np.sqrt(centred.widths[m]) for m in group]
        parts = [scaler.transform_one(centred, m) for m in group]
        x = np.concatenate([part / unit for part, unit in zip(parts, units, strict=True)], axis=1)
        rows = np.random.RandomState(0).permutation(len(x))[:ROWS_OF_MIXTURE]
        axes = randomized_svd(x[rows], min(n_scores, *x[rows].shape), random_state=0)[2]
        moved = np.zeros((design.labels.shape[1], x.shape[1]))
        if group[0] in means:
            moved = np.concatenate(
                [
                    means[m] / np.ravel(scaler.factor[m]) / unit
                    for m, unit in zip(group, units, strict=True)
                ],
                axis=1,
            )
        scores.append(x @ axes.T)
        moves.append(moved @ axes.T)
        is_free += [group[0] in means] * len(axes)
    values = np.concatenate(scores, axis=1).astype(np.float64)
    unit = max(float(values.std(axis=0).max()), np.finfo(float).tiny)
    moved = np.concatenate(moves, axis=1) / unit
    return Points(
        **{field.name: getattr(design, field.name) for field in fields(design)},
        values=values / unit + (design.labels @ moved)[design.settings],
        is_free=np.array(is_free),
        spread=spread_of(moved),
    )


def _clusters(
    points: Points, complete: np.ndarray, node_sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return responsibilities of clusters that all settings share, and which rows these go by.

    Incomplete samples are left out where the others are enough. The third are the settings of which
    another offset does as well.
    """
    n_settings = len(points.labels)
    per_setting = np.bincount(points.settings[complete], minlength=n_settings)
    used = complete if complete.mean() >= 0.5 and per_setting.min() >= 2 else np.ones_like(complete)
    rows = _some_rows(np.flatnonzero(used), points.settings)
    n_components = min(NodeGrid(tuple(node_sizes)).n_cells, MAX_COMPONENTS, max(2, len(rows) // 10))
    part = points.take(rows)
    mixture = align(part, n_components)
    return mixture.responsibilities(points)[0], used, rivals(part, mixture)


def _some_rows(rows: np.ndarray, settings: np.ndarray) -> np.ndarray:
    """Return rows at random, of each setting a part, but not few."""
    rng, chosen = np.random.RandomState(0), []
    for setting in np.unique(settings[rows]):
        shuffled = rng.permutation(rows[settings[rows] == setting])
        chosen.append(shuffled[: max(LEAST_ROWS, ROWS_OF_MIXTURE * len(shuffled) // len(rows))])
    return np.sort(np.concatenate(chosen))


def _check_filled(labels: Mapping[str, np.ndarray], codes: np.ndarray) -> None:
    """Check that each label has samples that count, and ask about those of many labels."""
    many = [
        f"{name!r} has {len(entries)} labels"
        for name, entries in labels.items()
        if len(entries) > MANY_LABELS
    ]
    if many:
        warn_caller(
            f"Contexts have many labels: {'; '.join(many)}. Offsets of so many take minutes to be "
            "found, and a label of few samples keeps little of its own. Leave an identifier out; "
            "join labels that belong together, such as batches of one day.",
            ContextWarning,
        )
    for (name, values), row in zip(labels.items(), codes, strict=True):
        empty = np.setdiff1d(np.arange(len(values)), row)
        if len(empty):
            raise ValueError(
                f"no sample of positive weight has the label {values.tolist()[empty[0]]!r} of the "
                f"context {name!r}: leave the samples of this label out."
            )


def _shifted(
    stated: Sequence[Context], modalities: Modalities, with_experts: Collection[int]
) -> np.ndarray:
    """Return which modalities each context shifts, of shape (n_contexts, n_modalities)."""
    names, shifted = modalities.names, np.zeros((len(stated), len(modalities.names)), dtype=bool)
    for row, context in zip(shifted, stated, strict=True):
        if isinstance(context.shift, str):
            row[:] = [m not in with_experts for m in range(len(names))]
            continue
        statement = f"shift of the context {context.name!r} names"
        for name in context.shift:
            if name not in names:
                raise ValueError(f"{statement} {name!r}, but the modalities are {list(names)}.")
            if names.index(name) in with_experts:
                raise ValueError(
                    f"{statement} {name!r}, which has an expert: its function is in the units of "
                    "the data, and an offset would be no part of it. Leave it out."
                )
            row[names.index(name)] = True
    if not shifted.any() and not any(len(context.shift) == 0 for context in stated):
        raise ValueError(
            f"the contexts {[context.name for context in stated]} shift no modality: those with "
            "experts, and tables with columns that are no numbers, have no offsets. Add a modality "
            "of numbers, leave contexts out, or state Context(.., shift=[]), under whose labels "
            "only the mix of cells differs."
            + _split_told(modalities, [context.name for context in stated])
        )
    return shifted


def _split_told(modalities: Modalities, contexts: Sequence[str]) -> str:
    """Say, with the code, how the first frame with numbers beside others is made two tables."""
    form = modalities.form
    for name, table, coding in zip(form.names, form.tables, modalities.columns, strict=True):
        columns = () if coding is None else coding.columns
        numbers = [column.name for column in columns if column.word == "gaussian"]
        if not numbers or table.kind != "frame":
            continue
        if form.container == "single":
            labels = "".join(f", {label!r}: X[{label!r}]" for label in contexts)
            others = f"X.drop(columns={[*numbers, *contexts]})"
            made = [f"X = {{'numbers': X[{numbers}], 'others': {others}{labels}}}"]
        else:
            frame, others = f"X[{name!r}]", f"{name} others"
            parts = f"{name!r}: {frame}[{numbers}], {others!r}: {frame}.drop(columns={numbers})"
            as_mapping = AS_MAPPING.get(form.container)
            made = [] if as_mapping is None else [as_mapping.format(names=list(form.names))]
            made.append(f"X = {{**X, {parts}}}")
        return "\n    ".join([" Numbers in a table of their own have offsets:", *made])
    return ""
