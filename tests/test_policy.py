"""The exported policy against a direct float64 formula, its file, and what it refuses."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_rl.errors import UserError
from micro_rl.policy import Policy

OBSERVATION, ACTION = 5, 2


def make(seed: int = 0, **changed: Any) -> Policy:
    rng = np.random.default_rng(seed)
    sizes = [(OBSERVATION, 32), (32, 32), (32, 2 * ACTION)]
    settings = {
        "layers": [(rng.normal(size=size) / np.sqrt(size[0]), rng.normal(size=size[1]) * 0.1) for size in sizes],
        "observation_mean": [0.0, 1e6, -3.0, 1e-4, 0.0],
        "observation_std": [1.0, 2.0, 0.1, 1e-6, 1e6],
        "action_mid": [0.0, 1.0],
        "action_half": [1.0, 2.5],
        "environment": "Pendulum-v1",
    } | changed
    return Policy(settings.pop("layers"), **settings)


def direct(policy: Policy, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log standard deviation, all in float64."""
    hidden = (observation - policy.observation_mean) / policy.observation_std
    for weight, bias in policy.layers[:-1]:
        hidden = np.maximum(hidden @ weight.astype(np.float64) + bias, 0)
    weight, bias = policy.layers[-1]
    output = hidden @ weight.astype(np.float64) + bias
    return output[..., :ACTION], np.clip(output[..., ACTION:], -5, 2)


def observations(policy: Policy, rows: int, spread: float) -> np.ndarray:
    core = spread * np.random.default_rng(1).normal(size=(rows, OBSERVATION))
    return policy.observation_mean + policy.observation_std * core


@pytest.mark.parametrize("spread", [1e-3, 1.0, 10.0])
def test_equals_the_direct_formula(spread: float) -> None:
    policy = make()
    observation = observations(policy, 200, spread)
    mean, log_std = policy.distribution(observation)
    expected_mean, expected_log_std = direct(policy, observation)
    np.testing.assert_allclose(mean, expected_mean, atol=2e-6 * max(spread, 1))
    np.testing.assert_allclose(log_std, expected_log_std, atol=2e-6 * max(spread, 1))
    expected = policy.action_mid + policy.action_half * np.tanh(expected_mean)
    np.testing.assert_allclose(policy(observation), expected, atol=1e-5)


@pytest.mark.parametrize("spread", [1e6, 1e9, 1e15, 1e19])
def test_extreme_observations_saturate_like_the_formula(spread: float) -> None:
    policy = make()
    observation = observations(policy, 200, spread)
    mean = direct(policy, observation)[0]
    clear = np.abs(mean) > 1e-4 * spread  # elsewhere large terms cancel and float32 keeps no sign
    assert clear.mean() > 0.9
    action = policy(observation)
    expected = np.broadcast_to(policy.action_mid, action.shape) + policy.action_half * np.sign(mean)
    np.testing.assert_allclose(action[clear], expected[clear], atol=1e-5)
    assert np.isfinite(action).all()


def test_the_largest_numbers_there_are() -> None:
    largest = np.finfo(np.float64).max
    for size in (1e21, 1e100, 1e300, largest):
        for sign in (-1.0, 1.0):
            assert np.isfinite(make()(np.full(OBSERVATION, sign * size))).all()


def test_a_large_offset_keeps_its_digits() -> None:
    """Column 1 has mean 1e6: a hundredth of its std is lost if the mean is subtracted in float32."""
    policy = make(observation_mean=[0, 1e8, 0, 0, 0], observation_std=[1, 0.1, 1, 1, 1])
    observation = np.array([0.0, 1e8 + 0.123, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(policy.distribution(observation)[0], direct(policy, observation)[0], atol=1e-5)


def test_rows_do_not_feel_each_other() -> None:
    policy = make()
    observation = observations(policy, 33, 1.0)
    together = policy(observation)
    assert together.shape == (33, ACTION) and together.dtype == np.float32
    np.testing.assert_array_equal(together, [policy(row) for row in observation])
    assert policy(observation[0]).shape == (ACTION,)
    assert policy(observation[:0]).shape == (0, ACTION)


def test_draws_have_the_stated_distribution() -> None:
    policy = make()
    row = observations(policy, 1, 0.3)[0]
    draws = policy.sample(np.tile(row, (20_000, 1)), np.random.default_rng(0)).astype(np.float64)
    assert np.all(draws >= policy.action_low) and np.all(draws <= policy.action_high)
    mean, log_std = policy.distribution(row)
    core = (draws - policy.action_mid) / policy.action_half
    below = (core < np.tanh(mean + np.exp(log_std) * np.array([[[-1.0]], [[0.0]], [[1.0]]]))).mean(1)
    np.testing.assert_allclose(below, np.tile([[0.158655], [0.5], [0.841345]], (1, ACTION)), atol=0.015)
    same = policy.sample(row, np.random.default_rng(5)), policy.sample(row, np.random.default_rng(5))
    np.testing.assert_array_equal(*same)


@pytest.mark.parametrize("shape", [(4,), (6,), (3, 4), (), (2, 3, 5)])
def test_another_width_is_refused_naming_both(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"shape {str(shape).replace('(', '.').replace(')', '.')}.* takes 5 columns"):
        make()(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite in column 3"):
        make()([[0, 0, 0, 0, 0], [0, 0, 0, bad, 0]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers": []}, "at least one layer"),
        ({"layers": [(np.zeros((4, 4)), np.zeros(4))]}, r"layer 0 has weight \(4, 4\)"),
        ({"layers": [(np.zeros((5, 4)), np.zeros(3))]}, r"bias \(3,\)"),
        ({"layers": [(np.zeros((5, 3)), np.zeros(3))]}, "the last layer gives 3 columns"),
        ({"layers": [(np.zeros((5, 6)), np.zeros(6))]}, "the last layer gives 6 columns"),
        ({"layers": [(np.zeros((5, 3)), np.zeros(3))]}, "gives 3 columns where 2 x 2"),
        ({"layers": [(np.full((5, 4), np.nan), np.zeros(4))]}, "layer0.weight has values"),
        *[({"observation_std": [1, 1, size, 1, 1]}, "must be positive") for size in (0, -1)],
        *[({"action_half": [1, size]}, "must be positive") for size in (0, -1)],
        ({"observation_std": [1, 1]}, "different lengths"),
        ({"action_mid": np.zeros(())}, "one dimension"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changed)


def test_a_policy_cannot_be_changed_after_its_check() -> None:
    with pytest.raises(ValueError, match="read-only"):
        make().layers[0][0][:] = 0


@pytest.mark.parametrize("environment", [None, "Höpper v4"])
def test_the_file_gives_back_the_same_bits(tmp_path: Path, environment: str | None) -> None:
    policy, path = make(environment=environment), tmp_path / "a policy é.safetensors"
    policy.save(path)
    loaded = Policy.load(path)
    observation = observations(policy, 20, 3.0)
    np.testing.assert_array_equal(loaded(observation), policy(observation))
    assert loaded.environment == environment
    assert (loaded.observation_size, loaded.action_size) == (OBSERVATION, ACTION)
    np.testing.assert_array_equal(loaded.action_low, [-1.0, -1.5])
    np.testing.assert_array_equal(loaded.action_high, [1.0, 3.5])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        make().save(tmp_path / "no such folder" / "policy.safetensors")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        make().save(tmp_path / "a file" / "policy.safetensors")


def rewritten(path: Path, tensors: dict[str, np.ndarray | None], metadata: dict[str, str | None]) -> None:
    """The policy's file with some tensors and metadata changed, or, where None, left out."""
    policy = make()
    policy.save(path)
    own = safetensors.numpy.load_file(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        described = dict(file.metadata())
    arrays = {name: array for name, array in (own | tensors).items() if array is not None}
    safetensors.numpy.save_file(
        arrays, path, {name: text for name, text in (described | metadata).items() if text is not None}
    )


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({}, {"format": None}, "holds no 'micro-rl policy'"),
        ({}, {"version": "4"}, "format version 4, this program reads 1 to 3"),
        ({}, {"version": None}, "format version None"),
        ({}, {"observation_size": "6"}, "metadata does not describe"),
        ({}, {"action_high": "[9.0, 9.0]"}, "metadata does not describe"),
        ({}, {"surprise": "1"}, "metadata does not describe"),
        ({"layer1.bias": None}, {}, "layer1.bias are missing or unknown"),
        ({"layer2.weight": None}, {}, "missing or unknown"),
        ({"extra": np.zeros(1)}, {}, "extra are missing or unknown"),
        ({"layer1.weight": np.zeros((32, 31), np.float32)}, {}, "layer 1 has weight"),
        ({"layer1.weight": np.zeros((32, 32), np.int32)}, {}, "layer1.weight is int32"),
        ({"observation_std": np.zeros(5)}, {}, "must be positive"),
        ({"observation_mean": np.full(5, np.nan)}, {}, "not finite"),
        ({"action_mid": np.zeros(())}, {}, "one dimension"),
    ],
)
def test_a_file_with_other_contents_is_refused(
    tmp_path: Path, tensors: dict[str, np.ndarray | None], metadata: dict[str, str | None], message: str
) -> None:
    path = tmp_path / "policy.safetensors"
    rewritten(path, tensors, metadata)
    with pytest.raises(UserError, match=message) as refusal:
        Policy.load(path)
    assert str(path) in str(refusal.value)


def test_what_is_no_policy_file_is_refused(tmp_path: Path) -> None:
    for name, content in [("empty", b""), ("pickle", b"\x80\x04\x95\x00"), ("long header", b"\xff" * 8)]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=r"is no safetensors file|does not begin like"):
            Policy.load(tmp_path / name)
    with pytest.raises(UserError, match="no such file"):
        Policy.load(tmp_path / "absent")
    with pytest.raises(UserError, match="is not an ordinary file"):
        Policy.load(tmp_path)


@settings(max_examples=150)
@given(data=st.data())
def test_damage_gives_our_own_error_or_a_sound_policy(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "policy.safetensors"
    make().save(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        header = 8 + int.from_bytes(content[:8], "little")
        position = data.draw(st.integers(0, header) | st.integers(0, len(content) - 1))
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        policy = Policy.load(path)
    except UserError:
        return
    assert np.isfinite(policy(np.zeros(policy.observation_size))).all()


def test_acting_needs_no_jax() -> None:
    program = "import sys, micro_rl.policy; sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])


def test_equal_policies_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_save_that_the_disk_refuses_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.safetensors"
    make().save(path)
    content, synced = path.read_bytes(), []

    def refuse(descriptor: int) -> None:
        synced.append(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError, match="cannot be written"):
        make(1).save(path)
    assert synced and path.read_bytes() == content and list(tmp_path.iterdir()) == [path]
