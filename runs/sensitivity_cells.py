"""What is recorded of the study of what scores hang on, log by log: scores, the map, and its flat region."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micro_rl.reports.stats.few_runs import t_interval
from runs.pendulum_small import scores
from runs.records import recorded
from runs.sensitivity import BETAS, REFERENCE, SHARES, place
from runs.sensitivity_logs import Studied, logs

TITLES = {"pendulum": "the pendulum", "tanks": "the two tanks", "hopper": "hopper-medium-replay"}
DIGITS = {"pendulum": 0, "tanks": 2, "hopper": 0}
"""Behind the point, of a log's returns."""
Place = tuple[float, float]
"""Beta and the model's share; at share 0 beta is 0."""


class Read(NamedTuple):
    """A log's records."""

    name: str
    studied: Studied

    @property
    def title(self) -> str:
        """For people."""
        return TITLES[self.name]

    @property
    def digits(self) -> int:
        """Behind the point."""
        return DIGITS[self.name]

    def cell(self, name: str) -> dict[str, Any] | None:
        """Its figures, if it was run."""
        record = recorded(self.studied.study).get(name)
        return record and record["figures"]

    def seeds(self, name: str) -> list[float] | None:
        """The seeds' scores of a cell, if it was run."""
        figures = self.cell(name)
        return None if figures is None else scores(figures, self.studied.last, self.studied.epochs).tolist()

    def map(self) -> dict[Place, list[float]]:
        """The seeds' scores of what was run of the map."""
        places = [WITHOUT, *((beta, share) for share in SHARES for beta in BETAS)]
        scores_at = {at: self.seeds(place(*at)) for at in places}
        return {at: values for at, values in scores_at.items() if values is not None}

    def best(self) -> Place:
        """Where the mean is highest."""
        return max(self.map().items(), key=lambda item: np.mean(item[1]))[0]

    def flat(self) -> set[Place]:
        """What three seeds do not show to be worse than the best by more than a small part of the map's range."""
        return {at for at, values in self.map().items() if at == self.best() or self.is_flat(values)}

    def is_flat(self, values: list[float]) -> bool:
        """Whether a cell's seeds do not show that either."""
        there = self.map()
        means = [float(np.mean(each)) for each in there.values()]
        return not worse(values, there[self.best()], SMALL * (max(means) - min(means)))

    def choice(self) -> list[float]:
        """The seeds' scores with what a choice takes."""
        values = self.seeds(CHOICE)
        assert values, f"{CHOICE} is run before the page is written"
        return values

    def lacking(self) -> list[float]:
        """By seed: what a choice's settings lack to the best of the map."""
        return (np.asarray(self.map()[self.best()]) - self.choice()).tolist()


DEFAULTS: Place = (0.5, 0.5)
CHOICE = "draws0"
"""The cell with what `micro-rl choose` takes: the defaults, but the members' means in place of a draw."""
WITHOUT: Place = (0.0, 0.0)
"""No rows of a model."""
SMALL = 0.05
"""Of a map's range, from the lowest mean to the highest: what a cell may lack and still count as flat."""


def worse(ours: list[float], theirs: list[float], margin: float) -> bool:
    """Whether Student's 95 % interval of what is lacking, paired by seed, lies above a margin."""
    _, low, _ = t_interval((np.asarray(theirs) - ours)[:, None])
    return bool(low > margin)


def apart(ours: list[float], theirs: list[float]) -> bool:
    """Whether Student's 95 % interval of the paired difference excludes 0."""
    _, low, high = t_interval((np.asarray(ours) - theirs)[:, None])
    return bool(low > 0 or high < 0)


def every() -> list[Read]:
    """The logs of which the map's defaults were run."""
    read = [Read(name, studied) for name, studied in logs(Path()).items()]
    return [log for log in read if log.cell(REFERENCE)]
