"""The strip of pictures: bodies where they are, and an SVG that holds them."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.robustness.film import MOMENTS, draw, filmed, outlines
from micro_rl.robustness.substeps import ActuatorDelay, delayed
from micro_rl.simulation.envs import make


class Still:
    """A policy that asks for nothing."""

    def __init__(self, act: int):
        self.act = act

    def reset(self) -> None:
        """Nothing is remembered."""

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        return np.zeros((len(observation), self.act), np.float32)


def test_the_hoppers_geoms_stand_where_they_are():
    """Upright: the thigh hangs below the torso, each 0.4 and 0.45 m long, the foot lies on the ground."""
    with closing(make("Hopper-v4")) as env:
        env.reset(seed=0)
        torso, thigh, _, foot = outlines(env)
    assert [torso.radius, thigh.radius, foot.radius] == [0.05, 0.05, 0.06]
    assert np.hypot(*(torso.end - torso.start)) == pytest.approx(0.4, abs=1e-3)
    assert np.hypot(*(thigh.end - thigh.start)) == pytest.approx(0.45, abs=1e-3)
    assert min(torso.start[1], torso.end[1]) == pytest.approx(max(thigh.start[1], thigh.end[1]), abs=0.02)
    assert foot.start[1] == pytest.approx(0.1, abs=0.02)


def test_a_fall_is_filmed_to_its_end_and_drawn(tmp_path: Path):
    with closing(make("Hopper-v4")) as env:
        frames = filmed(env, Still(3), seed=1)
    assert [frame.step for frame in frames] == list(range(len(frames)))
    assert len(frames) < 200
    draw({"nominal": frames, "short": frames[:3]}, tmp_path / "film.svg")
    text = (tmp_path / "film.svg").read_text()
    assert text.count("<svg") == 1
    assert "<image" not in text
    assert len(frames) > MOMENTS


def test_what_is_not_on_mujoco_says_so():
    with closing(make("Pendulum-v1")) as env, pytest.raises(UserError, match=r"drawn in .* no MuJoCo model$"):
        filmed(env, Still(1), seed=0)


def test_nor_are_its_actuators_delayed_by_substeps():
    refused = pytest.raises(UserError, match=r"delayed .* model: use action delay$")
    with closing(make("Pendulum-v1")) as env, refused, delayed(env, ActuatorDelay(1)):
        pass
