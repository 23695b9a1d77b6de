"""A policy and its guard out of an exported ONNX file: onnxruntime decides, the guard is that of the file's tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.control.export_facts import ALTERED, Facts, guard_of
from micro_rl.control.guard import Guard
from micro_rl.control.guard_file import ARRAYS
from micro_rl.errors import UserError, require_extra
from micro_rl.policy import Policy
from micro_rl.storage.files import reading, regular_size

PURPOSE = "a controller of an ONNX file"
FURTHEST = 3e38
"""A little below the largest float32."""
TRIED, TOLERANCE = 8, 1e-4
"""Windows on which the file is compared with its own tables, and by what share of an action's range it may differ."""


class OnnxPolicy(Policy):
    """A policy whose decisions on windows are onnxruntime's; the rest is as the file's tables say."""

    session: Any = None
    digest: str = ""

    @property
    def sha256(self) -> str:
        """The digest of the policy that was exported, as the file tells it; empty where it does not."""
        return self.digest

    def of_window(self, window: Any) -> np.ndarray:
        """Give the action as `Policy.of_window`, from the file itself."""
        raw = np.atleast_2d(np.asarray(window, np.float64))
        names = [own.name for own in self.session.get_inputs()]
        inputs = {name: array for name, array in self._inputs(raw).items() if name in names}
        action = self.session.run(["action"], inputs)[0]
        return action[0] if np.ndim(window) == 1 else action

    def _inputs(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """What the file is to be given so that it makes these windows [row, window]."""
        rows, obs, act, history = len(raw), self.observation_size, self.action_size, self.history
        observed, done = raw[:, : history * obs], raw[:, history * obs :]
        gap = np.zeros((rows, obs)), np.zeros((rows, act))
        before = np.concatenate([observed[:, obs:], gap[0], done[:, act:], gap[1]][: 4 if history > 1 else 2], axis=1)
        applied = done[:, :act] if history > 1 else gap[1]
        floats = {"observation": observed[:, :obs], "window": before, "applied": applied}
        floats |= {"memory": np.zeros((rows, 3 * obs))}
        inputs = {name: np.clip(array, -FURTHEST, FURTHEST).astype(np.float32) for name, array in floats.items()}
        return inputs | {"begin": np.full((rows, 1), history == 1)}


def read(path: Path) -> tuple[Policy, Guard | None]:
    """Read what `micro-rl export --to onnx` wrote.

    Raises:
        UserError: naming the file, where it is missing, another one or altered; onnx or onnxruntime is not installed.
    """
    onnx, runtime = (require_extra(name, "onnx", PURPOSE) for name in ("onnx", "onnxruntime"))
    with reading(path):
        regular_size(path)
        content = path.read_bytes()
    try:
        model = onnx.load_model_from_string(content)
        tables = {own.name: onnx.numpy_helper.to_array(own).astype(np.float64) for own in model.graph.initializer}
        metadata = {own.key: own.value for own in model.metadata_props}
    except Exception as error:  # protobuf and onnx have exceptions of many kinds
        raise UserError(f"{path}: is no ONNX file; give what micro-rl export --to onnx wrote") from error
    if "written by" not in metadata:
        raise UserError(f"{path}: no export wrote it; give what micro-rl export --to onnx did")
    try:
        facts = Facts.of(metadata | {part: json.loads(metadata[part]) for part in ("observations", "actions")})
        policy = _policy(tables, facts, int(metadata["history"]))
        policy.session, policy.digest = _session(runtime, content), facts.policy
        _compare(policy)
        return policy, guard_of(_guard(tables), facts, policy.columns) if facts.threshold else None
    except Exception as error:  # those of onnxruntime, too
        raise UserError(ALTERED.format(path=path, error=" ".join(str(error).split())[:200])) from error


def _policy(tables: Mapping[str, np.ndarray], facts: Facts, history: int) -> OnnxPolicy:
    count = sum(name.startswith("weight") for name in tables)
    low, high = facts.bounds.T
    return OnnxPolicy(
        [(tables[f"weight{number}"], tables[f"bias{number}"]) for number in range(count)],
        observation_mean=tables["mean_high"] + tables["mean_low"],
        observation_std=tables["deviation"],
        action_mid=low / 2 + high / 2,
        action_half=high / 2 - low / 2,
        environment=facts.environment,
        history=history,
        columns=facts.columns,
        mapping=facts.mapping,
    )


def _guard(tables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The guard's arrays; those in two parts are added up."""
    own = {name.removeprefix("guard_"): table for name, table in tables.items() if name.startswith("guard_")}
    parted = {name: own[f"{name}_high"] + own[f"{name}_low"] for name in ARRAYS if f"{name}_high" in own}
    weights = np.concatenate([own["weights_first"], own["weights_rest"]])
    arrays = {name: own[name] for name in ARRAYS if name in own} | parted | {"weights": weights}
    matrices = ("references", "weights", "whitening")
    return {name: array if name in matrices else array.ravel() for name, array in arrays.items()}


def _session(runtime: Any, content: bytes) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _compare(policy: OnnxPolicy) -> None:
    """`ValueError` where the file does not decide as its tables do."""
    spread = np.random.default_rng(0).uniform(-1, 1, (TRIED, len(policy.observation_mean)))
    inputs = (policy.observation_mean + policy.observation_std * spread).astype(np.float32).astype(np.float64)
    off = np.abs(policy.of_window(inputs).astype(np.float64) - Policy.of_window(policy, inputs))
    if not (off / (2 * policy.action_half)).max() <= TOLERANCE:
        raise ValueError("it does not decide as its own tables do")
