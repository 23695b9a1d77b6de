"""Draws what happened in the closed loop of `runs.loop`, and prints it in a table."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from micro_rl.reports.monitor.recorded import Recorded, read
from micro_rl.reports.run.figures import BLUE, GREEN, GREY, INK, PURPLE, VERMILION
from runs.loop_plant import STORY, Chapter

WHO = {"policy": BLUE, "operator": PURPLE}
CLOSE = 30
"""Steps from one chapter to the next whose names would lie on each other; the second is written lower."""
BEFORE = 16
"""Steps before the alarm of which the valve is told."""
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "font.size": 11, "svg.hashsalt": "loop"}


def show(folder: Path) -> None:
    """Writes `loop.svg` and prints the table of what went wrong and what the controller made of it."""
    record = read(folder / "record.csv")
    true = np.array(json.loads((folder / "true.json").read_text()))
    with rc_context(STYLE):
        figure = Figure(figsize=(10, 7.5), layout="constrained")
        level, valve, score = figure.subplots(3, 1, sharex=True)
        _level(level, record, true)
        _valve(valve, record)
        _score(score, record)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(folder / "loop.svg", metadata=nothing)
    for line in table(record, true):
        print(line)
    print(f"\n{worn(record, true)}")


def _level(axes: Axes, record: Recorded, true: np.ndarray) -> None:
    shown = record.observations[:, 1]
    axes.plot(record.observations[:, 2], color=GREY, linewidth=1.2, label="set-point")
    axes.plot(true, color=INK, linewidth=1, label="true")
    axes.plot(np.where(shown == true, np.nan, shown), color=VERMILION, linewidth=1.2, label="shown, where not true")
    axes.set_ylabel("lower level, m")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, ncols=3)
    axes.set_ylim(0, 3)
    for before, chapter in zip((None, *STORY), STORY, strict=False):
        near = before is not None and chapter.begins - before.begins < CLOSE
        height = 1.72 if near else 2.12
        axes.text(chapter.begins, height, chapter.what.replace(" level", ""), fontsize=8, rotation=28, color=INK)
        axes.axvspan(chapter.begins, chapter.ends, color=GREY, alpha=0.2, linewidth=0)


def _valve(axes: Axes, record: Recorded) -> None:
    changes = [row for row in range(1, len(record)) if record.who[row] != record.who[row - 1]]
    labels = set()
    for begins, ends in itertools.pairwise([0, *changes, len(record)]):
        who = record.who[begins].partition(":")[0]
        label = who if who not in labels else None
        labels.add(who)
        rows = np.arange(begins, min(ends + 1, len(record)))
        axes.plot(rows, record.actions[rows, 0], color=WHO.get(who, GREEN), linewidth=1.4, label=label)
    axes.set_ylabel("valve as applied, %")
    axes.set_ylim(0, 100)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, ncols=3)


def _score(axes: Axes, record: Recorded) -> None:
    axes.plot(np.minimum(record.score, 8.0), color=INK, linewidth=1)
    axes.plot(record.limit, color=VERMILION, linestyle="--", linewidth=1.2, label="the guard's limit")
    axes.fill_between(np.arange(len(record)), 0, 8.4, where=record.alarm, color=VERMILION, alpha=0.15, linewidth=0,
                      label="alarm")  # fmt: skip
    axes.set_ylim(0, 8.4)
    axes.set_ylabel("score, cut at 8")
    axes.set_xlabel("step of five minutes")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, ncols=2)


def table(record: Recorded, true: np.ndarray) -> Iterator[str]:
    """A line for each chapter: what it was, when the controller fell back, when it came back."""
    yield "| steps | what happens | falls back at | because | acts again at | level off its set-point, m |"
    yield "|---|---|---|---|---|---|"
    for chapter in STORY:
        inside = slice(chapter.begins, chapter.ends)
        off = np.abs(true[inside] - record.observations[inside, 2]).mean()
        yield f"| {chapter.begins} to {chapter.ends - 1} | {chapter.what} | {_fallen(record, chapter)} | {off:.3f} |"


def worn(record: Recorded, true: np.ndarray) -> str:
    """How far the level was off its set-point while the pump wore, and where the valve stood before the alarm."""
    chapter = STORY[-1]
    alarms = np.flatnonzero(record.alarm[chapter.begins : chapter.ends])
    if not len(alarms):
        return f"{chapter.what}: no alarm"
    first = int(alarms[0]) + chapter.begins
    off = np.abs(true - record.observations[:, 2])
    before, after = off[chapter.begins : first].mean(), off[first : chapter.ends].mean()
    valve = ", ".join(f"{value:.1f}" for value in record.actions[first - BEFORE : first, 0])
    return (
        f"{chapter.what}: {before:.2f} m off the set-point before the alarm at {first}, {after:.2f} m after it; "
        f"the valve in the {BEFORE} steps before it: {valve} %"
    )


def _fallen(record: Recorded, chapter: Chapter) -> str:
    rows = np.flatnonzero(record.alarm[chapter.begins : chapter.ends]) + chapter.begins
    if not len(rows):
        return "– | | –"
    first = int(rows[0])
    after = np.flatnonzero(~record.alarm[first:]) + first
    reason = record.reasons[first].split("; valve")[0]
    return f"{first} | {reason} | {after[0] if len(after) else 'not any more'}"
