"""A checked formula as a tree of array functions, and its value for NumPy or JAX arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

# What the array libraries call it; the functions that are not listed have one name everywhere.
ARRAY_FUNCTIONS = {"min": "minimum", "max": "maximum"}
ARITHMETIC = {"Add": "add", "Sub": "subtract", "Mult": "multiply", "Div": "divide", "Mod": "mod", "Pow": "power"}
COMPARISONS = {"Lt": "less", "LtE": "less_equal", "Gt": "greater", "GtE": "greater_equal"}
COMPARISONS |= {"Eq": "equal", "NotEq": "not_equal"}
_CONDITIONS = {*COMPARISONS.values(), "logical_and", "logical_or", "logical_not"}


@dataclass(frozen=True)
class Text:
    """A text that a column is compared with; a plain string in a tree is a column's name."""

    value: str


# A checked formula: a number, a column, a text, or an array library's function with the formulas of its arguments.
Tree = float | str | Text | tuple[Any, ...]


def evaluate(tree: Tree, library: Any, values: Mapping[str, Any]) -> Any:
    """Computes a tree for each row.

    Args:
        tree: a checked formula.
        library: NumPy's or JAX's namespace, of the values' own kind.
        values: all columns by name, of one shape.

    Returns:
        What the library gives: an array, or a number where the formula names no column.
    """
    if isinstance(tree, str):
        return values[tree]
    if not isinstance(tree, tuple):
        return tree.value if isinstance(tree, Text) else tree
    function, *arguments = tree
    operands = [evaluate(argument, library, values) for argument in arguments]
    if function == "asarray":
        return library.asarray(*operands, dtype=library.float32)
    return getattr(library, function)(*operands)


def is_condition(tree: Tree) -> bool:
    """Whether its values are true or false, not numbers."""
    return isinstance(tree, tuple) and tree[0] in _CONDITIONS


def chained(function: str, trees: list[Any]) -> Tree:
    """A function of two carried on from left to right over more; a single formula as it is."""
    return reduce(lambda before, tree: (function, before, tree), trees)
