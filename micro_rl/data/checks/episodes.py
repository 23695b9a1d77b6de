"""What is odd in whole episodes: time limits marked as terminals, ends that jump elsewhere, too few of them."""

import numpy as np

from micro_rl.core.wording import plural, with_verb
from micro_rl.data.checks import breaks, findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset

AT_LIMIT = 3
"""So many episodes that terminate at exactly the longest length are a time limit's."""
BATCH = 256
"""Rows of the log in one update, by default."""
ENDS = 5
"""Fewer ends are too few to compare their steps with others."""


def odd(dataset: Dataset) -> list[Finding]:
    """Finds what is odd in whole episodes."""
    return [*_limits(dataset), *_jumps(dataset), *breaks.odd(dataset), *small(dataset, BATCH), *_early(dataset)]


def terminals_at(dataset: Dataset, length: int) -> np.ndarray:
    """Finds the last rows of the episodes that terminate after exactly so many steps."""
    last = dataset.stops - 1
    return last[(dataset.lengths == length) & dataset.terminals[last]]


def _limits(dataset: Dataset) -> list[Finding]:
    """Terminals where a time limit would end the episodes."""
    length = int(dataset.lengths.max())
    rows = terminals_at(dataset, length)
    if length < 2 or len(rows) < AT_LIMIT:
        return []
    text = (
        f"{len(rows):,} of {int(dataset.terminals.sum()):,} terminals come after exactly {length} steps, the longest "
        "episode: if that is a time limit they are timeouts, and as terminals they teach that nothing comes after "
        f"(data check LOG --fix OUT --horizon {length} marks them as timeouts)"
    )
    return [findings.warning("terminal-at-limit", text, rows)]


def _jumps(dataset: Dataset) -> list[Finding]:
    """Ends whose recorded next observation is further away than steps lead: the start of the next episode, perhaps."""
    last = dataset.stops - 1
    last = last[dataset.usable[last]]
    if len(last) < ENDS or len(last) == len(dataset):
        return []
    spread = dataset.observations.std(0, dtype=np.float64)
    far = np.zeros(len(dataset))
    for column in np.flatnonzero(spread > 0):
        step = dataset.next_observations[:, column] - dataset.observations[:, column]
        far += np.square(step / spread[column])
    inside = np.ones(len(dataset), bool)
    inside[dataset.stops - 1] = False
    usual = np.quantile(far[inside], 0.99)
    rows = last[far[last] > usual]
    if len(rows) < len(last) / 2:
        return []
    text = (
        f"{len(rows):,} of {len(last):,} episodes end with a step longer than 99 % of the others: their next "
        "observation may be the next episode's start"
    )
    return [findings.warning("ends-jump", text, rows)]


def small(dataset: Dataset, batch: int) -> list[Finding]:
    """Warns of too little to hold anything back, or to fill a batch of so many rows: usable, but it says little."""
    problems = []
    single = dataset.stops[dataset.lengths == 1] - 1
    if len(single):
        text = f"{len(single):,} of {len(dataset.stops):,} episodes are a single step: marked ends in the wrong column?"
        problems.append(findings.warning("single-step", text, single))
    if len(dataset.stops) == 1:
        text = "the log is one episode: figures per episode, and errors on episodes held out, say nothing"
        problems.append(findings.warning("one-episode", text))
    if len(dataset) < batch:
        rows = with_verb(len(dataset), "row", "is", "are")
        text = f"{rows} fewer than a batch ({batch}), which holds them more than once: log more"
        problems.append(findings.warning("few-rows", text))
    return problems


def _early(dataset: Dataset) -> list[Finding]:
    """Timeouts elsewhere than at the time limit that the log or its name tells."""
    task = dataset.task
    last = dataset.stops[:-1] - 1  # the last episode may be cut by the end of the file
    early = last[dataset.timeouts[last] & (dataset.lengths[:-1] != task.horizon)]
    if task.horizon is None or not len(early):
        return []
    text = (
        f"{with_verb(len(early), 'timeout', 'comes', 'come')} before the time limit of {plural(task.horizon, 'step')} "
        "that the log or its name tells: cut by hand, or marked by mistake"
    )
    return [findings.warning("early-timeouts", text, early)]
