"""The settings' numbers as an update takes them, in core units, and the actor's rate from epoch to epoch."""

import jax.numpy as jnp
from jax import Array

from micro_rl.algorithms.sac import Coefficients
from micro_rl.core.settings import Settings


def coefficients(settings: Settings, act: int, reward_scale: Array | float = 1.0) -> Coefficients:
    """The settings' numbers as leaves, in core units, for a system with `act` actions."""
    entropy = -float(act) if settings.target_entropy is None else settings.target_entropy
    lowest = -jnp.inf if settings.min_target is None else settings.min_target / reward_scale
    numbers = (
        settings.discount,
        settings.tau,
        settings.actor_lr,
        settings.critic_lr,
        settings.temperature_lr if settings.learn_temperature else 0.0,
        entropy,
        float(settings.entropy_in_backup),
        lowest,
        settings.bc_weight,
    )
    return Coefficients(*(jnp.asarray(number, jnp.float32) for number in numbers))


def actor_lr(settings: Settings, epoch: int | Array) -> Array:
    """The actor's learning rate in this epoch (from 0).

    `optax.cosine_decay_schedule` multiplies by pi before it divides, so its last bits differ.
    """
    if settings.actor_schedule == "constant":
        return jnp.asarray(settings.actor_lr, jnp.float32)
    if settings.actor_schedule != "cosine":
        raise ValueError(f"no actor_schedule is called {settings.actor_schedule!r}")
    share = jnp.asarray(epoch, jnp.float32) / settings.epochs
    return settings.actor_lr * 0.5 * (1 + jnp.cos(jnp.pi * share))
