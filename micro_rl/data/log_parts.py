"""What a log gives: rows to learn from, and a dozen figures."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int

if TYPE_CHECKING:
    from micro_rl.data.dataset import Dataset


class RawTransitions(NamedTuple):
    """Rows to learn from, on the host, in raw units; `discount` is 0 where the episode terminated, else 1."""

    observation: Float32[np.ndarray, "row obs"]
    action: Float32[np.ndarray, "row act"]
    reward: Float32[np.ndarray, " row"]
    next_observation: Float32[np.ndarray, "row obs"]
    discount: Float32[np.ndarray, " row"]

    @classmethod
    def of(cls, log: "Dataset", chosen: Bool[np.ndarray, " row"] | Int[np.ndarray, " some"]) -> "RawTransitions":
        """Collects a log's rows, chosen by a mask or by their numbers."""
        return cls(
            log.observations[chosen],
            log.actions[chosen],
            log.rewards[chosen],
            log.next_observations[chosen],
            1 - log.terminals[chosen].astype(np.float32),
        )


class Summary(NamedTuple):
    """A log in a dozen figures: returns are undiscounted sums of raw rewards, lengths are in steps."""

    rows: int
    episodes: int
    observation_size: int
    action_size: int
    terminals: int
    timeouts: int
    return_mean: float
    return_std: float
    return_worst: float
    return_best: float
    length_mean: float
    length_shortest: int
    length_longest: int

    @classmethod
    def of(cls, log: "Dataset") -> "Summary":
        """Measures a log."""
        returns, lengths = log.returns, log.lengths
        return cls(
            rows=len(log),
            episodes=len(returns),
            observation_size=log.observation_size,
            action_size=log.actions.shape[1],
            terminals=int(log.terminals.sum()),
            timeouts=int(log.timeouts.sum()),
            return_mean=float(returns.mean()),
            return_std=float(returns.std()),
            return_worst=float(returns.min()),
            return_best=float(returns.max()),
            length_mean=float(lengths.mean()),
            length_shortest=int(lengths.min()),
            length_longest=int(lengths.max()),
        )
