"""Columns of a table that hold a vector in each row, and the layout in which LeRobot names its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.description import Description
from micro_rl.data.read_options import ReadOptions

Vectors = Mapping[str, tuple[str, ...]]
"""The names of a vector's parts by the name of its column: of 'action', 'action_0', 'action_1', ..."""
LISTS = ("observations", "actions", "next_observations", "exogenous")
OBSERVED = ("observation.state", "observation.environment_state")
ACTION, REWARD, EPISODE, DONE = "action", "next.reward", "episode_index", "next.done"


def parts(name: str, width: int) -> tuple[str, ...]:
    """Names the columns of a vector of that width."""
    return tuple(f"{name}_{place}" for place in range(width))


def described(description: Description, names: Sequence[str], vectors: Vectors) -> tuple[Description, list[Finding]]:
    """Puts the parts of vectors for their names, and what LeRobot's names mean where nothing else is said.

    Args:
        description: flags and TOML.
        names: all columns, vectors by their parts.
        vectors: the parts of those that are vectors.

    Returns:
        The description, and what was taken by name.
    """
    reading, problems = description.reading, []
    assigned = reading.observations or reading.actions
    known = {**{name: (name,) for name in names}, **vectors}
    observed = tuple(name for name in OBSERVED if name in known)
    if not assigned and observed and ACTION in known:
        reading, words = _lerobot(reading, observed, known)
        problems = [findings.warning("by-name", f"columns are taken by LeRobot's names: {words}")]
    spread = {
        field: tuple(part for entry in getattr(reading, field) for part in vectors.get(entry, (entry,)))
        for field in LISTS
    }
    return replace(description, reading=replace(reading, **spread)), problems


def _lerobot(reading: ReadOptions, observed: tuple[str, ...], known: Vectors) -> tuple[ReadOptions, str]:
    """The meaning of LeRobot's names, beside what was said."""
    roles: dict[str, str | tuple[str, ...]] = {"observations": observed, "actions": (ACTION,)}
    for field, name in (("reward", REWARD), ("episode", EPISODE), ("timeout", DONE)):
        if name in known and getattr(reading, field) is None and (field != "timeout" or reading.terminal is None):
            roles[field] = name
    words = ", ".join(
        f"{' and '.join(name) if isinstance(name, tuple) else name} as {field}" for field, name in roles.items()
    )
    return replace(reading, **roles), words
