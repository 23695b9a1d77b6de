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
from micro_rl.simulation.online_sac import OnlineSettings, Progress, State, learn
from micro_rl.simulation.recorder import Experience, joined
from micro_rl.storage.arrays import read_arrays, write_arrays
from micro_rl.storage.checkpoints import Checkpoint
from micro_rl.storage.files import json_bytes, parse_json, saving
from micro_rl.storage.jsonl import Row
from micro_rl.storage.locks import locked
from micro_rl.storage.run_folder import RunFolder


@dataclass(frozen=True)
class Lesson:
    """What decides everything that a learner sees and becomes."""

    env: str
    settings: OnlineSettings
    horizon: int | None = None
    """The episodes' time limit where it is not the simulator's own."""

    def config(self) -> dict[str, Any]:
        """As JSON, without the number of steps: a longer lesson begins like a shorter one."""
        settings = {name: value for name, value in asdict(self.settings).items() if name != "steps"}
        return {"env": self.env, "horizon": self.horizon, "settings": settings}


class Keeper:
    """One learner's folder; new, or that of the same lesson."""

    def __init__(self, path: Path, lesson: Lesson):
        self.lesson = lesson
        if not (path / "config.json").exists():
            self.folder = RunFolder.create(path, lesson.config())
            return
        self.folder = RunFolder.open(path)
        kept = {name: value for name, value in self.folder.config().items() if name != "format"}
        now = _as_json(lesson.config())
        if kept != now:
            raise UserError(f"{path}: holds a learner with {_difference(kept, now)}; choose another folder with --out")

    def rows(self) -> list[Row]:
        """The evaluations so far: `epoch`, `steps`, `return`, `return_std`, `length`, `seconds`."""
        return self.folder.metrics()

    def policy(self, steps: int) -> Policy:
        """The one that was evaluated then."""
        return Policy.load(self.policy_file(steps))

    def policy_file(self, steps: int) -> Path:
        """Where it lies."""
        return self.folder.path / "policies" / f"steps-{steps:09d}.safetensors"

    def experience(self, steps: int) -> Experience:
        """All that was seen in the first steps, up to an evaluation."""
        every = self.lesson.settings.eval_every
        return joined([self._piece(stop) for stop in range(every, steps + 1, every)])

    def advance(self, enough: Callable[[list[Row]], bool], told: Callable[[Row], None], said: Callable[[str], None]):
        """Learn on until the rows are enough or the lesson is over; `told` sees every new row, `said` each remark."""
        with locked(self.folder.lock):
            checkpoint = self._newest(said)
            if checkpoint and self._over(enough):
                return
            resume = self._kept(checkpoint, said) if checkpoint and checkpoint.epoch else None
            if resume is None:
                self.folder.rewind(-1)
            began = time.monotonic()
            for progress in learn(self.lesson.env, self.lesson.settings, self.lesson.horizon, resume):
                row = self._keep(progress, time.monotonic() - began)
                told(row)
                if self._over(enough):
                    return
                began = time.monotonic()

    def _over(self, enough: Callable[[list[Row]], bool]) -> bool:
        rows = self.rows()
        return rows[-1]["steps"] >= self.lesson.settings.steps or enough(rows)

    def _newest(self, said: Callable[[str], None]) -> Checkpoint | None:
        """The newest valid checkpoint; later leftovers are dropped."""
        checkpoint = self.folder.checkpoints.newest()
        self.folder.rewind(checkpoint.epoch if checkpoint else -1)
        for reason in checkpoint.skipped if checkpoint else ():
            said(f"{reason}; the checkpoint before it is used")
        return checkpoint

    def _kept(self, checkpoint: Checkpoint, said: Callable[[str], None]) -> tuple[Experience, State]:
        """What the learner had seen and was then."""
        steps = checkpoint.epoch * self.lesson.settings.eval_every
        said(f"going on after step {steps:,}")
        return self.experience(steps), State(checkpoint.arrays, checkpoint.meta["streams"])

    def _keep(self, progress: Progress, seconds: float) -> Row:
        """Everything about one evaluation; the checkpoint last, so that what it needs is there."""
        every = self.lesson.settings.eval_every
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


def _as_json(config: dict[str, Any]) -> dict[str, Any]:
    """As it reads back from a file."""
    return parse_json(json_bytes(config), "config")


def _difference(kept: dict[str, Any], now: dict[str, Any]) -> str:
    before, after = ({**config, **config.get("settings", {})} for config in (kept, now))
    changed = [name for name in after if name != "settings" and before.get(name) != after[name]]
    return ", ".join(f"{name} {before.get(name)}, not {after[name]}" for name in changed)
