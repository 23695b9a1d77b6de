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
    """A tree's arrays by name; on a CPU they share the tree's memory, so save them before it is donated."""
    return {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}


def copies(tree: Any) -> dict[str, np.ndarray]:
    """A tree's arrays by name, copied to memory of their own, so that the tree may be donated while they are saved."""
    return {name: np.array(leaf) for name, leaf in _named_leaves(tree).items()}


def from_arrays(like: Tree, arrays: Mapping[str, np.ndarray], source: str = "the saved state") -> Tree:
    """A tree shaped as `like` (whose leaves may be `ShapeDtypeStruct`s) with the arrays in its leaves.

    NumPy leaves come back as NumPy, others as JAX arrays. Raises `UserError` naming `source` and the first
    array whose name, shape or dtype differs.
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
    found, wanted = f"{array.dtype}{list(array.shape)}", f"{leaf.dtype}{list(leaf.shape)}"
    if found != wanted:
        raise UserError(f"{source}: {name} is {found}, not {wanted}; use the settings it was saved with")
