"""What a log is, before anything is trained: the lines that a person reads, and what the portfolio depends on."""

from typing import NamedTuple

import numpy as np

from micro_rl.core.wording import number, plural
from micro_rl.data import Dataset
from micro_rl.data.stretches import all_alike
from micro_rl.errors import UserError
from micro_rl.reports.log import timing
from micro_rl.training.log_findings import log_findings
from micro_rl.training.log_support import log_support
from micro_rl.training.support_choice import NARROW
from micro_rl.trust.window_length import longest


class Look(NamedTuple):
    """Lines with a word in front of each; the history that the log asks for; narrow or broad; the rewards' sign."""

    lines: tuple[tuple[str, str], ...]
    history: int
    narrow: bool
    negative: bool


def look(dataset: Dataset) -> Look:
    """Looks at a log.

    Args:
        dataset: single observations.

    Returns:
        The same for the same log.
    """
    pace = timing.timing(dataset)
    history = pace.proposal.history if pace.proposal else 1
    narrow, breadth = _breadth(dataset)
    lines = (
        ("log", _size(dataset)),
        ("rewards", _rewards(dataset)),
        ("breadth", breadth),
        ("step", _step(pace, history)),
        ("check", "; ".join([*dataset.notes[:1], *log_findings(dataset)]) or "nothing odd"),
    )
    return Look(lines, history, narrow, float(dataset.rewards.mean()) < 0)


def _size(dataset: Dataset) -> str:
    return (
        f"{dataset.name}: {plural(len(dataset), 'row')} in {plural(len(dataset.stops), 'episode')}, "
        f"{plural(dataset.observation_size, 'observation')} and {plural(dataset.actions.shape[1], 'action')}"
    )


def _rewards(dataset: Dataset) -> str:
    if all_alike(dataset):
        return f"every reward is {number(float(dataset.rewards[0]))}: no policy can be better than another"
    windows = longest(dataset)
    low, high = np.quantile(windows.returns, [0.1, 0.9])
    return (
        f"{number(float(windows.returns.mean()))} in a window of {plural(windows.length, 'step')} on average; a tenth "
        f"of the windows has less than {number(float(low))}, a tenth more than {number(float(high))}"
    )


def _step(pace: timing.Timing, history: int) -> str:
    """What policies see, and the longer step that the log would rather have."""
    sees = f"policies see {plural(history, 'observation')} at a time"
    rows = pace.proposal.rows_per_step if pace.proposal else 1
    if rows == 1:
        return f"{sees}: {timing.proposal_words(pace)}"
    return f"{sees}; a step of {plural(rows, 'row')} would suit the log better: say resample in its TOML, and ask again"


def _breadth(dataset: Dataset) -> tuple[bool, str]:
    """Whether the log is narrow, and in words; one that cannot be measured counts as narrow."""
    try:
        share = log_support(dataset, keep_timeouts=True).breadth
    except UserError as error:
        return True, f"cannot be measured ({error}), so it counts as narrow"
    narrow = share < NARROW
    return narrow, (
        f"{'narrow' if narrow else 'broad'}: {100 * share:.0f} % of actions drawn at random lie as near to the log as "
        "90 % of its own"
    )
