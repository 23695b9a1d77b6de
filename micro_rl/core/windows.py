"""Windows: for systems with delays, an observation that holds the last `history` ones and the actions between them.

The newest comes first: [o_t, o_(t-1), ..., a_(t-1), a_(t-2), ...], `history` observations and one action fewer. Before
an episode's first step the system is taken to have rested there: its first observation repeated, every action in the
middle of its bounds. The functions give the parts of a window for any array library to put side by side.
"""

from typing import Any, TypeVar

Columns = TypeVar("Columns")


def width(observations: int, actions: int, history: int) -> int:
    """Columns of a window."""
    return history * observations + (history - 1) * actions


def newest(window: int, actions: int, history: int) -> int:
    """Columns of the observation in a window of so many columns; `ValueError` where no observation fits."""
    observations, left = divmod(window - (history - 1) * actions, history)
    if left or observations < 1:
        raise ValueError(f"{window} columns are no {history} observations and {history - 1} actions of {actions}")
    return observations


def first(observation: Columns, resting: Columns, history: int) -> tuple[Columns, ...]:
    """The window at an episode's start; `resting` is the action of a system that is left alone."""
    return (observation,) * history + (resting,) * (history - 1)


def following(observation: Columns, window: Columns, action: Columns) -> tuple[Columns, ...]:
    """The window after `action` was taken in `window` and led to `observation`, the oldest of each dropped."""
    of_observation, of_action = _columns(observation), _columns(action)
    history = (_columns(window) + of_action) // (of_observation + of_action)
    past = history * of_observation
    kept = _part(window, 0, past - of_observation)
    if history == 1:
        return (observation,)
    return observation, kept, action, _part(window, past, past + (history - 2) * of_action)


def _columns(array: Any) -> int:
    return array.shape[-1]


def _part(array: Columns, start: int, stop: int) -> Columns:
    return array[..., start:stop]  # pyright: ignore[reportIndexIssue]
