"""The runs that are compared, read once: what each is, how far it went and what it is worth."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.core.metric_keys import EVAL_RETURN, EVAL_SCORE, metric_label
from micro_rl.core.settings import SCORED_EVALUATIONS
from micro_rl.core.tasks import Task
from micro_rl.core.wording import plural
from micro_rl.errors import UserError
from micro_rl.reports.compare.readings import key_of, reading_of
from micro_rl.reports.compare.robust_results import Robust, read_robust
from micro_rl.reports.run import record
from micro_rl.reports.run.record import Record, sane
from micro_rl.storage.json_files import read_json
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.run_index import run_folders, state

MEASURED = tuple((key, metric_label(key)) for key in (EVAL_SCORE, EVAL_RETURN))
"""What a simulator told, by the key of the metrics, and its unit."""


class Outcome(NamedTuple):
    """A run's mean of its last ten evaluations; `final` where the run itself reported it."""

    value: float
    unit: str
    best: float
    evaluations: int
    final: bool


class Log(NamedTuple):
    """What a run was trained on; `key` is equal for one file read one way, `sha256` the file's, "" where not known."""

    key: str
    name: str
    sha256: str


class Run(NamedTuple):
    """One run: `name` is its shortest telling path, `state` as `micro-rl runs` says it."""

    path: Path
    name: str
    record: Record
    state: str
    robust: list[Robust]
    ensemble: dict[str, Any]
    """What the file of its ensemble, or of the one that scores it, says, and its `sha256`; empty without one."""

    @property
    def epochs_done(self) -> str:
        """'50 of 100 epochs', or '50 epochs' where the run does not say how many were planned."""
        return f"{self.epochs:,} of {plural(self.planned, 'epoch')}" if self.planned else plural(self.epochs, "epoch")

    @property
    def method(self) -> str:
        """As the run was told, 'unknown' where it does not say."""
        return str(self.record.config.get("method") or "unknown")

    @property
    def seed(self) -> int:
        """-1 where the run does not say."""
        return int(self.record.settings.get("seed", -1))

    @property
    def log(self) -> Log:
        """Told apart by content and by how that is read, not by name."""
        log = self.record.config.get("log", {})
        name, sha256 = str(log.get("name") or "an unnamed log"), str(log.get("sha256") or "")
        return Log(key_of(sha256 or name, self.reading), name, sha256)

    @property
    def reading(self) -> dict[str, Any]:
        """How it read its log."""
        return reading_of(self.record.config.get("log", {}))

    @property
    def task(self) -> Task:
        """The task that it was trained for."""
        return Task(**self.record.config.get("task", {}))

    @property
    def column(self) -> str:
        """Equal for runs that are measured alike: in log, simulator, time limit and range of scores."""
        task = self.task
        return f"{self.log.key} {task.env} {task.horizon} {task.score_min} {task.score_max}"

    @property
    def epochs(self) -> int:
        """How many are done."""
        last = self.record.metrics[-1]["epoch"] if self.record.metrics else 0
        return int(last) if sane(last) else 0

    @property
    def planned(self) -> int:
        """How many its plan has; 0 where the run does not say."""
        return int(self.record.settings.get("epochs", 0))

    @property
    def finished(self) -> bool:
        """Whether the run ended by itself or where it was told to, and reported a score."""
        return bool(self.record.scores)

    @property
    def commit(self) -> str:
        """The code that trained it last, "" where that is not known."""
        commits = [str(process.get("commit") or "") for process in self.record.processes]
        return commits[-1][:100] if commits else ""

    @property
    def version(self) -> str:
        """The program's version."""
        return str(self.record.config.get("versions", {}).get("micro-rl", ""))[:100]

    @property
    def outcome(self) -> Outcome | None:
        """None where no simulator measured it, or what it measured is not finite."""
        return next((outcome for key, unit in MEASURED if (outcome := self._outcome(key, unit))), None)

    def _outcome(self, key: str, unit: str) -> Outcome | None:
        score = self.record.scores.get(key)
        if score is not None:
            value = score["mean_of_last"]
            best, counted = float(score["best"]), score["evaluations"]
            return Outcome(float(value), unit, best, counted, True) if sane(value) else None
        values = [float(row[key]) for row in self.record.metrics if key in row]
        last = values[-SCORED_EVALUATIONS:]
        if not last or not all(map(sane, last)):
            return None
        return Outcome(sum(last) / len(last), unit, max(filter(sane, values)), len(last), False)


class Collected(NamedTuple):
    """The runs, and why others below the given folders were left out."""

    runs: list[Run]
    left_out: list[str]


def collect(folders: Sequence[Path]) -> Collected:
    """Every run that is named or lies below a named folder, each once.

    Raises `UserError` where a folder holds no runs, or a run that is itself named cannot be read.
    """
    runs: dict[Path, Run] = {}
    left_out: list[str] = []
    for folder in folders:
        paths = [folder] if (folder / "config.json").exists() else sorted(run_folders(folder))
        if not paths:
            raise UserError(f"{folder}: holds no runs; give run folders, or a folder that holds some")
        for path in paths:
            try:
                runs.setdefault(path.resolve(), read(path))
            except UserError as error:
                if path == folder:
                    raise
                left_out.append(str(error))
    if not runs:
        raise UserError(f"{left_out[0]} (and no other run was found)")
    return Collected(_named(list(runs.values())), left_out)


def read(path: Path) -> Run:
    """One run folder; raises `UserError` if a file in it is damaged or is not the one that was sealed."""
    content, folder = record.read(path), RunFolder.open(path)
    condition = state(folder, content.metrics, content.settings.get("epochs"))
    robust = read_robust(path, Task(**content.config.get("task", {})))
    return Run(path, content.name, content, condition, robust, _ensemble(record.model_folder(folder)))


def _named(runs: list[Run]) -> list[Run]:
    """The folder's own name where it is the only one of that name, else as much of its path as was given."""
    names = [run.name for run in runs]
    return [run._replace(name=str(run.path)) if names.count(run.name) > 1 else run for run in runs]


def _ensemble(folder: Path) -> dict[str, Any]:
    """Its SHA-256, epochs of the fit, holdout errors and members, as far as its files tell in the right kind."""
    facts: dict[str, Any] = {}
    with suppress(UserError, OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError):
        facts["sha256"] = str(read_json(folder / "manifest.json")["files"]["ensemble.safetensors"]["sha256"])[:64]
        about = read_json(folder / "ensemble.json")
        if type(about.get("epochs")) is int:
            facts["epochs"] = about["epochs"]
        errors = about.get("holdout")
        if isinstance(errors, list) and errors and all(type(error) in (int, float) and sane(error) for error in errors):
            facts["holdout"] = sorted(float(error) for error in errors)
    return facts
