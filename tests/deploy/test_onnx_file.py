"""The exported ONNX: equal to its policy alone, in batches and with any past, described, and the same bytes."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_rl.cli import main as cli
from micro_rl.core import windows
from micro_rl.core.columns import Column, Columns
from micro_rl.deploy import exporting, onnx_file
from micro_rl.deploy.equality import Decisions, compared
from micro_rl.deploy.onnx_file import onnx_model
from micro_rl.deploy.onnx_running import OnnxPast, run_onnx, session
from micro_rl.deploy.source import Source
from micro_rl.deploy.trial import draw, true_windows
from micro_rl.policy import Policy
from tests.deploy.policies import BY_HAND, random_policy


def content_of(policy: Policy) -> bytes:
    return onnx_model(Source(policy)).SerializeToString(deterministic=True)


def run(policy: Policy, **arrays: Any) -> dict[str, np.ndarray]:
    model = session(content_of(policy))
    given = {name: np.asarray(array, bool if name == "begin" else np.float32) for name, array in arrays.items()}
    return dict(zip([output.name for output in model.get_outputs()], model.run(None, given), strict=True))


def test_a_tiny_network_by_hand():
    outputs = run(BY_HAND, observation=[[2, 5], [-3, 30], [3e38, 10]])  # hidden (1, 1.5), (0, 0) and (1e20 twice, 0.5)
    assert outputs["mean"][:2].tolist() == [[2.0], [0.25]] and outputs["mean"][2] == np.float32(2e20)
    assert outputs["log_std"].tolist() == [[2.0], [-1.0], [2.0]]
    assert outputs["action"][:, 0] == pytest.approx([30 + 20 * np.tanh(2.0), 30 + 20 * np.tanh(0.25), 50.0], rel=1e-6)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    observations=st.integers(1, 5),
    actions=st.integers(1, 3),
    hidden=st.lists(st.integers(1, 12), max_size=3),
    history=st.sampled_from([1, 1, 2, 3, 6]),
    gain=st.sampled_from([0.1, 1.0, 10.0]),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_any_network_is_the_policy(
    seed: int, observations: int, actions: int, hidden: list[int], history: int, gain: float, offset: float
):
    policy = random_policy(seed, observations, actions, hidden, history, gain=gain, offset=offset)
    trial = draw(policy, 60, single=True)
    compared(policy, trial, run_onnx(content_of(policy), Source(policy), trial), "ONNX file")


def test_a_batch_is_its_rows():
    policy = random_policy(3, 5, 3, (16, 9), offset=100.0)
    trial = draw(policy, single=True)
    outputs = run(policy, observation=trial.observations)
    assert compared(policy, trial, Decisions(**outputs), "ONNX file").largest <= 1e-5
    alone = run_onnx(content_of(policy), Source(policy), trial)
    assert np.abs(alone.action - outputs["action"]).max() <= 1e-5 * 2 * policy.action_half.max()


@pytest.mark.parametrize("history", [2, 5])
def test_windows_come_out_of_systems_side_by_side(history: int):
    """Two systems, of which the second begins its episode three steps later: every window by its definition."""
    policy, rng = random_policy(4, history=history), np.random.default_rng(0)
    observations, applied = rng.normal(size=(2, 9, 2, 3)).astype(np.float32)
    applied = applied[..., :2]
    resting = policy.action_mid.astype(np.float32)
    own = [windows.of_episode(observations[:, 0], applied[:, 0], resting, history)]
    own += [windows.of_episode(observations[3:, 1], applied[3:, 1], resting, history)]
    window, model = np.full((2, own[0].shape[1]), np.nan), session(content_of(policy))
    for step in range(9):
        begin = np.array([[step == 0], [step in (0, 3)]])
        before = np.zeros((2, 2), np.float32) if step == 0 else applied[step - 1]
        given = {"observation": observations[step], "window": window.astype(np.float32), "applied": before}
        action, mean, log_std, window = model.run(None, given | {"begin": begin})
        assert np.array_equal(window[0], own[0][step])
        assert step < 3 or np.array_equal(window[1], own[1][step - 3])
        assert np.isfinite(action).all() and np.isfinite(mean).all() and np.isfinite(log_std).all()


def test_a_history_is_tried_with_other_actions_and_a_past_handed_over():
    policy = random_policy(5, history=4, hidden=(7, 5), offset=100.0)
    trial = draw(policy, single=True)
    difference = compared(policy, trial, run_onnx(content_of(policy), Source(policy), trial), "ONNX file")
    assert difference.rows == 1000 and difference.largest <= 1e-5 and len(true_windows(policy, trial)) == 1000


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_decides_and_remembers_nothing(value: float):
    outputs = run(BY_HAND, observation=[[2, 5], [2, value]])
    assert all(np.isfinite(array[0]).all() and np.isnan(array[1]).all() for array in outputs.values())
    policy = random_policy(6, history=2)
    rows = {"observation": np.ones((3, 3)), "window": np.full((3, 8), 2.0), "applied": np.zeros((3, 2))}
    rows["observation"][1, 2] = rows["applied"][2, 1] = value
    outputs = run(policy, **rows, begin=np.zeros((3, 1)))
    assert np.isfinite(outputs["action"][0]).all() and np.isnan(outputs["action"][1:]).all()
    assert outputs["next_window"][0].tolist() == [1, 1, 1, 2, 2, 2, 0, 0]
    assert (outputs["next_window"][1:] == 2).all()
    outputs = run(policy, **rows, begin=np.ones((3, 1)))  # what was applied before an episode is not looked at
    assert np.isfinite(outputs["action"][[0, 2]]).all() and np.isnan(outputs["action"][1]).all()


def test_what_the_file_says_of_itself():
    columns = Columns((Column("T_air [°C]", "°C", 3.0, 40.0), Column("level", "m")), (Column("valve", "%"),))
    policy = random_policy(7, 2, 1, history=2, columns=columns)
    source = Source(policy, (("log's SHA-256", "ab" * 32),))
    model = onnx_model(source)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    said = {prop.key: prop.value for prop in model.metadata_props}
    assert said["log's SHA-256"] == "ab" * 32 and said["history"] == "2" and "export format" in said["written by"]
    assert json.loads(said["observations"])[0] == {"name": "T_air [°C]", "unit": "°C", "range in the log": [3.0, 40.0]}
    assert json.loads(said["actions"])[0]["bounds"] == [policy.action_low[0], policy.action_high[0]]
    shapes = {each.name: each.type.tensor_type.shape.dim for each in model.graph.input}
    assert all(shape[0].dim_param == "batch" for shape in shapes.values())
    widths = {name: shape[1].dim_value for name, shape in shapes.items()}
    assert widths == {"observation": 2, "window": 5, "applied": 1, "begin": 1}
    assert model.graph.input[0].doc_string == "T_air [°C], level [m]"
    again = onnx_model(source)
    assert model.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)


def test_a_policys_file_becomes_onnx(tmp_path: Path, capsys):
    random_policy(8, history=3).save(tmp_path / "policy-epoch-9.safetensors")
    command = ["export", str(tmp_path / "policy-epoch-9.safetensors"), "--to", "onnx"]
    assert cli.run(command) == 0
    lines, path = capsys.readouterr().out.splitlines(), tmp_path / "policy_epoch_9.onnx"
    assert lines[0] == f"policy  {path}" and lines[1].startswith("tried   by onnxruntime ")
    assert "on 1,000 observations: actions differ by at most" in lines[1] and "(1e-05 allowed)" in lines[1]
    content = path.read_bytes()
    assert cli.run(command) == 0 and path.read_bytes() == content
    path.write_bytes(b"another's")
    assert cli.run(command) == 2
    assert "is there and no export wrote it" in capsys.readouterr().err and path.read_bytes() == b"another's"


def test_packages_that_are_missing(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    random_policy(9).save(tmp_path / "policy.safetensors")
    command = ["export", str(tmp_path / "policy.safetensors"), "--to", "onnx"]
    monkeypatch.setattr(exporting, "runtime", lambda: None)
    assert cli.run(command) == 0
    words = "tried   not run: onnxruntime is not installed, so nobody has compared it with the policy"
    assert words in capsys.readouterr().out
    (tmp_path / "policy.onnx").unlink()
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert cli.run(command) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "needs onnx, which is not installed: pip install 'micro-rl[onnx]'" in error
    assert not (tmp_path / "policy.onnx").exists()


def test_an_export_that_differs_or_does_not_run_leaves_no_file(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    random_policy(10).save(tmp_path / "policy.safetensors")
    command = ["export", str(tmp_path / "policy.safetensors"), "--to", "onnx"]
    monkeypatch.setattr(onnx_file, "LOG_STD_MAX", -19.0)
    assert cli.run(command) == 2
    assert "the ONNX file does not decide as the policy does: log_std differs" in capsys.readouterr().err
    monkeypatch.setattr(exporting, "run_onnx", lambda content, *rest: run_onnx(content[:-9], *rest))
    assert cli.run(command) == 2
    error = capsys.readouterr().err
    assert "onnxruntime cannot run the exported file" in error and error.count("\n") == 1
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.parametrize("first", [True, False])
def test_a_row_that_is_not_finite_leaves_the_callers_past_as_it_was(first: bool):
    policy, rng = random_policy(4, history=3), np.random.default_rng(0)
    seen, with_hole = (OnnxPast(session(content_of(policy))) for _ in range(2))
    steps = rng.normal(size=(4, 3))
    for step, observation in enumerate(steps):
        if step == (0 if first else 2):
            assert np.isnan(with_hole.step(np.full(3, np.nan)).action).all()
        assert np.array_equal(seen.step(observation).action, with_hole.step(observation).action)
