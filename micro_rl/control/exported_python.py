"""A policy and its guard out of an exported file of Python, whose numbers are read as data: nothing in it is run."""

from __future__ import annotations

import ast
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.control.export_facts import ALTERED, Facts, guard_of
from micro_rl.control.guard import Guard
from micro_rl.control.guard_file import ARRAYS
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.storage.files import reading, regular_size

MARK = "Written by micro-rl export"
SIZES = ("OBSERVATIONS", "ACTIONS", "HISTORY", "WINDOW")
TOLERANCE = 1e-5
"""Of an action's range: how far the policy may decide off what the file keeps of its own decisions."""


def read(path: Path) -> tuple[Policy, Guard | None]:
    """Read what `micro-rl export --to python` wrote.

    Raises:
        UserError: naming the file, where it is missing, another one, of a later format, or altered.
    """
    with reading(path):
        regular_size(path)
        text = path.read_text(encoding="utf-8", errors="replace")
    if MARK not in text[:300]:
        raise UserError(f"{path}: no export wrote it; give what micro-rl export --to python did")
    try:
        values = _values(text)
        facts = Facts.of(values["INFO"])
        policy = _policy(values, facts)
        _compare(policy, values)
        return policy, _guard(values, facts, policy)
    except (ValueError, KeyError, TypeError, SyntaxError, RecursionError, AttributeError) as error:
        raise UserError(ALTERED.format(path=path, error=" ".join(str(error).split())[:200])) from error


def _policy(values: Mapping[str, Any], facts: Facts) -> Policy:
    return Policy(
        [(weight, bias) for weight, bias in values["LAYERS"]],
        observation_mean=values["MEAN"],
        observation_std=values["STD"],
        action_mid=values["ACTION_MID"],
        action_half=values["ACTION_HALF"],
        environment=facts.environment,
        history=values["HISTORY"],
        columns=facts.columns,
        mapping=facts.mapping,
    )


def _guard(values: Mapping[str, Any], facts: Facts, policy: Policy) -> Guard | None:
    if "THRESHOLD" not in values:
        return None
    arrays = {name: np.array(values[f"GUARD_{name.upper()}"], np.float64) for name in ARRAYS}
    return guard_of(arrays, facts, policy.columns)


def _compare(policy: Policy, values: Mapping[str, Any]) -> None:
    """`ValueError` where the policy does not decide as the file says that it did."""
    inputs = _array(values["CHECK_INPUTS"], "<f8", -1, len(policy.observation_mean))
    expected = _array(values["CHECK_ACTIONS"], "<f4", -1, policy.action_size)
    off = np.abs(policy.of_window(inputs).astype(np.float64) - expected) / (2 * policy.action_half)
    if not off.max() <= TOLERANCE:
        raise ValueError("its numbers do not decide as it says that they did")


def _values(text: str) -> dict[str, Any]:
    """The module's constants by name, as far as they are literals or arrays."""
    values: dict[str, Any] = {}
    for statement in ast.parse(text).body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        node = getattr(statement, "value", None)
        if isinstance(target, ast.Name) and node is not None and target.id.isupper() and target.id != "GUARD_SQUARES":
            values |= _one(target.id, node)
        elif isinstance(target, ast.Tuple) and node is not None:
            names = [name.id for name in target.elts if isinstance(name, ast.Name)]
            values |= dict(zip(names, ast.literal_eval(node), strict=True))
    return values


def _one(name: str, node: ast.expr) -> dict[str, Any]:
    """A constant; nothing where it is computed, as the columns' names are."""
    return {} if isinstance(node, ast.ListComp) else {name: _value(node)}


def _value(node: ast.expr) -> Any:
    """A literal, an array, or a list of pairs of arrays."""
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(part) for part in node.elts]
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node)
    arguments = [ast.literal_eval(argument) for argument in node.args]
    if isinstance(node.func, ast.Name) and node.func.id == "_array":
        return _array(*arguments)
    return np.array(*arguments)


def _array(text: str, kind: str, *shape: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind).reshape(shape)
