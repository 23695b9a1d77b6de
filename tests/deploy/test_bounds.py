"""An action is within its bounds, whatever single precision makes of them: of a policy and of all its exports."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.core.numpy_network import inward
from micro_rl.deploy import c_files, exporting
from micro_rl.deploy.onnx_file import onnx_model
from micro_rl.deploy.onnx_running import run_onnx
from micro_rl.deploy.running import compiler, run_c
from micro_rl.deploy.source import Source
from micro_rl.deploy.trial import draw
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from tests.deploy.policies import imported

LOW, HIGH = np.array([1e6, 0.0, -0.3, -1.0]), np.array([1e6 + 1.04, 0.3, 0.1, 1.0])
"""Of all but the last an end lies between two numbers of float32."""


def saturated(low: np.ndarray = LOW, high: np.ndarray = HIGH) -> Policy:
    """At either end, or near it, on most observations."""
    rng, act = np.random.default_rng(0), len(low)
    return Policy(
        [(9.0 * rng.normal(size=(3, 2 * act)), np.zeros(2 * act))],
        observation_mean=np.zeros(3),
        observation_std=np.ones(3),
        action_mid=(high + low) / 2,
        action_half=(high - low) / 2,
    )


def check(action: np.ndarray) -> None:
    policy = saturated()
    assert (action >= policy.action_low).all() and (action <= policy.action_high).all()
    nearest = np.nextafter(np.float32(policy.action_high), -np.inf, dtype=np.float32)
    assert (action.max(0) >= nearest).all(), "clipped by no more than a step of float32"


def test_a_policy_and_its_python(tmp_path: Path):
    policy = saturated()
    trial = draw(policy)
    action = policy(trial.observations)
    check(action)
    exporting.export_python(Source(policy), tmp_path / "bounded.py")
    np.testing.assert_array_equal(imported(tmp_path / "bounded.py").act(trial.observations).action, action)
    check(policy.sample(trial.observations, np.random.default_rng(0)))


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
def test_its_c(tmp_path: Path):
    source, file = Source(saturated()), tmp_path / "bounded.c"
    texts = c_files.c_text(source, "bounded", "bounded")
    file.write_text(texts.code)
    file.with_suffix(".h").write_text(texts.header)
    check(run_c(file, "bounded", source, draw(source.policy, single=True)).action)


def test_its_onnx():
    pytest.importorskip("onnxruntime")
    source = Source(saturated())
    trial = draw(source.policy, single=True)
    check(run_onnx(onnx_model(source).SerializeToString(), source, trial).action)


def test_bounds_that_float32_holds_are_left_as_they_are():
    low, high = inward(np.array([-1.0, 0.5, -1e39]), np.array([1.0, 2.0, 1e39]))
    largest = np.finfo(np.float32).max
    np.testing.assert_array_equal(low, np.array([-1, 0.5, -largest], np.float32))
    np.testing.assert_array_equal(high, np.array([1, 2, largest], np.float32))


def test_bounds_between_two_numbers_of_float32_are_not_exported(tmp_path: Path):
    policy = saturated(np.array([1e7 + 0.1]), np.array([1e7 + 0.4]))
    assert policy(np.zeros(3)) == 1e7
    with pytest.raises(UserError, match=r"gives the action .*, beyond its range"):
        exporting.export_python(Source(policy), tmp_path / "between.py")
    assert not (tmp_path / "between.py").exists()
