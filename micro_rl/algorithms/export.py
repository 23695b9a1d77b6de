"""From the compiled core's actor to the policy that people deploy."""

from typing import Any

import jax

from micro_rl.core.networks import MLP
from micro_rl.core.types import Scaling
from micro_rl.policy import Policy


def export(actor: MLP, scaling: Scaling, environment: str | None, history: int = 1, **of_log: Any) -> Policy:
    """The policy that acts from NumPy alone, in raw units; `history` as it was trained, `of_log` as `Policy` has it."""
    weights, biases = jax.device_get((actor.weights, actor.biases))
    units = jax.device_get(scaling)
    return Policy(
        list(zip(weights, biases, strict=True)),
        observation_mean=units.observation_mean,
        observation_std=units.observation_std,
        action_mid=units.action_mid,
        action_half=units.action_half,
        environment=environment,
        history=history,
        **of_log,
    )
