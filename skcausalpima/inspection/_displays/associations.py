"""A picture of what nodes have to do with known columns."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..._base.types import Samples, Seed, Unchecked
from ..._inference.modality_evidence import ModalityEvidence
from .._associations import NodeAssociations, associate_nodes
from .._metadata_columns import Metadata
from .display import Axes, Display
from .heat_map import FONT, HeatMap

#: Columns beside each other, more are below; and in all, more are left out (arbitrary).
COLUMNS_BESIDE, MOST_COLUMNS = 8, 36
MEASURES = {
    "cramers_v": "Cramér's V",
    "nmi": "normalized mutual information",
    "eta_squared": "eta squared",
}


@dataclass(eq=False, repr=False)
class AssociationDisplay(Display):
    """How nodes and columns of metadata depend on each other: a row per node.

    In each cell stand the statistic, from 0 for independence to 1, and its p-value. More than eight
    columns are rows, and the nodes columns; of more than 36 those are drawn that have the largest
    statistic with any node, the strongest first.

    :meth:`from_evidence` has modalities for columns: which modality shows which node.

    It is recommended to use :meth:`from_estimator` or :meth:`from_associations`.

    Parameters
    ----------
    statistic : array-like of shape (n_nodes, n_columns)
        The measure; NaN where there is none.
    node_names : sequence of str
        The nodes.
    column_names : sequence of hashable
        The columns.
    p_value : array-like of shape (n_nodes, n_columns), default=None
        The p-values.
    measure : str, default="association"
        What the statistic is.

    Attributes
    ----------
    ax_ : matplotlib axes
        The axes.
    figure_ : matplotlib figure
        The figure.
    image_ : matplotlib image
        The colours.

    See Also
    --------
    associate_nodes : The numbers.

    Examples
    --------
    >>> from skcausalpima.inspection import AssociationDisplay
    >>> display = AssociationDisplay([[0.9, 0.1]], ["N1"], ["batch", "lab"]).plot()
    >>> [text.get_text() for text in display.ax_.get_xticklabels()]
    ['batch', 'lab']
    """

    statistic: ArrayLike
    node_names: Sequence[str]
    column_names: Sequence[Hashable]
    _: KW_ONLY
    p_value: ArrayLike | None = None
    measure: str = "association"

    @classmethod
    def from_estimator(
        cls,
        est: BaseEstimator,
        X: Samples,
        metadata: Metadata,
        *,
        measure: str = "cramers_v",
        n_permutations: int = 999,
        random_state: Seed = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw how the nodes of a fitted estimator depend on known columns.

        Parameters
        ----------
        est : CausalPIMA
            A fitted estimator.
        X : sequence, mapping, MultimodalData, array-like or DataFrame
            Samples.
        metadata : DataFrame, mapping or array-like of shape (n_samples, n_columns)
            Columns of categories or numbers, see :func:`associate_nodes`.
        measure : {"cramers_v", "nmi"}, default="cramers_v"
            The statistic of categories.
        n_permutations : int, default=999
            Number of permutations.
        random_state : int, RandomState instance or None, default=None
            Source of the permutations.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        AssociationDisplay
            Drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If ``est`` is no CausalPIMA, such as a pipeline that holds one.
        ValueError
            As :func:`associate_nodes`.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        from_associations : Draw what was found before.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import AssociationDisplay
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X)
        >>> known = {"batch": ["a", "b"] * 20}
        >>> display = AssociationDisplay.from_estimator(model, X, known, random_state=0)
        >>> display.statistic, display.p_value
        (array([[1.]]), array([[0.001]]))
        >>> plt.close()
        """
        associations = associate_nodes(
            est,
            X,
            metadata,
            measure=measure,
            n_permutations=n_permutations,
            random_state=random_state,
        )
        return cls.from_associations(associations, ax=ax)

    @classmethod
    def from_associations(
        cls, associations: NodeAssociations, *, measure: str | None = None, ax: Axes | None = None
    ) -> Self:
        """Draw what :func:`associate_nodes` found.

        Parameters
        ----------
        associations : NodeAssociations
            The numbers.
        measure : str, default=None
            What they are, for the colour bar; None takes the names of the measures.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        AssociationDisplay
            Drawn.

        Raises
        ------
        TypeError
            If it is something else.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        associate_nodes : Find the numbers.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima.inspection import AssociationDisplay, NodeAssociations
        >>> found = NodeAssociations(
        ...     statistic=np.array([[0.95, 0.1]]), p_value=np.array([[0.001, 0.4]]),
        ...     expected=np.array([[0.1, 0.1]]), n_samples=np.array([60, 58]),
        ...     node_names=("N1",), column_names=("batch", "lab"), measures=("cramers_v",) * 2)
        >>> display = AssociationDisplay.from_associations(found)
        >>> print(display.ax_.texts[0].get_text())
        0.95
        p 0.001
        >>> plt.close()
        """
        cls._check_kind(
            associations, NodeAssociations, "from_associations needs what associate_nodes returns"
        )
        display = cls(
            associations.statistic,
            associations.node_names,
            associations.column_names,
            p_value=associations.p_value,
            measure=measure
            or ", ".join(MEASURES[name] for name in dict.fromkeys(associations.measures)),
        )
        return display.plot(ax)

    @classmethod
    def from_evidence(cls, evidence: ModalityEvidence, *, ax: Axes | None = None) -> Self:
        """Draw which modality shows which node: ``alone`` of ``modality_evidence``.

        Parameters
        ----------
        evidence : ModalityEvidence
            From :meth:`~skcausalpima.CausalPIMA.modality_evidence`.
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        AssociationDisplay
            Drawn, a column per modality.

        Raises
        ------
        TypeError
            If it is something else.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        skcausalpima.CausalPIMA.modality_evidence : Find the numbers.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> import numpy as np
        >>> from skcausalpima import CausalPIMA
        >>> from skcausalpima.inspection import AssociationDisplay
        >>> noise = np.random.default_rng(0).normal(size=(40, 2))
        >>> X = np.tile([[0.0, 1.0], [8.0, 9.0]], (20, 1)) + noise
        >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit({"a": X, "b": -X})
        >>> evidence = model.modality_evidence([X, -X])
        >>> display = AssociationDisplay.from_evidence(evidence)
        >>> [text.get_text() for text in display.ax_.get_xticklabels()]
        ['a', 'b']
        >>> plt.close()
        """
        needed = "from_evidence needs what est.modality_evidence(X) returns"
        cls._check_kind(evidence, ModalityEvidence, needed)
        names = evidence.node_names, evidence.modality_names
        return cls(evidence.alone.T, *names, measure="share of the node's entropy").plot(ax)

    def plot(self, ax: Axes | None = None, **kwargs: Unchecked) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, default=None
            Where to draw; None makes a figure of the size that the table needs. Numbers that
            would be too small to be read are left out.
        **kwargs : dict
            For ``imshow`` of matplotlib.

        Returns
        -------
        AssociationDisplay
            Itself.

        Raises
        ------
        ValueError
            If there is not one name per row and column.
        ImportError
            If matplotlib is not installed.

        Examples
        --------
        >>> import matplotlib.pyplot as plt
        >>> from skcausalpima.inspection import AssociationDisplay
        >>> display = AssociationDisplay([[0.9, 0.1]], ["N1"], ["batch", "lab"])
        >>> [text.get_text() for text in display.plot(cmap="Greys").ax_.texts]
        ['0.90', '0.10']
        >>> plt.close()
        """
        numbers = [self.statistic] if self.p_value is None else [self.statistic, self.p_value]
        arrays = [np.asarray(array, dtype=np.float64) for array in numbers]
        shape = len(self.node_names), len(self.column_names)
        if any(array.shape != shape for array in arrays):
            raise ValueError(
                f"statistic and p_value must have shape {shape}, a row per node and a column per "
                f"column of metadata; got {' and '.join(str(array.shape) for array in arrays)}."
            )
        nodes, columns = list(map(str, self.node_names)), list(map(str, self.column_names))
        cells, note = np.stack(arrays, axis=-1), ""
        if len(columns) > MOST_COLUMNS:
            strength = np.where(np.isnan(arrays[0]), -1.0, arrays[0]).max(axis=0)
            kept = np.argsort(-strength, kind="stable")[:MOST_COLUMNS]
            note = f"{MOST_COLUMNS} of {len(columns)} columns: the strongest"
            cells, columns = cells[:, kept], [columns[k] for k in kept]
        if len(columns) > COLUMNS_BESIDE:
            cells, nodes, columns = cells.swapaxes(0, 1), columns, nodes
        picture = HeatMap(
            values=cells[..., 0],
            rows=nodes,
            columns=columns,
            texts=[[_written(*cell) for cell in row] for row in cells],
            meaning=self.measure,
        )
        self.image_ = picture.draw(self._one_axes(ax, picture.figure_size()), kwargs)
        self.ax_.set_title(note, fontsize=FONT, loc="left")
        return self


def _written(statistic: float, *p_value: float) -> str:
    """Write a statistic, and its p-value if there is one."""
    if np.isnan(statistic):
        return "–"
    return "\n".join([f"{statistic:.2f}", *(f"p {p:.3f}" for p in p_value)])
