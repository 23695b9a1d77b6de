"""Adam (arXiv 1412.6980), through Optax, and the slow copy that target networks are."""

from typing import Any, TypeVar

import jax
import optax
from jaxtyping import PyTree, Scalar

Parameters = TypeVar("Parameters")
_ADAM = optax.scale_by_adam()


def moments_of(parameters: PyTree) -> PyTree:
    """Adam's moments before the first step."""
    return _ADAM.init(parameters)


def descend(
    parameters: Parameters, gradient: Parameters, moments: PyTree, rate: Scalar | float
) -> tuple[Parameters, PyTree]:
    """One step of Adam against the gradient."""
    opaque: Any = gradient
    direction, moments = _ADAM.update(opaque, moments)
    return jax.tree.map(lambda p, d: p - rate * d, parameters, direction), moments


def follow(slow: Parameters, fast: Parameters, rate: Scalar | float) -> Parameters:
    """Move `slow` towards `fast`: rate * fast + (1 - rate) * slow."""
    return jax.tree.map(lambda s, f: rate * f + (1 - rate) * s, slow, fast)
