"""What a policy is made of: its layers, the units of its inputs and outputs, and what it says of itself."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from micro_rl.core import windows
from micro_rl.core.columns import UNNAMED, Columns
from micro_rl.core.shapes import Float

VECTORS = ("observation_mean", "observation_std", "action_mid", "action_half")
LONGEST_HISTORY = 1000
"""Observations that a policy may look at."""

Layer = tuple[Float[np.ndarray, "in out"], Float[np.ndarray, " out"]]


class PolicyParts(NamedTuple):
    """The arrays and facts of one policy, raw units; see `micro_rl.policy.Policy`, which is built from them."""

    layers: tuple[Layer, ...]
    observation_mean: Float[np.ndarray, " window"]
    observation_std: Float[np.ndarray, " window"]
    action_mid: Float[np.ndarray, " act"]
    action_half: Float[np.ndarray, " act"]
    environment: str | None
    history: int
    columns: Columns = UNNAMED
    mapping: str = ""

    @property
    def observation_size(self) -> int:
        """Columns of an observation; raises `ValueError` where the vectors suit no history."""
        return windows.newest(len(self.observation_mean), len(self.action_mid), self.history)

    def vectors(self) -> dict[str, np.ndarray]:
        """The four vectors by name."""
        return {name: getattr(self, name) for name in VECTORS}

    def tensors(self) -> dict[str, np.ndarray]:
        """Every array by the name that it has in a file: layer0.weight, layer0.bias, ..., and the vectors."""
        named = {}
        for index, (weight, bias) in enumerate(self.layers):
            named |= {f"layer{index}.weight": weight, f"layer{index}.bias": bias}
        return named | self.vectors()

    def check(self) -> None:
        """Check that sizes chain, values are finite, and scales positive.

        Raises:
            ValueError: naming the first part that does not fit.
        """
        for check in CHECKS:
            check(self)


def _check_values(parts: PolicyParts) -> None:
    for name, array in parts.tensors().items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are not finite")
    if not (np.all(parts.observation_std > 0) and np.all(parts.action_half > 0)):
        raise ValueError("observation_std and action_half must be positive")


def _check_vectors(parts: PolicyParts) -> None:
    if any(vector.ndim != 1 for vector in parts.vectors().values()):
        raise ValueError(f"{', '.join(VECTORS)} must have one dimension")
    if parts.observation_mean.shape != parts.observation_std.shape or parts.action_mid.shape != parts.action_half.shape:
        raise ValueError("mean and std, or mid and half, have different lengths")
    if not 1 <= parts.history <= LONGEST_HISTORY or parts.observation_size < 1:
        raise ValueError(f"history {parts.history} does not suit {len(parts.observation_mean)} columns")


def _check_columns(parts: PolicyParts) -> None:
    sizes, named = (parts.observation_size, len(parts.action_mid)), tuple(map(len, parts.columns))
    if parts.columns != UNNAMED and named != sizes:
        raise ValueError(f"columns name {named} observations and actions, not {sizes}")


def _check_layers(parts: PolicyParts) -> None:
    if not parts.layers:
        raise ValueError("a policy needs at least one layer")
    width, act = len(parts.observation_mean), len(parts.action_mid)
    for index, (weight, bias) in enumerate(parts.layers):
        if weight.ndim != 2 or weight.shape[0] != width or bias.shape != weight.shape[1:]:
            raise ValueError(
                f"layer {index} has weight {weight.shape} and bias {bias.shape}: [{width}, out] and [out] needed"
            )
        width = weight.shape[1]
    if width != 2 * act:
        raise ValueError(f"the last layer gives {width} columns where 2 x {act} are needed")


CHECKS: tuple[Callable[[PolicyParts], None], ...] = (_check_values, _check_vectors, _check_columns, _check_layers)
