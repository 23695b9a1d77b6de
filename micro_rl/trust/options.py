"""What may be chosen for a judgement."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.core.expression import Expression
from micro_rl.trust.verdict import Thresholds

Groups = str | Sequence[Any] | np.ndarray
"""How the log is parted: a way or a column by its name, or a label for each row or each episode."""
Progress = Callable[[str, float], None]
"""Sees what is being done, and the share of the whole that is behind."""


class Effort(NamedTuple):
    """How much is computed."""

    fit_epochs: int = 80
    """Passes of the judge's fit at the most, where these are `fit_updates` or more."""
    fit_updates: int = 2000
    """Updates that the fit of a small log may take all the same, in as many passes as they need."""
    patience: int = 8
    """Passes in which no member gets better, after which the fit ends."""
    hidden: tuple[int, ...] = (200, 200, 200, 200)
    """Widths of its members' hidden layers."""
    clone_updates: int = 4000
    fqe_updates: int | None = None
    """By default as many as the window asks for."""
    starts: int = 300
    """States of the log that every policy's windows begin at."""
    fold_starts: int = 100
    """The same of a fold's clone."""


class Options(NamedTuple):
    """What may be chosen."""

    window: str | int | None = None
    groups: Groups | None = None
    limits: tuple[Expression, ...] = ()
    termination: str | None = None
    seed: int = 0
    current: Any = None
    """What acts today: a function of one raw observation, or actions in all rows of the log; None: nothing else."""
    thresholds: Thresholds = Thresholds()
    effort: Effort = Effort()
    folder: Path | None = None
    """Where judges are kept and found again; None keeps none."""
    known_reward: str | None = None
    """The formula of what a step pays; None: as the judge predicts."""
    made: str | None = None
    """How the log's own groups came about, where they were made of it and not named."""
