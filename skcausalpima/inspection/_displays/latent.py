"""Samples and clusters in the latent space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, svd
from sklearn.base import BaseEstimator

from ..._base.names import printable
from ..._base.scalar_checks import is_integer
from ..._base.types import Samples, Unchecked
from ..._inference.kept_models import model_of, samples_of
from ..._structure.digraphs import node_graph
from .._fitted_estimator import is_empty, outcome_names
from .colouring import Colouring, asked_values
from .display import Axes, Display, Drawn, inches, letters_across
from .labels import cell_names, label_points, listed, named_nodes, plain

N_DEVIATIONS = 2.0  # of the ellipses
LABEL_SIZE, MANY = 8.0, 20  # more clusters have no ellipses, and so many labels
TITLE_SIZE, STRIP_SIZE, STRIP_INCHES = 9.0, 7.0, 0.16
SIZE, LARGE_SIZE = (6.4, 5.2), (8.0, 7.0)
RIDGE = 1e-9  # of the mean variance, so that clusters of no width have a scale


@dataclass(eq=False, repr=False)
class LatentDisplay(Display):
    """The latent space: a point for each sample, an ellipse and a name for each cluster.

    Colours and shapes of the points tell their cells, or what else they are coloured by. Of more
    than 20 clusters those of 64 colours and shapes look alike in turn, and the 20 with most points
    have a name. In one latent dimension each cell has a line of its own, and a bar in place of the
    ellipse.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2) or (n_samples, 1)
        The samples.
    labels : ndarray of int of shape (n_samples,)
        Cluster of each sample, a row of ``means``.
    means : ndarray of shape (n_clusters, 2) or (n_clusters, 1)
        Means of the clusters; NaN in those that are not drawn.
    covariances : ndarray of shape (n_clusters, 2, 2) or (n_clusters, 1, 1), default=None
        Their covariances. None draws no ellipses.
    cluster_names : sequence of str, default=None
        Names of the clusters, such as "01". None numbers them.
    c : array-like of shape (n_samples,), default=None
        What points are coloured by: numbers, or categories (strings, booleans, or at most 64
        different integers). NaN and None are unknown, and grey. None takes the clusters.
    c_name : str, default=""
        What that is.
    axis_names : sequence of str, default=()
        Names of the axes.
    node_names : sequence of str, default=()
        The nodes whose outcomes the names of the clusters are; the title lists them.

    Attributes
    ----------
    ax_ : matplotlib axes
        The axes.
    figure_ : matplotlib figure
        The figure.
    points_ : list of matplotlib.collections.PathCollection
        The points, one collection per category (and one of those that are unknown).
    ellipses_ : list of matplotlib artists
        Two standard deviations of each cluster.
    labels_ : list of matplotlib.text.Annotation
        Their names.

    See Also
    --------
    PrototypeDisplay : What each cluster looks like.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import LatentDisplay
    >>> points = np.array([[0.0, 0.1], [0.2, 0.0], [4.0, 4.1]])
    >>> means = np.array([[0.1, 0.0], [4.0, 4.0]])
    >>> display = LatentDisplay(points, [0, 0, 1], means, cluster_names=["0", "1"]).plot()
    >>> [label.get_text() for label in display.labels_]
    ['0', '1']
    """

    points: np.ndarray
    labels: np.ndarray
    means: np.ndarray
    covariances: np.ndarray | None = None
    _: KW_ONLY
    cluster_names: Sequence[str] | None = None
    c: ArrayLike | None = None
    c_name: str = ""
    axis_names: Sequence[str] = ()
    node_names: Sequence[str] = ()

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples,
        *,
        c: ArrayLike | str | None = None,
        c_name: str | None = None,
        projection: str | tuple[int, int] = "lda",
        ellipses: bool | None = None,
        ax: Axes | None = None,
        **kwargs: Unchecked,
    ) -> Self:
        """Draw samples in the latent space of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples; they are drawn at ``est.transform(X)``.
        c : array-like of shape (n_samples,) or str, default=None
            What samples are coloured by: values, the name of a node, or of a column of X if that
            is a DataFrame. None takes the most probable cell.
        c_name : str, default=None
            What these values are; None takes the name of the node or column.
        projection : {"lda", "pca"} or (int, int), default="lda"
            ``"lda"`` takes the plane in which the clusters differ most (Fisher's discriminants of
            the mixture), scaled so that the average cluster has variance 1; ``"pca"`` that in which
            the samples vary most; a pair two of the latent dimensions.
        ellipses : bool, default=None
            Whether to draw two standard deviations of each cluster; None: of up to 20.
        ax : matplotlib axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        LatentDisplay
            Drawn. Components without training samples are left out.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If X, ``c`` or ``projection`` is not as described.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import LatentDisplay
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> X = rng.normal(size=(200, 2)) + 6 * np.column_stack([group // 2, group % 2])
        >>> model = CausalPIMA((2, 2), max_iter=2, random_state=0).fit(X)
        >>> display = LatentDisplay.from_estimator(model, X)
        >>> len(display.ellipses_), display.ax_.get_xlabel()
        (4, 'discriminant 1')
        """
        cls._check_estimator(est)
        display = cls._of_estimator(est, X, c, c_name, projection, ellipses)
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def _of_estimator(
        cls,
        est: BaseEstimator,
        X: Samples,
        c: ArrayLike | str | None = None,
        c_name: str | None = None,
        projection: str | tuple[int, int] = "lda",
        ellipses: bool | None = None,
    ) -> Self:
        """Return what :meth:`from_estimator` draws."""
        model, empty = model_of(est), is_empty(est)
        posterior, covariances = model.posterior(samples_of(est, X)), model.full_covariances()
        labels = posterior.probabilities.argmax(axis=1)
        values, own_name = asked_values(est, X, c, labels)
        weights = np.where(empty, 0.0, est.weights_)
        directions, axis_names = projection_of(
            projection, posterior.points, weights, est.cluster_means_, covariances
        )
        means = np.where(empty[:, None], np.nan, est.cluster_means_ @ directions)
        names = named_nodes(list(node_graph(est.dag_)), est.joint_.shape, outcome_names(est))
        ellipses = (~empty).sum() <= MANY if ellipses is None else ellipses
        return cls(
            posterior.points @ directions,
            labels,
            means,
            directions.T @ covariances @ directions if ellipses else None,
            cluster_names=cell_names(est.cluster_states_, names.outcomes),
            c=values,
            c_name=own_name if c_name is None else c_name,
            axis_names=axis_names,
            node_names=names.nodes,
        )

    def plot(self, ax: Axes | None = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            None makes a figure.
        **kwargs : dict
            For ``scatter`` of matplotlib.

        Returns
        -------
        LatentDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Notes
        -----
        Names of clusters are placed for the present size of the figure so that none covers
        another.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import LatentDisplay
        >>> points, heat = np.array([[0.0, 0.1], [4.0, 4.1]]), [20.0, 35.0]
        >>> display = LatentDisplay(points, [0, 1], points, c=heat, c_name="heat")
        >>> display.plot(s=40).figure_.axes[1].get_ylabel()  # the colour bar
        'heat'
        >>> plt.close()
        """
        means, points = np.asarray(self.means, float), np.asarray(self.points, float)
        drawn = np.flatnonzero(np.isfinite(means).all(axis=1))
        is_line, few = means.shape[1] == 1, len(drawn) <= MANY
        strips = (6.4, max(2.4, 0.9 + STRIP_INCHES * len(drawn)))
        self._one_axes(ax, strips if is_line else SIZE if few else LARGE_SIZE)
        names = self._checked_names(len(means))
        if is_line:
            lines = np.full(len(means), np.nan)
            lines[drawn] = np.arange(len(drawn))
            points = np.column_stack([points, lines[self.labels]])
            means = np.column_stack([means, lines])
        colouring = Colouring.of(self.labels if self.c is None else self.c, self.c is None)
        self.points_ = colouring.scatter(self.ax_, points, kwargs)
        self._name_axes()
        if self.c is not None:
            colouring.explain(self.ax_, self.points_, self.c_name)
        self.ellipses_ = self._draw_ellipses(means, drawn)
        self.labels_ = []
        if is_line:
            _name_lines(self.ax_, [names[k] for k in drawn])
            return self
        counts = np.bincount(self.labels, minlength=len(means))[drawn]
        largest = drawn[np.sort(np.argsort(-counts, kind="stable")[:MANY])]
        shown = [names[k] for k in largest]
        self.labels_ = label_points(self.ax_, means[largest], shown, LABEL_SIZE, points)
        return self

    def _checked_names(self, n_clusters: int) -> list[str]:
        """Return the names of the clusters; raise where the data do not fit together."""
        names = range(n_clusters) if self.cluster_names is None else self.cluster_names
        points, labels = np.asarray(self.points), np.asarray(self.labels)
        if points.ndim != 2 or points.shape[1] != np.shape(self.means)[1] or points.shape[1] > 2:
            raise ValueError(
                "points and means have one or two columns each, as many as each other, got shapes "
                f"{points.shape} and {np.shape(self.means)}: project them first."
            )
        if labels.shape != points.shape[:1] or len(names) != n_clusters:
            raise ValueError(
                f"labels has one entry per point and cluster_names one per cluster, {len(points)} "
                f"and {n_clusters}, got {labels.shape} and {len(names)}."
            )
        if len(labels) and not 0 <= labels.min() <= labels.max() < n_clusters:
            raise ValueError(f"labels are rows of means, 0 to {n_clusters - 1}.")
        return [plain(printable(name)) for name in names]

    def _draw_ellipses(self, means: np.ndarray, drawn: np.ndarray) -> list[Drawn]:
        """Draw two standard deviations of the clusters."""
        from matplotlib.patches import Ellipse

        if self.covariances is None:
            return []
        artists: list[Drawn] = []
        for k in drawn:
            variances, axes = np.linalg.eigh(np.asarray(self.covariances[k], dtype=float))
            size = 2 * N_DEVIATIONS * np.sqrt(np.maximum(variances[::-1], 0))
            if len(size) == 1:
                size, angle = np.append(size, 0.6), 0.0
            else:
                angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
            ellipse = Ellipse(means[k], *size, angle=angle, fc="none", ec="0.25", lw=1.0, zorder=3)
            artists.append(self.ax_.add_patch(ellipse))
        self.ax_.autoscale_view()
        return artists

    def _name_axes(self) -> None:
        """Name axes and nodes."""
        for name, axis in zip(self.axis_names, (self.ax_.xaxis, self.ax_.yaxis), strict=False):
            axis.set_label_text(plain(printable(name)), fontsize=TITLE_SIZE)
        self.ax_.tick_params(labelsize=LABEL_SIZE)
        if len(self.node_names):
            n_clusters = int(np.isfinite(self.means).all(axis=1).sum())
            what = f"labels of the {MANY} largest of {n_clusters} cells: outcomes of"
            if n_clusters <= MANY or np.shape(self.means)[1] == 1:
                what = "labels: outcomes of"
            n_letters = letters_across(self.ax_, TITLE_SIZE)
            names = listed(self.node_names, n_letters, 2)
            between = " " if len(what) + len(names) < n_letters else "\n"
            self.ax_.set_title(f"{what}{between}{names}", fontsize=TITLE_SIZE)


def _name_lines(ax: Axes, names: Sequence[str]) -> None:
    """Write the names of the cells beside their lines, as many as there is room for."""
    height = max(inches(ax)[1], STRIP_INCHES)
    step = max(1, int(np.ceil(len(names) * STRIP_INCHES / height)))
    ax.set_ylim(len(names) - 0.5, -0.5)
    positions = np.arange(len(names))[::step]
    ax.set_yticks(positions, names[::step], fontsize=STRIP_SIZE)
    ax.set_ylabel("cell")


def projection_of(
    word: Unchecked,
    points: np.ndarray,
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the directions that a word or a pair of numbers asks for, and what they are.

    Directions are one or two columns, (latent_dim, n_axes). ``points`` (n_samples, latent_dim) are
    samples. ``weights``, ``means`` and ``covariances`` are those of the clusters. In one latent
    dimension any word is this dimension.
    """
    latent_dim = means.shape[1]
    if isinstance(word, tuple | list) and len(word) == 2 and all(map(is_integer, word)):
        return _coordinates(word, latent_dim)
    if not isinstance(word, str) or word not in ("lda", "pca"):
        raise ValueError(
            'projection is "lda", "pca" or a pair of numbers of latent dimensions such as (0, 1), '
            f"got {word!r:.100}."
        )
    if latent_dim == 1:
        return np.ones((1, 1)), ("latent dimension 0",)
    if word == "pca" or np.count_nonzero(weights) < 2:
        name, directions = "principal component", svd(points - points.mean(axis=0))[2][:2].T
    else:
        name, directions = "discriminant", _discriminants(weights, means, covariances)
    return directions, (f"{name} 1", f"{name} 2")


def _coordinates(pair: Sequence[int], latent_dim: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the projection on two of the latent dimensions."""
    if not all(0 <= number < latent_dim for number in pair):
        raise ValueError(
            f"projection={tuple(pair)} asks for latent dimensions that do not exist: there are "
            f"{latent_dim}, numbered from 0."
        )
    if pair[0] == pair[1]:
        raise ValueError(f"projection={tuple(pair)} is one dimension twice: pass two.")
    return np.eye(latent_dim)[:, list(map(int, pair))], tuple(f"latent dimension {k}" for k in pair)


def _discriminants(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """Return the two directions along which the means differ most, seen from within clusters.

    Fisher's linear discriminants of the mixture itself, scaled so that the average cluster has
    the variance 1. Where the means lie on one line, the second direction is that of the largest
    variance within clusters among those that say nothing of it.
    """
    shares = weights / weights.sum()
    within = np.einsum("c,cij->ij", shares, covariances)
    within = within + RIDGE * max(np.trace(within) / len(within), 1e-300) * np.eye(len(within))
    offsets = means - shares @ means
    between = (shares[:, None] * offsets).T @ offsets
    ratios, directions = eigh(between, within)
    directions = directions[:, ::-1]
    if np.count_nonzero(ratios > 1e-6 * max(ratios[-1], 1e-300)) >= 2:
        return directions[:, :2]
    first, others = directions[:, :1], directions[:, 1:]
    lengths = np.linalg.norm(others, axis=0)  # of variance 1: short where the variance is large
    return np.hstack([first, others[:, [lengths.argmin()]]])
