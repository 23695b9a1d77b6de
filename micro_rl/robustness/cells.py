"""What a robustness protocol is made of: groups of cells, a cell being one world in which the policy is evaluated."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product

from micro_rl.errors import UserError
from micro_rl.robustness.parameters import Physics
from micro_rl.robustness.signals import OF_SPREAD, Interface
from micro_rl.robustness.substeps import ActuatorDelay

Change = Physics | Interface | ActuatorDelay
AIMS = ("random", "action difference", "min Q", "learned")
FORMS = ("zero-order", "gradient", "mixed")


@dataclass(frozen=True)
class Attack:
    """A perturbation of every observation within ± `epsilon` standard deviations of the log, chosen to do harm.

    `random` is one draw. `action difference` and `min Q` search: `zero-order` among draws, `gradient` by steps from one
    draw, `mixed` by steps from many. `learned` is an adversary that learns for `steps` steps of the simulator.
    """

    aim: str
    epsilon: float
    form: str = "zero-order"
    steps: int = 50_000

    def __post_init__(self) -> None:
        """Raises `UserError` for an attack that there is not."""
        if self.aim not in AIMS:
            raise UserError(f"there is no attack {self.aim!r}; choose one of {', '.join(AIMS)}")
        if self.form not in FORMS:
            raise UserError(f"an attack of form {self.form!r}: choose one of {', '.join(FORMS)}")
        if self.steps < 2000 or self.steps % 10:
            raise UserError(f"attack {self.aim}: steps {self.steps} must be a multiple of 10, 2,000 or more")
        if not 0 <= self.epsilon < float("inf"):
            raise UserError(f"attack {self.aim}: epsilon {self.epsilon} must be a size, 0 or more")

    def __str__(self) -> str:
        form = "" if self.aim in ("random", "learned") or self.form == "zero-order" else f", {self.form}"
        return f"attack {self.aim}{form}, epsilon {self.epsilon:g}"


@dataclass(frozen=True)
class Axis:
    """A quantity that a group varies."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Cell:
    """One world: its place in the group and what is changed.

    `may_be_inert` says why some of the changes may do nothing, where a protocol declares it; `left_out` why a
    coordinate changes nothing at all. Every result tells of both.
    """

    group: str
    coordinates: dict[str, float] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    attack: Attack | None = None
    may_be_inert: str = ""
    left_out: str = ""

    @property
    def name(self) -> str:
        """Of the group and the place, unique in a protocol."""
        coordinates = ", ".join(f"{axis} {value:g}" for axis, value in self.coordinates.items())
        return f"{self.group}: {coordinates}" if coordinates else self.group

    @property
    def in_log_units(self) -> bool:
        """Whether an amount of it is in standard deviations of the log."""
        faults = [change for change in self.changes if isinstance(change, Interface) and not change.neutral]
        noticed = any(fault.signal == "observation" and fault.kind in OF_SPREAD for fault in faults)
        return noticed or (self.attack is not None and self.attack.epsilon > 0)


@dataclass(frozen=True)
class Group:
    """Cells that belong to one picture: a curve over one axis, a grid over two."""

    name: str
    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Protocol:
    """Named groups of cells and how many episodes each gets; the first group is the unperturbed world."""

    name: str
    source: str
    groups: tuple[Group, ...]
    episodes: int = 10

    @property
    def cells(self) -> list[Cell]:
        """All of them, in order."""
        return [cell for group in self.groups for cell in group.cells]


def nominal() -> Group:
    """The world as it is."""
    return Group("nominal", (), (Cell("nominal"),))


def grid(
    name: str,
    axes: Iterable[Axis],
    changes: Callable[..., Iterable[Change]],
    inert: Callable[..., str] = lambda *values: "",
    left_out: str = "",
) -> Group:
    """A cell for each combination of the axes' values; `changes` and `inert` are given them in the axes' order."""
    axes = tuple(axes)
    cells = []
    for values in product(*(axis.values for axis in axes)):
        coordinates = {axis.name: value for axis, value in zip(axes, values, strict=True)}
        cells.append(Cell(name, coordinates, tuple(changes(*values)), None, inert(*values), left_out))
    return Group(name, axes, tuple(cells))


def line(name: str, axis: str, values: Iterable[float], change: Callable[[float], Iterable[Change]]) -> Group:
    """A cell for each value of one axis."""
    return grid(name, (Axis(axis, tuple(round(float(value), 6) for value in values)),), change)


def attacks(aim: str, epsilons: Iterable[float], form: str = "zero-order") -> Group:
    """One attack at several sizes."""
    name = f"{aim} attack" if aim in ("random", "learned") or form == "zero-order" else f"{aim} attack, {form}"
    axis = Axis("epsilon", tuple(float(epsilon) for epsilon in epsilons))
    return Group(
        name, (axis,), tuple(Cell(name, {"epsilon": value}, attack=Attack(aim, value, form)) for value in axis.values)
    )
