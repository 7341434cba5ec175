"""A table of what an expert has learned, as the estimator shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class ExpertTable(Mapping[str, np.ndarray]):
    """Columns by name: outcomes of nodes, parameters, and standard errors of these.

    Parameters
    ----------
    columns : mapping of str to ndarray of shape (n_rows,)
        One column per node, per parameter, and one ``"<parameter>_se"`` for its standard error;
        ``"<parameter>_sd"`` is how much it scatters between samples, if it may.
    parameters : sequence of str
        Which of the columns are parameters.
    outcome_names : mapping of str to tuple of str, default=None
        Names of the outcomes of nodes that have some; the columns themselves are numbers.
    """

    def __init__(
        self,
        columns: Mapping[str, np.ndarray],
        parameters: Sequence[str],
        outcome_names: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._columns = dict(columns)
        self.parameters = tuple(parameters)
        self.outcome_names = dict(outcome_names or {})

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column."""
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns."""
        return iter(self._columns)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._columns)

    def __repr__(self) -> str:
        """Show the table."""
        rows = zip(*(self._written(name) for name in self), strict=True)
        lines = [list(self), *rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the table as a pandas DataFrame; outcomes that have names are categories."""
        import pandas as pd  # an optional dependency

        named = {
            name: pd.Categorical.from_codes(self[name].tolist(), list(labels))
            for name in self
            if (labels := self._labels(name)) is not None
        }
        return pd.DataFrame(self._columns | named)

    def _labels(self, name: str) -> tuple[str, ...] | None:
        """Return the names of what is in a column; None where it is numbers."""
        return None if name in self.parameters else self.outcome_names.get(name)

    def _written(self, name: str) -> list[str]:
        """Return a column as texts."""
        labels, values = self._labels(name), self[name]
        if labels is not None:
            return [labels[k] for k in values]
        return [str(v) if isinstance(v, np.integer) else f"{v:.4g}" for v in values]
