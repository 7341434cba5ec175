"""What is said of where a model does not hold: lines with sizes and cures, as text and table."""

from __future__ import annotations

from dataclasses import dataclass

from .._base.reports.report import Report
from .._base.reports.shown_table import Frame, ShownTable, TableText, pandas_for

#: A line, or the whole, does not hold at this p-value.
LEVEL = 0.05

#: Said where halves of the samples show that the model does not hold.
HALVES = (
    "Halves of the samples were asked, whose fits err more than that to all: new samples, with "
    "seen=False, ask that one."
)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FitLine(Report):
    """One thing that may be wrong with a model, of :class:`GoodnessOfFit`.

    Parameters
    ----------
    name : str
        ``"tails"``, ``"together"``, ``"between"``, ``"cells"``, ``"heaps"``, or ``"metadata: "``
        and the column.
    p_value : float
        Part of the samples and replicates, the samples among them, whose T is as large.
    misfit : float
        The standardised logarithm of T: how far out it is, comparable between lines.
    size : float
        How large what was found is, where it stands out most.
    least_size : float
        Below this size nothing that one reads of a fit changes: the line is silent.
    unit : str
        What the size is.
    where : str
        Columns, cells or axes where it stands out most.
    cure : str
        What to change.

    Examples
    --------
    >>> from skcausalpima.inspection import FitLine
    >>> line = FitLine(name="tails", p_value=0.005, misfit=4.2, size=3.1, least_size=1.0,
    ...                unit="kurtosis beyond the model's", where="weight", cure="Take logarithms.")
    >>> line.speaks
    True
    """

    name: str
    p_value: float
    misfit: float
    size: float
    least_size: float
    unit: str
    where: str
    cure: str

    @property
    def speaks(self) -> bool:
        """Whether the line does not hold, at 5 %, and its size matters.

        Examples
        --------
        >>> from skcausalpima.inspection import FitLine
        >>> FitLine(name="tails", p_value=0.005, misfit=4.2, size=0.3, least_size=1.0,
        ...         unit="kurtosis beyond the model's", where="x", cure="").speaks
        False
        """
        return self.p_value <= LEVEL and self.size >= self.least_size


@dataclass(frozen=True, kw_only=True, repr=False)
class GoodnessOfFit(ShownTable):
    """Where a model does not hold; printed it is a text, in a notebook a table.

    Returned by :func:`goodness_of_fit`, which has the equations.

    Parameters
    ----------
    lines : tuple of FitLine
        What was asked, the largest misfit first.
    p_value : float
        Of all lines together, by the largest misfit.
    n_samples : int
        Number of samples that were asked about.
    n_replicates : int
        Number of replicates.
    agreement : dict of str to float
        How far fits to two halves of the samples agree on each node (adjusted Rand index); empty
        where samples are new.
    limits : tuple of str
        What could not be asked, and why.

    Examples
    --------
    >>> import numpy as np
    >>> from skcausalpima import CausalPIMA
    >>> from skcausalpima.inspection import goodness_of_fit
    >>> rng = np.random.default_rng(0)
    >>> X = np.tile([[0.0, 1.0, 0.0], [8.0, 9.0, 0.0]], (80, 1)) + rng.normal(size=(160, 3))
    >>> model = CausalPIMA(2, max_iter=2, random_state=0).fit(X[:80])
    >>> found = goodness_of_fit(model, X[80:], seen=False, n_replicates=39)
    >>> sorted(line.name for line in found.lines)
    ['cells', 'heaps', 'tails', 'together']
    """

    lines: tuple[FitLine, ...]
    p_value: float
    n_samples: int
    n_replicates: int
    agreement: dict[str, float]
    limits: tuple[str, ...]

    @property
    def worst(self) -> FitLine | None:
        """The line to read first: the largest misfit of those that speak; None where none does.

        Where that is ``together``, ``between`` or ``heaps``, it is a column of metadata that
        speaks, else ``heaps`` if it does: what moves several columns at once lets these vary
        together. None, too, where all lines together hold at 5 %: one of many is below 5 % by
        chance.

        Examples
        --------
        >>> from skcausalpima.inspection import FitLine, GoodnessOfFit
        >>> line = FitLine(name="tails", p_value=0.005, misfit=4.2, size=3.1, least_size=1.0,
        ...                unit="kurtosis beyond the model's", where="weight", cure="")
        >>> found = GoodnessOfFit(lines=(line,), p_value=0.005, n_samples=300, n_replicates=199,
        ...                       agreement={}, limits=())
        >>> found.worst.where
        'weight'
        """
        speaking = [line for line in self.lines if line.speaks] if self.p_value <= LEVEL else []
        if not speaking or speaking[0].name not in ("together", "between", "heaps"):
            return speaking[0] if speaking else None
        metadata = [line for line in speaking if line.name.startswith("metadata")]
        heaps = [line for line in speaking if line.name == "heaps"]
        return (metadata + heaps + speaking)[0]

    def to_frame(self) -> Frame:
        """Return one row per line.

        Returns
        -------
        pandas.DataFrame
            Rows are labelled by ``line``; columns are ``p_value``, ``misfit``, ``size``,
            ``least_size``, ``unit``, ``where``, ``speaks`` and ``cure``.

        Raises
        ------
        ImportError
            If pandas is not installed.

        See Also
        --------
        goodness_of_fit : What they are.

        Examples
        --------
        >>> from skcausalpima.inspection import FitLine, GoodnessOfFit
        >>> line = FitLine(name="tails", p_value=0.005, misfit=4.2, size=3.1, least_size=1.0,
        ...                unit="kurtosis beyond the model's", where="weight", cure="")
        >>> found = GoodnessOfFit(lines=(line,), p_value=0.005, n_samples=300, n_replicates=199,
        ...                       agreement={}, limits=())
        >>> found.to_frame()[["p_value", "size", "where"]]
               p_value  size   where
        line
        tails    0.005   3.1  weight
        """
        pd = pandas_for("to_frame")
        fields = "p_value", "misfit", "size", "least_size", "unit", "where", "speaks", "cure"
        index = pd.Index([line.name for line in self.lines], name="line")
        rows = {field: [getattr(line, field) for line in self.lines] for field in fields}
        return pd.DataFrame(rows, index=index)

    def _as_table(self) -> TableText:
        """Write a row for each line, and what to make of them."""
        rows = []
        for line in self.lines:
            figures = f"{line.p_value:.3f}", f"{line.size:.2f}", f"{line.least_size:.2f}"
            rows.append([line.name + (" *" if line.speaks else ""), *figures, line.where])
        title = f"Goodness of fit: {self.n_samples} samples beside {self.n_replicates} replicates"
        head = "line", "p", "size", "silent below", "where"
        return TableText(title, head, rows, self._sentences())

    def _sentences(self) -> list[str]:
        """Return what to make of the lines."""
        worst = self.worst
        if worst is None:
            sentences = [f"Nothing that matters stands out (all lines: p = {self.p_value:.3f})."]
        else:
            sentences = [
                f"{worst.name}, {worst.where}: {worst.unit} {worst.size:.2f} "
                f"(all lines: p = {self.p_value:.3f}). {worst.cure}"
            ]
        if self.agreement:
            words = ", ".join(f"{name} {value:.2f}" for name, value in self.agreement.items())
            sentences.append(f"Fits to two halves agree on nodes by (adjusted Rand index) {words}.")
        return [*sentences, *self.limits]
