"""What the columns of a log are called, and their units, for people's eyes and for formulas over them."""

from collections.abc import Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """One quantity: its name in the log and its unit, empty where it is not known."""

    name: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name} [{self.unit}]" if self.unit else self.name


class Columns(NamedTuple):
    """The quantities of a log, in the order of its arrays."""

    observations: tuple[Column, ...] = ()
    actions: tuple[Column, ...] = ()

    def filled(self, observations: int, actions: int) -> "Columns":
        """The same, with o0, o1, ... and a0, a1, ... for those that the file does not name."""
        return Columns(_filled(self.observations, "o", observations), _filled(self.actions, "a", actions))


UNNAMED = Columns()


def _filled(named: Sequence[Column], prefix: str, width: int) -> tuple[Column, ...]:
    return tuple(named) or tuple(Column(f"{prefix}{place}") for place in range(width))
