"""From a reader's raw arrays to a `Dataset`: the checks that all formats share, every one of them made."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from micro_rl.core import tasks
from micro_rl.core.columns import Columns
from micro_rl.core.tasks import Task
from micro_rl.core.wording import plural
from micro_rl.data import action_bounds, episode_ends, log_metadata, log_paths, outliers, unread
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset
from micro_rl.data.raw_log import MEASURED, RawLog
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.data.readers import neorl2


class Overrides(NamedTuple):
    """What the caller says of a log; it outranks the file."""

    action_low: action_bounds.Limit | None = None
    action_high: action_bounds.Limit | None = None
    horizon: int | None = None


NO_OVERRIDES = Overrides()


class Examined(NamedTuple):
    """A log and all findings; where there is an error among it, the log is for people's eyes only.

    `standing` are the rows at which the file's time stands still, where it has times.
    """

    dataset: Dataset
    findings: list[Finding]
    standing: Bool[np.ndarray, " row"] | None = None


def examine(
    path: Path, file_format: str, raw: RawLog, overrides: Overrides, reading: ReadOptions = NO_OPTIONS
) -> Examined:
    """Makes every check that all formats share; the log as far as it can be understood, and all findings."""
    named = raw.columns.filled(*(raw.arrays[part].shape[1] for part in ("observations", "actions")))
    columns, problems = _columns(raw, named)
    terminals, timeouts, task, wrong = _ends(raw, overrides.horizon)
    problems += wrong
    after, usable, wrong = _next_observations(columns, terminals, timeouts)
    problems += wrong + episode_ends.unusable(usable)
    actions, limits, wrong = _bounded_actions(path, file_format, raw, columns["actions"], named, overrides)
    problems += wrong
    measured = columns["observations"], actions, columns["rewards"], after
    odd = outliers.find(*measured)
    problems += outliers.described(odd, named, measured)
    problems += findings.constant("observation", measured[0], named.observations)
    problems += findings.duplicates(*measured)
    problems += _labels(raw.groups, len(terminals), int((terminals | timeouts).sum()))
    dataset = Dataset(
        name=log_paths.log_name(path),
        observations=columns["observations"],
        actions=actions,
        rewards=columns["rewards"],
        next_observations=after,
        terminals=terminals,
        timeouts=timeouts,
        usable=usable if odd is None else usable & ~odd.rows,
        action_low=limits.low,
        action_high=limits.high,
        path=path,
        sha256=raw.sha256 or _sha256(path, raw.files),
        format=file_format,
        notes=tuple(problem.text for problem in problems if problem.level == "warning"),
        columns=named,
        termination=raw.termination,
        task=task,
        reading=reading,
        mapping=raw.mapping,
        exogenous=raw.exogenous,
        step_seconds=raw.step_seconds,
        groups=raw.groups,
    )
    return Examined(_frozen(dataset), problems, raw.standing)


def _labels(groups: np.ndarray | None, rows: int, episodes: int) -> list[Finding]:
    """An error where there is neither a label for each row nor one for each episode."""
    if groups is None or len(groups) in (rows, episodes):
        return []
    text = f"{plural(len(groups), 'group label')} where the log has {plural(rows, 'row')} and "
    return [findings.error("labels", f"{text}{plural(episodes, 'episode')}: store one for each row or each episode")]


def _frozen(dataset: Dataset) -> Dataset:
    """The same, its arrays made read-only: many runs may share one log."""
    for value in vars(dataset).values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return dataset


def _columns(raw: RawLog, named: Columns) -> tuple[dict[str, np.ndarray], list[Finding]]:
    """The measured columns, and which of their values cannot be used."""
    columns, problems = {}, list(raw.findings)
    of_field = {"observations": ("observation", named.observations), "actions": ("action", named.actions)}
    of_field |= {"next_observations": ("next observation", named.observations)}
    for field in MEASURED:
        if field in raw.arrays:
            columns[field] = raw.arrays[field]
            (what, own), key = of_field.get(field, ("", ())), raw.keys[field]
            names = [column.name for column in own]
            problems += findings.rounding(key, what, raw.blurred.get(field, ()), own)
            problems += findings.not_finite(key, columns[field], raw.overflow.get(field, ()), names, raw.remedy)
    return columns, problems


def _ends(raw: RawLog, horizon: int | None) -> tuple[np.ndarray, np.ndarray, Task, list[Finding]]:
    """Which rows end an episode by the task's rule and which by a limit of time, and what the log tells of its task.

    Args:
        raw: The log.
        horizon: The time limit that the caller has set, over the log's own.
    """
    terminals, problems = findings.flags(raw.keys["terminals"], raw.arrays["terminals"])
    marked = None
    if "timeouts" in raw.arrays:
        marked, wrong = findings.flags(raw.keys["timeouts"], raw.arrays["timeouts"])
        problems = problems + wrong
    task, wrong = log_metadata.trusted(raw.task)
    problems = problems + wrong
    known = terminals if marked is None else terminals | marked
    horizon = task.horizon if horizon is None else horizon
    timeouts, wrong = episode_ends.split(terminals, marked, horizon, list(unread.offered(raw.unread, known)))
    only_warnings = all(finding.level == "warning" for finding in wrong)
    problems = problems + wrong + unread.described(raw.unread, known, offer=only_warnings)
    return terminals, timeouts, task, problems


def _next_observations(
    columns: dict[str, np.ndarray], terminals: np.ndarray, timeouts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[Finding]]:
    """Next observations and the rows where they are true."""
    if "next_observations" not in columns:
        return episode_ends.next_rows(columns["observations"], terminals, terminals | timeouts)
    after = columns["next_observations"]
    return after, *episode_ends.recorded_next(columns["observations"], after, terminals, timeouts)


def _bounded_actions(
    path: Path, file_format: str, raw: RawLog, actions: np.ndarray, named: Columns, overrides: Overrides
) -> tuple[np.ndarray, action_bounds.Bounds, list[Finding]]:
    """Actions inside their bounds, which the caller, the file, or the actions themselves tell."""
    width, problems = actions.shape[1], []
    limits = action_bounds.as_bounds(path, "given", overrides.action_low, overrides.action_high, width)
    limits = limits or action_bounds.as_bounds(path, "in the file", raw.action_low, raw.action_high, width)
    if limits is None:
        by_name = file_format != neorl2.FORMAT and _is_published(log_paths.log_name(path))
        names = [column.name for column in raw.columns.actions]
        if not by_name and (wrong := action_bounds.unusual(actions, names)):
            return actions, action_bounds.reached(actions), wrong
        limits = action_bounds.usual(width)
        if file_format != neorl2.FORMAT and not by_name:
            problems += [findings.warning("bounds-assumed", "no action bounds given or recorded: [-1, 1] is assumed")]
    actions, wrong = action_bounds.inside(actions, limits, named.actions)
    return actions, limits, problems + wrong


def _is_published(name: str) -> bool:
    """Whether a log is called like a robot whose actions are in [-1, 1], or one of its published logs."""
    robot = name.split("-")[0]
    return robot in action_bounds.UNIT_TASKS and (name == robot or tasks.find(name) != tasks.UNKNOWN)


def _sha256(path: Path, files: Sequence[Path]) -> str:
    """Of the file; of several files, that of the lines `sha256sum` prints for them, each by its name alone."""
    if len(files) <= 1:
        return _digest(files[0] if files else path)
    lines = (f"{_digest(file)}  {file.name}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
