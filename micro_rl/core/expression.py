"""Formulas over named columns: a line of text in, a function of NumPy or JAX arrays out.

Numbers, names, `+ - * / % **`, comparisons (also chained, `0 < x < 1`), `and or not` and the functions of
`FUNCTIONS`, row by row. A name that is no plain word stands between backticks: `` `tank level` > 2 ``. The text is
parsed by Python's own grammar and never run as Python: whatever is not listed here is refused. Where texts are
allowed, a column may be compared with one, `mode == 'AUTO'` or `!=`, and is then a column of texts.
"""

import ast
import math
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Shaped

from micro_rl.core.columns import listed
from micro_rl.core.formula_tree import (
    ARITHMETIC,
    ARRAY_FUNCTIONS,
    COMPARISONS,
    Text,
    Tree,
    chained,
    evaluate,
    is_condition,
)
from micro_rl.errors import UserError, did_you_mean

LONGEST = 2000
"""Characters; with `DEEPEST` it keeps Python's parser, and the arrays' own recursion, far from their limits."""
DEEPEST = 100

_OF_ONE = ("abs", "sqrt", "exp", "log", "sin", "cos", "tan")
FUNCTIONS = dict.fromkeys(_OF_ONE, 1) | {"hypot": 2, "min": None, "max": None}
"""Name: how many arguments it takes; None is two or more."""

_REFUSALS: Mapping[type, str] = {
    ast.BinOp: "uses an operation other than + - * / % ** (join conditions by and, or)",
    ast.Compare: "compares by something other than < <= > >= == !=",
    ast.UnaryOp: "uses ~; write not",
}
_QUOTED = re.compile("`[^`]+`")


@dataclass(frozen=True)
class Expression:
    """A formula over columns; equal to every other made of the same text."""

    text: str
    names: frozenset[str]
    """The columns that it uses."""
    condition: bool
    """Whether its values are true or false, not numbers."""
    _tree: Tree = field(repr=False, compare=False)
    texts: frozenset[str] = frozenset()
    """The columns among them that hold texts."""

    def __call__(self, values: Mapping[str, Shaped[Any, "*shape"]]) -> Shaped[Any, "*shape"]:
        """Computes the formula for each row.

        Nothing is refused here: a division by zero or the root of a negative number gives infinity or NaN.

        Args:
            values: all columns by name, of one shape, from NumPy or from JAX.

        Returns:
            An array of that shape from the same library: truth values of a condition, else numbers.
        """
        first = next(iter(values.values()))
        library = first.__array_namespace__()
        with np.errstate(all="ignore"):
            return library.broadcast_to(evaluate(self._tree, library, values), first.shape)


def parse(text: str, names: Collection[str], where: str = "expression", texts: bool = False) -> Expression:
    """Reads a formula.

    Args:
        text: the formula.
        names: the columns that it may use.
        where: what messages begin with, such as the file and the key that hold the text.
        texts: whether a column may be compared with a text.

    Returns:
        The formula, ready to be computed.

    Raises:
        UserError: the text is no such formula; points at what is wrong with it.
    """
    parser = _Parser(" ".join(map(str.strip, re.split(r"[\r\n\t\f\v]+", text))).strip(), names, where, texts)
    try:
        tree = parser.checked(parser.syntax(), 0)
    except UserError as error:
        raise UserError(f"{error}{_backticks_hint(text, names)}") from None
    if both := sorted(parser.used & parser.texts):
        raise UserError(f"{where}: {text!r} takes {both[0]!r} for a number and for a text: compare it with one kind")
    names = frozenset(parser.used | parser.texts)
    return Expression(text, names, is_condition(tree), tree, frozenset(parser.texts))


def _backticks_hint(text: str, names: Collection[str]) -> str:
    """What to do about a column that stands there by a name that is no plain word."""
    bare = _QUOTED.sub("", text)
    unquoted = [name for name in names if 0 < len(name) < 100 and not name.isidentifier() and name in bare]
    return f"; write `{max(unquoted, key=len)}` between backticks, as here" if unquoted else ""


class _Parser:
    """One text on its way through Python's syntax tree to a checked formula."""

    def __init__(self, text: str, names: Collection[str], where: str, texts: bool):
        self.text, self.names, self.where = text, names, where
        self.allows_texts = texts
        self.used: set[str] = set()
        self.texts: set[str] = set()
        # Quoted names become words of as many bytes, so that the tree's byte offsets hold in `text` too.
        self.masked = _QUOTED.sub(lambda quoted: "_" * len(quoted[0].encode(errors="replace")), text)

    def syntax(self) -> ast.expr:
        if not self.text:
            raise UserError(f"{self.where}: is empty: write a formula over the columns")
        if len(self.text) > LONGEST:
            raise UserError(f"{self.where}: has {len(self.text)} characters: shorten it to {LONGEST}")
        if "\0" in self.text:
            raise UserError(f"{self.where}: {self.text!r} cannot be read: leave out the null byte")
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

    def checked(self, node: ast.expr, depth: int) -> Tree:
        if depth > DEEPEST:
            raise UserError(f"{self.where}: {self._words(node)!r} is nested too deeply: write a simpler formula")
        depth += 1
        match node:
            case ast.Constant(value):
                return self._constant(node, value)
            case ast.Name():
                return self._column(node)
            case ast.Call():
                return self._call(node, depth)
            case ast.UnaryOp(ast.Not(), operand):
                return "logical_not", self._condition(operand, depth)
            case ast.UnaryOp(ast.UAdd(), operand):
                return self._number(operand, depth)
            case ast.UnaryOp(ast.USub(), operand):
                return "negative", self._number(operand, depth)
            case ast.BinOp(left, sign, right) if function := ARITHMETIC.get(type(sign).__name__):
                return function, self._number(left, depth), self._number(right, depth)
            case ast.Compare(ast.Name() as left, [sign], [ast.Constant(str()) as text]) if self.allows_texts:
                return self._text_comparison(left, sign, text)
            case ast.Compare(left, signs, others) if all(type(sign).__name__ in COMPARISONS for sign in signs):
                pairs = pairwise([self._number(side, depth) for side in (left, *others)])
                steps = [(COMPARISONS[type(sign).__name__], *pair) for sign, pair in zip(signs, pairs, strict=True)]
                return chained("logical_and", steps)
            case ast.BoolOp(sign, operands):
                conditions = [self._condition(operand, depth) for operand in operands]
                return chained("logical_and" if isinstance(sign, ast.And) else "logical_or", conditions)
        raise self._refusal(node, _REFUSALS.get(type(node), "is no number, column, comparison or operation"))

    def _constant(self, node: ast.expr, value: Any) -> float:
        if type(value) not in (int, float):
            raise self._refusal(node, "is no number")
        try:
            # Integers too are computed as floats: no power of them can grow without end.
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._refusal(node, "is too large")
        return number

    def _text_comparison(self, column: ast.Name, sign: ast.cmpop, text: ast.expr) -> Tree:
        if not isinstance(sign, ast.Eq | ast.NotEq):
            raise self._refusal(text, "is a text, of which only == and != can be asked")
        self.texts.add(name := self._known(column))
        with warnings.catch_warnings(action="ignore"):  # of a backslash, which stands for itself
            typed = ast.literal_eval(self._words(text))  # as it was typed: backticks in it have been masked
        return COMPARISONS[type(sign).__name__], name, Text(typed)

    def _column(self, node: ast.expr) -> str:
        name = self._known(node)
        self.used.add(name)
        return name

    def _known(self, node: ast.expr) -> str:
        # The tree's own spelling is normalised (µ becomes another letter); the columns' is not.
        name = self._words(node).strip("`")
        if name not in self.names:
            near = did_you_mean(name, self.names)
            shown = listed(list(self.names))
            raise UserError(f"{self.where}: {self.text!r} names {name!r}, no column{near}; columns: {shown}")
        return name

    def _call(self, node: ast.Call, depth: int) -> Tree:
        name = self._words(node.func)
        if name not in FUNCTIONS:
            near = did_you_mean(name, FUNCTIONS)
            raise self._refusal(node, f"calls no known function{near}; {', '.join(FUNCTIONS)}")
        count = FUNCTIONS[name]
        if node.keywords or (len(node.args) != count if count else len(node.args) < 2):
            raise self._refusal(node, f"must have {count or 'two or more'} plain argument{'' if count == 1 else 's'}")
        arguments = [self._number(argument, depth) for argument in node.args]
        function = ARRAY_FUNCTIONS.get(name, name)
        return (function, *arguments) if count else chained(function, arguments)

    def _number(self, node: ast.expr, depth: int) -> Tree:
        """A number as it is, a condition as 0 or 1."""
        tree = self.checked(node, depth)
        return ("asarray", tree) if is_condition(tree) else tree

    def _condition(self, node: ast.expr, depth: int) -> Tree:
        tree = self.checked(node, depth)
        if not is_condition(tree):
            raise self._refusal(node, "is a number where a condition belongs; compare it, as in x > 0")
        return tree

    def _words(self, node: ast.expr) -> str:
        """The words that the node was made of."""
        return self.text.encode(errors="replace")[node.col_offset : node.end_col_offset].decode(errors="replace")

    def _refusal(self, node: ast.expr, reason: str) -> UserError:
        return UserError(f"{self.where}: {self.text!r}: {self._words(node)!r} {reason}")
