"""The data of ``missing.py``, what is taken away from them, and plain rivals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import node_rows
import numpy as np
from node_rows import Data, Row
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from skcausalpima.datasets import make_lattices
from skcausalpima.metrics import matched_accuracy, node_recovery

HELD_OUT = 0.3
MASK_SEED = 10_000  # and the seed of the data
N_BINS = 15
AGREE = 0.8  # probability that the nodes of two blocks have the same outcome
VIEWS = ("Fourier", "profiles", "Karhunen-Loeve", "pixels", "Zernike", "morphology")  # of mfeat
HALF_WIDTH = 1.645  # of a 90 % band, in standard deviations


class Split(NamedTuple):
    """Data that train, and data that are held out."""

    train: Data
    held_out: Data


class Case(NamedTuple):
    """A row of ``node_rows`` with names for its modalities, and how its samples are split.

    ``shows`` are the factors that each modality shows, where that is known.
    """

    row: Row
    modalities: Sequence[str]
    split: Callable[[int], Split] | None = None
    shows: Sequence[Sequence[int]] | None = None

    def parts(self, seed: int) -> Split:
        """Return samples that train and held-out ones."""
        return self.split(seed) if self.split else permuted(self.row.load(seed), seed)


# --- data ------------------------------------------------------------------------------------


def permuted(data: Data, seed: int) -> Split:
    """Hold out the last 30 % of ``RandomState(seed).permutation(n_samples)``."""
    order = np.random.RandomState(seed).permutation(len(data.factors))
    n_train = len(order) - round(HELD_OUT * len(order))
    return Split(taken(data, order[:n_train]), taken(data, order[n_train:]))


def taken(data: Data, samples: np.ndarray) -> Data:
    """Return some of the samples."""
    return Data([array[samples] for array in data.arrays], data.factors[samples], data.graph)


def new_lattices(seed: int) -> Split:
    """Return the lattices that train, and 91 others of another seed, not flipped."""
    bunch = make_lattices(random_state=1000 + seed)
    held_out = Data([node_rows.standardised(bunch.images), bunch.curves], bunch.factors)
    return Split(node_rows.lattices(seed), held_out)


def two_blocks(seed: int, n_samples: int = 1000) -> Data:
    """Return two binary nodes that agree eight times in ten, each seen by a block of its own.

    A block has ten columns of noise of unit variance, which an outcome moves by four.
    """
    rng = np.random.RandomState(seed)
    first = rng.randint(2, size=n_samples)
    factors = np.column_stack([first, first ^ (rng.uniform(size=n_samples) >= AGREE)])
    blocks = [rng.normal(size=(n_samples, 10)) + 4.0 * node[:, None] for node in factors.T]
    return Data(blocks, factors)


def cases() -> dict[str, Case]:
    """Return what is run, by name, quick ones first."""
    rows = node_rows.rows()
    return {
        "digits and line": Case(rows["digits and line"], ("image", "line")),
        "mfeat": Case(rows["mfeat"], VIEWS),
        "lattices": Case(rows["lattices"], ("image", "curve"), new_lattices, [[0], [0, 1]]),
        "two blocks": Case(
            Row(two_blocks, (2, 2), None, None), ("first", "second"), shows=[[0], [1]]
        ),
        "mnist5k and line": Case(rows["mnist5k and line"], ("image", "line")),
        "circles and curve": Case(
            rows["circles and curve"], ("image", "curve"), shows=[[0, 1, 2], [1, 2]]
        ),
    }


def cells(factors: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Return the number of the cell of the grid of the factors."""
    return np.ravel_multi_index(factors.T, sizes)


# --- what is missing -------------------------------------------------------------------------


def observed_blocks(shape: tuple[int, int], rate: float, seed: int) -> np.ndarray:
    """Draw which modalities of which samples are there; a sample keeps one at least."""
    rng = np.random.RandomState(MASK_SEED + seed)
    observed, kept = rng.uniform(size=shape) >= rate, rng.randint(shape[1], size=shape[0])
    nothing = np.flatnonzero(~observed.any(axis=1))
    observed[nothing, kept[nothing]] = True
    return observed


def without_blocks(arrays: Sequence[np.ndarray], observed: np.ndarray) -> list[np.ndarray]:
    """Return copies that are NaN in what is not observed."""
    copies = [array.copy() for array in arrays]
    for copy, there in zip(copies, observed.T, strict=True):
        copy[~there] = np.nan
    return copies


def without_elements(arrays: Sequence[np.ndarray], rate: float, seed: int) -> list[np.ndarray]:
    """Return copies with single elements that are NaN."""
    rng = np.random.RandomState(MASK_SEED + seed)
    return [np.where(rng.uniform(size=a.shape) < rate, np.float32(np.nan), a) for a in arrays]


def alone(arrays: Sequence[np.ndarray], position: int) -> list[np.ndarray | None]:
    """Return one modality, None in the place of the others."""
    return [array if k == position else None for k, array in enumerate(arrays)]


# --- rivals ----------------------------------------------------------------------------------


def table_of(array: np.ndarray, scaler: StandardScaler | None = None) -> np.ndarray:
    """Return one row per sample, scaled where there is a scaler."""
    flat = array.reshape(len(array), -1).astype(np.float64)
    return flat if scaler is None else scaler.transform(flat)


def one_modality(case: Case, parts: Split, position: int) -> tuple[np.ndarray, np.ndarray]:
    """Return tables of a modality, of the samples that train and of those that are held out."""
    train, held_out = (part.arrays[position] for part in parts)
    by_feature = case.row.parameters.get("scale") == "feature"
    scaler = StandardScaler().fit(table_of(train)) if by_feature else None
    return table_of(train, scaler), table_of(held_out, scaler)


def k_means(case: Case, seed: int) -> KMeans:
    """Return k-means with one cluster per cell."""
    return KMeans(math.prod(case.row.sizes), n_init=10, random_state=seed)


def neighbours(train: np.ndarray, labels: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Return labels by a vote of the five nearest samples that train."""
    return KNeighborsClassifier(5).fit(train, labels).predict(held_out)


def imputed_k_means(case: Case, arrays: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """Cluster balanced modalities, the mean of each element in the place of what is missing."""
    blocks = []
    for array in arrays:
        block = table_of(array)
        block = block - np.nanmean(block, axis=0)
        if case.row.parameters.get("scale") == "feature":
            block = block / np.maximum(np.nanstd(block, axis=0), 1e-12)
        blocks.append(np.nan_to_num(block / math.sqrt(np.nanvar(block, axis=0).sum())))
    return k_means(case, seed).fit_predict(np.hstack(blocks))


def best_image_clusters(case: Case, parts: Split, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return clusters of the first modality by the plain clustering that the truth likes best."""
    train, held_out = one_modality(case, parts, 0)
    truth, found = cells(parts.train.factors, case.row.sizes), []
    for n_components in (5, 20):
        pca = PCA(n_components, random_state=seed).fit(train)
        scores, new = pca.transform(train), pca.transform(held_out)
        unit = scores[:, 0].std()  # reg_covar is absolute
        mixture = GaussianMixture(math.prod(case.row.sizes), n_init=5, reg_covar=1e-4)
        for model in (k_means(case, seed), mixture.set_params(max_iter=500, random_state=seed)):
            labels = model.fit(scores / unit).predict(scores / unit)
            found.append((matched_accuracy(truth, labels), labels, model.predict(new / unit)))
    return max(found, key=lambda each: each[0])[1:]


def mean_curves(curves: np.ndarray, labels: np.ndarray, new_labels: np.ndarray) -> np.ndarray:
    """Return for each new sample the mean curve of its cluster (of all, in an empty one)."""
    means = np.tile(curves.mean(axis=0), (1 + max(labels.max(), new_labels.max()), 1))
    for label in np.unique(labels):
        means[label] = curves[labels == label].mean(axis=0)
    return means[new_labels]


def nearest_slope(lines: np.ndarray) -> np.ndarray:
    """Return the digit whose line is nearest: the best answer from a line alone."""
    points = np.linspace(0.0, 1.0, lines.shape[1])
    return np.clip(np.rint(lines @ points / (points @ points)), 0, 9).astype(int)


# --- figures ---------------------------------------------------------------------------------


def node_accuracy(truth: np.ndarray, nodes: np.ndarray) -> float:
    """Return the mean matched accuracy of the nodes."""
    return node_recovery(truth, nodes).accuracies.mean()


def cell_accuracy(truth: np.ndarray, nodes: np.ndarray, sizes: Sequence[int]) -> float:
    """Return the matched accuracy of the cells."""
    return matched_accuracy(cells(truth, sizes), cells(nodes, sizes))


def best_node_accuracy(truth: np.ndarray, observed: np.ndarray, shows: Sequence) -> float:
    """Return the accuracy of the nodes that nobody exceeds who sees only what is observed.

    What modalities show is read without error; of other nodes the best answer is the most frequent
    outcome among all samples that look alike.
    """
    right = np.zeros(len(truth))
    for pattern in np.unique(observed, axis=0):
        rows = (observed == pattern).all(axis=1)
        seen = sorted({factor for k in np.flatnonzero(pattern) for factor in shows[k]})
        _, alike = np.unique(truth[:, seen], axis=0, return_inverse=True)
        for column in truth.T:
            counts = np.zeros((alike.max() + 1, column.max() + 1))
            np.add.at(counts, (alike.ravel(), column), 1)
            right[rows] += counts.argmax(axis=1)[alike.ravel()][rows] == column[rows]
    return right.mean() / truth.shape[1]


def class_of_component(truth: np.ndarray, labels: np.ndarray, n_cells: int) -> np.ndarray:
    """Match components with classes one to one on the samples that train."""
    counts = np.zeros((n_cells, n_cells))
    np.add.at(counts, (labels, truth), 1)
    return linear_sum_assignment(counts, maximize=True)[1]


def calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the expected calibration error of the top class, 15 bins of equal mass."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.array_split(np.argsort(top, kind="stable"), N_BINS)
    gaps = [len(rows) * abs(right[rows].mean() - top[rows].mean()) for rows in bins]
    return sum(gaps) / len(truth)


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean of minus the logarithm of the true class's probability (at least 1e-12)."""
    of_truth = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(of_truth, 1e-12)).mean())
