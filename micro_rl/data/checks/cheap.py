"""The findings that cost next to nothing beside reading a log: what training says before it begins."""

from dataclasses import replace

from micro_rl.data.checks import channels, episodes
from micro_rl.data.checks.findings import Finding
from micro_rl.data.checks.presentable import presentable
from micro_rl.data.dataset import Dataset


def cheap_findings(dataset: Dataset) -> list[Finding]:
    """Finds what is odd in a log that was read, but for what takes seconds: the order of rewards and actions.

    A log of 300,000 rows and 11 observations takes about half a second. What reading the log itself
    found stands in `dataset.notes` and is not repeated.

    Args:
        dataset: a log, not in windows.

    Returns:
        Warnings, one for each kind; the text names the first of several and counts the others.
    """
    finite = presentable(dataset)
    return by_kind([*channels.odd(finite), *episodes.odd(finite)])


def by_kind(problems: list[Finding]) -> list[Finding]:
    """Keeps the first finding of each kind, and says in it how many more there are of that kind."""
    kinds: dict[str, list[Finding]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    return [_joined(alike) for alike in kinds.values()]


def _joined(alike: list[Finding]) -> Finding:
    first, others = alike[0], len(alike) - 1
    if not others:
        return first
    count = sum(problem.count for problem in alike)
    return replace(first, text=f"{first.text} (and {others} more of this kind)", count=count)
