"""A log seen through windows: each observation with those before it and the actions between them."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float32, Int

from micro_rl.core import windows
from micro_rl.data.dataset import Dataset


def windowed(dataset: Dataset, history: int) -> Dataset:
    """Lays a log's observations and next observations out as `micro_rl.core.windows` says.

    No window reaches into another episode, and so none across a gap that cut one.

    Args:
        dataset: a log of single observations, or of windows of that history already.
        history: observations in a window; 1 is the plain log.

    Returns:
        The log in windows; the same object where nothing changes.

    Raises:
        ValueError: the log holds windows of another history.
    """
    if dataset.history == history:
        return dataset
    if dataset.history != 1:
        raise ValueError(f"a log seen through windows of {dataset.history} cannot be seen through windows of {history}")
    before = _windows(dataset, history)
    after = np.concatenate(windows.following(dataset.next_observations, before, dataset.actions), axis=-1)
    for array in (before, after):
        array.flags.writeable = False
    usable = dataset.usable & _plausible(dataset, history)
    return replace(dataset, observations=before, next_observations=after, usable=usable, history=history)


def _plausible(dataset: Dataset, history: int) -> Bool[np.ndarray, " row"]:
    """Rows whose window holds no value that no measurement gives."""
    good = np.ones(len(dataset), bool)
    if dataset.outliers is not None:
        start = np.repeat(dataset.starts, dataset.lengths)
        for steps in range(history):
            good &= ~dataset.outliers.window[_before(start, steps)[0]]
    return good


def resting_action(dataset: Dataset) -> Float32[np.ndarray, " act"]:
    """Gives the middle of the actions' bounds, which stands before an episode's first action."""
    low, high = dataset.action_low.astype(np.float64), dataset.action_high.astype(np.float64)
    return ((low + high) / 2).astype(np.float32)


def _windows(dataset: Dataset, history: int) -> Float32[np.ndarray, "row window"]:
    start = np.repeat(dataset.starts, dataset.lengths)
    return np.concatenate(
        [dataset.observations[_before(start, steps)[0]] for steps in range(history)]
        + [_past_actions(dataset, start, steps) for steps in range(1, history)],
        axis=-1,
    )


def _past_actions(dataset: Dataset, start: Int[np.ndarray, " row"], steps: int) -> Float32[np.ndarray, "row act"]:
    row, inside = _before(start, steps)
    return np.where(inside[:, None], dataset.actions[row], resting_action(dataset)[None])


def _before(start: Int[np.ndarray, " row"], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The row so many steps before each, the episode's first where there is none, and whether there is one."""
    row = np.arange(len(start)) - steps
    return np.maximum(row, start), row >= start
