"""Lines of code that make numbers of texts and dates in a table: advice that runs as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .table_labels import Columns

#: What makes X a mapping from names to modalities.
AS_MAPPING = {
    "several": "X = dict(zip({names}, X))",
    "levels": "X = {{name: X[name] for name in dict.fromkeys(X.columns.get_level_values(0))}}",
    "container": "X = dict(X)",
    "dataset": "X = {{name: X[name].values for name in {names}}}",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a table stands in X.

    Parameters
    ----------
    container : str, default="single"
        What X is, as in :class:`Form`.
    name : str, default=None
        Which modality of X it is; None where X is the table.
    names : sequence of str, default=()
        All modalities of X.
    kind : str, default="array"
        What the table is, as in :class:`Table`.
    columns : sequence of str, default=None
        Names of its columns that it has not itself.
    """

    container: str = "single"
    name: str | None = None
    names: Sequence[str] = ()
    kind: str = "array"
    columns: Columns = None

    @property
    def given(self) -> str:
        """The table in code."""
        return "X" if self.name is None else f"X[{self.name!r}]"

    @property
    def frame(self) -> str:
        """Code for a DataFrame of it, whose columns have texts as names."""
        if self.kind == "frame":
            return f"{self.given}.rename(columns=str)"
        if self.kind == "polars":
            return f"pandas.DataFrame({self.given}.to_dict(as_series=False))"
        if self.columns is None:
            return f"pandas.DataFrame({self.given}).rename(columns=str)"
        return f"pandas.DataFrame({self.given}, columns={list(self.columns)})"


@dataclass(frozen=True, kw_only=True)
class Odd:
    """Columns of a table that hold no numbers, by name.

    Parameters
    ----------
    texts, gaps, dates, times : sequence of str, default=()
        Columns of texts, of texts among numbers, of dates, and of spans of time.
    others : int, default=0
        How many columns are left beside those of texts.
    """

    texts: Sequence[str] = ()
    gaps: Sequence[str] = ()
    dates: Sequence[str] = ()
    times: Sequence[str] = ()
    others: int = 0


def recipe(place: Place, odd: Odd) -> list[str]:
    """Return lines of code after which X can be fitted.

    Texts become a modality of their own, with a column for each word. Texts among numbers become
    NaN, which is missing, and dates seconds since the first.

    Examples
    --------
    >>> from skcausalpima._data.recipes import Odd, Place, recipe
    >>> print(*recipe(Place(kind="frame"), Odd(texts=["a"], others=2)), sep="\\n")
    from sklearn.preprocessing import OneHotEncoder
    from skcausalpima import ModalityTransformer
    table = X.rename(columns=str)
    X = {'numbers': table.drop(columns=['a']), 'words': table[['a']].astype(str)}
    prep = ModalityTransformer({'words': OneHotEncoder()})
    X = prep.fit_transform(X)
    """
    texts, rest = list(odd.texts), "table"
    lines: list[str] = []
    if texts:
        lines.append("from sklearn.preprocessing import OneHotEncoder")
        lines.append("from skcausalpima import ModalityTransformer")
        rest = f"table.drop(columns={texts})"
    if place.container in AS_MAPPING:
        lines.append(AS_MAPPING[place.container].format(names=list(place.names)))
    lines += [f"table = {place.frame}", *_made_numbers(odd)]
    if place.kind not in ("frame", "polars", "series"):
        rest += ".astype(float)"
    before = "" if place.name is None else "**X, "
    numbers = place.name or "numbers"
    if not odd.others:
        words = place.name or "words"
        lines.append(f"X = {{{before}{words!r}: table.astype(str)}}")
    elif texts:
        words = "words" if place.name is None else f"{place.name} words"
        lines.append(f"X = {{{before}{numbers!r}: {rest}, {words!r}: table[{texts}].astype(str)}}")
    else:
        lines.append(f"X = {{{before}{numbers!r}: {rest}}}" if place.name else f"X = {rest}")
    if texts:
        lines.append(f"prep = ModalityTransformer({{{words!r}: OneHotEncoder()}})")
        lines.append("X = prep.fit_transform(X)")
    needs_pandas = any("pandas." in line for line in lines)
    return ["import pandas"] * needs_pandas + lines


def _made_numbers(odd: Odd) -> list[str]:
    """Return lines of code that make numbers of columns which are not texts alone."""
    made = {name: f"pandas.to_numeric(table[{name!r}], errors='coerce')" for name in odd.gaps}
    for name in odd.dates:
        made[name] = f"(table[{name!r}] - table[{name!r}].min()).dt.total_seconds()"
    for name in odd.times:
        made[name] = f"pandas.to_timedelta(table[{name!r}]).dt.total_seconds()"
    lines = [f"table = table.assign(**{{{name!r}: {code}}})" for name, code in made.items()]
    if odd.dates:
        dates = list(odd.dates)
        lines.insert(0, f"table[{dates}] = table[{dates}].apply(pandas.to_datetime)")
    return lines
