"""What a run without a simulator is followed by: its policy's windows in a model, less what the log measured.

Both start at the same rows of the log, and windows are equally long, so the two can be subtracted. It is the opinion
of the model that the policy was trained on, or of one that was fitted to score it: `micro-rl trust` asks another one,
on episodes left out, and tests it.
"""

from statistics import NormalDist
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Key

from micro_rl.core.types import Scaling
from micro_rl.data import Dataset
from micro_rl.data.scaling import to_core
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.known_reward import KnownReward
from micro_rl.dynamics.support import Reference, reference
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.trust.actors import Judged
from micro_rl.trust.difference import spread
from micro_rl.trust.judge import Judge
from micro_rl.trust.rollouts import roll_out
from micro_rl.trust.starts import starts_at
from micro_rl.trust.window_length import longest

STARTS = 100
"""Rows of the log that windows begin at."""
WIDTH = NormalDist().inv_cdf(0.95)
"""Half width of the interval in deviations over members and starts: 90 %, if the members' errors were all."""


class WindowDifference(NamedTuple):
    """Policy less log, raw units a window."""

    difference: float
    low: float
    high: float


class EarlyJudge:
    """The windows of a log, and what a run's policies collect in them by the run's own model."""

    def __init__(self, dataset: Dataset, known_reward: KnownReward | None = None):
        """The log's longest windows of which there are enough; `known_reward`: what a step pays, by a formula."""
        windows = longest(dataset)
        self.length = windows.length
        self.measured = float(windows.returns.mean())
        self._dataset, self._windows, self._known_reward = dataset, windows.evenly(STARTS), known_reward
        self._known: Reference | None = None

    def __call__(
        self, actor: Judged, elites: Ensemble, scaling: Scaling, ends: Termination, key: Key[jax.Array, ""]
    ) -> WindowDifference:
        """The difference of an actor.

        Args:
            actor: in the model's units.
            elites: the members that make the rollouts.
            scaling: units of both.
            ends: when episodes end.
            key: of the noise.
        """
        if self._known is None:
            self._known = _ranges(self._dataset, scaling, elites.size)
        everything = jnp.asarray(jnp.inf)
        judge = Judge(elites, self._known, jnp.ones(3), everything, everything, scaling, self._dataset.history)
        unit = float(scaling.reward_scale)
        rewards = jnp.asarray(self._dataset.rewards.min() / unit), jnp.asarray(self._dataset.rewards.max() / unit)
        starts = starts_at(self._dataset, self._windows, scaling)
        collected = roll_out(
            judge, actor, starts, rewards, ends, key, length=self.length, known_reward=self._known_reward
        )
        return _difference(np.asarray(collected.total, np.float64) - self._windows.returns, self._windows.disjoint)


def _difference(apart: Float[np.ndarray, "member start"], disjoint: int) -> WindowDifference:
    mean, half = float(apart.mean()), WIDTH * float(np.hypot(*spread(apart, disjoint)))
    return WindowDifference(mean, mean - half, mean + half)


def _ranges(dataset: Dataset, scaling: Scaling, members: int) -> Reference:
    """The log's ranges for every member; with an infinite limit no distance decides anything."""
    known = reference(to_core(dataset.transitions(True), scaling), np.arange(int(dataset.usable.sum())))
    few = eqx.tree_at(lambda k: k.rows, known, known.rows[:, :1])
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[None], (members, *leaf.shape)), few)
