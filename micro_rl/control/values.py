"""Values as they come in: by names or as an array, numbers or not. What is none becomes NaN, and is told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from micro_rl.core.columns import Column, in_one_line
from micro_rl.core.wording import plural
from micro_rl.errors import UserError, did_you_mean


class Values(NamedTuple):
    """Values in the columns' order, NaN where there is none [column], and what was wrong with the others."""

    values: np.ndarray
    wrong: tuple[str, ...] = ()


class Taker:
    """Takes observations, or actions, whatever they look like; it never raises."""

    def __init__(self, columns: Sequence[Column], what: str):
        """`what` is "observation" or "action", for reasons; `UserError` where columns have one name."""
        self.columns, self.what, self.size = tuple(columns), what, len(columns)
        self.switches = [(column.low, column.high) == (0.0, 1.0) for column in self.columns]
        self.places: dict[str, int] = {}
        for number, column in enumerate(self.columns):
            if column.name in self.places:
                raise UserError(
                    f"policy: several {what}s are called {in_one_line(column.name)!r:.60}, and a controller goes by "
                    "names: train it anew, for logs give every column its own, or write names into policy.columns"
                )
            self.places[column.name] = number
        for number, column in enumerate(self.columns):
            self.places.setdefault(str(column), number)

    def take(self, given: Any) -> Values:
        """Put values into the columns' order.

        Args:
            given: a mapping by names, a row with names, or anything that makes an array of so many numbers.

        Returns:
            The values; NaN for what is missing, no number, not finite, or given twice. True and false are numbers of
            columns that go from 0 to 1 in the log.
        """
        try:
            if type(given) is np.ndarray and given.dtype == np.float64 and given.shape == (self.size,):
                return self._checked(given.copy())
            keys: Any = None if isinstance(given, np.ndarray | list | tuple) else getattr(given, "keys", None)
            if callable(keys):
                row: Any = given
                return self._by_name(row if isinstance(row, Mapping) else {key: row[key] for key in row.keys()})  # noqa: SIM118
            return self._in_order(given)
        except Exception as error:  # whatever a stranger's object does must not end the loop
            return self._nothing(f"{self.what}: cannot be read ({type(error).__name__})")

    def _by_name(self, given: Mapping[Any, Any]) -> Values:
        values, wrong, taken = np.full(self.size, np.nan), [], set()
        for name, value in given.items():
            number = self.places.get(name) if isinstance(name, str) else None
            if number is None:
                near = did_you_mean(name, self.places) if isinstance(name, str) else ""
                wrong.append(f"there is no column {_brief(name)}{near}")
                continue
            if number in taken:
                wrong.append(f"{self.columns[number].name} is given twice")
                values[number] = np.nan
                continue
            taken.add(number)
            values[number] = _number(value, self.switches[number])
        return self._checked(values, wrong)

    def _in_order(self, given: Any) -> Values:
        if given is None:
            return self._nothing(f"{self.what}: none")
        parts = [given] if isinstance(given, int | float) or getattr(given, "shape", None) == () else list(given)
        if isinstance(given, str | bytes) or len(parts) != self.size:
            return self._nothing(f"{self.what}: {_brief(given)} is not {plural(self.size, 'number')}")
        return self._checked(np.array([_number(*part) for part in zip(parts, self.switches, strict=True)]))

    def _checked(self, values: np.ndarray, wrong: Sequence[str] = ()) -> Values:
        if np.isfinite(values).all():
            return Values(values, tuple(wrong))
        values[~np.isfinite(values)] = np.nan
        missing = [self.columns[place].name for place in np.flatnonzero(np.isnan(values))]
        return Values(values, (*wrong, f"{self.what}: no number for {in_one_line(', '.join(missing))}"))

    def _nothing(self, why: str) -> Values:
        return Values(np.full(self.size, np.nan), (why,))


def _number(value: Any, switch: bool) -> float:
    """A number as a float; NaN for anything else: texts, masked values and, but of a switch, true and false."""
    try:
        if isinstance(value, str | bytes) or value is np.ma.masked:
            return float("nan")
        array = np.asarray(value)
        if array.dtype == bool and not switch:
            return float("nan")
        array = array.astype(np.float64)
        return float(array.reshape(-1)[0]) if array.size == 1 else float("nan")
    except Exception:
        return float("nan")


def _brief(value: Any) -> str:
    try:
        return in_one_line(f"{value!r:.40}")
    except Exception:
        return f"a {type(value).__name__}"


def flag(given: Any) -> bool | None:
    """Whether something is true; None where it does not tell."""
    try:
        return bool(given)
    except Exception:  # whatever a stranger's object does must not end the loop
        return None
