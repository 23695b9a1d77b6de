"""Simulators for the study of trust that begin in any row of a log, many rows side by side.

Here are those whose whole state can be read off an observation: a pendulum and NeoRL-2's DMSD, written out, and
Gymnasium's robots on MuJoCo. Plants with a hidden state are in `runs.trust_plants`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import gymnasium
import numpy as np
from jaxtyping import Bool, Float, Int

from micro_rl import Dataset
from micro_rl.simulation.envs import SpeedLimit

Rows = Int[np.ndarray, " row"]
Columns = Float[np.ndarray, "row column"]
Outcome = tuple[Columns, Float[np.ndarray, " row"], Bool[np.ndarray, " row"]]
"""What is observed next, the reward, and whether the episode ended by the task's own rule."""


class Simulator(Protocol):
    """Rows of a log, gone on with side by side."""

    def begin(self, dataset: Dataset, rows: Rows, seed: int | None) -> Columns:
        """Take on the states of these rows; gives their observations.

        Args:
            dataset: the log.
            rows: of the log.
            seed: of what disturbs the system; None: what disturbed it after these rows in the log, so that the log's
                own actions have the log's own consequences. A system that nothing disturbs takes no notice.
        """
        ...

    def step(self, action: Columns, live: Bool[np.ndarray, " row"]) -> Outcome:
        """Go one step on in the live rows; the others keep what was observed last and earn 0."""
        ...


class Pendulum:
    """Gymnasium's Pendulum-v1."""

    def begin(self, dataset: Dataset, rows: Rows, seed: int | None) -> Columns:
        """The angle by its cosine and sine, and the speed."""
        cosine, sine, self.speed = dataset.observations[rows].astype(np.float64).T
        self.angle = np.arctan2(sine, cosine)
        return self._observed()

    def step(self, action: Columns, live: Bool[np.ndarray, " row"]) -> Outcome:
        """A twentieth of a second."""
        torque = np.clip(action[:, 0].astype(np.float64), -2, 2)
        from_top = (self.angle + np.pi) % (2 * np.pi) - np.pi
        reward = -(from_top**2 + 0.1 * self.speed**2 + 0.001 * torque**2)
        self.speed = np.clip(self.speed + (15 * np.sin(self.angle) + 3 * torque) * 0.05, -8, 8)
        self.angle = self.angle + self.speed * 0.05
        return self._observed(), reward, np.zeros(len(reward), bool)

    def _observed(self) -> Columns:
        return np.stack([np.cos(self.angle), np.sin(self.angle), self.speed], 1).astype(np.float32)


class MassSpringDamper:
    """NeoRL-2's DMSD: two masses between two walls; a log of episodes of 100 steps, the targets may move at step 50."""

    MASS, DAMPING, STIFFNESS, SECONDS, STRENGTH = 20.0, 4.0, 2.0, 0.2, 30.0
    MOVES_AT = 50

    def begin(self, dataset: Dataset, rows: Rows, seed: int | None) -> Columns:
        """Positions, velocities, targets, and the step in the episode."""
        first = dataset.starts[np.searchsorted(dataset.starts, rows, "right") - 1]
        self.row, self.number = rows.copy(), rows - first
        self.coming = dataset.next_observations[:, 4:].astype(np.float64)
        self.random = None if seed is None else np.random.default_rng(seed)
        state = dataset.observations[rows].astype(np.float64)
        self.position, self.velocity, self.target = state[:, :2], state[:, 2:4], state[:, 4:]
        return self._observed()

    def step(self, action: Columns, live: Bool[np.ndarray, " row"]) -> Outcome:
        """Explicit Euler, then the targets of the next observation, which the reward is about."""
        self.position, self.velocity = self.moved(self.position, self.velocity, action)
        self._move_targets()
        return self._observed(), self.reward(self.position, self.target), np.zeros(len(action), bool)

    @classmethod
    def moved(cls, x: Columns, v: Columns, action: Columns) -> tuple[Columns, Columns]:
        """Positions and velocities a step later."""
        pull = cls.STIFFNESS * (x[:, ::-1] - 2 * x) + cls.DAMPING * (v[:, ::-1] - 2 * v)
        force = cls.STRENGTH * np.clip(action.astype(np.float64), -1, 1)
        return x + cls.SECONDS * v, v + cls.SECONDS * (pull + force) / cls.MASS

    @staticmethod
    def reward(position: Columns, target: Columns) -> Float[np.ndarray, " row"]:
        """How near both masses are to their targets, on a logarithmic scale."""
        return -np.log(np.abs(position - target) + 0.01).sum(1)

    def _move_targets(self) -> None:
        if self.random is None:
            self.target = self.coming[np.minimum(self.row, len(self.coming) - 1)]
        else:
            anew = (self.number + 1 == self.MOVES_AT)[:, None] & (self.random.random(self.target.shape) < 0.5)
            self.target = np.where(anew, self.random.uniform(-1.5, 1.5, self.target.shape), self.target)
        self.row, self.number = self.row + 1, self.number + 1

    def _observed(self) -> Columns:
        return np.concatenate([self.position, self.velocity, self.target], 1).astype(np.float32)


class Robot:
    """One of Gymnasium's on MuJoCo, whose state is set from an observation; every row has data of its own."""

    def __init__(self, env: gymnasium.Env[Any, Any], state: Callable[[np.ndarray], np.ndarray]):
        """`state` gives [positions | velocities] from an observation; no time limit is counted."""
        self.env, self.simulation, self.state = env, env.unwrapped, state
        self.data: list[Any] = []

    def begin(self, dataset: Dataset, rows: Rows, seed: int | None) -> Columns:
        """Positions and velocities that MuJoCo then computes everything else from."""
        simulation: Any = self.simulation
        self.observed = dataset.observations[rows].astype(np.float64)
        while len(self.data) < len(rows):
            self.data.append(type(simulation.data)(simulation.model))
        for observation, data in zip(self.observed, self.data, strict=False):
            simulation.data = data
            data.qacc_warmstart[:] = 0
            simulation.set_state(*np.split(self.state(observation), [simulation.model.nq]))
        return self.observed.copy()

    def step(self, action: Columns, live: Bool[np.ndarray, " row"]) -> Outcome:
        """One step of the environment in each live row."""
        simulation: Any = self.simulation
        reward, over = np.zeros(len(live)), np.zeros(len(live), bool)
        for row in np.flatnonzero(live):
            simulation.data = self.data[row]
            self.observed[row], reward[row], over[row], _, _ = self.env.step(action[row])
        return self.observed.copy(), reward, over


def robot(env_id: str, hidden: int) -> Robot:
    """A robot whose observation is its positions, without the first so many, and its velocities."""
    env = gymnasium.make(gymnasium.spec(env_id), disable_env_checker=True).unwrapped
    return Robot(env, lambda observation: np.concatenate([np.zeros(hidden), observation]))


def safety_half_cheetah() -> Robot:
    """NeoRL-2's: it observes all its positions, and speeding costs."""
    made = gymnasium.make(
        gymnasium.spec("HalfCheetah-v4"),
        disable_env_checker=True,
        exclude_current_positions_from_observation=False,
    )
    return Robot(SpeedLimit(made.unwrapped), lambda observation: observation)


def reacher() -> Robot:
    """Two joints by cosines and sines, the target's place, the joints' speeds."""

    def state(observation: np.ndarray) -> np.ndarray:
        joints = np.arctan2(observation[2:4], observation[:2])
        return np.concatenate([joints, observation[4:6], observation[6:8], np.zeros(2)])

    made = gymnasium.make(gymnasium.spec("Reacher-v4"), disable_env_checker=True)
    return Robot(made.unwrapped, state)


def double_pendulum() -> Robot:
    """The cart's place, both joints by sines and cosines, the speeds (and the joints' limits, which follow)."""

    def state(observation: np.ndarray) -> np.ndarray:
        joints = np.arctan2(observation[1:3], observation[3:5])
        return np.concatenate([observation[:1], joints, observation[5:8]])

    made = gymnasium.make(gymnasium.spec("InvertedDoublePendulum-v4"), disable_env_checker=True)
    return Robot(made.unwrapped, state)


def pusher() -> Robot:
    """Seven joints and their speeds, the hand, the object, the target; how fast the object moves is not observed."""
    made = gymnasium.make(gymnasium.spec("Pusher-v5"), disable_env_checker=True)
    simulation: Any = made.unwrapped
    home = simulation.model.body("object").pos

    def state(observation: np.ndarray) -> np.ndarray:
        along, across = observation[17:19] - home[:2]
        return np.concatenate([observation[:7], [across, along], np.zeros(2), observation[7:14], np.zeros(4)])

    return Robot(simulation, state)
