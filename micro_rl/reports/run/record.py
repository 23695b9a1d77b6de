"""What a run folder says about its run, read once; everything else on the page is made from this."""

import dataclasses
import math
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.core.settings import Settings
from micro_rl.dynamics import quality_report
from micro_rl.dynamics.quality_report import ModelReport
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.storage.files import sha256
from micro_rl.storage.json_files import read_json
from micro_rl.storage.jsonl import Row
from micro_rl.storage.run_folder import RunFolder

ABSURD = 1e12
"""Larger figures are no results: they count as not finite, so that no picture overflows."""


class Series(NamedTuple):
    """One logged quantity over epochs; only finite values, so it may be shorter than the run."""

    epochs: list[float]
    values: list[float]

    def __bool__(self) -> bool:
        return bool(self.epochs)

    @property
    def last(self) -> float:
        """The newest value."""
        return self.values[-1]


class PolicyFile(NamedTuple):
    """What the exported policy says of itself."""

    observations: int
    actions: int
    sha256: str
    history: int


class Record(NamedTuple):
    """A run as its folder tells it; `scores` is empty while it runs, `policy` None where there is none.

    `processes` are those that trained it, oldest first; runs of format 1 do not tell.
    """

    name: str
    config: dict[str, Any]
    scores: dict[str, Any]
    metrics: list[Row]
    fit: list[Row]
    policy: PolicyFile | None
    processes: list[dict[str, Any]]
    diverged: bool
    head: dict[str, Any]
    """What the measurement of a learned termination found, empty where a rule was known."""
    report: ModelReport | None
    """What was measured of the ensemble, or of the one that scores it, where its fit kept that."""
    held_out: int = 0
    """Episodes that its fit kept out."""

    def series(self, key: str) -> Series:
        """A key of the metrics over epochs, empty if it was never logged."""
        return series(self.metrics, key)

    @property
    def log(self) -> dict[str, Any]:
        """Figures of the log: `return_mean`, `return_best`, `episodes` and what else was noted."""
        return self.scores.get("log", {})

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name."""
        return self.config.get("settings", {})

    @property
    def learns_model(self) -> bool:
        """Whether the method fits the dynamics, as all did when runs did not say."""
        return self.config.get("learns_model", True)

    @property
    def scored_by_model(self) -> bool:
        """Whether a model scores it that it did not learn in, fitted for that or given."""
        return not self.learns_model and bool(self.fit or self.report or self.config.get("model"))

    def count_elites(self, members: int) -> int:
        """How many of so many members are used."""
        return int(self.settings.get("num_elites") or (self.report.elites if self.report else members) or 1)

    @property
    def episodes_end(self) -> str:
        """When the model's do, in words; runs that did not say have the rule alone."""
        rule = self.config.get("task", {}).get("termination") or "never"
        return self.config.get("episodes_end", rule if self.learns_model else "where the log’s do")


def sane(value: float | int) -> bool:
    """Finite, and of a size that a return can have."""
    return math.isfinite(value) and abs(value) < ABSURD


def series(rows: list[Row], key: str) -> Series:
    """The finite values of one key, with their epochs."""
    pairs = [(row["epoch"], row[key]) for row in rows if key in row and sane(row[key]) and sane(row["epoch"])]
    return Series([float(epoch) for epoch, _ in pairs], [float(value) for _, value in pairs])


def read(path: Path) -> Record:
    """Raises `UserError` if there is no run folder, a file in it is damaged, or it is not the one that was sealed."""
    folder = RunFolder.open(path)
    if folder.sealed:
        folder.verify()
    model = model_folder(folder)
    about = _about(model / "ensemble.json")
    return Record(
        name=path.resolve().name,
        config=folder.config(),
        scores=folder.scores() if (path / "scores.json").exists() else {},
        metrics=folder.metrics(),
        fit=folder.fit(),
        policy=_policy(path / "policy.safetensors"),
        processes=folder.processes(),
        diverged=folder.diverged.exists(),
        head=about.get("termination", {}),
        report=_report(about, model),
        held_out=len(about.get("episodes_held_out") or ()),
    )


def model_folder(run: RunFolder) -> Path:
    """Where the run's model lies, or the one that scores it."""
    return run.model if run.model.exists() else run.scoring_model


def _about(path: Path) -> dict[str, Any]:
    """What the run's model says of its fit, empty where there is none."""
    return read_json(path) if path.exists() else {}


def _report(about: dict[str, Any], path: Path) -> ModelReport | None:
    try:
        return quality_report.of(about)
    except ValueError as error:
        raise UserError(f"{path}: {error}; restore it from a copy") from error


def _policy(path: Path) -> PolicyFile | None:
    if not path.exists():
        return None
    policy = Policy.load(path)
    return PolicyFile(policy.observation_size, policy.action_size, sha256(path), policy.history)


def kept_errors(fit: list[Row]) -> dict[int, float]:
    """Each member's holdout error at the epoch that was kept; an epoch is kept if it gains more than 1 %."""
    errors: dict[int, float] = {}
    for row in fit:
        for key, error in row.items():
            if key.startswith("holdout/member"):
                member = int(key.removeprefix("holdout/member"))
                errors[member] = error if error < 0.99 * errors.get(member, math.inf) else errors.get(member, error)
    return errors


def elites(fit: list[Row], count: int) -> list[int]:
    """The members that made rollouts: the `count` of smallest kept error."""
    errors = kept_errors(fit)
    return sorted(errors, key=lambda member: (errors[member], member))[:count]


def settings_changed(settings: dict[str, Any]) -> set[str]:
    """Names of the settings that differ from the defaults."""
    defaults = dataclasses.asdict(Settings())
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    return {name for name, value in settings.items() if name in listed and listed[name] != value}
