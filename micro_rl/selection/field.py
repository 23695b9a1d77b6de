"""The candidates at work: their tasks, their folders, the policies that they leave after each rung."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from micro_rl.algorithms.registry import resolve
from micro_rl.core.epoch_time import computing_seconds
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.setting import settings_in
from micro_rl.dynamics.saved_model import load_model
from micro_rl.policy import Policy
from micro_rl.selection.crew import Crew
from micro_rl.selection.portfolio import Candidate
from micro_rl.selection.task import Task
from micro_rl.storage.files import replace_file, saving
from micro_rl.storage.jsonl import Row
from micro_rl.storage.run_folder import RunFolder

MODEL = "model"
FIT_SECONDS_OF_A_ROW = 4e-4
"""What a pass of the shared fit costs for each row on one core, about: it decides how many passes there may be."""
FIT_SHARE = 0.2
"""Of all the time, at most, for the shared fit."""
COMPILED = 2.0
"""Times the seconds of its computing that an epoch takes at most, where it was not compiled."""


class Field(NamedTuple):
    """Candidates that share a log, a folder, seeds, an ensemble, and who trains them.

    `mapping` is how the log was described, as TOML: the file that candidates learn from does not tell it.
    """

    candidates: tuple[Candidate, ...]
    log: Path
    folder: Path
    seeds: tuple[int, ...]
    crew: Crew
    mapping: str = ""

    @property
    def names(self) -> list[str]:
        """The candidates'."""
        return [candidate.name for candidate in self.candidates]

    def run(self, candidate: str, seed: int) -> RunFolder:
        """A candidate's run folder."""
        return RunFolder(self.folder / "runs" / candidate / f"seed{seed}")

    def fit(self, seconds: float, rows: int) -> list[Task]:
        """The fit of the ensemble, where a candidate needs one.

        Args:
            seconds: that everything may take.
            rows: of the log.
        """
        learners = [candidate for candidate in self.candidates if candidate.learns_model]
        if not learners:
            return []
        first, own = learners[0], {"preset", "num_elites", *settings_in(ModelSettings)}
        choices = {name: value for name, value in first.choices.items() if name in own}
        settings, _ = resolve(first.method, choices["preset"], {})
        passes = int(seconds * FIT_SHARE / (FIT_SECONDS_OF_A_ROW * rows))
        choices["max_fit_epochs"] = max(5, min(settings.max_fit_epochs, passes))
        where = str(self.folder / MODEL)
        return [Task(MODEL, str(self.log), where, first.method, choices, self.seeds[:1], None)]

    def fit_seconds(self, rows: int) -> float:
        """About how long the fit took, by its passes: a choice that was killed in it counts the same."""
        model = self.folder / MODEL
        return load_model(model).about["epochs"] * rows * FIT_SECONDS_OF_A_ROW if model.exists() else 0.0

    def training(self, until: Mapping[str, int]) -> list[Task]:
        """The tasks that bring candidates to these epochs, the model's learners first, which take longest."""
        tasks = []
        for candidate in sorted(self.candidates, key=lambda candidate: not candidate.learns_model):
            if candidate.name in until:
                choices = candidate.choices
                if candidate.learns_model:
                    choices = choices | {"model": str(self.folder / MODEL)}
                out = str(self.folder / "runs" / candidate.name)
                epoch = until[candidate.name]
                tasks.append(Task(candidate.name, str(self.log), out, candidate.method, choices, self.seeds, epoch))
        return [task for task in tasks if not self._collected(task.name, until[task.name])]

    def _collected(self, candidate: str, epoch: int) -> bool:
        """Whether the policies of that epoch lie there already."""
        return self._mark(candidate, epoch).exists()

    def fail(self, candidate: str, epoch: int, reason: str) -> None:
        """Keep why a candidate did not come to an epoch, so that it is not tried again."""
        self._mark(candidate, epoch).parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._mark(candidate, epoch), reason.encode())

    def failure(self, candidate: str, epoch: int) -> str | None:
        """Why a candidate did not come to an epoch; None where nothing is known of that."""
        mark = self._mark(candidate, epoch)
        return (mark.read_text() or None) if mark.exists() else None

    def _mark(self, candidate: str, epoch: int) -> Path:
        """Lies there once an epoch's policies are collected; empty, or with the reason why there are none."""
        return self.folder / "policies" / f"{candidate}-epoch{epoch}.done"

    def collect(self, candidate: str, epoch: int) -> dict[str, Policy]:
        """A candidate's policies after an epoch, kept under their names; a seed that diverged before has none.

        Args:
            candidate: by name.
            epoch: that its runs have reached.
        """
        folder, mark, policies = self.folder / "policies", self._mark(candidate, epoch), {}
        with saving(folder):
            folder.mkdir(exist_ok=True)
        for seed in self.seeds:
            run, path = self.run(candidate, seed), folder / f"{candidate}-seed{seed}-epoch{epoch}.safetensors"
            if not mark.exists() and self._reached(run, epoch):
                policy = Policy.load(run.path / "policy.safetensors")
                policy.mapping = self.mapping
                policy.save(path)
            if path.exists():
                policies[path.stem] = Policy.load(path)
        replace_file(mark, b"")
        return policies

    @staticmethod
    def _reached(run: RunFolder, epoch: int) -> bool:
        rows = run.metrics() if (run.path / "config.json").exists() else []
        return bool(rows) and int(rows[-1]["epoch"]) == epoch and (run.path / "policy.safetensors").exists()

    def cost(self, candidate: str) -> float:
        """Seconds of an epoch, all seeds of it together: the second, for the first was compiled.

        Where a process ended after the first, the second was compiled, too: it counts as `COMPILED` of its computing.
        """
        seconds = (
            min(row["time/seconds"], COMPILED * computing_seconds(row))
            for seed in self.seeds
            for row in self._rows(candidate, seed)[1:2]
        )
        return max(seconds)

    def first_seconds(self, candidate: str, epochs: int) -> float:
        """Seconds of its first epochs."""
        return max(sum(row["time/seconds"] for row in self._rows(candidate, seed)[:epochs]) for seed in self.seeds)

    def seconds(self, candidate: str) -> float:
        """Seconds that a candidate has trained, by its metrics; those of seeds in one program count once."""
        return max(sum((row["time/seconds"] for row in self._rows(candidate, seed)), 0.0) for seed in self.seeds)

    def epochs(self, candidate: str) -> int:
        """How far a candidate is."""
        return max((int(row["epoch"]) for seed in self.seeds for row in self._rows(candidate, seed)), default=0)

    def _rows(self, candidate: str, seed: int) -> list[Row]:
        run = self.run(candidate, seed)
        return run.metrics() if (run.path / "metrics.jsonl").exists() else []
