"""Windows: for systems with delays, an observation that holds the last `history` ones and the actions between them.

The newest comes first: [o_t, o_(t-1), ..., a_(t-1), a_(t-2), ...], `history` observations and one action fewer. Before
an episode's first step the system is taken to have rested there: its first observation repeated, every action in the
middle of its bounds. The functions give the parts of a window for any array library to put side by side.
"""

from typing import Any, TypeVar

import numpy as np

Columns = TypeVar("Columns")


def width(observations: int, actions: int, history: int) -> int:
    """Counts the columns of a window of so many observed columns, action columns and observations."""
    return history * observations + (history - 1) * actions


def newest(window: int, actions: int, history: int) -> int:
    """Counts the columns of the newest observation in a window.

    Args:
        window: columns of the window.
        actions: columns of an action.
        history: observations in the window.

    Returns:
        The columns of one observation.

    Raises:
        ValueError: no observation fits.
    """
    observations, left = divmod(window - (history - 1) * actions, history)
    if left or observations < 1:
        raise ValueError(f"{window} columns are no {history} observations and {history - 1} actions of {actions}")
    return observations


def first(observation: Columns, resting: Columns, history: int) -> tuple[Columns, ...]:
    """Gives the parts of the window at an episode's start; `resting` is the action of a system that is left alone."""
    return (observation,) * history + (resting,) * (history - 1)


def following(observation: Columns, window: Columns, action: Columns) -> tuple[Columns, ...]:
    """Gives the parts of the window after `action` was taken in `window` and led to `observation`.

    Args:
        observation: what was observed next, [..., observation columns].
        window: the window before, [..., window columns].
        action: the action, [..., action columns].

    Returns:
        The parts, newest first, to be put side by side; the oldest observation and action are dropped.
    """
    of_observation, of_action = _columns(observation), _columns(action)
    history = (_columns(window) + of_action) // (of_observation + of_action)
    past = history * of_observation
    earlier = _part(window, 0, past - of_observation)
    if history == 1:
        return (observation,)
    return observation, earlier, action, _part(window, past, past + (history - 2) * of_action)


def of_episode(observations: np.ndarray, actions: np.ndarray, resting: np.ndarray, history: int) -> np.ndarray:
    """Makes the windows of an episode's steps.

    Args:
        observations: from the first step on, in order [step, observation columns].
        actions: what was done at each [step, action columns].
        resting: the action of a system that is left alone [action columns].
        history: observations in a window.

    Returns:
        A window for each step [step, window columns]; the action of the step itself is in none.
    """
    steps = np.arange(len(observations))
    observed = [observations[np.maximum(steps - back, 0)] for back in range(history)]
    acted = [
        np.where((steps >= back)[:, None], actions[np.maximum(steps - back, 0)], resting) for back in range(1, history)
    ]
    return np.concatenate([*observed, *acted], axis=-1)


def _columns(array: Any) -> int:
    return array.shape[-1]


def _part(array: Columns, start: int, stop: int) -> Columns:
    return array[..., start:stop]  # pyright: ignore[reportIndexIssue]
