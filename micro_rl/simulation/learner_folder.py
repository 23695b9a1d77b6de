"""An online learner on disk: evaluations, policies, all it has seen, and checkpoints from which it goes on.

A folder is a run folder (`micro_rl.storage.run_folder`) whose epochs are the learner's evaluations, epoch 0 untrained.
It also holds `policies/steps-N.safetensors`, every one that was evaluated, and `experience/steps-N/`, what was seen
between an evaluation and the one before it: a checkpoint then need not hold it again.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.simulation.evaluation import Evaluation
from micro_rl.simulation.online_sac import Progress, State, learn
from micro_rl.simulation.online_settings import OnlineSettings
from micro_rl.simulation.recorder import Experience, joined
from micro_rl.storage.arrays import read_arrays, write_arrays
from micro_rl.storage.checkpoints import Checkpoint
from micro_rl.storage.files import saving
from micro_rl.storage.json_files import json_round_trip
from micro_rl.storage.jsonl import Row
from micro_rl.storage.locks import locked
from micro_rl.storage.run_folder import RunFolder


@dataclass(frozen=True)
class LearnerConfig:
    """What decides everything that a learner sees and becomes."""

    env: str
    settings: OnlineSettings
    horizon: int | None = None
    """The episodes' time limit in steps where it is not the simulator's own."""

    def saved(self) -> dict[str, Any]:
        """As JSON, without the number of steps: a learner of more steps begins like one of fewer."""
        settings = {name: value for name, value in asdict(self.settings).items() if name != "steps"}
        return {"env": self.env, "horizon": self.horizon, "settings": settings}


class LearnerFolder:
    """One learner on disk; new, or the one that is there.

    Args:
        path: the folder.
        config: of the learner.

    Raises:
        UserError: where the folder holds another learner, or anything else.
    """

    def __init__(self, path: Path, config: LearnerConfig):
        self.config = config
        if not (path / "config.json").exists():
            self.folder = RunFolder.create(path, config.saved())
            return
        self.folder = RunFolder.open(path)
        saved = {name: value for name, value in self.folder.config().items() if name != "format"}
        current = json_round_trip(config.saved())
        if saved != current:
            changes = _difference(saved, current)
            raise UserError(f"{path}: holds a learner with {changes}; choose another folder with --out")

    def rows(self) -> list[Row]:
        """The evaluations so far: `epoch`, `steps`, `return`, `return_std`, `length`, `seconds`.

        Where a learner of more steps went on there, they are those that this one comes to.
        """
        return [row for row in self.folder.metrics() if row["steps"] <= self.config.settings.steps]

    def policy(self, steps: int) -> Policy:
        """Load the policy that was evaluated after so many steps; `UserError` where there was none."""
        return Policy.load(self.policy_file(steps))

    def policy_file(self, steps: int) -> Path:
        """Where that policy lies."""
        return self.folder.path / "policies" / f"steps-{steps:09d}.safetensors"

    def experience(self, steps: int) -> Experience:
        """Read all that was seen in the first steps, up to an evaluation; `UserError` where a part is missing."""
        every = self.config.settings.eval_every
        return joined([self._piece(stop) for stop in range(every, steps + 1, every)])

    def advance(
        self, enough: Callable[[list[Row]], bool], on_row: Callable[[Row], None], note: Callable[[str], None]
    ) -> None:
        """Learn on from the newest checkpoint until the evaluations are enough or the learner's steps are over.

        Args:
            enough: whether the evaluations so far are.
            on_row: receives every new evaluation.
            note: receives remarks, such as where the learner goes on.

        Raises:
            UserError: where another process works there, or nothing there can be used.
            CannotWrite: where the disk refuses.
        """
        with locked(self.folder.lock):
            checkpoint = self._newest(note)
            if checkpoint and self._over(enough):
                return
            resume = self._resumed(checkpoint, note) if checkpoint and checkpoint.epoch else None
            if resume is None:
                self.folder.rewind(-1)
            began = time.monotonic()
            for progress in learn(self.config.env, self.config.settings, self.config.horizon, resume):
                on_row(self._save(progress, time.monotonic() - began))
                if self._over(enough):
                    return
                began = time.monotonic()

    def _over(self, enough: Callable[[list[Row]], bool]) -> bool:
        rows = self.rows()
        return rows[-1]["steps"] >= self.config.settings.steps or enough(rows)

    def _newest(self, note: Callable[[str], None]) -> Checkpoint | None:
        """The newest valid checkpoint; later leftovers are dropped."""
        checkpoint = self.folder.checkpoints.newest()
        self.folder.rewind(checkpoint.epoch if checkpoint else -1)
        for reason in checkpoint.skipped if checkpoint else ():
            note(f"{reason}; the checkpoint before it is used")
        return checkpoint

    def _resumed(self, checkpoint: Checkpoint, note: Callable[[str], None]) -> tuple[Experience, State]:
        """What the learner had seen and was then."""
        steps = checkpoint.epoch * self.config.settings.eval_every
        note(f"going on after step {steps:,}")
        return self.experience(steps), State(checkpoint.arrays, checkpoint.meta["streams"])

    def _save(self, progress: Progress, seconds: float) -> Row:
        """Save everything about one evaluation; the checkpoint last, so that what it needs is there."""
        every = self.config.settings.eval_every
        epoch, file = progress.steps // every, self.policy_file(progress.steps)
        with saving(file):
            file.parent.mkdir(exist_ok=True)
        progress.policy.save(file)
        if epoch:
            piece = progress.experience.part(progress.steps - every, progress.steps)
            write_arrays(self._place(progress.steps), "experience", piece._asdict())
        row = {"epoch": epoch, "steps": progress.steps, **_figures(progress.evaluation), "seconds": seconds}
        self.folder.append_metrics(row)
        self.folder.checkpoints.save(epoch, progress.state.agent, streams=progress.state.streams)
        return row

    def _place(self, steps: int) -> Path:
        return self.folder.path / "experience" / f"steps-{steps:09d}"

    def _piece(self, steps: int) -> Experience:
        arrays, _ = read_arrays(self._place(steps), "experience")
        return Experience(**arrays)


def _figures(evaluation: Evaluation) -> Row:
    return {
        "return": float(evaluation.returns.mean()),
        "return_std": float(evaluation.returns.std()),
        "length": float(evaluation.lengths.mean()),
    }


def _difference(saved: dict[str, Any], current: dict[str, Any]) -> str:
    before, after = ({**config, **config.get("settings", {})} for config in (saved, current))
    changes = [name for name in after if name != "settings" and before.get(name) != after[name]]
    return ", ".join(f"{name} {before.get(name)}, not {after[name]}" for name in changes)
