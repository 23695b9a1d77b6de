"""The learned attacker: the world it learns in, and that it learns to do harm."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

from micro_rl.policy import Policy
from micro_rl.robustness import learned_attack
from micro_rl.robustness.cells import Attack, Cell
from micro_rl.robustness.learned_attack import ID, Duel, learn_adversary
from micro_rl.robustness.subject import Subject
from micro_rl.robustness.trial import Trial

SLOPE = "tests/Balance-v0"


class Balance(gymnasium.Env):
    """A point is seen and is to be met: the reward is minus the distance of the action from it."""

    observation_space = Box(-1.0, 1.0, (1,), np.float64)
    action_space = Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.point = self.np_random.uniform(-0.2, 0.2, 1)
        return self.point, {}

    def step(self, action):
        reward = -float(abs(action[0] - self.point[0]))
        self.point = self.np_random.uniform(-0.2, 0.2, 1)
        return self.point, reward, False, False, {}


@pytest.fixture(autouse=True)
def registered():
    gymnasium.register(SLOPE, entry_point=lambda **_: Balance(), max_episode_steps=20)
    yield
    gymnasium.registry.pop(SLOPE)


def mirror() -> Policy:
    """tanh(2 s + 0.5): above what it sees, and further above where it sees more."""
    weights = [(np.array([[2.0, 0.0]]), np.array([0.5, 0.0]))]
    units: dict[str, Any] = {"observation_mean": np.zeros(1), "observation_std": np.ones(1)}
    return Policy(weights, **units, action_mid=np.zeros(1), action_half=np.ones(1))


def test_in_a_duel_the_policy_acts_on_what_it_is_shown_and_its_loss_is_the_reward():
    duel = Duel(mirror(), SLOPE, None, np.array([0.5]), np.array([2.0]))
    observation, _ = duel.reset(seed=0)
    true = observation * 2.0
    following, reward, *_ = duel.step(np.array([1.0]))
    assert reward == pytest.approx(abs(np.tanh(2 * (true[0] + 0.5) + 0.5) - true[0]), rel=1e-5)
    assert following.shape == (1,)
    duel.close()


def test_within_nothing_no_adversary_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(learned_attack, "learn_adversary", lambda *_: pytest.fail("learned"))
    mirror().save(tmp_path / "mirror.safetensors")
    with Trial(Subject(tmp_path / "mirror.safetensors", SLOPE, (1.0,), episodes=2)) as trial:
        plain = trial.run(Cell("nominal"))
        assert trial.run(Cell("learned", {"epsilon": 0.0}, attack=Attack("learned", 0.0))) == plain


@pytest.mark.slow
def test_an_adversary_learns_to_show_what_harms_and_leaves_no_simulator_behind():
    """Shown more than there is, this policy misses by more than a random showing costs it, after few steps already."""
    size, scale = np.array([0.5]), np.ones(1)
    adversary = learn_adversary(mirror(), SLOPE, None, size, scale, steps=2000, seed=0)
    points = np.linspace(-0.2, 0.2, 11)[:, None]
    shown = points + size * adversary(points)
    harm = np.abs(np.tanh(2 * shown + 0.5) - points)
    drawn = np.abs(np.tanh(2 * (points + size * np.linspace(-1, 1, 11)[None]) + 0.5) - points).mean(1, keepdims=True)
    assert harm.mean() > drawn.mean()
    assert ID not in gymnasium.registry
