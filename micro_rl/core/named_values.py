"""Observations and actions given by the names of their columns, put into the order of the arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from micro_rl.core.arguments import brief
from micro_rl.core.columns import Column, listed
from micro_rl.core.shapes import Float64
from micro_rl.errors import did_you_mean


def in_order(values: Any, columns: Sequence[Column], what: str) -> ArrayLike:
    """Puts values with names into the order of the columns; an array is given back as it is.

    Args:
        values: a dict, a DataFrame, or a row of one: by each column's name, or its name with its unit
            ("T_air [°C]"), one value or one a row. Anything without names is taken for an array.
        columns: the names and units.
        what: "observation" or "action", for the messages.

    Returns:
        [column] or [rows, column], float64, raw units.

    Raises:
        ValueError: a name is missing, unknown or given twice, or the values differ in length.
    """
    names = _names(values, what)
    if names is None:
        return values
    places = _places(names, columns, what)
    parts = [_numbers(values[names[place]], columns[number], what) for number, place in enumerate(places)]
    shapes = [part.shape for part in parts]
    if len(set(shapes)) > 1 or len(shapes[0]) > 1:
        odd = next((number for number, shape in enumerate(shapes) if shape != shapes[0]), 0)
        raise ValueError(
            f"{what}: {columns[0].name!r} has shape {shapes[0]}, {columns[odd].name!r} {shapes[odd]}: give one value "
            "for each name, or for each as many rows"
        )
    return np.stack(parts, axis=-1)


def numbers(values: Any, columns: Sequence[Column], what: str) -> Float64[np.ndarray, "..."]:
    """Puts values into the order of the columns, as `in_order` does, and makes an array of them, of any shape.

    Raises:
        ValueError: as `in_order`, or they are no numbers.
    """
    ordered = in_order(values, columns, what)
    try:
        return np.asarray(ordered, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"{what}: {brief(values)} is no array of numbers: give {len(columns)} numbers, rows of them, or values by "
            "name"
        ) from None


def _names(values: Any, what: str) -> list[Any] | None:
    """The names of a dict's, a row's or a DataFrame's values; None for what has none, as arrays and lists."""
    if isinstance(values, np.ndarray | list | tuple):
        return None
    keys: Any = getattr(values, "keys", None)
    labels: Any = keys() if callable(keys) else getattr(values, "columns", None)
    names = [] if labels is None else list(labels)
    if not names and not isinstance(values, Mapping):
        return None
    if not names or any(isinstance(name, str) for name in names):
        return names
    if isinstance(values, Mapping):
        raise ValueError(
            f"{what}: {names[0]!r:.40} is no column's name: give values by the columns' names, or an array"
        )
    return None


def _places(names: Sequence[Any], columns: Sequence[Column], what: str) -> list[int]:
    """For each column, the place of its name among the names."""
    known: dict[Any, int] = {}
    for number, column in enumerate(columns):
        if column.name in known:
            raise ValueError(f"{what}: two columns are called {column.name!r}: give an array, in the log's order")
        known[column.name] = number
    for number, column in enumerate(columns):
        known.setdefault(str(column), number)
    unknown = [name for name in names if name not in known]
    places: dict[int, int] = {}
    for place, name in enumerate(names):
        number = known.get(name)
        if number in places:
            raise ValueError(f"{what}: {columns[number].name!r} is given twice: leave one out")
        if number is not None:
            places[number] = place
    missing = [repr(column.name) for number, column in enumerate(columns) if number not in places]
    wrong = [f"there is no column {unknown[0]!r:.40}{did_you_mean(str(unknown[0]), known)}"] if unknown else []
    wrong += [f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} missing"] if missing else []
    if wrong:
        raise ValueError(f"{what}: {'; '.join(wrong)}; columns: {listed([column.name for column in columns])}")
    return [places[number] for number in range(len(columns))]


def _numbers(value: Any, column: Column, what: str) -> Float64[np.ndarray, "..."]:
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what}: {column.name!r} is no number but {value!r:.40}") from None
