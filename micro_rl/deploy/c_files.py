"""The policy as C99: one .c file with the tables, and its header.

Two files and no header that holds everything: the tables are then in one object file however many include the header,
and a build for a controller takes the file as it takes its others.
"""

from typing import NamedTuple
from zlib import crc32

from micro_rl.core.columns import Column
from micro_rl.core.constants import LOG_STD_MAX, LOG_STD_MIN
from micro_rl.core.numpy_network import FURTHEST
from micro_rl.deploy import c_tables
from micro_rl.deploy.c_guard import Shared, of_header, past_code
from micro_rl.deploy.c_names import in_comment, of_columns
from micro_rl.deploy.source import Source, names
from micro_rl.deploy.template import filled
from micro_rl.policy import Policy


class CText(NamedTuple):
    """The two files."""

    code: str
    header: str


def c_text(source: Source, prefix: str, stem: str) -> CText:
    """The files' texts; the same for the same policy.

    Args:
        source: the policy and where it comes from.
        prefix: what every name begins with.
        stem: the files' name without .c and .h.

    Raises:
        UserError: a number of the policy's is none of single precision.
    """
    history = source.policy.history > 1
    shared = {"p": prefix, "guard": prefix.upper(), "before": source.before}
    shared |= {"seen": "window" if history else "observation"}
    code, header = _code(source, shared, f"{stem}.h"), _header(source, shared)
    shared |= {"digest": f"0x{crc32(repr((code, header)).encode()):08x}u"}
    return CText(filled("policy.c", **shared, **code), filled("policy.h", **shared, **header))


def _code(source: Source, shared: Shared, header: str) -> dict[str, str | int | float]:
    policy = source.policy
    even, odd = c_tables.buffers(policy)
    tables = c_tables.all_tables(source)
    return {
        "header": header,
        "furthest": FURTHEST,
        "log_std_min": LOG_STD_MIN,
        "log_std_max": LOG_STD_MAX,
        "tables": "".join(c_tables.text(name, table) for name, table in tables.items()),
        "even": even,
        "odd": odd,
        "layers": "\n".join(_layer(policy, number) for number in range(len(policy.layers))),
        "last": _buffer(len(policy.layers)),
        "past": past_code(source, shared),
    }


def _buffer(layer: int) -> str:
    """Where a layer's input stands."""
    return "odd" if layer % 2 else "even"


def _layer(policy: Policy, number: int) -> str:
    inputs, outputs = policy.layers[number][0].shape
    relu = int(number + 1 < len(policy.layers))
    places = f"weight{number}, bias{number}, {_buffer(number)}, {inputs}, {_buffer(number + 1)}, {outputs}, {relu}"
    return f"    layer({places});"


def _header(source: Source, shared: Shared) -> Shared:
    policy, guard = source.policy, str(shared["guard"])
    memory = c_tables.memory(source)
    of_actions = [f"{low!r} to {high!r}" for low, high in source.bounds()]
    article = "an observation" if policy.history == 1 else "a window"
    return {
        "facts": "\n".join(f" * {in_comment(f'{name}: {words}')}" for name, words in source.facts().items()),
        **memory._asdict(),
        "observations": policy.observation_size,
        "actions": policy.action_size,
        "history": policy.history,
        "window": len(policy.observation_mean),
        "inputs": _enum(f"{guard}_IN", policy.columns.observations, [""] * policy.observation_size),
        "outputs": _enum(f"{guard}_OUT", policy.columns.actions, of_actions),
        "article": f"{article} [{guard}_WINDOW]",
        **of_header(source, shared),
    }


def _enum(prefix: str, columns: tuple[Column, ...], bounds: list[str]) -> str:
    """Each column's place by its name, with its unit, range in the log and bounds."""
    lines = []
    for place, name in enumerate(of_columns(prefix, names(columns))):
        column, bound = columns[place], bounds[place]
        words = [str(column)]
        words += [] if column.low is None else [f"{column.low!r} to {column.high!r} in the log"]
        words += [f"bounds {bound}"] if bound else []
        comma = "," if place + 1 < len(columns) else ""
        lines.append(f"    {name} = {place}{comma} /* {in_comment('; '.join(words))} */")
    return "\n".join(lines)
