"""The table of `benchmarks.population`: a line for each population, and the page that they make."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from benchmarks.table import question_and_answer

UPDATES_OF_A_RUN = 3_000_000
FOR_TIME = "left out for time"


class Line(NamedTuple):
    """One population's figures: seconds of an epoch waited for and queued behind another, and of its compilation.

    `busy`: the share of a moment amid an epoch in which the device computed; None where it was not traced.
    `planned`: bytes of an epoch by the compiler's plan. `peak`: the most that was in use since the process began.
    """

    method: str
    runs: int
    waited: float
    queued: float
    busy: float | None
    compiled: float
    operations: float
    planned: int
    peak: int

    def cells(self, updates: int) -> list[str]:
        """As the table shows them; times for one update of every run together, and for one run of them."""
        together = 1e3 * self.waited / updates
        hours = self.waited / updates * UPDATES_OF_A_RUN / 3600
        return [
            self.method,
            str(self.runs),
            f"{together:.3f}",
            f"{together / self.runs:.3f}",
            f"{self.queued / self.waited:.2f}",
            "not traced" if self.busy is None else f"{100 * self.busy:.0f} %",
            f"{self.operations / self.waited / 1e12:.2f}",
            f"{self.planned / 2**30:.2f}",
            f"{self.peak / 2**30:.1f}",
            f"{self.compiled:.0f}",
            f"{hours:.2f}",
        ]


class LeftOut(NamedTuple):
    """A population without figures, and why."""

    method: str
    runs: int
    reason: str

    def cells(self, updates: int) -> list[str]:
        """As the table shows it."""
        return [self.method, str(self.runs), self.reason, *[""] * (len(HEADS) - 3)]


HEADS = (
    "method",
    "runs",
    "ms per update of all",
    "ms per update and run",
    "wall time queued / waited for",
    "device busy",
    "TFLOP/s",
    "planned GiB",
    "peak GiB so far",
    "compiled in s",
    "hours for 3,000,000 updates of all",
)


def markdown(lines: Sequence[Line | LeftOut], updates: int, command: str, facts: dict[str, str]) -> str:
    """The page."""
    table = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    table += ["| " + " | ".join(line.cells(updates)) + " |" for line in lines]
    about = "\n".join(f"* {name}: {text}" for name, text in facts.items())
    note = (
        "An epoch has its rollout, so an update's time holds its share of it. Waited for: the host looks at every "
        "epoch before it begins the next. Queued: it does not, which is as fast as the device can go. Both are wall "
        "time, the device's idle moments included. Device busy: the share of a moment in the middle of an epoch, so of "
        "its updates, in which any step ran on the device, by the profiler's trace; what is missing is the device's "
        "waiting for its next step, and tracing adds to that. TFLOP/s count matrix products alone. Planned: what the "
        "compiler set aside on each device for an epoch of this line, arguments and results included. Peaks are of the "
        "whole process so far. "
        "Hours are for updates and rollouts: fitting the ensemble, evaluations and saves come on top."
    )
    title, made_by = f"# Runs in one program: {facts['device']}", f"Made by `{command}`."
    parts = [title, answered(lines, facts["device"]), made_by, about, "\n".join(table), note]
    return "\n\n".join(part for part in parts if part) + "\n"


def answered(lines: Sequence[Line | LeftOut], device: str) -> str:
    """What runs side by side cost against one alone; empty where no method has both."""
    measured = [line for line in lines if isinstance(line, Line)]
    multiples = []
    for method in dict.fromkeys(line.method for line in measured):
        own = {line.runs: line.waited / line.runs for line in measured if line.method == method}
        alone, most = own.get(1), max(own)
        if alone is not None and most > 1:
            multiples.append(f"{method}, {most} runs: {own[most] / alone:.2f}")
    if not multiples:
        return ""
    return question_and_answer(
        f"What does a run cost in one program with others on this device ({device})?",
        f"As a multiple of what a run alone takes: {'; '.join(multiples)}.",
    )


def failed(lines: Iterable[Line | LeftOut]) -> bool:
    """Whether any did."""
    return any(isinstance(line, LeftOut) and line.reason != FOR_TIME for line in lines)
