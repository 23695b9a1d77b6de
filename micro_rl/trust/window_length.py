"""How long a window is: as asked, or as long as the log still holds a few hundred uninterrupted ones."""

import re

import numpy as np

from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.data.stretches import Stretches, stretches
from micro_rl.errors import TooLittle, UserError
from micro_rl.trust.folds import Folds

LENGTHS = (100, 50, 20, 10, 5)
"""Tried from the longest down: beyond a hundred steps few models can be followed."""
WANTED, FEWEST = 200, 40
"""Windows that there should be, and without which nothing is judged."""
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def choose(dataset: Dataset, asked: str | int | None, folds: Folds) -> tuple[Stretches, str]:
    """The log's windows that lie in one of its parts, and why they are so long.

    Args:
        dataset: the log.
        folds: its parts.
        asked: steps, or a time such as "8h" where the log has times; None leaves it to the log.

    Raises:
        UserError: no such length, or too few windows of it.
    """
    if asked is not None:
        steps = _steps(dataset, asked)
        if steps > dataset.lengths.max():
            raise too_few(dataset, 0, steps)
        windows = within(dataset, steps, folds)
        if windows.disjoint < FEWEST:
            raise too_few(dataset, windows.disjoint, steps)
        return windows, "as asked for"
    tried = [within(dataset, length, folds) for length in LENGTHS]
    for windows in tried:
        if windows.disjoint >= WANTED:
            longest = windows.length == LENGTHS[0]
            why = "beyond it few models can be followed" if longest else f"no longer one leaves {WANTED} of them"
            return windows, f"the log holds {windows.disjoint:,} that do not overlap; {why}"
    most = max(tried, key=lambda windows: windows.disjoint)
    if most.disjoint < FEWEST:
        raise too_few(dataset, most.disjoint, most.length)
    return most, f"the log holds {most.disjoint} that do not overlap, and fewer of any longer one"


def within(dataset: Dataset, length: int, folds: Folds | None = None) -> Stretches:
    """The log's windows of a length, each within one of its parts where there are any."""
    windows = stretches(dataset, length)
    return windows if folds is None else folds.of_windows(windows)[0]


def longest(dataset: Dataset, folds: Folds | None = None) -> Stretches:
    """The windows that `choose` would take, of a log of any size: single steps where there is nothing longer."""
    tried = [within(dataset, length, folds) for length in LENGTHS]
    enough = (windows for windows in tried if windows.disjoint >= WANTED)
    most = max(tried, key=lambda windows: windows.disjoint)
    return next(enough, most if most.disjoint else within(dataset, 1, folds))


def _steps(dataset: Dataset, asked: str | int) -> int:
    whole = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)?\s*", str(asked))
    if whole is None:
        raise UserError(f"--window {asked!r} is no number of steps and no time; write 100, 90s, 30min, 8h or 1d")
    value, unit = float(whole[1]), whole[2]
    if unit is None:
        if value != int(value) or value < 1:
            raise UserError(f"--window {asked}: a window has 1, 2, 3, ... steps")
        return int(value)
    if not dataset.step_seconds:
        raise UserError(f"--window {asked}: {dataset.name} tells no times; give the window in steps")
    steps = round(value * SECONDS[unit] / dataset.step_seconds)
    if steps < 1:
        raise UserError(f"--window {asked}: a step lasts {dataset.step_seconds:g} s; make the window longer")
    return steps


def too_few(dataset: Dataset, count: int, steps: int) -> TooLittle:
    """The refusal of a log whose parts hold so few windows of so many steps that do not overlap."""
    longest = int(np.max(dataset.lengths))
    return TooLittle(
        f"{dataset.name}: holds {plural(count, 'uninterrupted window')} of "
        f"{plural(steps, 'step')} where {FEWEST} are needed to judge anything, each within one of its parts; "
        f"its longest episode has {plural(longest, 'step')}: take a shorter --window, other --groups, or log more"
    )
