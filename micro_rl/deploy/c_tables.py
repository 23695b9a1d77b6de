"""A policy's arrays as tables in C, and what they take of a controller's memory."""

from typing import NamedTuple

import numpy as np

from micro_rl.control.guard import PARTS
from micro_rl.core.shapes import Float
from micro_rl.deploy.single import tables_of, tables_of_guard
from micro_rl.deploy.source import Source
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


def all_tables(source: Source) -> dict[str, Float[np.ndarray, "..."]]:
    """Every table by its name: the policy's, then the guard's where there is one."""
    return tables_of(source.policy) | ({} if source.guard is None else tables_of_guard(source.guard))


def memory(source: Source) -> Memory:
    """What the C takes; the compiler adds its code and a few words for each call."""
    policy, before = source.policy, source.before
    tables = sum(array.size for array in all_tables(source).values())
    guarded, sizes = source.guard is not None, policy.observation_size + policy.action_size
    past = before * sizes + (3 * policy.observation_size if guarded else 0)
    stack = sum(buffers(policy)) + (len(policy.observation_mean) if before else 0)
    stack += 5 * policy.observation_size + sizes + len(PARTS) if guarded else 0
    return Memory(BYTES * tables, BYTES * (past + 1) if before else 0, BYTES * stack)


def text(name: str, table: Float[np.ndarray, "..."]) -> str:
    """A table's definition; every number is read back to the bit."""
    values = [number(value) for value in table.ravel()]
    lines = [f"    {', '.join(values[start : start + A_LINE])}" for start in range(0, len(values), A_LINE)]
    body = ",\n".join(lines)
    return f"static const float {name}[{table.size}] = {{\n{body}\n}};\n"


def number(value: np.float32) -> str:
    """A number of single precision as C writes it: the shortest digits that mean it."""
    return f"{value!s}f"
