"""The runs in their order: methods by logs, the seeds of each, and what a careful reader should be warned of."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from micro_rl.core.tasks import Task
from micro_rl.core.wording import plural
from micro_rl.reports.compare.compared_runs import Collected, Run
from micro_rl.reports.compare.readings import FACTS, differing_words
from micro_rl.reports.compare.variants import differing, labels
from micro_rl.reports.run.record import sane

WIDEST = 40
"""Letters of a word that tells logs apart."""


class Column(NamedTuple):
    """A log and its task: `name` tells it from the other columns; `mean` and `best` are of the log's own episodes."""

    key: str
    name: str
    unit: str
    mean: float | None
    best: float | None


class Comparison(NamedTuple):
    """Methods and logs in the order given; `cells` holds the runs that count, by seed, for each pair that has some.

    A log whose runs differ in simulator, time limit or range of scores is a column for each.
    """

    runs: list[Run]
    methods: list[str]
    logs: list[Column]
    cells: dict[tuple[str, str], list[Run]]
    copies: list[tuple[Run, Run]]
    """Runs that do not count, each beside the one of the same settings and seed that does."""
    left_out: list[str]

    def cell(self, method: str, log: Column) -> list[Run]:
        """The runs of a method on a log, [] where there are none."""
        return self.cells.get((method, log.key), [])

    def scored(self, method: str, log: Column) -> list[Run]:
        """Those that reported a score in the log's unit."""
        return [
            run
            for run in self.cell(method, log)
            if (outcome := run.outcome) and outcome.final and outcome.unit == log.unit
        ]

    def log_of(self, run: Run) -> Column:
        """The column that the run belongs to."""
        return next(log for log in self.logs if log.key == run.column)

    def method_of(self, run: Run) -> str:
        """The row that the run belongs to, "" where it does not count."""
        return next((method for (method, _), runs in self.cells.items() if run in runs), "")


def compare(collected: Collected) -> Comparison:
    """Sort the runs into methods and logs."""
    runs = collected.runs
    named = labels(runs)
    cells: dict[tuple[str, str], list[Run]] = {}
    copies = []
    for run, method in zip(runs, named, strict=True):
        cell = cells.setdefault((method, run.column), [])
        twin = next((other for other in cell if other.seed == run.seed), None)
        if twin is None:
            cell.append(run)
        elif run.epochs > twin.epochs:
            cell[cell.index(twin)] = run
            copies.append((twin, run))
        else:
            copies.append((run, twin))
    for cell in cells.values():
        cell.sort(key=lambda run: run.seed)
    return Comparison(runs, list(dict.fromkeys(named)), _columns(runs), cells, copies, collected.left_out)


def log_names(runs: Sequence[Run]) -> dict[str, str]:
    """The logs' names by their keys, told apart where two are called the same: by file, and by how that is read."""
    one_each = {key: own[0] for key, own in _groups(runs, lambda run: run.log.key).items()}
    alike = _groups(list(one_each.values()), lambda run: run.log.name)
    return {key: run.log.name + _told_apart(run, alike[run.log.name]) for key, run in one_each.items()}


def _told_apart(run: Run, alike: Sequence[Run]) -> str:
    """What tells a log from those of its name: the file, then flags, then what came of them."""
    files = _groups(alike, lambda other: other.log.sha256)
    parts = [run.log.sha256[:8] or "unknown"] if len(files) > 1 else []
    own = files[run.log.sha256]
    words = differing_words(other.reading for other in own)
    flags = [word for word in words if word not in FACTS]
    same = [other for other in own if _said(other, flags) == _said(run, flags)]
    parts += _said(run, flags) + _said(run, [word for word in words if word in FACTS and len(same) > 1])
    return f" ({', '.join(parts)})" if parts else ""


def _said(run: Run, words: Sequence[str]) -> list[str]:
    return [f"{word} {run.reading[word]}"[:WIDEST] for word in words if word in run.reading]


def _columns(runs: Sequence[Run]) -> list[Column]:
    columns = []
    for log, name in log_names(runs).items():
        keys = dict.fromkeys(run.column for run in runs if run.log.key == log)
        groups = [[run for run in runs if run.column == key] for key in keys]
        tasks = [own[0].task for own in groups]
        columns += [_column(name + _apart(own[0].task, tasks), own) for own in groups]
    return columns


def _apart(task: Task, tasks: Sequence[Task]) -> str:
    """What tells one of the tasks of a log from the others, to stand behind its name."""
    words = ""
    if len({other.env for other in tasks}) > 1:
        words += f" in {task.env[:100]}" if task.env else " without a simulator"
    if len({other.horizon for other in tasks}) > 1:
        words += f" up to {plural(task.horizon, 'step')}" if task.horizon else " without a time limit"
    if [(other.env, other.horizon) for other in tasks].count((task.env, task.horizon)) > 1:
        scored = task.score_min is not None
        words += f" scored from {task.score_min:,} to {task.score_max:,}" if scored else " without scores"
    return words


def _column(name: str, own: Sequence[Run]) -> Column:
    units = {run.outcome.unit for run in own if run.outcome}
    could_score = any("normalised_return_mean" in run.record.log for run in own)
    unit = "score" if "score" in units or (not units and could_score) else "return"
    prefix = "normalised_" if unit == "score" else ""
    logs = [run.record.log for run in own if f"{prefix}return_mean" in run.record.log]
    known = logs[0] if logs else {}
    mean, best = (_figure(known.get(f"{prefix}{name}")) for name in ("return_mean", "return_best"))
    return Column(own[0].column, name, unit, mean, best)


def _figure(value: float | int | None) -> float | None:
    return None if value is None or not sane(value) else float(value)


def cautions(comparison: Comparison) -> list[str]:
    """What stands against taking the figures as they are, a sentence each."""
    sentences = [*_logs(comparison), *_settings(comparison), *_unfinished(comparison), *_models(comparison)]
    sentences += [
        f"{run.name} has the settings and the seed of {twin.name}: it is listed and does not count."
        for run, twin in comparison.copies
    ]
    return sentences + [f"Left out: {reason}" for reason in comparison.left_out]


def _logs(comparison: Comparison) -> list[str]:
    sentences = []
    for name, runs in _groups(comparison.runs, lambda run: run.log.name).items():
        files = _groups(runs, lambda run: run.log.sha256)
        if len(files) > 1:
            sentences.append(f"{len(files)} files are called {name}: their SHA-256 differ, so they are compared apart.")
        for own in files.values():
            if words := differing_words(run.reading for run in own):
                sentences.append(
                    f"The runs on {name} do not read it alike ({', '.join(words)[:300]}), so they are compared apart."
                )
    for key, name in log_names(comparison.runs).items():
        if len({run.column for run in comparison.runs if run.log.key == key}) > 1:
            sentences.append(
                f"The runs on {name} differ in their task (simulator, time limit or range of scores), so they are "
                "compared apart."
            )
    return sentences


def _groups(runs: Sequence[Run], key: Callable[[Run], str]) -> dict[str, list[Run]]:
    """Runs by what they have in common."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def _settings(comparison: Comparison) -> list[str]:
    sentences = []
    for (method, _), runs in comparison.cells.items():
        log = comparison.log_of(runs[0]).name
        if names := differing(runs):
            sentences.append(f"The seeds of {method} on {log} differ in {', '.join(names)[:300]}.")
        if len({run.epochs for run in runs if run.finished}) > 1:
            sentences.append(f"The seeds of {method} on {log} were not trained equally long.")
    return sentences


def _unfinished(comparison: Comparison) -> list[str]:
    sentences = []
    for run in comparison.runs:
        far = run.epochs_done
        if run.state == "diverged":
            sentences.append(f"{run.name} diverged after {far}.")
        elif not run.finished:
            still = "is still being trained" if run.state == "running" else "stopped"
            sentences.append(f"{run.name} is not finished: it {still}, with {far} done. It counts in no mean.")
    return sentences


def _models(comparison: Comparison) -> list[str]:
    """Seeds on one ensemble vary less than seeds do."""
    sentences = []
    for (method, _), runs in comparison.cells.items():
        known = [run.ensemble.get("sha256") for run in runs]
        if len(runs) > 1 and None not in known and len(set(known)) == 1:
            sentences.append(
                f"The {len(runs)} seeds of {method} on {comparison.log_of(runs[0]).name} share one ensemble: their "
                "spread is the policy’s part of the variance only."
            )
    return sentences
