"""Adam (arXiv 1412.6980) and target networks, through Optax."""

from typing import Any, TypeVar, cast

import jax
import optax
from jaxtyping import PyTree, Scalar

Parameters = TypeVar("Parameters")
_ADAM = optax.scale_by_adam()


def init_opt_state(parameters: PyTree) -> PyTree:
    """Return Adam's state, its moments, before the first step."""
    return _ADAM.init(parameters)


def adam_step(
    parameters: Parameters, gradient: Parameters, moments: PyTree, rate: Scalar | float
) -> tuple[Parameters, PyTree]:
    """Take one step of Adam against the gradient.

    Args:
        parameters: What is learned; any tree of arrays.
        gradient: Of the loss, a tree of the same shape.
        moments: The optimiser's state, as `init_opt_state` or the step before returned it.
        rate: The learning rate.

    Returns:
        The parameters and the optimiser's state after the step.
    """
    opaque: Any = gradient
    direction, moments = _ADAM.update(opaque, moments)
    return jax.tree.map(lambda p, d: p - rate * d, parameters, direction), moments


def polyak_update(slow: Parameters, fast: Parameters, rate: Scalar | float) -> Parameters:
    """Move `slow` towards `fast`: rate * fast + (1 - rate) * slow (DDPG, arXiv 1509.02971)."""
    new: Any = fast
    old: Any = slow
    return cast(Parameters, optax.incremental_update(new, old, step_size=rate))
