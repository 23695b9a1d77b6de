"""Between pytrees and flat dictionaries of named arrays, which is what a disk holds."""

from collections.abc import Mapping
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.errors import UserError

Tree = TypeVar("Tree")
OLD_NAMES = {"extra": "method_state"}
"""What the first part of an array's name was in files of earlier versions, and what it is now."""


def _named_leaves(tree: Any) -> dict[str, Any]:
    """Array leaves by their path, such as "critics.layers.0.weight", in the tree's order; None is no leaf."""
    named: dict[str, Any] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if not isinstance(getattr(leaf, "dtype", None), np.dtype):
            raise TypeError(f"{name} is a {type(leaf).__name__}, not an array of numbers")
        if name in named:
            raise ValueError(f"two leaves are called {name}")
        named[name] = leaf
    return named


def to_arrays(tree: Any) -> dict[str, np.ndarray]:
    """Name a tree's arrays by their paths; on a CPU they share its memory, so save them before it is donated.

    Raises:
        TypeError: where a leaf is no array of numbers.
    """
    return {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}


def copies(tree: Any) -> dict[str, np.ndarray]:
    """Copy a tree's arrays, by name, so that the tree may be donated while they are saved; as `to_arrays`."""
    return {name: np.array(leaf) for name, leaf in _named_leaves(tree).items()}


def from_arrays(like: Tree, arrays: Mapping[str, np.ndarray], source: str = "the saved state") -> Tree:
    """Build a tree from named arrays.

    Args:
        like: its shape; the leaves may be `ShapeDtypeStruct`s. NumPy leaves come back as NumPy, others as JAX arrays.
        arrays: by name, as `to_arrays` gave them.
        source: what the error calls them, such as their path.

    Raises:
        UserError: naming the first array that is missing, not expected, or of another shape or dtype.
    """
    expected = _named_leaves(like)
    arrays = {_name_today(name, expected): array for name, array in arrays.items()}
    for name, leaf in expected.items():
        _check(name, leaf, arrays.get(name), source)
    for name in arrays:
        if name not in expected:
            raise UserError(f"{source}: {name} is not expected; use the settings it was saved with")
    leaves = [
        arrays[name] if isinstance(leaf, np.ndarray) else jnp.array(arrays[name]) for name, leaf in expected.items()
    ]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _name_today(name: str, expected: Mapping[str, Any]) -> str:
    first, dot, rest = name.partition(".")
    renamed = OLD_NAMES.get(first, first) + dot + rest
    return name if name in expected else renamed


def _check(name: str, leaf: Any, array: np.ndarray | None, source: str) -> None:
    if array is None:
        raise UserError(f"{source}: {name} is missing; use the settings it was saved with")
    saved, expected = f"{array.dtype}{list(array.shape)}", f"{leaf.dtype}{list(leaf.shape)}"
    if saved != expected:
        raise UserError(f"{source}: {name} is {saved}, not {expected}; use the settings it was saved with")
