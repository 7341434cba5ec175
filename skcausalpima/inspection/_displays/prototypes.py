"""One picture per cell of the grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from ..._base.grid import NodeGrid
from ..._base.types import Abscissa, Samples, Unchecked
from ..._inference.kept_models import model_of, samples_of
from ..._structure.digraphs import node_graph
from .._fitted_estimator import cell_order, is_empty, outcome_names
from .column_panels import CAPTION_SIZE, ColumnsDisplay, Part
from .display import (
    Axes,
    check_word,
    font_that_fits,
    inches,
    letters_across,
    letters_that_fit,
)
from .labels import NodeNames, cell_names, listed, named_nodes, shortened
from .painter import HEADER_SIZE, TITLE_SIZE, SamplePainter, name_row
from .shown_modality import ShownModality, decoded_components, shown_modality
from .styles import Look

NO_SAMPLES = "no samples"
WIDE = 1.3  # columns per row that are aimed at
MIN_TITLE_SIZE = 5
ROW_HEADER_INCHES = 1.0


@dataclass(eq=False, repr=False)
class PrototypeDisplay(ColumnsDisplay):
    """What each cell looks like: one picture per cell, on the grid's own axes.

    The outcomes of the first nodes are rows, those of the others columns. An image, a curve, or
    bars are drawn, by the shape of the modality: up to 16 elements in a row, and those of a table
    whose columns have names, are bars (of more than 30 the 30 that differ most between cells, the
    strongest first), more without names are a curve. Images with other than one or three channels
    have them side by side; of volumes the middle slice is drawn.

    Tables of words, booleans or ordered categories have a panel for each column instead, in which
    the cells are compared: probabilities of levels are stacked bars, and counts and numbers bars.
    Those of numbers begin at the mean, and are as long as they are in standard deviations; ticks
    are in the unit of the column. Where there is no room for all, those columns are drawn in which
    cells differ most, the strongest first.

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
    x : ndarray of shape (width,), or (str, ndarray), default=None
        Abscissa. What has one is drawn as a curve.
    columns : sequence of str, default=None
        Names of the elements, of tables.
    value_name : str, default=""
        What is drawn: the modality, if it is one of several, and the unit of its values, if that is
        not its own.
    parts : sequence of tuple, default=None
        Of a table of several kinds of columns: name, likelihood and names of levels (none of
        numbers) of each column, and optionally mean and standard deviation of numbers. It has a
        panel, with a bar for each cell. The values of a cell are one column's behind the other's:
        probabilities of its levels, or a number.

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
    x: Abscissa | None = None
    columns: Sequence[str] | None = None
    value_name: str = ""
    parts: Sequence[Part] | None = None

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples | None = None,
        *,
        kind: str = "decoded",
        modality: str | int | None = None,
        x: Abscissa | None = None,
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
        x : array-like of shape (width,), or (str, array-like), default=None
            Abscissa of curves, and its name. None takes that of the fit, if it has one.
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
        shown, order = shown_modality(est, modality, x), cell_order(est)
        decoded = kind == "decoded"
        prototypes = decoded_components(est, shown) if decoded else _nearest(est, X, shown)
        titles, unit = _titles(est, shown), shown.unit_of_groups
        which = shown.name if len(est.modality_names_in_) > 1 else ""
        display = cls(
            prototypes[order],
            est.joint_.shape,
            list(node_graph(est.dag_)),
            outcome_names=outcome_names(est),
            titles=[titles[component] for component in order],
            x=shown.x,
            columns=shown.columns,
            value_name=f"{which}: {unit}" if which and unit else which or unit,
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
            cells = cell_names(NodeGrid(table.sizes).outcomes(), names.outcomes)
            lines = [f"{name}  {title}".strip() for name, title in zip(cells, titles, strict=True)]
            bars = [(line, float(position)) for position, line in enumerate(lines)]
            what = f"outcomes of {', '.join(names.nodes)}"
            which, is_one_of_several, _ = self.value_name.rpartition(": ")
            what = f"{which}, {what}" if is_one_of_several else what
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
            is_left, is_bottom = table.position(cell)[1] == 0, cell + table.shape[1] >= len(arrays)
            painter.finish(panel, is_left=is_left, is_bottom=is_bottom)
        self._name_cells(table, names, titles, caption)
        if described := painter.described(self.value_name):
            self.axes_[-1, 0].set_xlabel(described, fontsize=8, loc="left")
        return self

    def _name_cells(
        self, table: CellTable, names: NodeNames, titles: Sequence[str], caption: Axes | None
    ) -> None:
        """Write outcomes beside rows and columns, a title over each cell, and what is what."""
        longest = max((len(line) for title in titles for line in title.splitlines()), default=1)
        fitting = font_that_fits(inches(self.axes_[0, 0])[0], longest)
        size = float(np.clip(fitting, MIN_TITLE_SIZE, TITLE_SIZE))
        n_letters = letters_across(self.axes_[0, 0], size)
        lines = ["\n".join(shortened(t, n_letters) for t in title.splitlines()) for title in titles]
        if table.n_row_nodes == 0:
            headers, is_named = names.headers(NodeGrid(table.sizes).outcomes(), n_letters)
            lines = [f"{h}\n{line}".strip() for h, line in zip(headers, lines, strict=True)]
            unnamed = {} if is_named else {"outcomes of": names.nodes}
        else:
            n_lines = max(line.count("\n") + bool(line) for line in lines[: table.shape[1]])
            unnamed = _write_headers(self.axes_, table, names, n_lines * size * 1.25 + 4)
        for cell, line in enumerate(lines):
            self.axes_[table.position(cell)].set_title(line, fontsize=size, pad=2)
        if caption is not None and unnamed:
            n_letters, texts = letters_across(caption, CAPTION_SIZE), []
            for what, nodes in unnamed.items():
                texts.append(f"{what} {listed(nodes, n_letters - len(what) - 1, 2)}")
            caption.set_title("\n".join(texts), fontsize=CAPTION_SIZE)


def _nearest(est: BaseEstimator, X: Samples | None, shown: ShownModality) -> np.ndarray:
    """Return the sample of each component that is nearest to its mean; NaN where none is."""
    if X is None:
        raise ValueError('kind="nearest" shows samples: pass them as X, or take kind="decoded".')
    modalities = samples_of(est, X)
    posterior = model_of(est).posterior(modalities)
    labels = posterior.probabilities.argmax(axis=1)
    distances = np.linalg.norm(posterior.points - est.cluster_means_[labels], axis=1)
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


@dataclass(frozen=True)
class CellTable:
    """Where the cells of a grid are drawn: the first nodes are rows, the others columns.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of outcomes of the nodes.

    Examples
    --------
    >>> from skcausalpima.inspection._displays.prototypes import CellTable
    >>> CellTable((2, 2, 2, 2, 2, 2)).shape, CellTable((3, 2)).shape, CellTable((10,)).shape
    ((8, 8), (3, 2), (2, 5))
    """

    sizes: tuple[int, ...]

    @property
    def n_row_nodes(self) -> int:
        """How many nodes are rows; 0 for a single node, whose outcomes fill lines like words."""
        if len(self.sizes) == 1:
            return 0
        return min(range(1, len(self.sizes)), key=self._distance)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        if len(self.sizes) == 1:
            return _lines_of(self.sizes[0])
        return math.prod(self.sizes[: self.n_row_nodes]), math.prod(self.sizes[self.n_row_nodes :])

    def position(self, cell: int) -> tuple[int, int]:
        """Return row and column of a cell, by its number in C order."""
        return divmod(cell, self.shape[1])

    def _distance(self, n_row_nodes: int) -> float:
        """Return how far a table is from the shape that is aimed at."""
        rows, columns = math.prod(self.sizes[:n_row_nodes]), math.prod(self.sizes[n_row_nodes:])
        return abs(math.log(columns / rows / WIDE))


def _lines_of(n_cells: int) -> tuple[int, int]:
    """Return rows and columns for the outcomes of one node."""
    if n_cells <= 5:
        return 1, n_cells
    root, wide = math.ceil(math.sqrt(n_cells)), math.sqrt(WIDE * n_cells)
    fits = [(c * math.ceil(n_cells / c) - n_cells, abs(c - wide), c) for c in range(root, 11)]
    n_columns = min(fits)[2] if fits else root
    return math.ceil(n_cells / n_columns), n_columns


def _write_headers(
    axes: np.ndarray, table: CellTable, names: NodeNames, height: float
) -> dict[str, tuple[str, ...]]:
    """Write the outcomes of rows and columns; return which nodes these are if they do not say.

    Those of columns stand so many points above the axes.
    """
    split, outcomes = table.n_row_nodes, NodeGrid(table.sizes).outcomes()
    rows, columns = names.take(slice(None, split)), names.take(slice(split, None))
    row_letters = letters_that_fit(ROW_HEADER_INCHES, HEADER_SIZE)
    of_rows, rows_named = rows.headers(outcomes[:: table.shape[1], :split], row_letters)
    column_letters = letters_across(axes[0, 0], HEADER_SIZE)
    of_columns, columns_named = columns.headers(outcomes[: table.shape[1], split:], column_letters)
    for ax, header in zip(axes[:, 0], of_rows, strict=True):
        name_row(ax, header, HEADER_SIZE)
    look: Look = {"xycoords": "axes fraction", "textcoords": "offset points"}
    look |= {"ha": "center", "va": "bottom"}
    for ax, header in zip(axes[0], of_columns, strict=True):
        ax.annotate(header, (0.5, 1.0), (0, height), fontsize=HEADER_SIZE, **look)
    parts = {} if rows_named else {"rows:": rows.nodes}
    return parts if columns_named else parts | {"columns:": columns.nodes}
