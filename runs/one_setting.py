"""One setting of MICRO for all broad logs: how much each gains on each log, and which the other logs would choose.

`runs.support_page` prints it, of what `runs.support`, `runs.methods` and `runs.sensitivity` recorded. A gain is the
paired difference from MICRO's defaults (beta 0.5, one draw of each member) at a model's share of one half, in per cent
of the log's range: from the mean return of the log itself to the best mean of the settings compared.
"""

from typing import NamedTuple

import numpy as np

from runs.long_runs import LOG_SCORES, Cell, curves
from runs.sensitivity import REFERENCE, place
from runs.sensitivity_cells import CHOICE, every
from runs.sensitivity_tables import taken
from runs.study_pages import end_of, mean_and_interval, table, up_to
from runs.support import EPOCHS, SEEDS

DEFAULT = "one draw, beta 0.5"
SETTINGS = ("the members' means, beta 0.5", "one draw, a small beta", "no conservatism (beta 0)")
"""What is compared with the default; a small beta is 0.1, on hopper 0.25."""
SMALL_BETAS = (0.1, 0.25)
"""The first that was run."""
DMSD_ENTRIES = ("means", "low-beta", "sac")
"""The same settings among the long runs."""


class Compared(NamedTuple):
    """A log: its own score, and by setting the score of each seed."""

    title: str
    own: float
    scores: dict[str, dict[int, float]]

    def gains(self, setting: str) -> list[float]:
        """Of each seed that both have, in per cent of the log's range."""
        best = max(float(np.mean([*by_seed.values()])) for by_seed in self.scores.values())
        ours, theirs = self.scores[setting], self.scores[DEFAULT]
        return [100 * (ours[seed] - theirs[seed]) / (best - self.own) for seed in ours if seed in theirs]

    def gain(self, setting: str) -> float:
        """Over the seeds, in the mean."""
        return float(np.mean(self.gains(setting)))


def compared() -> list[Compared]:
    """The logs on which every setting was run."""
    return [dmsd(), *small()]


def dmsd() -> Compared:
    """Three seeds at full size."""
    known = curves()
    scores = {
        setting: {
            seed: end_of(up_to(known[name], EPOCHS))
            for seed in SEEDS
            if (name := Cell("dmsd", entry, seed).name) in known
        }
        for setting, entry in zip((DEFAULT, *SETTINGS), ("micro", *DMSD_ENTRIES), strict=True)
    }
    return Compared("dmsd", LOG_SCORES["dmsd"], scores)


def small() -> list[Compared]:
    """The logs of the study of sensitivity, three seeds of short runs each."""
    read = []
    for log in every():
        small_beta = next(place(beta, 0.5) for beta in SMALL_BETAS if log.cell(place(beta, 0.5)))
        cells = (REFERENCE, CHOICE, small_beta, place(0.0, 0.5))
        settings = zip((DEFAULT, *SETTINGS), cells, strict=True)
        scores = {setting: dict(enumerate(log.seeds(cell) or [])) for setting, cell in settings}
        read.append(Compared(f"{log.title}, short runs", taken(log)["mean_return"], scores))
    return read


def gains_table(logs: list[Compared]) -> str:
    """A line a setting, a column a log."""
    rows = [[setting, *(mean_and_interval(log.gains(setting)) for log in logs)] for setting in SETTINGS]
    return table(["gain, per cent of the range", *(log.title for log in logs)], rows)


def left_out_table(logs: list[Compared]) -> str:
    """For each log: what the others would choose by their mean gain, what that gains on it, and what it has at best."""
    rows = []
    for log in logs:
        others = [other for other in logs if other is not log]
        chosen = max(SETTINGS, key=lambda setting: np.mean([other.gain(setting) for other in others]))
        best = max(SETTINGS, key=log.gain)
        rows.append([log.title, chosen, f"{log.gain(chosen):.0f}", best, f"{log.gain(best):.0f}"])
    return table(["log left out", "the others choose", "gain on it", "best on it", "gain"], rows)
