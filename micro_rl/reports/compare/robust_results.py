"""What runs withstand: the results of robustness protocols, as a run folder holds them. Cells may be missing."""

import math
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.core.tasks import UNKNOWN, Task
from micro_rl.errors import UserError
from micro_rl.storage.json_files import check_format, parse_json, read_json
from micro_rl.storage.jsonl import whole_lines

LONGEST = 1000
"""Values of an axis, groups of a protocol and episodes of a cell: more is no result of ours."""

UNDISTURBED = "nominal"
"""The group of the simulator as it is, which every protocol has."""
NOMINAL = {("friction by gravity", "friction"): 1.0, ("friction by gravity", "gravity"): 1.0}
"""Where nothing is disturbed on axes whose file does not say: by group and axis."""


class Axis(NamedTuple):
    """What is varied; `nominal` is the value at which nothing is disturbed, None where that is not known."""

    name: str
    values: tuple[float, ...]
    nominal: float | None


class Cell(NamedTuple):
    """Raw returns of the episodes at one place; `inert` says what of the disturbance has no effect there, if so.

    `unstable`: in how many of them the simulation broke down, whose returns are of no real episode.
    """

    coordinates: tuple[float, ...]
    returns: tuple[float, ...]
    inert: str
    unstable: int = 0


class Group(NamedTuple):
    """One sweep: its axes (none for a single world) and the cells that are finished."""

    name: str
    axes: tuple[Axis, ...]
    cells: dict[tuple[float, ...], Cell]

    @property
    def size(self) -> int:
        """Cells that it has when it is finished."""
        return math.prod(len(axis.values) for axis in self.axes)


class World(NamedTuple):
    """Where a protocol was carried out: simulator, time limit in steps, and a digest of what it does in its cells.

    `answers` is a digest of what a simulator given as an object answers, "" of one that its name tells.
    """

    env: str | None
    horizon: int | None
    changes: str
    """"" where the file does not say."""
    answers: str


class Robust(NamedTuple):
    """One protocol carried out on one policy.

    `task` has the range by which its returns are scored, `seed` is that of its starts, None where it is not known.
    """

    protocol: str
    episodes: int
    critic: str
    """Whose critic attacked, "" where there was no attack."""
    policy_sha256: str
    groups: list[Group]
    task: Task
    world: World
    seed: int | None

    @property
    def missing(self) -> int:
        """Cells that are not finished."""
        return sum(group.size - len(group.cells) for group in self.groups)

    @property
    def unstable(self) -> int:
        """Cells in which the simulation broke down."""
        return sum(cell.unstable > 0 for group in self.groups for cell in group.cells.values())


def read_robust(run: Path, task: Task = UNKNOWN) -> list[Robust]:
    """Every protocol's results in RUN/robust, by name; `UserError` where a file is not of the form we write.

    Where a file does not say on what its protocol was carried out, that is the run's `task`.
    """
    paths = sorted((run / "robust").glob("*/robust.json")) if (run / "robust").is_dir() else []
    return [_read(path, task) for path in paths]


def _read(path: Path, usual: Task) -> Robust:
    content = read_json(path)
    check_format(content.get("format"), path)
    try:
        axes = {_text(group["name"]): _axes(group) for group in _few(content["groups"])}
        cells = _cells(path.with_name("cells.jsonl"), axes)
        groups = [Group(name, group_axes, cells.get(name, {})) for name, group_axes in axes.items()]
        episodes = _whole(content.get("episodes")) or 0
        name = _text(path.parent.name)  # one protocol with several attackers has a folder for each
        attacked = any(axis.name == "epsilon" for group in groups for axis in group.axes)
        critic = _text(content.get("critic", "")) if attacked else ""
        policy = _text(content.get("policy_sha256", ""))
        task = _task(content["task"]) if "task" in content else usual
        return Robust(name, episodes, critic, policy, groups, task, _world(content, usual), _whole(content.get("seed")))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: is not what a robustness run writes there; make it again") from error


def _task(content: dict[str, Any]) -> Task:
    """The range of scores alone."""
    low, high = (None if content[end] is None else _number(content[end]) for end in ("score_min", "score_max"))
    if low is None or high is None:
        return UNKNOWN
    if low == high:
        raise ValueError
    return Task(score_min=low, score_max=high)


def _world(content: dict[str, Any], usual: Task) -> World:
    env, horizon = content.get("env", usual.env), content.get("horizon", usual.horizon)
    changes, answers = (_text(content.get(key, "")) for key in ("changes", "env_sha256"))
    return World(None if env is None else _text(env), _whole(horizon), changes, answers)


def _axes(group: dict[str, Any]) -> tuple[Axis, ...]:
    return tuple(_axis(axis, NOMINAL.get((group["name"], axis["name"]))) for axis in _few(group["axes"]))


def _axis(axis: dict[str, Any], usual: float | None) -> Axis:
    values = tuple(_number(value) for value in _few(axis["values"]))
    nominal = _number(axis["nominal"]) if axis.get("nominal") is not None else usual
    return Axis(_text(axis["name"]), values, nominal)


def _cells(path: Path, axes: dict[str, tuple[Axis, ...]]) -> dict[str, dict[tuple[float, ...], Cell]]:
    """By group and coordinates; lines torn by a crash and cells of no declared place are left out."""
    cells: dict[str, dict[tuple[float, ...], Cell]] = {}
    for line in whole_lines(path):
        with suppress(UserError, KeyError, TypeError, ValueError, AttributeError):
            row = parse_json(line, str(path))
            where = axes[row["group"]]
            point = tuple(_number(row["coordinates"][axis.name]) for axis in where)
            returns = tuple(_number(value) for value in _few(row["returns"]))
            if returns and all(value in axis.values for value, axis in zip(point, where, strict=True)):
                cell = Cell(point, returns, _text(row.get("inert") or ""), int(_number(row.get("unstable", 0))))
                cells.setdefault(row["group"], {})[point] = cell
    return cells


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) < 1e12:
        raise ValueError
    return float(value)


def _whole(value: Any) -> int | None:
    """None where it is not known."""
    if value is not None and type(value) is not int:
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise TypeError
    return value


def _few(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > LONGEST:
        raise TypeError
    return value
