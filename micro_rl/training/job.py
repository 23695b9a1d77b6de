"""One of the runs that are made side by side, from its plan to its outcome."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from micro_rl.core.metric_keys import SCORE_KEYS
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.errors import Diverged
from micro_rl.policy import Policy
from micro_rl.storage.jsonl import Row, RowFile
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.callbacks import Callback
from micro_rl.training.plan import Plan


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies, what it learned and what it scored."""

    path: Path
    policy: Policy
    scores: dict[str, Any]
    metrics: list[Row]

    def __repr__(self) -> str:
        """In one line: where it lies, how far it got, and the first of its scores."""
        score = next((f"{key}={self.scores[key]['mean_of_last']:.6g}" for key in SCORE_KEYS if key in self.scores), "")
        figures = ", ".join(filter(None, (f"epochs={self.scores.get('epochs', 0)}", score)))
        return f"Run({str(self.path)!r}, {figures})"


@dataclass(eq=False)
class Job:
    """A run that is to be made: its plan, its folder, who is told of it, and the model it works with, once it has one.

    `error` is set where its fit or its training diverged.
    """

    plan: Plan
    folder: RunFolder
    callback: Callback
    model: FittedModel | None
    error: Diverged | None = None
    fit_rows: RowFile = field(init=False)

    def __post_init__(self) -> None:
        self.fit_rows = self.folder.fit_rows()

    def fail(self, error: Diverged) -> None:
        """It diverged; the callback is told."""
        self.error = error
        self.callback.diverged(str(error))
