"""The arrays of a policy as C's tables of single precision, and what they take of a controller's memory."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from micro_rl.core.columns import title
from micro_rl.errors import UserError
from micro_rl.policy import Policy

BYTES = 4
"""Of a float, and of an int on the controllers that have so many weights' room."""
A_LINE = 8
"""Values in a line of a table."""


class Memory(NamedTuple):
    """Bytes of tables (flash), of a past (RAM for each system), and of arrays on the stack."""

    flash: int
    state: int
    stack: int


def buffers(policy: Policy) -> tuple[int, int]:
    """Values in the two buffers that the layers are computed in, by turns."""
    widths = [len(policy.observation_mean), *(len(bias) for _, bias in policy.layers)]
    return max(widths[::2]), max(widths[1::2])


def memory(policy: Policy) -> Memory:
    """What the policy's C takes; the compiler adds its code and a few words for each call."""
    tables = sum(array.size for array in tables_of(policy).values())
    window, before = len(policy.observation_mean), policy.history - 1
    past = before * (policy.observation_size + policy.action_size)
    stack = sum(buffers(policy)) + (window if before else 0)
    return Memory(BYTES * tables, BYTES * (past + 1) if before else 0, BYTES * stack)


def tables_of(policy: Policy) -> dict[str, Float[np.ndarray, "..."]]:
    """Every table by its name, float32.

    Raises:
        UserError: a mean, deviation or bound is no number of single precision.
    """
    mean, deviation = policy.observation_mean, policy.observation_std
    named = {"mean": (mean, "observation"), "standard deviation": (deviation, "observation")}
    named |= {"bound": (np.abs(policy.action_mid) + policy.action_half, "action")}
    named |= {"half range": (policy.action_half, "action")}
    for name, (values, part) in named.items():
        _check(policy, name, values, part)
    tables = dict(zip(("mean_high", "mean_low"), _parted(mean), strict=True))
    tables |= {"deviation": deviation.astype(np.float32)}
    tables |= dict(zip(("middle_high", "middle_low"), _parted(policy.action_mid), strict=True))
    tables |= {"half": policy.action_half.astype(np.float32)}
    for number, (weight, bias) in enumerate(policy.layers):
        tables |= {f"weight{number}": weight, f"bias{number}": bias}
    return tables


def text(name: str, table: Float[np.ndarray, "..."]) -> str:
    """A table's definition; every number is read back to the bit."""
    values = [number(value) for value in table.ravel()]
    lines = [f"    {', '.join(values[start : start + A_LINE])}" for start in range(0, len(values), A_LINE)]
    body = ",\n".join(lines)
    return f"static const float {name}[{table.size}] = {{\n{body}\n}};\n"


def number(value: np.float32) -> str:
    """A number of single precision as C writes it: the shortest digits that mean it."""
    return f"{value!s}f"


def _parted(values: Float64[np.ndarray, " column"]) -> tuple[np.ndarray, np.ndarray]:
    high = values.astype(np.float32)
    return high, (values - high.astype(np.float64)).astype(np.float32)


def _check(policy: Policy, name: str, values: Float64[np.ndarray, " column"], part: str) -> None:
    """Refuse what single precision cannot hold: too large, or a scale so small that it loses its digits."""
    limits = np.finfo(np.float32)
    small = values < limits.tiny if name in ("standard deviation", "half range") else np.zeros(values.shape, bool)
    wrong = small | (np.abs(values) > limits.max)
    if not wrong.any():
        return
    place = int(np.argmax(wrong))
    columns = policy.columns.observations if part == "observation" else policy.columns.actions
    where = title(part, place % len(columns), columns[place % len(columns)])
    raise UserError(
        f"export: {where} has the {name} {values[place]:.3g}, which C's float cannot hold: scale the column in the log"
    )
