"""micro-rl train: learn a policy from a log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from micro_rl.cli.commands.planning import Task, planned
from micro_rl.cli.commands.training import carry_out


@dataclass(frozen=True)
class Training(Task):
    """What to train on and where to put it."""

    out: Path | None = None
    """The run folder; by default trained/LOG-METHOD-seedN."""
    resume: bool = False
    """Go on from the newest valid checkpoint in the run folder."""
    branch: Path | None = None
    """New folder in which the run in --out goes on from its newest checkpoint with what is changed here."""
    refit: bool = False
    """With --branch: fit the model anew, on a log that has grown since; the agent goes on from where it was."""
    until: int | None = None
    """Stop after this epoch with everything saved; --resume goes on later."""
    wandb: Literal["off", "offline", "online"] = "off"
    """Send the metrics to Weights & Biases as well (needs the extra micro-rl[wandb])."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    task, plan, *_ = planned("train", Training, _explained, arguments)
    carry_out(plan, task.out, task.resume, task.until, task.wandb, task.branch, task.refit)


def _explained(name: str, method: Any) -> str:
    explanation = f"Learn a policy from a log with {name}: {method.SUMMARY} ({method.PAPER}).\n\n"
    return explanation + "The options' defaults are those of the log's preset."
