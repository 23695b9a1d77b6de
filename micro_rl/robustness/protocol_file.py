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
Number = Callable[[dict[str, float]], float]
"""A number of a change, once the axes have their values."""


def protocol_of(name: str, env_id: str) -> Protocol:
    """The named protocol, or that of a TOML file; raises `UserError` where there is none or the file is wrong."""
    return read(Path(name)) if name.endswith(".toml") else protocol(name, env_id)


def read(path: Path) -> Protocol:
    """The file's protocol, the nominal world put before it; raises `UserError` naming the file and the group."""
    if regular_size(path) > LARGEST_FILE:
        raise UserError(f"{path}: is larger than {LARGEST_FILE} bytes, so it is no protocol; check the path")
    with reading(path):
        content = path.read_bytes()
    try:
        told = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid TOML ({error}); mend it there") from error
    try:
        return _protocol(path.stem, told)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _protocol(name: str, told: dict[str, Any]) -> Protocol:
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        raise UserError("name the file with letters, digits, - and _: the results' folder is called after it")
    _only(told, ("group", "episodes", "source"), "the file")
    groups, episodes = told.get("group", []), told.get("episodes", 10)
    if not isinstance(groups, list) or not 0 < len(groups) < MOST_VALUES:
        raise UserError(f"has no [[group]]: write at least one, and fewer than {MOST_VALUES}")
    if type(episodes) is not int or episodes < 1:
        raise UserError(f"episodes = {episodes!r}: give a whole number, 1 or more")
    made = [nominal(), *(_group(group, number) for number, group in enumerate(groups, start=1))]
    for group in made:
        if [one.name for one in made].count(group.name) > 1:
            raise UserError(f"two groups are called {group.name!r}; rename one (nominal is there always)")
    found = Protocol(name, str(told.get("source", "the user's own"))[:1000], tuple(made), episodes)
    if len(found.cells) > MOST_CELLS:
        raise UserError(f"has more than {MOST_CELLS} cells; take fewer values")
    alike = [cell for cell, count in Counter(cell.name for cell in found.cells).items() if count > 1]
    if alike:
        raise UserError(f"two cells are called {alike[0]!r}, which shows six digits; take values further apart")
    return found


def _group(told: Any, number: int) -> Group:
    where = f"group {number}"
    if not isinstance(told, dict):
        raise UserError(f"{where}: is no table; write [[group]]")
    _only(told, ("name", "axes", "changes", "attack", "inert"), where)
    name = told.get("name")
    if not _is_label(name):
        raise UserError(f"{where}: needs a name, of at most 100 printable characters")
    where = f"group {name!r}"
    axes = _axes(told.get("axes", {}), where)
    inert = told.get("inert", "")
    if inert and not _is_label(inert):
        raise UserError(f"{where}: inert must say in a few words why a change may do nothing")
    if ("attack" in told) == ("changes" in told):
        raise UserError(f"{where}: needs either changes or an attack")
    _refuse_unused(axes, [told["attack"]] if "attack" in told else told["changes"], where)
    if "attack" in told:
        return _attacked(name, axes, told["attack"], where)
    makers = [_change(change, axes, where) for change in _list(told["changes"], where)]

    def changes(*values: float) -> list[Change]:
        place = {axis.name: value for axis, value in zip(axes, values, strict=True)}
        return [maker(place) for maker in makers]

    return grid(name, axes, changes, lambda *_: inert)


def _axes(told: Any, where: str) -> tuple[Axis, ...]:
    if not isinstance(told, dict) or len(told) > 3:
        raise UserError(f"{where}: axes is a table of at most three lists, {{ name = [1, 2] }}")
    for name, values in told.items():
        if not _is_label(name):
            raise UserError(f"{where}: an axis is called by at most 100 printable characters")
        numbers = isinstance(values, list) and values and all(map(_is_number, values))
        if not numbers or len(set(values)) < len(values) or len(values) > MOST_VALUES:
            raise UserError(f"{where}: axis {name!r} needs a list of different numbers, at most {MOST_VALUES}")
    if prod(map(len, told.values())) > MOST_CELLS:
        raise UserError(f"{where}: has more than {MOST_CELLS} cells; take fewer values")
    return tuple(Axis(name, tuple(map(float, values))) for name, values in told.items())


def _change(told: Any, axes: tuple[Axis, ...], where: str) -> Callable[[dict[str, float]], Change]:
    """Which kind it is shows in its keys."""
    if not isinstance(told, dict):
        raise UserError(f"{where}: a change is a table, {{ parameter = 'mass', scale = 1.5 }}")
    if "parameter" in told:
        return _physics(told, axes, where)
    if "actuator-delay" in told:
        _only(told, ("actuator-delay",), where)
        substeps = _number(told["actuator-delay"], axes, where)
        return lambda place: ActuatorDelay(substeps(place))
    signal = next((signal for signal in ("observation", "action") if signal in told), None)
    if signal is None:
        raise UserError(f"{where}: a change has parameter, observation, action or actuator-delay")
    _only(told, (signal, "amount"), where)
    amount = _number(told.get("amount"), axes, where)
    return lambda place: Interface(signal, str(told[signal]), amount(place))


def _physics(told: dict[str, Any], axes: tuple[Axis, ...], where: str) -> Callable[[dict[str, float]], Change]:
    _only(told, ("parameter", "of", *WAYS), where)
    ways = [way for way in WAYS if way in told]
    if len(ways) != 1:
        raise UserError(f"{where}: {told['parameter']} needs one of scale, set and add")
    names = told.get("of", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{where}: of is a list of names")
    amount = _number(told[ways[0]], axes, where)
    return lambda place: Physics(str(told["parameter"]), amount(place), ways[0], tuple(names))


def _refuse_unused(axes: tuple[Axis, ...], tables: Any, where: str) -> None:
    """An axis that nothing names would make cells that differ by nothing."""
    tables = [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
    named = {value for table in tables for value in table.values() if isinstance(value, str)}
    named |= {"epsilon" for table in tables if "aim" in table and "epsilon" not in table}
    unused = [axis.name for axis in axes if tables and axis.name not in named]
    if unused:
        raise UserError(f"{where}: no change uses axis {unused[0]!r}; name it where a number stands, or leave it out")


def _attacked(name: str, axes: tuple[Axis, ...], told: Any, where: str) -> Group:
    if not isinstance(told, dict):
        raise UserError(f"{where}: attack is a table, {{ aim = 'min Q', epsilon = 0.1 }}")
    _only(told, ("aim", "form", "epsilon", "steps"), where)
    epsilon = _number(told.get("epsilon", "epsilon"), axes, where)
    aim, form = str(told.get("aim")), str(told.get("form", "zero-order"))
    steps = told.get("steps", 50_000)
    if type(steps) is not int:
        raise UserError(f"{where}: steps = {steps!r:.60}: give a whole number")
    plain = grid(name, axes, lambda *_: ())
    cells = (
        Cell(name, cell.coordinates, (), Attack(aim, epsilon(cell.coordinates), form, steps)) for cell in plain.cells
    )
    return Group(name, axes, tuple(cells))


def _number(told: Any, axes: tuple[Axis, ...], where: str) -> Number:
    """A number, or the name of an axis."""
    if isinstance(told, str) and told in [axis.name for axis in axes]:
        return lambda place: place[told]
    if _is_number(told):
        return lambda place: float(told)
    raise UserError(f"{where}: {told!r:.60} is neither a number nor one of the axes")


def _is_number(told: Any) -> bool:
    """A finite one, so that no whole number of hundreds of digits is among them."""
    return type(told) in (int, float) and abs(told) < LARGEST_NUMBER


def _is_label(told: Any) -> TypeGuard[str]:
    return isinstance(told, str) and 0 < len(told) <= 100 and told.isprintable()


def _list(told: Any, where: str) -> list[Any]:
    if not isinstance(told, list) or not told:
        raise UserError(f"{where}: changes is a list of tables")
    return told


def _only(told: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in told:
        if key not in known:
            raise UserError(f"{where}: {key!r:.60} is not known here; it may have {', '.join(known)}")
