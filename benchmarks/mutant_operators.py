"""The small faults of ``mutants.py``: where a file can be changed, and into what.

Operators:

- arithmetic: ``+`` <-> ``-``, ``*`` <-> ``/``, also in augmented assignments
- comparison: ``<`` <-> ``<=``, ``>`` <-> ``>=``, ``==`` <-> ``!=``
- sign: a unary minus is dropped, the left factor of a product or quotient negated
- constant: an integer k becomes k + 1, 0.0 becomes 1.0, any other float doubles, but one below
  0.001, a tolerance, grows a million times
- axis: an integer given as ``axis``, ``dim`` and the like: 0 becomes 1, any other 0
- boolean: ``and`` <-> ``or``, ``&`` <-> ``|``, ``not`` and ``~`` dropped
- extreme: min <-> max in the names of functions (``argmin``, ``clamp_min``, ``amax``, ...)
- average: the methods ``sum`` <-> ``mean``
- switch: ``True`` <-> ``False`` in arguments and their defaults
- dropped: an augmented assignment or a call for its effect becomes ``pass``

Docstrings, annotations and what is raised are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import NamedTuple

ARITHMETIC = {ast.Add: "+-", ast.Sub: "-+", ast.Mult: "*/", ast.Div: "/*"}
COMPARISON = {
    **{ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">")},
    **{ast.Eq: ("==", "!="), ast.NotEq: ("!=", "==")},
}
BOOLEAN = {ast.And: ("and", "or"), ast.Or: ("or", "and"), ast.BitAnd: "&|", ast.BitOr: "|&"}
AXES = {"axis", "dim", "dim1", "dim2", "start_dim"}
TOLERANCE = 1e-3  # smaller floats bound errors: twice as much would mean nothing


class Mutant(NamedTuple):
    """One change: the characters from start to stop of a file replaced."""

    file: str
    operator: str
    line: int
    start: int
    stop: int
    new: str

    def apply(self, source: str) -> str:
        return source[: self.start] + self.new + source[self.stop :]


class Finder(ast.NodeVisitor):
    """Collect every place of a module that an operator can change."""

    def __init__(self, file: str, source: str) -> None:
        self.file, self.source, self.found = file, source, []
        lengths = [len(line.encode()) for line in source.splitlines(keepends=True)]
        self.starts = [sum(lengths[:number]) for number in range(len(lengths))]
        self.visit(ast.parse(source))

    def offset(self, line: int, column: int) -> int:
        """Return the character at a line and a column in bytes."""
        return len(self.source.encode()[: self.starts[line - 1] + column].decode())

    def span(self, node: ast.AST) -> tuple[int, int]:
        start = self.offset(node.lineno, node.col_offset)
        return start, self.offset(node.end_lineno, node.end_col_offset)

    def add(self, operator: str, start: int, stop: int, new: str) -> None:
        line = self.source.count("\n", 0, start) + 1
        self.found.append(Mutant(self.file, operator, line, start, stop, new))

    def between(self, operator: str, left: ast.AST, right: ast.AST, change: Sequence[str]) -> None:
        """Replace the sign that stands between two operands."""
        begin, end = self.span(left)[1], self.span(right)[0]
        match = re.search(rf"(?<!\w){re.escape(change[0])}(?!\w)", self.source[begin:end])
        self.add(operator, begin + match.start(), begin + match.end(), change[1])

    def visit_BinOp(self, node: ast.BinOp) -> None:
        kind = type(node.op)
        if kind in ARITHMETIC:
            self.between("arithmetic", node.left, node.right, ARITHMETIC[kind])
        if kind in BOOLEAN:
            self.between("boolean", node.left, node.right, BOOLEAN[kind])
        if kind in (ast.Mult, ast.Div, ast.MatMult) and not isinstance(node.left, ast.List):
            start, stop = self.span(node.left)
            self.add("sign", start, stop, f"(-({self.source[start:stop]}))")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        for operator, table in (("arithmetic", ARITHMETIC), ("boolean", BOOLEAN)):
            if type(node.op) in table:
                self.between(operator, node.target, node.value, table[type(node.op)])
        self.add("dropped", *self.span(node), "pass")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.add("dropped", *self.span(node), "pass")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if type(op) in COMPARISON:
                self.between("comparison", left, right, COMPARISON[type(op)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between("boolean", left, right, BOOLEAN[type(node.op)])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        operator = "sign" if isinstance(node.op, ast.USub) else "boolean"
        self.add(operator, self.span(node)[0], self.span(node.operand)[0], "")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if type(value) in (int, float):
            self.add("constant", *self.span(node), repr(raised(value)))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        stop = self.span(node)[1]
        self.rename(node.attr, stop - len(node.attr), stop)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.rename(node.id, *self.span(node))

    def rename(self, name: str, start: int, stop: int) -> None:
        """Swap minima and maxima."""
        swapped = re.sub(
            r"(?<![a-z])(arg|a|clamp_)?(min|max)(imum)?(?![a-z])",
            lambda m: f"{m[1] or ''}{'max' if m[2] == 'min' else 'min'}{m[3] or ''}",
            name,
        )
        if swapped != name and re.fullmatch(r"(arg|a|clamp_)?(min|max)(imum)?", name):
            self.add("extreme", start, stop, swapped)

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "attr", None)
        if name in ("sum", "mean"):
            stop = self.span(node.func)[1]
            self.add("average", stop - len(name), stop, "mean" if name == "sum" else "sum")
        self.visit(node.func)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            self.visit_keyword(keyword)

    def visit_keyword(self, node: ast.keyword) -> None:
        value = axis_number(node.value) if node.arg in AXES else None
        if value is not None:
            self.add("axis", *self.span(node.value), "1" if value == 0 else "0")
        elif isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
            self.add("switch", *self.span(node.value), str(not node.value.value))
        else:
            self.visit(node.value)

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in [*node.defaults, *filter(None, node.kw_defaults)]:
            if isinstance(default, ast.Constant) and isinstance(default.value, bool):
                self.add("switch", *self.span(default), str(not default.value))
            else:
                self.visit(default)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Leave out decorators and bases."""
        for statement in node.body:
            self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Leave out decorators and annotations."""
        self.visit(node.args)
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Leave out messages."""


def raised(number: int | float) -> int | float:
    """Return another number in the place of a constant."""
    if isinstance(number, int):
        return number + 1
    if number == 0.0:
        return 1.0
    return number * (2.0 if number >= TOLERANCE else 1e6)


def axis_number(node: ast.AST) -> int | None:
    """Return the integer that an expression spells, if it does."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if type(value) is int else None


def find_mutants(file: str, source: str) -> list[Mutant]:
    """Return all mutants of a file that still are Python, and another program."""
    original, kept = ast.dump(ast.parse(source)), []
    for mutant in Finder(file, source).found:
        try:
            changed = ast.dump(ast.parse(mutant.apply(source)))
        except SyntaxError:
            continue
        if changed != original:
            kept.append(mutant)
    return kept
