"""The policy as ONNX: opset 17, float32, rows in any number, written node by node from its weights.

A function of its inputs that remembers nothing. With a history the caller holds the past: the window that the last step
gave goes in again with the action that was really applied after it, and the next window comes out. So does a guard's
memory.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from micro_rl.control.guard import Guard
from micro_rl.core.constants import LOG_STD_MAX, LOG_STD_MIN
from micro_rl.core.numpy_network import FURTHEST
from micro_rl.deploy.onnx_graph import Graph, library
from micro_rl.deploy.onnx_guard import GuardGraph
from micro_rl.deploy.single import tables_of
from micro_rl.deploy.source import Source
from micro_rl.errors import UserError
from micro_rl.policy import Policy

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET, INTERMEDIATE_REPRESENTATION = 17, 8
"""Versions of the operators and of the file, of 2022: what is in use reads them."""
HEAD = """Written by micro-rl export: a policy, raw observations in, raw actions out.
A row with a value that is not finite is decided as NaN."""
BEGIN = "true where an episode begins; window, applied and memory are then not looked at"
WINDOW = "the next_window of the last step: newest first, observations, then the actions applied between them"
NEXT = "the window of the next step; of a row that is not finite, what window was"
SCORE = "how unlike the log the step is; more than the guard's threshold is an alarm"
MEMORY = "the guard's: the next_memory of the last step"
APPLIED = "the action that was really applied at the last step"


def checked_name(path: Path) -> None:
    """`UserError` where the file is not called .onnx."""
    if path.suffix != ".onnx":
        raise UserError(f"--out {path}: an ONNX file's name ends in .onnx")


def onnx_model(source: Source) -> "ModelProto":
    """The policy as a checked model; the same for the same policy.

    Inputs are `observation` [batch, observations] and, with a history or a guard, `window` [batch, window], `applied`
    [batch, actions] and `begin` [batch, 1], with a guard also `memory` [batch, 3 * observations]. Outputs are `action`,
    `mean` and `log_std` [batch, actions] and, in these cases, `next_window`, and `score` [batch, 1] and `next_memory`.

    Args:
        source: the policy and where it comes from.

    Raises:
        UserError: a number of the policy's is none of single precision, or the package onnx is not installed.
    """
    onnx, policy, graph = library(), source.policy, Graph()
    window = _window(graph, policy) if policy.history > 1 else "observation"
    finite = _finite(graph, window if source.guard is None else _all_that_counts(graph, window))
    _network(graph, policy, window, finite)
    if source.before:
        graph.add("Where", finite, window, "window", called="next_window")
    if source.guard is not None:
        _score(graph, source.guard, policy.history, finite)
    inputs, outputs = _interface(source)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "policy", inputs, outputs, graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=INTERMEDIATE_REPRESENTATION,
        producer_name="micro-rl",
        doc_string=HEAD,
    )
    for name, value in source.as_dict().items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        model.metadata_props.add(key=name, value=text)
    model.metadata_props.add(key="history", value=str(policy.history))
    onnx.checker.check_model(model, full_check=True)
    return model


def _window(graph: Graph, policy: Policy) -> str:
    """What the policy looks at: `core.windows.first` where an episode begins, else `core.windows.following`."""
    observations, actions, before = policy.observation_size, policy.action_size, policy.history - 1
    past = (before + 1) * observations
    repeated = graph.add("Concat", *["observation"] * before, axis=1)
    observed = graph.add("Where", "begin", repeated, graph.columns("window", 0, past - observations))
    done = "applied"
    if before > 1:
        earlier = graph.columns("window", past, past + (before - 1) * actions)
        done = graph.add("Concat", "applied", earlier, axis=1)
    resting = graph.constant("resting", [np.tile(policy.action_mid, before)])
    return graph.add("Concat", "observation", observed, graph.add("Where", "begin", resting, done), axis=1)


def _all_that_counts(graph: Graph, seen: str) -> str:
    """What policy and guard look at; where an episode begins, that is no past."""
    past = graph.add("Concat", "window", "applied", "memory", axis=1)
    return graph.add("Concat", seen, graph.add("Where", "begin", graph.constant("zero", 0.0), past), axis=1)


def _score(graph: Graph, guard: Guard, history: int, finite: str) -> None:
    """The guard's score, NaN where `finite` is false, and its memory, which then stays."""
    previous = graph.columns("window", 0, guard.observation_size) if history > 1 else "window"
    score, following = GuardGraph(graph, guard, previous, "applied", "begin").add("observation", "memory")
    graph.add("Where", finite, score, graph.constant("nothing", np.nan), called="score")
    graph.add("Where", finite, following, "memory", called="next_memory")


def _finite(graph: Graph, seen: str) -> str:
    """Whether all of a row is finite [batch, 1]: no magnitude is above the largest number, and none is NaN."""
    largest = graph.constant("largest", np.finfo(np.float32).max)
    each = graph.cast(graph.add("LessOrEqual", graph.add("Abs", seen), largest), "FLOAT")
    return graph.cast(graph.add("ReduceMin", each, axes=[1], keepdims=1), "BOOL")


def _network(graph: Graph, policy: Policy, seen: str, finite: str) -> None:
    """From the window to the action, its mean and its log standard deviation; NaN where `finite` is false."""
    arrays = {name: graph.constant(name, table) for name, table in tables_of(policy).items()}
    centred = graph.add("Sub", graph.add("Sub", seen, arrays["mean_high"]), arrays["mean_low"])
    hidden = graph.clipped(graph.add("Div", centred, arrays["deviation"]), -FURTHEST, FURTHEST)
    for number in range(len(policy.layers)):
        hidden = graph.add("Relu", hidden) if number else hidden
        hidden = graph.add("Gemm", hidden, arrays[f"weight{number}"], arrays[f"bias{number}"])
    actions, nothing = policy.action_size, graph.constant("nothing", np.nan)
    mean = graph.columns(hidden, 0, actions)
    log_std = graph.clipped(graph.columns(hidden, actions, 2 * actions), LOG_STD_MIN, LOG_STD_MAX)
    moved = graph.add("Add", graph.add("Mul", graph.add("Tanh", mean), arrays["half"]), arrays["middle_low"])
    action = graph.within(graph.add("Add", moved, arrays["middle_high"]), arrays["lowest"], arrays["highest"])
    for name, value in (("action", action), ("mean", mean), ("log_std", log_std)):
        graph.add("Where", finite, value, nothing, called=name)


def _interface(source: Source) -> tuple[list[Any], list[Any]]:
    """The model's inputs and outputs, with what is to be said of each."""
    policy, guard = source.policy, source.guard
    window, actions = len(policy.observation_mean), policy.action_size
    named = [", ".join(map(str, columns)) for columns in (policy.columns.observations, policy.columns.actions)]
    inputs = [_array("observation", policy.observation_size, named[0])]
    outputs = [
        _array("action", actions, f"the mode, raw units, within the bounds: {named[1]}"),
        _array("mean", actions, "of the Gaussian before tanh, in units of the half range"),
        _array("log_std", actions, "the logarithm of its standard deviation, clipped"),
    ]
    if source.before:
        inputs += [_array("window", window, WINDOW), _array("applied", actions, APPLIED)]
        inputs += [_array("begin", 1, BEGIN, "BOOL")]
        outputs += [_array("next_window", window, NEXT)]
    if guard is not None:
        inputs.append(_array("memory", 3 * policy.observation_size, MEMORY))
        outputs += [_array("score", 1, SCORE), _array("next_memory", 3 * policy.observation_size, "of the next step")]
    return inputs, outputs


def _array(name: str, columns: int, words: str, kind: str = "FLOAT") -> Any:
    onnx = library()
    type_ = getattr(onnx.TensorProto, kind)
    return onnx.helper.make_tensor_value_info(name, type_, ["batch", columns], doc_string=words)
