"""Samples and clusters in the latent space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._typing import Samples, Unchecked
from .._asked_estimator import check_estimator
from .asked import is_empty, node_sizes, outcome_names
from .axes import letters_that_fit, one_axes, width_in_inches
from .colouring import Colouring, asked_values
from .label_places import label_points
from .labels import listed, plain
from .panels import named_nodes
from .projections import projection_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_DEVIATIONS = 2.0  # of the ellipses
LABEL_SIZE, SMALL_LABEL_SIZE, MANY = 8.0, 6.0, 20
STRIP_INCHES = 0.16
SIZE, LARGE_SIZE = (6.4, 5.2), (8.0, 7.0)


class LatentDisplay:
    """The latent space: a point for each sample, an ellipse and a name for each cluster.

    Colours and shapes of the points tell their cells, or what else they are coloured by. In one
    latent dimension each cell has a line of its own, and a bar in place of the ellipse.

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

    def __init__(
        self,
        points: np.ndarray,
        labels: np.ndarray,
        means: np.ndarray,
        covariances: np.ndarray | None = None,
        *,
        cluster_names: Sequence[str] | None = None,
        c: ArrayLike | None = None,
        c_name: str = "",
        axis_names: Sequence[str] = (),
        node_names: Sequence[str] = (),
    ) -> None:
        self.points = points
        self.labels = labels
        self.means = means
        self.covariances = covariances
        self.cluster_names = cluster_names
        self.c = c
        self.c_name = c_name
        self.axis_names = axis_names
        self.node_names = node_names

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples,
        *,
        c: ArrayLike | str | None = None,
        c_name: str | None = None,
        projection: str | tuple[int, int] = "lda",
        ellipses: bool = True,
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
        ellipses : bool, default=True
            Whether to draw two standard deviations of each cluster.
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
        check_estimator(est, "LatentDisplay.from_estimator")
        fitted, modalities = est._fitted_model(), est._read(X)
        found = fitted.posterior(modalities)
        labels = found.probabilities.argmax(axis=1)
        values, own_name = asked_values(est, X, c, labels)
        empty, covariances = is_empty(est), fitted.full_covariances()
        weights = np.where(empty, 0.0, est.weights_)
        plane = projection_of(projection, found.points, weights, est.cluster_means_, covariances)
        means = np.where(empty[:, None], np.nan, plane.points(est.cluster_means_))
        names = named_nodes(list(est.dag_), node_sizes(est), outcome_names(est))
        display = cls(
            plane.points(found.points),
            labels,
            means,
            plane.covariances(covariances) if ellipses else None,
            cluster_names=names.of_cells(est.cluster_states_),
            c=values,
            c_name=own_name if c_name is None else c_name,
            axis_names=plane.axis_names,
            node_names=names.nodes,
        )
        return display.plot(ax=ax, **kwargs)

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
        means = np.asarray(self.means, dtype=float)
        drawn = np.flatnonzero(np.isfinite(means).all(axis=1))
        is_line = means.shape[1] == 1
        size = (
            (6.4, max(2.4, 0.9 + STRIP_INCHES * len(drawn)))
            if is_line
            else (SIZE if len(drawn) <= MANY else LARGE_SIZE)
        )
        self.ax_ = one_axes(ax, "LatentDisplay.plot", size)
        self.figure_ = self.ax_.figure
        names = self._checked_names(len(means))
        points, shown_means = np.asarray(self.points, dtype=float), means
        if is_line:
            lines = np.full(len(means), np.nan)
            lines[drawn] = np.arange(len(drawn))
            points = np.column_stack([points, lines[self.labels]])
            shown_means = np.column_stack([means, lines])
        colouring = Colouring.of(self.labels if self.c is None else self.c, self.c is None)
        self.points_ = colouring.scatter(self.ax_, points, kwargs)
        self._name_axes(is_line)
        if self.c is not None:
            colouring.explain(self.ax_, self.points_, self.c_name)
        self.ellipses_ = self._draw_ellipses(shown_means, drawn)
        self.labels_ = []
        if is_line:
            _name_lines(self.ax_, [names[k] for k in drawn])
        else:
            font_size = LABEL_SIZE if len(drawn) <= MANY else SMALL_LABEL_SIZE
            self.labels_ = label_points(
                self.ax_, means[drawn], [names[k] for k in drawn], font_size
            )
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
        return list(map(plain, names))

    def _draw_ellipses(self, means: np.ndarray, drawn: np.ndarray) -> list[Any]:
        """Draw two standard deviations of the clusters."""
        from matplotlib.patches import Ellipse

        if self.covariances is None:
            return []
        artists = []
        look: dict[str, Any] = {"fc": "none", "ec": "0.25", "lw": 1.0, "zorder": 3}
        for k in drawn:
            covariance = np.asarray(self.covariances[k], dtype=float)
            if covariance.shape == (1, 1):
                width = 2 * N_DEVIATIONS * np.sqrt(covariance[0, 0])
                artist = Ellipse(means[k], width, 0.6, **look)
            else:
                variances, axes = np.linalg.eigh(covariance)
                angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
                size = 2 * N_DEVIATIONS * np.sqrt(np.maximum(variances[::-1], 0))
                artist = Ellipse(means[k], *size, angle=angle, **look)
            artists.append(self.ax_.add_patch(artist))
        self.ax_.autoscale_view()
        return artists

    def _name_axes(self, is_line: bool) -> None:
        """Name axes and nodes."""
        for name, axis in zip(self.axis_names, (self.ax_.xaxis, self.ax_.yaxis), strict=False):
            axis.set_label_text(name)
        n_letters = letters_that_fit(width_in_inches(self.ax_), 9)
        if len(self.node_names):
            first, *others = map(plain, self.node_names)
            text = listed([f"cells: {first}", *others], n_letters)
            self.ax_.set_title(text, fontsize=9)


def _name_lines(ax: Axes, names: Sequence[str]) -> None:
    """Write the names of the cells beside their lines, as many as there is room for."""
    height = ax.get_window_extent().height / ax.figure.dpi
    step = max(1, int(np.ceil(len(names) * STRIP_INCHES / max(height, STRIP_INCHES))))
    ax.set_ylim(len(names) - 0.5, -0.5)
    places = np.arange(len(names))[::step]
    ax.set_yticks(places, names[::step], fontsize=SMALL_LABEL_SIZE + 1)
    ax.set_ylabel("cell")
