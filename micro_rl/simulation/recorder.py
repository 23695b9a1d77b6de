"""What happens in a simulator, kept step by step; and how to stand again where a recording stopped."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.simulation import envs


class Experience(NamedTuple):
    """Steps in the order of time, raw units, under D4RL's names.

    `terminals` ended an episode by the task's rule, `timeouts` by its time limit.
    """

    observations: Float32[np.ndarray, "row obs"]
    actions: Float32[np.ndarray, "row act"]
    rewards: Float32[np.ndarray, " row"]
    next_observations: Float32[np.ndarray, "row obs"]
    terminals: Bool[np.ndarray, " row"]
    timeouts: Bool[np.ndarray, " row"]

    def part(self, start: int, stop: int) -> "Experience":
        """The rows from `start` to before `stop`, as views."""
        return Experience(*(column[start:stop] for column in self))

    def closed(self) -> "Experience":
        """The same with an end in its last row: an episode that is cut there ends by a timeout."""
        timeouts = self.timeouts.copy()
        timeouts[-1:] |= ~self.terminals[-1:]
        return self._replace(timeouts=timeouts)


def joined(parts: list[Experience]) -> Experience:
    """Put experiences one after the other."""
    return Experience(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Recorder:
    """Steps one simulator, episode after episode, and keeps every step."""

    def __init__(self, env: envs.Env, capacity: int, seed: int):
        obs, act = envs.widths(env)
        self.env, self.count = env, 0
        self._seed, self._first_row = seed, 0
        self._generator: Mapping[str, Any] | None = None
        self.observation = env.reset(seed=seed)[0]
        self._steps = Experience(
            observations=np.zeros((capacity, obs), np.float32),
            actions=np.zeros((capacity, act), np.float32),
            rewards=np.zeros(capacity, np.float32),
            next_observations=np.zeros((capacity, obs), np.float32),
            terminals=np.zeros(capacity, bool),
            timeouts=np.zeros(capacity, bool),
        )

    def step(self, action: Float[np.ndarray, " act"]) -> None:
        """Take one step with an action [act] in raw units; the simulator gets the very float32 that is recorded."""
        action = action.astype(np.float32)
        following, reward, terminated, truncated, _ = self.env.step(action)
        row = (self.observation, action, reward, following, terminated, truncated and not terminated)
        for column, value in zip(self._steps, row, strict=True):
            column[self.count] = value
        self.count += 1
        self.observation = following
        if terminated or truncated:
            self._first_row = self.count
            self._generator = self.env.unwrapped.np_random.bit_generator.state
            self.observation = self.env.reset()[0]

    def experience(self) -> Experience:
        """All steps so far, as views that later steps leave alone."""
        return self._steps.part(0, self.count)

    def state(self) -> dict[str, Any]:
        """Where the present episode began, and the simulator's generator before it did; None: it was just seeded.

        With the steps themselves that is all there is to know about a simulator that draws from `np_random` only.
        """
        return {"first_row": self._first_row, "generator": self._generator}

    def restore(self, past: Experience, state: dict[str, Any]) -> None:
        """Stand where a recording stopped: its steps back, its episode begun again and its actions repeated.

        Args:
            past: the recording's steps.
            state: of the recording, as `state` gave it then.

        Raises:
            UserError: where the simulator then does something else: it cannot be resumed.
        """
        for column, values in zip(self._steps, past, strict=True):
            column[: len(values)] = values
        self.count, self._first_row = len(past.rewards), state["first_row"]
        self._generator = state["generator"]
        if self._generator is None:
            self.observation = self.env.reset(seed=self._seed)[0]
        else:
            self.env.unwrapped.np_random.bit_generator.state = self._generator
            self.observation = self.env.reset()[0]
        self._repeat(past.part(self._first_row, self.count))

    def _repeat(self, episode: Experience) -> None:
        for row, action in enumerate(episode.actions):
            as_before = np.array_equal(np.asarray(self.observation, np.float32), episode.observations[row])
            self.observation, reward, *_ = self.env.step(action)
            after = np.asarray(self.observation, np.float32)
            as_before &= np.array_equal(after, episode.next_observations[row])
            if not (as_before and np.float32(reward) == episode.rewards[row]):
                raise UserError(
                    f"the simulator does not repeat row {self._first_row + row} of its own recording (another version "
                    "of it, or one that draws from elsewhere than np_random): begin anew in another folder"
                )


def rollout(
    policy: Policy,
    env_id: str,
    rows: int,
    seed: int,
    horizon: int | None = None,
    on_rows: Callable[[int, int], None] = lambda row, rows: None,
) -> Experience:
    """Record what actions drawn from a policy lead to; the last episode may be cut short.

    Args:
        policy: raw observations to raw actions.
        env_id: of the simulator; see `envs.make`.
        rows: steps to record.
        seed: of the simulator and of the policy's noise.
        horizon: the episodes' time limit in steps, where it is not the simulator's own.
        on_rows: receives the rows so far and in all, every thousand rows.

    Raises:
        UserError: as `envs.make`.
    """
    rng = np.random.default_rng((seed, 2))
    with closing(envs.make(env_id, horizon)) as env:
        recorder = Recorder(env, rows, seed)
        while recorder.count < rows:
            recorder.step(policy.sample(recorder.observation, rng))
            if recorder.count % 1000 == 0:
                on_rows(recorder.count, rows)
        return recorder.experience()
