"""A picture of what follows from setting nodes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ..._base.grid import NodeGrid
from ..._base.names import printable
from ..._base.scalar_checks import check_count
from ..._base.types import Abscissa, Outcomes, Seed
from ..._inference.kept_models import model_of
from ...graph import CategoricalDAG
from .._fitted_estimator import outcome_names
from .display import PAGE, Axes, Display, Size, SomeAxes, inches, letters_across, letters_that_fit
from .labels import cell_names, outcomes_of, plain, shortened, wrapped
from .painter import HEADER_SIZE, MARGINS, TITLE_SIZE, SamplePainter, bars_that_fit, name_row
from .shown_modality import shown_modality
from .styles import Look, group_style

PANELS_IN_A_ROW = 4
PANEL = (2.3, 2.0)  # inches
LEGEND = 1.0  # inches
BARS = 0.8  # of the room of an outcome
NODE_LETTERS = 22
ROW_NAME_LETTERS = 14
BEFORE, SEEN, SET = "before", "seen", "set"
STYLES = {BEFORE: 0, SET: 1, SEEN: 2}  # the same whichever of them are drawn

#: A distribution for each node.
Marginals = Mapping[Hashable, ArrayLike]


@dataclass(eq=False, repr=False)
class InterventionDisplay(Display):
    """Distributions of the nodes before and after some of them were set, and data drawn from both.

    It is recommended to use :meth:`from_estimator` or :meth:`from_graph`.

    Parameters
    ----------
    distributions : mapping of str to mapping of hashable to array-like of shape (n_outcomes,)
        By a word such as "before" and "set", the distribution of each node.
    interventions : mapping of hashable to (int or str), default=None
        The nodes that were set, and to which outcomes, for their titles.
    states : mapping of hashable to sequence of str, default=None
        Names of the outcomes of nodes; those of others are numbers.
    samples : mapping of str to array-like of shape (n_draws, \\*shape), default=None
        By a word, which names their row, data of one modality.
    titles : mapping of str to sequence of str, default=None
        By the same words, a title for each of these; rows may lack them.
    x : ndarray of shape (width,), or (str, ndarray), default=None
        Abscissa of the data, if they are curves.
    columns : sequence of str, default=None
        Names of the elements of the data, if they are a table.

    Attributes
    ----------
    axes_ : ndarray of matplotlib axes of shape (n_rows, n_columns)
        Panels of the nodes.
    sample_axes_ : ndarray of matplotlib axes of shape (n_words, n_draws) or None
        Panels of the data.
    figure_ : matplotlib figure
        The figure.

    See Also
    --------
    skcausalpima.CausalPIMA.intervene : Draws from the model after nodes were set.
    skcausalpima.graph.CategoricalDAG.do : The network after nodes were set.

    Examples
    --------
    >>> from skcausalpima.graph import CategoricalDAG
    >>> from skcausalpima.inspection import InterventionDisplay
    >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], [[0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]])
    >>> display = InterventionDisplay.from_graph(dag, {"N1": 1})
    >>> display.distributions["set"]["N2"]
    array([0.2, 0.8])
    """

    distributions: Mapping[str, Marginals]
    interventions: Outcomes | None = None
    _: KW_ONLY
    states: Mapping[Hashable, Sequence[str]] | None = None
    samples: Mapping[str, ArrayLike] | None = None
    titles: Mapping[str, Sequence[str]] | None = None
    x: Abscissa | None = None
    columns: Sequence[str] | None = None

    @classmethod
    def from_graph(
        cls,
        dag: CategoricalDAG,
        interventions: Outcomes,
        *,
        seen: bool = False,
        ax: SomeAxes = None,
    ) -> Self:
        """Draw the distributions of a network.

        Parameters
        ----------
        dag : CategoricalDAG
            The network; its arrows are taken to be causes.
        interventions : mapping of hashable to (int or str)
            Node to outcome.
        seen : bool, default=False
            Whether to draw, for comparison, what is known where these outcomes are *seen*, not
            set (:meth:`CategoricalDAG.condition() <skcausalpima.graph.CategoricalDAG.condition>`).
        ax : matplotlib axes, default=None
            Where to draw, see :meth:`plot`.

        Returns
        -------
        InterventionDisplay
            Drawn.

        Raises
        ------
        ValueError
            If a node or an outcome does not exist, or ``seen`` has probability zero.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        from_estimator : Draw data, too.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.graph import CategoricalDAG
        >>> from skcausalpima.inspection import InterventionDisplay
        >>> tables = [[0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]]
        >>> names = ["heat", "crack"]
        >>> dag = CategoricalDAG.from_arrays([[0, 1], [0, 0]], tables, names)
        >>> display = InterventionDisplay.from_graph(dag, {"crack": 1}, seen=True)
        >>> {word: of["heat"].round(2) for word, of in display.distributions.items()}
        {'before': array([0.5, 0.5]), 'seen': array([0.11, 0.89]), 'set': array([0.5, 0.5])}
        >>> plt.close()
        """
        cls._check_kind(dag, CategoricalDAG, "from_graph needs a CategoricalDAG as dag")
        joints = _joints(dag, interventions, seen)
        marginals = {word: _marginals(dag, joint) for word, joint in joints.items()}
        return cls(marginals, interventions, states=dag.states).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        interventions: Outcomes,
        *,
        seen: bool = False,
        n_draws: int = 0,
        modality: str | int | None = None,
        x: Abscissa | None = None,
        random_state: Seed = 0,
        ax: SomeAxes = None,
    ) -> Self:
        """Draw the distributions of the nodes of a fitted estimator, and data.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator; the arrows of its graph are taken to be causes.
        interventions : mapping of str to (int or str)
            Node to outcome.
        seen : bool, default=False
            Whether to draw, for comparison, what is known where these outcomes are *seen*.
        n_draws : int, default=0
            How many samples to draw from each distribution, and to show, in the order of their
            outcomes. The shares of these are as near to their probabilities as the number allows
            (systematic sampling).
        modality : str or int, default=None
            Name or number of the modality that is shown; None takes the first.
        x : array-like of shape (width,), or (str, array-like), default=None
            Abscissa of curves, and its name. None takes that of the fit, if it has one.
        random_state : int, RandomState instance or None, default=0
            Source of these samples.
        ax : matplotlib axes, default=None
            Where to draw, see :meth:`plot`.

        Returns
        -------
        InterventionDisplay
            Drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is none, such as a pipeline or a search that holds one.
        ValueError
            If a node, an outcome or a modality does not exist, ``seen`` has probability zero, or
            ``x`` does not fit the modality.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        from_graph : Draw the distributions of a network.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import networkx as nx
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import InterventionDisplay
        >>> noise = np.random.default_rng(0).normal(size=(60, 2))
        >>> X = np.tile([[0, 0], [0, 8], [8, 8]], (20, 1)) + noise
        >>> graph = nx.DiGraph([("N1", "N2")])
        >>> model = CausalPIMA((2, 2), structure=graph, max_iter=2, random_state=0)
        >>> model = model.fit(X, known_nodes=(X > 4).astype(int))
        >>> display = InterventionDisplay.from_estimator(model, {"N1": 0}, n_draws=4)
        >>> {word: of["N2"].round(1) for word, of in display.distributions.items()}
        {'before': array([0.3, 0.7]), 'set': array([0.5, 0.5])}
        >>> display.titles["set"]  # the cells of the draws
        ['00', '00', '01', '01']
        >>> plt.close()
        """
        cls._check_estimator(est)
        dag, n_draws = est.to_graph(), check_count(n_draws, "n_draws", least=0)
        if n_draws == 0:
            return cls.from_graph(dag, interventions, seen=seen, ax=ax)
        model, names = model_of(est), outcome_names(est)
        shown = shown_modality(est, modality, x)
        joints, rng = _joints(dag, interventions, seen), check_random_state(random_state)
        sizes, samples, titles = est.joint_.shape, {}, {}
        causes = tuple(range(len(sizes), len(dag.sizes)))  # contexts that come after the nodes
        for word, joint in joints.items():
            cells = _systematic(joint.sum(axis=causes), n_draws, rng)
            drawn = model.draw(model.components_of(cells), rng)[shown.number]
            samples[word] = shown.shown(drawn)
            titles[word] = cell_names(NodeGrid(sizes).outcomes(cells), names)
        display = cls(
            {word: _marginals(dag, joint) for word, joint in joints.items()},
            interventions,
            states=dag.states,
            samples=samples,
            titles=titles,
            x=shown.x,
            columns=shown.columns,
        )
        return display.plot(ax)

    def plot(self, ax: SomeAxes = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; they are divided into panels. Without ``samples`` also an array of as
            many axes as there are panels of nodes, with them one of two axes, for the nodes and
            for the data. None makes a figure.

        Returns
        -------
        InterventionDisplay
            Itself.

        Raises
        ------
        ValueError
            If distributions are not all of the same nodes.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import InterventionDisplay
        >>> display = InterventionDisplay(
        ...     {"before": {"heat": [0.5, 0.5]}, "set": {"heat": [0, 1]}}, {"heat": 1})
        >>> print(display.plot().axes_[0, 0].get_title())
        heat
        set to 1
        >>> plt.close()
        """
        marginals = {
            word: {node: np.asarray(p, dtype=np.float64) for node, p in of_nodes.items()}
            for word, of_nodes in self.distributions.items()
        }
        shapes = [
            [(node, p.shape) for node, p in by_node.items()] for by_node in marginals.values()
        ]
        if not shapes or not shapes[0] or any(shape != shapes[0] for shape in shapes):
            raise ValueError(
                "distributions must have the same nodes for each word, got "
                f"{ {word: list(by_node) for word, by_node in marginals.items()} }."
            )
        n_rows = -(-len(shapes[0]) // PANELS_IN_A_ROW)
        n_columns = -(-len(shapes[0]) // n_rows)
        size = PANEL[0] * n_columns + LEGEND, PANEL[1] * n_rows + 0.2
        self.sample_axes_: np.ndarray | None = None
        if self.samples is not None:
            ax = self._plot_samples(ax, self.samples, size)
        self.axes_ = self._several_axes(ax, (n_rows, n_columns), size)
        for panel in self.axes_.flat[len(shapes[0]) :]:
            panel.set_axis_off()
        for (node, (n_outcomes,)), panel in zip(shapes[0], self.axes_.flat, strict=False):
            self._plot_bars(panel, {word: by_node[node] for word, by_node in marginals.items()})
            self._name(panel, node, n_outcomes)
            panel.tick_params(labelsize=TITLE_SIZE, length=2, labelleft=panel in self.axes_[:, 0])
        self.axes_[0, 0].set_ylabel("probability", fontsize=HEADER_SIZE)
        last = self.axes_[0, min(len(shapes[0]), n_columns) - 1]
        last.legend(fontsize=TITLE_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        return self

    def _plot_bars(self, ax: Axes, probabilities: dict[str, np.ndarray]) -> None:
        """Draw the distributions of one node side by side, with their numbers."""
        from .scaled_text import ScaledText

        width = BARS / len(probabilities)
        for k, (word, values) in enumerate(probabilities.items()):
            positions = np.arange(len(values)) + (k - (len(probabilities) - 1) / 2) * width
            style = group_style(STYLES.get(word, k))
            look: Look = {"color": style.colour, "hatch": style.hatch, "edgecolor": "white"}
            ax.bar(positions, values, width, label=plain(printable(word)), **look)
            ax.bar(positions, values, width, fill=False, edgecolor="0.2", linewidth=0.6)
            for position, value in zip(positions, values, strict=True):
                number, size = f"{value:.2f}", (0.34 * width, 0.08)
                ax.add_artist(ScaledText(position, value + 0.02, number, size, 7.0, va="bottom"))
        ax.set(ylim=(0, 1.15), yticks=[0, 0.5, 1])

    def _name(self, ax: Axes, node: Hashable, n_outcomes: int) -> None:
        """Write the name of a node and of its outcomes."""
        width, outcomes = inches(ax)[0], outcomes_of(self.states, node, n_outcomes)
        n_letters = max(letters_that_fit(0.8 * width / n_outcomes, TITLE_SIZE), 2)
        ax.set_xticks(np.arange(n_outcomes), [wrapped(name, n_letters, 2) for name in outcomes])
        n_letters = min(letters_that_fit(0.85 * width, HEADER_SIZE), NODE_LETTERS)
        title, interventions = wrapped(node, n_letters, 2), self.interventions or {}
        if node in interventions:
            outcome = interventions[node]
            name = outcome if isinstance(outcome, str) else outcomes[int(outcome)]
            title += f"\n{shortened(f'set to {name}', n_letters)}"
        ax.set_title(title, fontsize=HEADER_SIZE)

    def _plot_samples(self, ax: SomeAxes, samples: Mapping[str, ArrayLike], size: Size) -> Axes:
        """Draw the data below; return the axes that are left for the nodes."""
        arrays = {word: np.asarray(drawn) for word, drawn in samples.items()}
        shape = len(arrays), max(map(len, arrays.values()))
        most, tables = bars_that_fit((PAGE[1] - size[1] - MARGINS) / shape[0]), [*arrays.values()]
        painter = SamplePainter.of(tables, x=self.x, columns=self.columns, most_bars=most)
        width, height = painter.size_of_figure(shape, 1)
        size, ratios = (max(size[0], min(width, 16.0)), size[1] + height), [size[1], height]
        above, below = self._several_axes(ax, (2, 1), size, height_ratios=ratios).flat
        self.sample_axes_ = self._several_axes(below, shape, size)
        self.sample_axes_[-1, 0].set_xlabel(painter.note, fontsize=TITLE_SIZE, loc="left")
        n_letters = letters_across(self.sample_axes_[0, 0], TITLE_SIZE)
        for row, (word, drawn) in zip(self.sample_axes_, arrays.items(), strict=True):
            for panel in row[len(drawn) :]:
                panel.set_axis_off()
            titles = (self.titles or {}).get(word, [""] * len(drawn))
            for panel, sample, title in zip(row, drawn, titles, strict=False):
                painter.draw(panel, sample)
                is_bottom = panel in self.sample_axes_[-1]
                painter.finish(panel, is_left=panel is row[0], is_bottom=is_bottom)
                panel.set_title(shortened(title, n_letters), fontsize=TITLE_SIZE, pad=2)
            name_row(row[0], wrapped(word, ROW_NAME_LETTERS, 2), HEADER_SIZE)
        return above


def _joints(dag: CategoricalDAG, interventions: Outcomes, seen: bool) -> dict[str, np.ndarray]:
    """Return the joint distribution of all nodes before and after, of shape ``dag.sizes``."""
    row = dag.intervene(interventions, random_state=0)[0]  # checks them, and numbers outcomes
    before, mask = dag.joint(), np.zeros(dag.sizes)
    pairs = zip(row.tolist(), dag.nodes, strict=True)
    mask[tuple(k if node in interventions else slice(None) for k, node in pairs)] = 1.0
    if len(interventions) == len(dag.nodes):
        return {BEFORE: before, SET: mask}
    joints = {BEFORE: before}
    if seen:
        dag.condition(interventions)  # says so where it cannot be seen
        joints[SEEN] = before * mask / (before * mask).sum()
    return joints | {SET: dag.do(interventions).joint()}


def _systematic(joint: np.ndarray, n_draws: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw cells of the grid, in C order, each as often as it should be, up to one."""
    ends = np.cumsum(joint.ravel()) / joint.sum()
    shares = (np.arange(n_draws) + rng.random_sample()) / n_draws
    return np.minimum(np.searchsorted(ends, shares, side="right"), joint.size - 1)


def _marginals(dag: CategoricalDAG, joint: np.ndarray) -> dict[Hashable, np.ndarray]:
    """Return the distribution of each node."""
    axes = range(joint.ndim)
    return {
        node: joint.sum(axis=tuple(other for other in axes if other != axis))
        for axis, node in enumerate(dag.nodes)
    }
