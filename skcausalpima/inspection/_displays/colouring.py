"""What samples are coloured by, categories or numbers, and points that show it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._base.scalar_checks import is_missing
from ..._base.types import Samples
from ..._structure.digraphs import node_graph
from .._fitted_estimator import outcome_names
from .._metadata_columns import MAX_CATEGORIES
from .display import Axes
from .labels import shortened
from .styles import COLOUR_MAP, N_STYLES, UNKNOWN, Look, group_style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.collections import PathCollection

ROWS_OF_LEGEND = 16
LEGEND_LETTERS = 18
MARKER_AREA = 14  # square points, in legends at least


@dataclass(frozen=True)
class Colouring:
    """Which points look alike.

    Parameters
    ----------
    categories : tuple or None
        The categories; None where points have numbers.
    values : ndarray of shape (n_samples,)
        Places of the categories, -1 where unknown, or numbers, NaN where unknown.
    """

    categories: tuple[Hashable, ...] | None
    values: np.ndarray

    @classmethod
    def of(cls, values: ArrayLike, are_clusters: bool = False) -> Colouring:
        """Tell categories from numbers."""
        array = np.asarray(values)
        if are_clusters:
            n_looks = min(int(array.max()) + 1, N_STYLES)
            return cls(tuple(range(n_looks)), array % n_looks)
        if array.dtype.kind == "f":
            return cls(None, array)
        known = np.array([not is_missing(value) for value in array.tolist()], dtype=bool)
        categories = sorted(set(array[known].tolist()), key=_sort_key)
        if array.dtype.kind in "iu" and len(categories) > MAX_CATEGORIES:
            return cls(None, array.astype(float))
        numbers = {category: number for number, category in enumerate(categories)}
        return cls(tuple(categories), np.array([numbers.get(v, -1) for v in array.tolist()]))

    def scatter(self, ax: Axes, points: np.ndarray, kwargs: Look) -> list[PathCollection]:
        """Draw points of shape (n_samples, 2)."""
        usual: Look = {"s": MARKER_AREA, "linewidths": 0.3, "edgecolors": "0.2"} | kwargs
        unknown = self.values < 0 if self.categories is not None else ~np.isfinite(self.values)
        looks: list[Look] = [{"c": UNKNOWN, "marker": ".", "label": "unknown"}]
        groups = [unknown]
        for number, category in enumerate(self.categories or ()):
            style = group_style(number)
            looks.append({"c": style.colour, "marker": style.marker, "label": str(category)})
            groups.append(self.values == number)
        pairs = zip(groups, looks, strict=True)
        drawn = [
            ax.scatter(*points[group].T, **(look | usual)) for group, look in pairs if group.any()
        ]
        if self.categories is None:
            numbers: Look = {"c": self.values[~unknown], "cmap": COLOUR_MAP} | usual
            drawn.append(ax.scatter(*points[~unknown].T, **(numbers | {"linewidths": 0})))
        return drawn

    def explain(self, ax: Axes, drawn: Sequence[PathCollection], name: str) -> None:
        """Add a legend or a colour bar."""
        title = shortened(name, 2 * LEGEND_LETTERS)
        if self.categories is None:
            ax.figure.colorbar(drawn[-1], ax=ax).set_label(title)
            return
        texts = [shortened(points.get_label(), LEGEND_LETTERS) for points in drawn]
        larger = max(1.0, float(np.sqrt(MARKER_AREA / drawn[0].get_sizes()[0])))
        look: Look = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "markerscale": larger}
        look |= {"fontsize": 7 if len(texts) > ROWS_OF_LEGEND else 8}
        look |= {"ncols": -(-len(texts) // ROWS_OF_LEGEND)}
        ax.legend(drawn, texts, title=title, columnspacing=1.0, handletextpad=0.3, **look)


def asked_values(
    est: BaseEstimator, X: Samples, c: ArrayLike | str | None, labels: np.ndarray
) -> tuple[np.ndarray | None, str]:
    """Return what samples are coloured by, and its name; ``labels`` are their components.

    That are values, the outcomes of a node, or a column of X.
    """
    nodes, columns = list(node_graph(est.dag_)), list(getattr(X, "columns", []))
    if c is None:
        return None, ""
    if not isinstance(c, str):
        values = np.asarray(c)
        if values.shape != (len(labels),):
            raise ValueError(
                f"c must have shape ({len(labels)},), one value per sample of X, got "
                f"{values.shape}."
            )
        return values, str(getattr(c, "name", None) or "")
    if c in nodes:
        outcomes = est.cluster_states_[labels, nodes.index(c)]
        names = np.array(outcome_names(est)[nodes.index(c)])
        numbered = names.tolist() == [*map(str, range(len(names)))]
        return outcomes if numbered else names[outcomes], c
    if c in columns:
        return np.asarray(cast("pd.DataFrame", X)[c]), c
    expected = f"nodes {nodes}" + (f" and columns {columns}" if columns else "")
    raise ValueError(
        f"c={c!r} is neither a node nor a column of X (there are the {expected:.300}): pass one of "
        "these names, or an array with one value per sample."
    )


def _sort_key(category: Hashable) -> tuple[str, bool | float | str]:
    """Sort categories of different types beside each other."""
    if isinstance(category, (bool, int, float)):
        return "", category
    return type(category).__name__, str(category) if not isinstance(category, str) else category
