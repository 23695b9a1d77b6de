"""Is the step right, and how much history: delays, what is noise at this step, and what follows from both."""

from typing import NamedTuple

from micro_rl.data import Dataset
from micro_rl.reports.log.delays import Delay, Delays, delays
from micro_rl.reports.log.steps import Foretold, Proposal, propose
from micro_rl.reports.log.windows_of_rows import series

LISTED = 3
"""Observations that are named of each action."""
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))


class Timing(NamedTuple):
    """What the log tells of its own pace; None where there are too few rows."""

    delays: Delays | None
    proposal: Proposal | None
    step_seconds: float | None


def timing(dataset: Dataset) -> Timing:
    """Measures a log's pace.

    Args:
        dataset: a log of single observations.

    Returns:
        The same figures for the same log.
    """
    log = series(dataset)
    effects = delays(log)
    return Timing(effects, propose(log, effects.slowest if effects else None), dataset.step_seconds)


def span(steps: int, seconds: float | None) -> str:
    """Writes a number of steps, and how long they take where that is known."""
    count = f"{steps} step{'' if steps == 1 else 's'}"
    return count if seconds is None else f"{count} ({length(steps * seconds)})"


def length(seconds: float) -> str:
    """Writes a time as `resample` takes it: in the largest unit of which it is a whole number."""
    for size, unit in UNITS:
        count = seconds / size
        if count >= 1 and abs(count - round(count)) < 1e-6 * count:
            return f"{round(count)}{unit}"
    return f"{seconds:.6g}s"


def delay_words(pace: Timing) -> str:
    """Says how long each action takes to be seen, or why that cannot be told."""
    if pace.delays is None:
        return "There are too few rows in a row to tell delays."
    parts = []
    for action in dict.fromkeys(pair.action for pair in pace.delays.effects):
        strongest = sorted(
            (pair for pair in pace.delays.effects if pair.action == action), key=lambda pair: -pair.explained
        )
        shown = ", ".join(_after(pair, pace.step_seconds) for pair in strongest[:LISTED])
        parts.append(f"{action}: {shown}{', ...' * (len(strongest) > LISTED)}")
    text = f"From action to observation: {'; '.join(parts)}." if parts else "No effect of an action stands out."
    if pace.delays.decided:
        text += (
            f" Of {', '.join(pace.delays.decided)} nothing can be told: what was observed and done before decides it "
            "to 99.9 %, as under a controller that nothing disturbs. Move a set-point, or the action, now and then."
        )
    if pace.delays.moved:
        text += f" {', '.join(pace.delays.moved)}: exogenous, as was said, but it seems to answer to an action."
    return text


def _after(pair: Delay, seconds: float | None) -> str:
    return f"{pair.observation} {'at once' if pair.steps == 0 else 'after ' + span(pair.steps, seconds)}"


def step_words(pace: Timing) -> str:
    """Says how much of a step is noise at most, and what longer steps and more history leave."""
    if pace.proposal is None:
        return "There are too few rows in a row to tell noise from movement."
    first, (single, *windows) = pace.proposal.by_length[0], pace.proposal.by_history
    text = (
        f"Of one step's variance at most {_percent(first.left)} is noise: so much is left by a regression on "
        f"windows of rows (worst: {first.column}, {_percent(first.worst)})."
    )
    at = "A"
    if pace.proposal.rows_per_step > 1:
        others = ", ".join(f"{_percent(length.left)} at {length.setting}" for length in pace.proposal.by_length[1:])
        text += f" With several rows to a step: {others}."
        at = f"At {pace.proposal.rows_per_step} rows to a step a"
    shown = "".join(f", {_percent(window.left)} with {window.setting}" for window in windows)
    return f"{text} {at} single observation leaves {_percent(single.left)}{shown}."


def proposal_words(pace: Timing) -> str:
    """Says what to train with."""
    if pace.proposal is None:
        return "none, for want of rows"
    rows, history = pace.proposal.rows_per_step, pace.proposal.history
    if rows == 1 and history == 1:
        return "neither history nor longer steps: the past tells no more than the newest observation does"
    step = f"{rows} rows to a step"
    if pace.step_seconds is not None:
        step = f'resample = "{length(rows * pace.step_seconds)}"'
    words = [step] if rows > 1 else []
    words.append(f"--history {history}" if history > 1 else "no history")
    return ", then ".join(words)


def _percent(share: float) -> str:
    """A share in words; a regression that does worse than the mean leaves all."""
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"


__all__ = ["Foretold", "Timing", "delay_words", "proposal_words", "step_words", "timing"]
