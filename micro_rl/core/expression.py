"""Formulas over named columns: a line of text in, a function of NumPy or JAX arrays out.

Numbers, names, `+ - * / % **`, comparisons (also chained, `0 < x < 1`), `and or not` and the functions of
`FUNCTIONS`, row by row. A name that is no plain word stands between backticks: `` `tank level` > 2 ``. The text is
parsed by Python's own grammar and never run as Python: whatever is not listed here is refused.
"""

import ast
import math
import re
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Shaped

from micro_rl.errors import UserError, did_you_mean

LONGEST = 2000
"""Characters; with `DEEPEST` it keeps Python's parser, and the arrays' own recursion, far from their limits."""
DEEPEST = 100

FUNCTIONS = {
    "abs": ("abs", 1),
    "sqrt": ("sqrt", 1),
    "exp": ("exp", 1),
    "log": ("log", 1),
    "sin": ("sin", 1),
    "cos": ("cos", 1),
    "tan": ("tan", 1),
    "hypot": ("hypot", 2),
    "min": ("minimum", None),
    "max": ("maximum", None),
}
"""Name: the array function that does it, and how many arguments it takes; None is two or more."""

_ARITHMETIC: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Mod: "mod",
    ast.Pow: "power",
}
_COMPARISONS: dict[type, str] = {
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
}
_QUOTED = re.compile("`[^`]+`")

# From the array library and the columns to a value per row.
_Compute = Callable[[Any, Mapping[str, Any]], Any]


class _Part(NamedTuple):
    """A piece of the formula: whether it is a condition or a number, and how it is computed."""

    condition: bool
    compute: _Compute


@dataclass(frozen=True)
class Expression:
    """A formula over columns; equal to every other made of the same text."""

    text: str
    names: frozenset[str]
    """The columns that it uses."""
    condition: bool
    """Whether its values are true or false, not numbers."""
    _compute: _Compute = field(repr=False, compare=False)

    def __call__(self, values: Mapping[str, Shaped[Array | np.ndarray, "*shape"]]) -> Shaped[Any, "*shape"]:
        """A value for each row; `values` holds all columns, of one shape, from NumPy or from JAX.

        Nothing is refused here: a division by zero or the root of a negative number gives infinity or NaN.
        """
        first = next(iter(values.values()))
        library = first.__array_namespace__()
        with np.errstate(all="ignore"):
            return library.broadcast_to(self._compute(library, values), first.shape)


def parse(text: str, names: Collection[str], where: str = "expression") -> Expression:
    """The formula in `text` over columns called `names`; `UserError`, begun with `where`, points at what is wrong."""
    reader = _Reader(" ".join(re.split(r"[\r\n\t\f\v]", text)).strip(), names, where)
    try:
        part = reader.part(reader.tree(), 0)
    except UserError as error:
        raise UserError(f"{error}{_unquoted(text, names)}") from None
    return Expression(text, frozenset(reader.used), part.condition, part.compute)


def _unquoted(text: str, names: Collection[str]) -> str:
    """What to do about a column that stands there by a name that is no plain word."""
    bare = _QUOTED.sub("", text)
    found = [name for name in names if 0 < len(name) < 100 and not name.isidentifier() and name in bare]
    return f"; write `{max(found, key=len)}` between backticks, as here" if found else ""


class _Reader:
    """One text on its way from Python's syntax tree to nested functions."""

    def __init__(self, text: str, names: Collection[str], where: str):
        self.text, self.names, self.where = text, names, where
        self.used: set[str] = set()
        # Quoted names become words of as many bytes, so that the tree's byte offsets hold in `text` too.
        self.masked = _QUOTED.sub(lambda quoted: "_" * len(quoted[0].encode(errors="replace")), text)

    def tree(self) -> ast.expr:
        if not self.text:
            raise UserError(f"{self.where}: is empty: write a formula over the columns")
        if len(self.text) > LONGEST:
            raise UserError(f"{self.where}: has {len(self.text)} characters: shorten it to {LONGEST}")
        for sign, remedy in (("`", "close each ` with another"), ("#", "leave comments out")):
            if sign in self.masked:
                raise UserError(f"{self.where}: {self.text!r} holds a stray {sign}: {remedy}")
        try:
            with warnings.catch_warnings(action="ignore"):
                return ast.parse(self.masked, mode="eval").body
        except SyntaxError as error:
            start = max(0, (error.offset or 1) - 1)
            shown = self.masked[start : start + 20] or "the end"
            raise UserError(f"{self.where}: {self.text!r} cannot be read at {shown!r} ({error.msg})") from None
        except (ValueError, RecursionError, MemoryError):
            raise UserError(f"{self.where}: {self.text!r} cannot be read: write a plain formula") from None

    def part(self, node: ast.expr, depth: int) -> _Part:
        if depth > DEEPEST:
            raise UserError(f"{self.where}: {self._said(node)!r} is nested too deeply: write a simpler formula")
        read = _NODES.get(type(node))
        if read is None:
            raise self._refusal(node, "is no number, column, comparison or operation")
        return read(self, node, depth + 1)

    def number(self, node: ast.Constant, depth: int) -> _Part:
        if type(node.value) not in (int, float):
            raise self._refusal(node, "is no number")
        try:
            # Integers too are computed as floats: no power of them can grow without end.
            value = float(node.value)  # pyright: ignore[reportArgumentType]
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self._refusal(node, "is too large")
        return _Part(False, lambda library, values: value)

    def name(self, node: ast.Name, depth: int) -> _Part:
        # The tree's own spelling is normalised (µ becomes another letter); the columns' is not.
        name = self._said(node).strip("`")
        if name not in self.names:
            listed = ", ".join(list(self.names)[:20]) + (", ..." if len(self.names) > 20 else "")
            raise UserError(
                f"{self.where}: {self.text!r} names {name!r}, no column{did_you_mean(name, self.names)}; "
                f"columns: {listed}"
            )
        self.used.add(name)
        return _Part(False, lambda library, values: values[name])

    def unary(self, node: ast.UnaryOp, depth: int) -> _Part:
        if isinstance(node.op, ast.Not):
            inner = self._condition(node.operand, depth)
            return _Part(True, lambda library, values: library.logical_not(inner(library, values)))
        if isinstance(node.op, ast.Invert):
            raise self._refusal(node, "uses ~; write not")
        inner = self._number(node.operand, depth)
        if isinstance(node.op, ast.UAdd):
            return _Part(False, inner)
        return _Part(False, lambda library, values: library.negative(inner(library, values)))

    def arithmetic(self, node: ast.BinOp, depth: int) -> _Part:
        if type(node.op) not in _ARITHMETIC:
            raise self._refusal(node, "uses an operation other than + - * / % ** (join conditions by and, or)")
        sides = self._number(node.left, depth), self._number(node.right, depth)
        return _Part(False, _applied(_ARITHMETIC[type(node.op)], *sides))

    def comparison(self, node: ast.Compare, depth: int) -> _Part:
        if not all(type(sign) in _COMPARISONS for sign in node.ops):
            raise self._refusal(node, "compares by something other than < <= > >= == !=")
        sides = [self._number(side, depth) for side in (node.left, *node.comparators)]
        steps = [
            _applied(_COMPARISONS[type(sign)], *pair) for sign, pair in zip(node.ops, pairwise(sides), strict=True)
        ]
        return _Part(True, _joined("logical_and", steps))

    def logic(self, node: ast.BoolOp, depth: int) -> _Part:
        parts = [self._condition(value, depth) for value in node.values]
        return _Part(True, _joined("logical_and" if isinstance(node.op, ast.And) else "logical_or", parts))

    def call(self, node: ast.Call, depth: int) -> _Part:
        called = self._said(node.func)
        if called not in FUNCTIONS:
            raise self._refusal(
                node, f"calls no known function{did_you_mean(called, FUNCTIONS)}; {', '.join(FUNCTIONS)}"
            )
        function, takes = FUNCTIONS[called]
        if node.keywords or (len(node.args) != takes if takes else len(node.args) < 2):
            raise self._refusal(node, f"must have {takes or 'two or more'} plain argument{'' if takes == 1 else 's'}")
        return _Part(False, _joined(function, [self._number(argument, depth) for argument in node.args]))

    def _number(self, node: ast.expr, depth: int) -> _Compute:
        """A number as it is, a condition as 0 or 1."""
        condition, compute = self.part(node, depth)
        if not condition:
            return compute
        return lambda library, values: library.asarray(compute(library, values), dtype=library.float32)

    def _condition(self, node: ast.expr, depth: int) -> _Compute:
        condition, compute = self.part(node, depth)
        if not condition:
            raise self._refusal(node, "is a number where a condition belongs; compare it, as in x > 0")
        return compute

    def _said(self, node: ast.expr) -> str:
        """The words that the node was made of."""
        return self.text.encode(errors="replace")[node.col_offset : node.end_col_offset].decode(errors="replace")

    def _refusal(self, node: ast.expr, reason: str) -> UserError:
        return UserError(f"{self.where}: {self.text!r}: {self._said(node)!r} {reason}")


def _applied(function: str, *parts: _Compute) -> _Compute:
    return lambda library, values: getattr(library, function)(*(part(library, values) for part in parts))


def _joined(function: str, parts: list[_Compute]) -> _Compute:
    """The function of one part or of two, or carried on from left to right over more."""
    if len(parts) == 1 and function.startswith("logical"):
        return parts[0]
    if len(parts) == 1:
        return _applied(function, parts[0])
    return reduce(lambda before, part: _applied(function, before, part), parts)


_NODES: dict[type, Callable[[_Reader, Any, int], _Part]] = {
    ast.Constant: _Reader.number,
    ast.Name: _Reader.name,
    ast.UnaryOp: _Reader.unary,
    ast.BinOp: _Reader.arithmetic,
    ast.Compare: _Reader.comparison,
    ast.BoolOp: _Reader.logic,
    ast.Call: _Reader.call,
}
