"""Runs side by side: every array has one axis more in front, the run's number.

A run's random stream is what it would be alone. Its bits may differ in the last place where it is computed beside
others, since a batched product rounds differently; they are the same again for the same number of runs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Int

Tree = TypeVar("Tree")


def over_runs(function: Callable[..., Any], runs: int) -> Callable[..., Any]:
    """The same function of every run's arguments [run, ...]: mapped, or for a single run called without the axis.

    So one run is compiled to the very program that it would be without any axis.
    """
    if runs > 1:
        return jax.vmap(function)

    def without_axis(*arguments: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf[None], function(*jax.tree.map(lambda leaf: leaf[0], arguments)))

    return without_axis


def stack(trees: Sequence[Tree]) -> Tree:
    """Trees of the same structure as one, whose leaves have an axis more in front: [run, ...]."""
    return _stacked([jax.tree.map(jnp.asarray, tree) for tree in trees])


@jax.jit
def _stacked(trees: Sequence[Tree]) -> Tree:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def shard_runs(stacked: Tree) -> Tree:
    """The same, each device holding its share of the runs, where there are several devices that divide them.

    Compiled programs follow: every device computes its own runs, and nothing passes between them.
    """
    leaves = jax.tree.leaves(stacked)  # none: a method without coefficients
    return _placed(stacked, len(leaves[0]), PartitionSpec("run")) if leaves else stacked


def replicate(shared: Tree, runs: int) -> Tree:
    """What all runs read, on every device that holds a share of so many."""
    return _placed(shared, runs, PartitionSpec())


def _placed(tree: Tree, runs: int, spec: PartitionSpec) -> Tree:
    devices = jax.devices()
    if len(devices) == 1 or runs % len(devices):
        return tree
    return jax.device_put(tree, NamedSharding(Mesh(np.array(devices), ("run",)), spec))


@jax.jit
def take_run(stacked: Tree, run: int | Int[Array, ""]) -> Tree:
    """One run's tree, a copy."""
    return jax.tree.map(lambda leaf: leaf[run], stacked)


@partial(jax.jit, donate_argnames="stacked")
def set_run(stacked: Tree, run: int | Int[Array, ""], tree: Tree) -> Tree:
    """The stack with another tree in one run's place; the stack that is given is gone afterwards."""
    return jax.tree.map(lambda leaf, new: leaf.at[run].set(new), stacked, tree)


def view_run(stacked: Tree, run: int) -> Tree:
    """One run's tree to be copied to the host at once: of a single run no second copy is made on the device."""
    if len(jax.tree.leaves(stacked)[0]) > 1:
        return take_run(stacked, run)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[0], stacked)
