"""Which columns of a table are what: the names, patterns and formulas that were given, found in the file."""

from pathlib import Path
from typing import Literal, NamedTuple

from micro_rl.core.columns import known, listed, matching
from micro_rl.core.expression import Expression, parse
from micro_rl.data.description import Description
from micro_rl.errors import UserError

JOINT = " "
"""Between the parts of a time, and of its column's name."""
Kind = Literal["number", "flag", "label", "time"]
"""How a column is read."""


class Roles(NamedTuple):
    """Columns by what they mean; `reward` is a formula, at its simplest a column's name."""

    observations: tuple[str, ...]
    actions: tuple[str, ...]
    next_observations: tuple[str, ...]
    reward: Expression
    episode: str | None
    time: str | None
    terminal: str | None
    timeout: str | None
    group: str | None = None

    def kinds(self) -> dict[str, Kind]:
        """Lists every column that is needed, and how it is to be read; a number, where it is needed as one too."""
        special: dict[str | None, Kind] = {self.group: "label", self.episode: "label", self.time: "time"}
        special |= {self.terminal: "flag", self.timeout: "flag"}
        kinds: dict[str, Kind] = {name: kind for name, kind in special.items() if name is not None}
        for name in (*self.observations, *self.actions, *self.next_observations, *sorted(self.reward.names)):
            kinds[name] = "number"
        return kinds


def find(path: Path, names: tuple[str, ...], description: Description) -> Roles:
    """Finds the roles in a file with columns of those names; `UserError` says what is missing and what is there."""
    reading = description.reading
    toml = description.source or path.with_suffix(".toml")
    begun = "" if description.source else f" (`micro-rl data init {path}` writes a first one)"
    for part in ("observations", "actions"):
        if not getattr(reading, part):
            raise UserError(
                f"{path}: which columns are {part}? Say {part} = [...] in {toml}{begun}, or --{part} NAME NAME; "
                f"columns: {listed(names)}"
            )
    if reading.reward is None:
        raise UserError(
            f"{path}: which column is the reward? Say reward = '...', a column or a formula, in {toml}, "
            f"or --reward '...'; columns: {listed(names)}"
        )
    lists = {
        part: matching(str(path), part, getattr(reading, part), names)
        for part in ("observations", "actions", "next_observations")
    }
    after = lists["next_observations"]
    if after and len(after) != len(lists["observations"]):
        raise UserError(
            f"{path}: {len(after)} next_observations for {len(lists['observations'])} observations: name one for each"
        )
    single = {part: getattr(reading, part) for part in ("episode", "time", "terminal", "timeout")}
    single["group"] = description.group
    if isinstance(reading.time, tuple):
        single["time"] = JOINT.join(reading.time)
    if reading.timeouts is not None:
        single["timeout"] = reading.timeouts  # one word for arrays and tables
    for part, name in single.items():
        if name is not None:
            known(str(path), part, name, names)
    table = Roles(**lists, reward=_reward(path, reading.reward, names, description), **single)
    if doubled := [name for name in table.kinds() if names.count(name) > 1]:
        raise UserError(f"{path}: several columns are called {doubled[0]!r}: give each a name of its own")
    return table


def _reward(path: Path, text: str, names: tuple[str, ...], description: Description) -> Expression:
    if text in names:
        text = f"`{text}`" if "`" not in text else text
    return parse(text, names, f"{description.source or path}: reward")
