"""Simulators: made by id, checked against logs, and NeoRL-2's safety rule against its own log."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.simulation import envs

NEORL2 = Path(os.environ.get("NEORL2_DATASET_DIR", "absent"), "SafetyHalfCheetah-high-20000-val.npz")


@pytest.fixture
def cheetah() -> Iterator[envs.Env]:
    env = envs.make("SafetyHalfCheetah")
    yield env
    env.close()


@pytest.mark.parametrize(
    ("env_id", "widths", "horizon", "high"),
    [
        ("HalfCheetah-v4", (17, 6), 1000, 1.0),
        ("Hopper-v4", (11, 3), 1000, 1.0),
        ("Walker2d-v4", (17, 6), 1000, 1.0),
        ("SafetyHalfCheetah", (18, 6), 1000, 1.0),
        ("Pendulum-v1", (3, 1), 200, 2.0),
    ],
)
def test_known_simulators_start_without_a_warning(
    env_id: str, widths: tuple[int, int], horizon: int, high: float
) -> None:
    env = envs.make(env_id)
    low_bound, high_bound = envs.action_bounds(env)
    env.reset(seed=0)
    env.close()
    assert envs.widths(env) == widths
    assert env.spec is not None and env.spec.max_episode_steps == horizon
    np.testing.assert_array_equal(high_bound, np.full(widths[1], high))
    np.testing.assert_array_equal(low_bound, -high_bound)


@pytest.mark.parametrize("env_id", ["Hopper-v4", "SafetyHalfCheetah"])
def test_a_horizon_replaces_the_time_limit(env_id: str) -> None:
    env = envs.make(env_id, horizon=3)
    env.reset(seed=0)
    ends = [env.step(np.zeros(envs.widths(env)[1]))[2:4] for _ in range(3)]
    env.close()
    assert ends == [(False, False), (False, False), (False, True)]


@pytest.mark.parametrize("env_id", ["Hoper-v4", "Hopper-v99", "Hopper", "", "no_such_module:Hopper-v4", ":", "a b"])
def test_unknown_simulators_are_refused_in_one_line(env_id: str) -> None:
    with pytest.raises(UserError, match="no simulator") as refusal:
        envs.make(env_id)
    assert "\n" not in str(refusal.value)


def test_discrete_actions_are_refused() -> None:
    with pytest.raises(UserError, match=r"actions Discrete\(2\)"):
        envs.make("CartPole-v1")


def test_an_empty_horizon_is_refused() -> None:
    with pytest.raises(UserError, match="horizon 0"):
        envs.make("Pendulum-v1", horizon=0)


def test_matching_widths_pass_and_others_are_named() -> None:
    envs.check_matches("Pendulum-v1", 3, 1)
    with pytest.raises(UserError, match="observations have 4 columns but those of 'Pendulum-v1' have 3"):
        envs.check_matches("Pendulum-v1", 4, 1)
    with pytest.raises(UserError, match="actions have 2 columns but those of 'Pendulum-v1' have 1"):
        envs.check_matches("Pendulum-v1", 3, 2)


def test_safety_reward_is_speed_less_effort_or_the_penalty(cheetah: envs.Env) -> None:
    cheetah.reset(seed=0)
    simulator: Any = cheetah.unwrapped
    action = np.full(6, 0.5)
    for forward_speed in (1.0, 6.0):
        velocity = np.zeros(9)
        velocity[0] = forward_speed
        simulator.set_state(simulator.init_qpos, velocity)
        _, reward, terminated, _, info = cheetah.step(action)
        speed = (simulator.data.qpos[0] - simulator.init_qpos[0]) / 0.05
        assert info["x_velocity"] == pytest.approx(speed)
        assert (speed > 3.2096) == (forward_speed == 6.0)
        assert reward == (-100.0 if speed > 3.2096 else pytest.approx(speed - 0.1 * 6 * 0.25))
        assert not terminated


@pytest.mark.skipif(not NEORL2.exists(), reason="set NEORL2_DATASET_DIR to the folder of NeoRL-2's files")
def test_the_safety_log_replays_in_our_simulator(cheetah: envs.Env) -> None:
    with np.load(NEORL2) as log:
        rows = {key: log[key][::5].astype(np.float64) for key in ("obs", "action", "next_obs", "reward")}
    simulator: Any = cheetah.unwrapped
    errors, reward_errors = [], []
    cheetah.reset(seed=0)
    for observation, action, following, logged in zip(*rows.values(), strict=True):
        simulator.set_state(observation[:9], observation[9:])
        replayed, reward, *_ = cheetah.step(action)
        errors.append(np.abs(replayed - following))
        reward_errors.append(abs(float(reward) - logged))
    assert np.median(errors) < 1e-7
    assert max(reward_errors) < 1e-4


class Countdown(gymnasium.Env[np.ndarray, np.ndarray]):
    """Terminates after `steps` steps with an observation that is not finite."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def __init__(self, steps: int):
        self.left = self.steps = steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        self.left = self.steps
        return np.array([float(self.left)]), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.left > 0, "stepped after its end"
        self.left -= 1
        observation = np.array([self.left if self.left else np.nan])
        return observation, 10.0 * action[0], self.left == 0, False, {}


def test_ended_copies_rest_and_keep_the_last_observation_acted_on() -> None:
    copies = envs.Environments([Countdown(1), Countdown(3)])
    observation, live = copies.reset(seed=0), np.ones(2, bool)
    np.testing.assert_array_equal(observation, [[1], [3]])
    steps = []
    for _ in range(3):
        observation, reward, live = copies.step(np.array([[1.0], [2.0]]), live)
        steps.append((observation.ravel().tolist(), reward.tolist(), live.tolist()))
    assert steps == [
        ([1, 2], [10, 20], [False, True]),
        ([1, 1], [0, 20], [False, True]),
        ([1, 1], [0, 20], [False, False]),
    ]
    np.testing.assert_array_equal(copies.reset(seed=1), [[1], [3]])
