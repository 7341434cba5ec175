"""One picture per cell of the grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._grid import NodeGrid
from ..._inference.fitted_model import FittedModel, model_of, samples_of
from ..._structure.digraphs import node_graph
from ..._typing import Samples, Unchecked
from .._fitted_estimator import cell_order, is_empty, node_sizes, outcome_names
from .column_panels import ColumnsDisplay
from .display import Axes, check_word
from .painter import SamplePainter
from .panels import CellTable, name_cells, named_nodes
from .shown_modality import ShownModality, decoded_components, shown_modality

NO_SAMPLES = "no samples"


@dataclass(eq=False, repr=False)
class PrototypeDisplay(ColumnsDisplay):
    """What each cell looks like: one picture per cell, on the grid's own axes.

    The outcomes of the first nodes are rows, those of the others columns. An image, a curve, or
    bars are drawn, by the shape of the modality: up to 16 elements in a row (40, if they have
    names) are bars, more are a curve. Images with other than one or three channels have them side
    by side; of volumes the middle slice is drawn.

    Tables of words, booleans or ordered categories have a panel for each column instead, in which
    the cells are compared: probabilities of levels are stacked bars, and counts and numbers bars.
    Where there is no room for all, those columns are drawn in which cells differ most.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    prototypes : ndarray of shape (n_cells, \\*shape)
        What is drawn, the cells in C order of their outcomes; NaN in cells that have nothing.
    node_sizes : sequence of int
        Numbers of outcomes of the nodes.
    node_names : sequence of str
        Their names.
    outcome_names : sequence of sequences of str, default=None
        Names of the outcomes of each node; None numbers them.
    titles : sequence of str, default=None
        A title for each cell, of one or several lines.
    x : ndarray of shape (width,), default=None
        Abscissa. What has one is drawn as a curve.
    columns : sequence of str, default=None
        Names of the elements, of tables.
    value_name : str, default=""
        What the values are, if not the modality in its units.
    parts : sequence of (str, str, sequence of str), default=None
        Of a table of several kinds of columns: name, likelihood and names of levels (none of
        numbers) of each column. It has a panel, with a bar for each cell. The values of a cell are
        one column's behind the other's: probabilities of its levels, or a number.

    Attributes
    ----------
    axes_ : ndarray of axes of shape (n_rows, n_columns)
        The panels.
    bounding_ax_ : matplotlib axes or None
        The axes that were divided, if some were.
    figure_ : matplotlib figure
        The figure.
    artists_ : list
        What was drawn of each cell, None where there is nothing; with ``parts``, of each column the
        bars of its levels.

    See Also
    --------
    NodeEffectDisplay : How single nodes change the data.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima.inspection import PrototypeDisplay
    >>> images = np.arange(4 * 36).reshape(4, 6, 6)
    >>> display = PrototypeDisplay(images, (2, 2), ["hue", "place"]).plot()
    >>> display.axes_.shape
    (2, 2)
    """

    prototypes: np.ndarray
    node_sizes: Sequence[int]
    node_names: Sequence[str]
    _: KW_ONLY
    outcome_names: Sequence[Sequence[str]] | None = None
    titles: Sequence[str] | None = None
    x: np.ndarray | None = None
    columns: Sequence[str] | None = None
    value_name: str = ""
    parts: Sequence[tuple[str, str, Sequence[str]]] | None = None

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples | None = None,
        *,
        kind: str = "decoded",
        modality: str | int | None = None,
        x: ArrayLike | None = None,
        ax: Axes | None = None,
        **kwargs: Unchecked,
    ) -> Self:
        """Draw the cells of a fitted estimator.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame, default=None
            Samples, for ``kind="nearest"``.
        kind : {"decoded", "nearest"}, default="decoded"
            What decodes from the mean of each component, or the sample of it that is nearest to
            this mean in the latent space.
        modality : str or int, default=None
            Name or number of the modality; None takes the first.
        x : array-like of shape (width,), default=None
            Abscissa of curves. None takes that of an expert, else numbers.
        ax : matplotlib axes, default=None
            See :meth:`plot`.
        **kwargs : dict
            See :meth:`plot`.

        Returns
        -------
        PrototypeDisplay
            Drawn. The titles are the parameters of an expert, or else the share of training
            samples. Columns of a table that are scaled each on its own are shown in standard
            deviations from their means, counts as they are expected at the mean depth.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If X, ``kind``, ``modality`` or ``x`` is not as described.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import PrototypeDisplay
        >>> rng = np.random.default_rng(0)
        >>> group = np.repeat([0, 1, 2, 3], 50)
        >>> images = rng.normal(size=(200, 4, 4)) + 6 * (group // 2)[:, None, None]
        >>> curves = rng.normal(size=(200, 10)) + 6 * (group % 2)[:, None]
        >>> model = CausalPIMA((2, 2), max_iter=5, random_state=0).fit([images, curves])
        >>> display = PrototypeDisplay.from_estimator(model, modality=1, x=np.linspace(0, 1, 10))
        >>> display.axes_[0, 0].get_title()
        '25 %'
        """
        cls._check_estimator(est)
        check_word(kind, "kind", ("decoded", "nearest"))
        model, order = model_of(est), cell_order(est)
        shown = shown_modality(est, model, modality, x)
        if kind == "nearest":
            prototypes = _nearest(est, model, X, shown)
        else:
            prototypes = decoded_components(est, model, shown)
        titles = _titles(est, shown)
        display = cls(
            prototypes[order],
            node_sizes(est),
            list(node_graph(est.dag_)),
            outcome_names=outcome_names(est),
            titles=[titles[component] for component in order],
            x=shown.x,
            columns=shown.columns,
            value_name=shown.unit_of_groups,
            parts=shown.parts,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax: Axes | np.ndarray | None = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes or ndarray of axes, default=None
            Axes are divided into one panel per cell. An array of panels, such as ``axes_``, is
            drawn on. None makes a figure.
        **kwargs : dict
            For ``imshow``, ``plot`` or ``barh`` of matplotlib.

        Returns
        -------
        PrototypeDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import PrototypeDisplay
        >>> images = np.arange(2 * 36).reshape(2, 6, 6)
        >>> display = PrototypeDisplay(images, (2,), ["hue"], titles=["40 %", "60 %"])
        >>> print(display.plot(cmap="Greys").axes_.ravel()[1].get_title())
        hue = 1
        60 %
        >>> plt.close()
        """
        arrays, table = np.asarray(self.prototypes), CellTable(tuple(self.node_sizes))
        if len(arrays) != math.prod(table.sizes):
            raise ValueError(
                f"prototypes has {len(arrays)} rows, but the grid of node_sizes={table.sizes} has "
                f"{math.prod(table.sizes)} cells: pass one row per cell."
            )
        titles = [""] * len(arrays) if self.titles is None else self.titles
        names = named_nodes(self.node_names, self.node_sizes, self.outcome_names)
        if self.parts is not None:
            cells = names.of_cells(NodeGrid(table.sizes).outcomes())
            lines = [f"{of}  {title}".strip() for of, title in zip(cells, titles, strict=True)]
            bars = [(line, float(place)) for place, line in enumerate(lines)]
            what = f"outcomes of {', '.join(names.nodes)}"
            self._draw_columns(ax, self.parts, arrays, bars, what, kwargs)
            return self
        painter = SamplePainter.of([arrays], x=self.x, columns=self.columns)
        size = painter.size_of_figure(table.shape, max(t.count("\n") + 1 for t in titles))
        caption = self._captioned_axes(ax, table.shape, size)
        self.artists_: list[Any] = []
        for unused in self.axes_.flat[len(arrays) :]:
            unused.set_axis_off()
        for cell, array in enumerate(arrays):
            panel, is_drawn = self.axes_.flat[cell], np.isfinite(array).any()
            self.artists_.append(painter.draw(panel, array, **kwargs) if is_drawn else None)
            is_left, is_bottom = table.place(cell)[1] == 0, cell + table.shape[1] >= len(arrays)
            painter.finish(panel, is_left=is_left, is_bottom=is_bottom)
        name_cells(self.axes_, table, names, titles, caption)
        if self.value_name:
            self.axes_[-1, 0].set_xlabel(self.value_name, fontsize=8)
        return self


def _nearest(
    est: BaseEstimator, model: FittedModel, X: Samples | None, shown: ShownModality
) -> np.ndarray:
    """Return the sample of each component that is nearest to its mean; NaN where none is."""
    if X is None:
        raise ValueError('kind="nearest" shows samples: pass them as X, or take kind="decoded".')
    modalities = samples_of(est, X)
    found = model.posterior(modalities)
    labels = found.probabilities.argmax(axis=1)
    distances = np.linalg.norm(found.points - est.cluster_means_[labels], axis=1)
    distances[~modalities.observed[shown.number]] = np.inf
    components = np.unique(labels[np.isfinite(distances)])
    rows = [np.where(labels == component, distances, np.inf).argmin() for component in components]
    elements = shown.elements(modalities.take(np.array(rows, dtype=int)))
    values = shown.of_groups(elements)
    nearest = np.full((len(est.cluster_means_), *values.shape[1:]), np.nan)
    nearest[components] = values
    return nearest


def _titles(est: BaseEstimator, shown: ShownModality) -> list[str]:
    """Return the parameters of an expert in each component, or the share of its samples."""
    empty, table = is_empty(est), est.expert_params_.get(shown.name)
    if table is None:
        shares = np.round(100 * est.separation_.occupancy).astype(int)
        titles = [f"{share} %" if share else "< 1 %" for share in shares]
    else:
        columns = [[f"{name} {value:.3g}" for value in table[name]] for name in table.parameters]
        titles = ["\n".join(lines) for lines in zip(*columns, strict=True)]
    return [NO_SAMPLES if no else title for no, title in zip(empty, titles, strict=True)]
