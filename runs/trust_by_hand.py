"""Policies that nobody trains: constants, and a clone that is turned round, weakened or shaken."""

from collections.abc import Callable

import numpy as np

from micro_rl import Dataset, Policy
from micro_rl.storage.policy_parts import Layer

SHAKEN = 0.15
"""Standard deviation of what a clone's weights are shaken by, in those of each layer."""


def by_hand(clone: Policy, dataset: Dataset, seed: int) -> dict[str, Policy]:
    """Makes them.

    Args:
        clone: a policy that does what the log did.
        dataset: the log.
        seed: of what is random.

    Returns:
        The policies by name.
    """
    random = np.random.default_rng(seed)
    edge = clone.action_low + 0.95 * (clone.action_high - clone.action_low)
    return {
        "negated": _with_last(clone, lambda weight, bias: (-weight, -bias)),
        "halved": _with_last(clone, lambda weight, bias: (0.5 * weight, 0.5 * bias)),
        "shaken": _like(clone, [_shaken(layer, SHAKEN, random) for layer in clone.layers]),
        "wrecked": _like(clone, [_shaken(layer, 1.0, random) for layer in clone.layers]),
        "mean-action": _constant(clone, dataset.actions.mean(0, dtype=np.float64)),
        "near-highest": _constant(clone, edge),
    }


def _like(policy: Policy, layers: list[Layer]) -> Policy:
    return Policy(
        layers,
        observation_mean=policy.observation_mean,
        observation_std=policy.observation_std,
        action_mid=policy.action_mid,
        action_half=policy.action_half,
        columns=policy.columns,
    )


def _with_last(policy: Policy, change: Callable[[np.ndarray, np.ndarray], Layer]) -> Policy:
    """The last layer changed; it gives the actions before tanh, and their deviations, which the mode does without."""
    return _like(policy, [*policy.layers[:-1], change(*policy.layers[-1])])


def _constant(policy: Policy, action: np.ndarray) -> Policy:
    """The same action everywhere, raw units [act]."""
    before = np.arctanh(np.clip((action - policy.action_mid) / policy.action_half, -0.999, 0.999))
    return _with_last(policy, lambda weight, bias: (0 * weight, np.concatenate([before, 0 * before])))


def _shaken(layer: Layer, share: float, random: np.random.Generator) -> Layer:
    weight, bias = layer
    return weight + share * weight.std() * random.normal(size=weight.shape), bias
