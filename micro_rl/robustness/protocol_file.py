"""A protocol of one's own: a TOML file of groups, each with its axes and changes.

    episodes = 10

    [[group]]
    name = "weak motors and heavy torso"
    axes = { gain = [0.6, 0.8, 1.0], mass = [1.0, 1.5] }
    changes = [
        { parameter = "gain", scale = "gain" },
        { parameter = "mass", scale = "mass", of = ["torso"] },
    ]

    [[group]]
    name = "late sensors"
    axes = { steps = [1, 2, 4] }
    changes = [{ observation = "delay", amount = "steps" }]

    [[group]]
    name = "gradient attack"
    axes = { epsilon = [0.05, 0.1] }
    attack = { aim = "min Q", form = "gradient" }

A number in a change may be an axis' name, whose values then take its place.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

from micro_rl.errors import UserError
from micro_rl.robustness.cells import Attack, Axis, Cell, Change, Group, Protocol, grid, nominal
from micro_rl.robustness.parameters import Physics
from micro_rl.robustness.protocols import protocol
from micro_rl.robustness.signals import Interface
from micro_rl.robustness.substeps import ActuatorDelay
from micro_rl.storage.files import reading, regular_size

LARGEST_FILE = 1 << 20
MOST_CELLS = 100_000
MOST_VALUES = 1000
"""Of an axis, and groups of a protocol: as many as reports read."""
LARGEST_NUMBER = 1e12
WAYS = ("scale", "set", "add")
NUMBERS = (*WAYS, "amount", "actuator-delay", "epsilon")
"""Keys of a change or an attack that may name an axis."""
OF_AIM: dict[str, tuple[str, ...]] = {
    "random": (),
    "action difference": ("form",),
    "min Q": ("form",),
    "learned": ("steps",),
}
"""Further keys of an attack, by its aim."""
Number = Callable[[dict[str, float]], float]
"""A number of a change, once the axes have their values."""


def protocol_of(name: str, env_id: str) -> Protocol:
    """The protocol that a name or a file means.

    Args:
        name: One of `protocols.PROTOCOLS`, or the path of a TOML file.
        env_id: The simulator's id, on which a named protocol may depend.

    Returns:
        The protocol, the nominal world first.

    Raises:
        UserError: There is no such protocol, none for this simulator, or the file is wrong.
    """
    return read(Path(name)) if name.endswith(".toml") else protocol(name, env_id)


def read(path: Path) -> Protocol:
    """The file's protocol, the nominal world put before it; raises `UserError` naming the file and the group."""
    if regular_size(path) > LARGEST_FILE:
        raise UserError(f"{path}: is larger than {LARGEST_FILE} bytes, so it is no protocol; check the path")
    with reading(path):
        content = path.read_bytes()
    try:
        content_table = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid TOML ({error}); mend it there") from error
    try:
        return _protocol(path.stem, content_table)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _protocol(name: str, table: dict[str, Any]) -> Protocol:
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        raise UserError("name the file with letters, digits, - and _: the results' folder is called after it")
    _only(table, ("group", "episodes", "source"), "the file")
    groups, episodes = table.get("group", []), table.get("episodes", 10)
    if not isinstance(groups, list) or not 0 < len(groups) < MOST_VALUES:
        raise UserError(f"has no [[group]]: write at least one, and fewer than {MOST_VALUES}")
    if type(episodes) is not int or episodes < 1:
        raise UserError(f"episodes = {episodes!r}: give a whole number, 1 or more")
    protocol_groups = [nominal(), *(_group(group, number) for number, group in enumerate(groups, start=1))]
    for group in protocol_groups:
        if [other.name for other in protocol_groups].count(group.name) > 1:
            raise UserError(f"two groups are called {group.name!r}; rename one (nominal is there always)")
    protocol = Protocol(name, str(table.get("source", "the user's own"))[:1000], tuple(protocol_groups), episodes)
    if len(protocol.cells) > MOST_CELLS:
        raise UserError(f"has more than {MOST_CELLS} cells; take fewer values")
    alike = [cell for cell, count in Counter(cell.name for cell in protocol.cells).items() if count > 1]
    if alike:
        raise UserError(f"two cells are called {alike[0]!r}, which shows six digits; take values further apart")
    return protocol


def _group(table: Any, number: int) -> Group:
    where = f"group {number}"
    if not isinstance(table, dict):
        raise UserError(f"{where}: is no table; write [[group]]")
    _only(table, ("name", "axes", "changes", "attack", "inert"), where)
    name = table.get("name")
    if not _is_label(name):
        raise UserError(f"{where}: needs a name, of at most 100 printable characters")
    where = f"group {name!r}"
    axes = _axes(table.get("axes", {}), where)
    inert = table.get("inert", "")
    if inert and not _is_label(inert):
        raise UserError(f"{where}: inert must say in a few words why a change may do nothing")
    if ("attack" in table) == ("changes" in table):
        raise UserError(f"{where}: needs either changes or an attack")
    if "attack" in table:
        _only(table, ("name", "axes", "attack"), f"{where}: an attack")
        _refuse_unused(axes, [table["attack"]], where)
        return _attacked(name, axes, table["attack"], where)
    _refuse_unused(axes, table["changes"], where)
    if sum("actuator-delay" in change for change in _list(table["changes"], where) if isinstance(change, dict)) > 1:
        raise UserError(f"{where}: actuator-delay stands there twice: add both up to one")
    makers = [_change(change, axes, where) for change in _list(table["changes"], where)]

    def changes(*values: float) -> list[Change]:
        point = {axis.name: value for axis, value in zip(axes, values, strict=True)}
        return [maker(point) for maker in makers]

    return grid(name, axes, changes, lambda *_: inert)


def _axes(table: Any, where: str) -> tuple[Axis, ...]:
    if not isinstance(table, dict) or len(table) > 3:
        raise UserError(f"{where}: axes is a table of at most three lists, {{ name = [1, 2] }}")
    for name, values in table.items():
        if not _is_label(name):
            raise UserError(f"{where}: an axis is called by at most 100 printable characters")
        numbers = isinstance(values, list) and values and all(map(_is_number, values))
        if not numbers or len(set(values)) < len(values) or len(values) > MOST_VALUES:
            raise UserError(f"{where}: axis {name!r} needs a list of different numbers, at most {MOST_VALUES}")
    if prod(map(len, table.values())) > MOST_CELLS:
        raise UserError(f"{where}: has more than {MOST_CELLS} cells; take fewer values")
    return tuple(Axis(name, tuple(map(float, values))) for name, values in table.items())


def _change(table: Any, axes: tuple[Axis, ...], where: str) -> Callable[[dict[str, float]], Change]:
    """Which kind it is shows in its keys."""
    if not isinstance(table, dict):
        raise UserError(f"{where}: a change is a table, {{ parameter = 'mass', scale = 1.5 }}")
    if "parameter" in table:
        return _physics(table, axes, where)
    if "actuator-delay" in table:
        _only(table, ("actuator-delay",), where)
        substeps = _number(table["actuator-delay"], axes, where)
        return lambda point: ActuatorDelay(substeps(point))
    signal = next((signal for signal in ("observation", "action") if signal in table), None)
    if signal is None:
        raise UserError(f"{where}: a change has parameter, observation, action or actuator-delay")
    _only(table, (signal, "amount"), where)
    amount = _number(table.get("amount"), axes, where)
    return lambda point: Interface(signal, str(table[signal]), amount(point))


def _physics(table: dict[str, Any], axes: tuple[Axis, ...], where: str) -> Callable[[dict[str, float]], Change]:
    _only(table, ("parameter", "of", *WAYS), where)
    ways = [way for way in WAYS if way in table]
    if len(ways) != 1:
        raise UserError(f"{where}: {table['parameter']} needs one of scale, set and add")
    names = table.get("of", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{where}: of is a list of names")
    amount = _number(table[ways[0]], axes, where)
    return lambda point: Physics(str(table["parameter"]), amount(point), ways[0], tuple(names))


def _refuse_unused(axes: tuple[Axis, ...], tables: Any, where: str) -> None:
    """An axis that nothing names would make cells that differ by nothing."""
    tables = [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    named = {table[key] for table in tables for key in NUMBERS if isinstance(table.get(key), str)}
    named |= {"epsilon" for table in tables if "aim" in table and "epsilon" not in table}
    unused = [axis.name for axis in axes if tables and axis.name not in named]
    if unused:
        raise UserError(f"{where}: no change uses axis {unused[0]!r}; name it where a number stands, or leave it out")


def _attacked(name: str, axes: tuple[Axis, ...], table: Any, where: str) -> Group:
    if not isinstance(table, dict):
        raise UserError(f"{where}: attack is a table, {{ aim = 'min Q', epsilon = 0.1 }}")
    aim, form = str(table.get("aim")), str(table.get("form", "zero-order"))
    _only(table, ("aim", "epsilon", *OF_AIM.get(aim, ("form", "steps"))), f"{where}: attack {aim:.60}")
    epsilon = _number(table.get("epsilon", "epsilon"), axes, where)
    steps = table.get("steps", 50_000)
    if type(steps) is not int:
        raise UserError(f"{where}: steps = {steps!r:.60}: give a whole number")
    plain = grid(name, axes, lambda *_: ())
    cells = (
        Cell(name, cell.coordinates, (), Attack(aim, epsilon(cell.coordinates), form, steps)) for cell in plain.cells
    )
    return Group(name, axes, tuple(cells))


def _number(value: Any, axes: tuple[Axis, ...], where: str) -> Number:
    """A number, or the name of an axis."""
    if isinstance(value, str) and value in [axis.name for axis in axes]:
        return lambda point: point[value]
    if _is_number(value):
        return lambda point: float(value)
    raise UserError(f"{where}: {value!r:.60} is neither a number nor one of the axes")


def _is_number(value: Any) -> bool:
    """A finite one, so that no whole number of hundreds of digits is among them."""
    return type(value) in (int, float) and abs(value) < LARGEST_NUMBER


def _is_label(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable()


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise UserError(f"{where}: changes is a list of tables")
    return value


def _only(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise UserError(f"{where}: {key!r:.60} is not known here; it may have {', '.join(known)}")
