"""MICRO's beta on a graphics card: six seeds of five betas, in one program.

    python -m runs.card_beta LOG OUT --model FOLDER [--seconds S] [--keep K] [--quick]

hopper-medium-replay's preset with one draw, and one ensemble for all (`micro-rl fit LOG --out FOLDER`). No simulator is
asked: every K epochs each run's policy is kept in its folder in OUT, and `python -m runs.card_beta_page OUT` evaluates
them wherever MuJoCo is. When S seconds are over the runs end with the epoch that they are in; nothing goes on from
there.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from micro_rl.errors import Diverged
from micro_rl.policy import Policy
from micro_rl.storage.jsonl import Row
from micro_rl.training.callbacks import Callback
from micro_rl.training.grid import Trial, trials
from micro_rl.training.job import Run
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.sweep import SweepCallback, carry_out

BETAS = (0.0, 0.1, 0.25, 0.5, 1.0)
SEEDS = 6
NEVER = 1_000_000
"""Epochs between evaluations and between saves: there shall be none."""
QUICK = {"updates_per_epoch": 20, "rollout_batch_size": 1000}


class TimeIsUp(Exception):
    """Ends the training."""


class Keeping(Callback):
    """Keeps a run's policies in its folder, and ends all runs when the time is up.

    Args:
        folder: The run's.
        every: Epochs between the policies that are kept.
        until: The end, by `time.monotonic`.
        printed: Whether this run's epochs are printed, as one of each beta is.
    """

    def __init__(self, folder: Path, every: int, until: float, printed: bool):
        self._folder, self._every, self._until, self._printed = folder, every, until, printed

    def trained(self, row: Row, policy: Policy) -> None:
        epoch = int(row["epoch"])
        if epoch % self._every == 0:
            policy.save(self._folder / policy_name(epoch))
        if self._printed:
            names = ("time/seconds", "time/updates_per_second", "q/model", "conservative_term")
            print(self._folder.name, epoch, *(f"{name} {row[name]:.3f}" for name in names if name in row), flush=True)
        if time.monotonic() > self._until:
            raise TimeIsUp

    def diverged(self, text: str) -> None:
        print(f"{self._folder.name}: {text}", flush=True)


class KeepingAll(SweepCallback):
    """Every run's `Keeping`, with the same end for all."""

    def __init__(self, out: Path, every: int, seconds: float):
        self._out, self._every, self._until = out, every, time.monotonic() + seconds

    def note(self, text: str) -> None:
        print(text, flush=True)

    def of(self, trial: Trial) -> Callback:
        return Keeping(self._out / trial.name, self._every, self._until, printed=trial.plan.settings.seed == 0)


def policy_name(epoch: int) -> str:
    """The file of the policy after that epoch."""
    return f"policy-{epoch:05}.safetensors"


def planned(log: Path, model: Path, **changes: object) -> Plan:
    """The preset with one draw and no simulator."""
    chosen: dict[str, Any] = {"num_samples": 1, **changes}
    plan = make_plan(log, "micro", preset="hopper-medium-replay", model=model, **chosen)
    return replace(plan, task=replace(plan.task, env=None)).varied({"eval_every": NEVER, "checkpoint_every": NEVER})


def train(plan: Plan, out: Path, every: int, seconds: float) -> dict[str, Run | Diverged]:
    """All runs in one program until the time is up, or all epochs are done."""
    grid = trials(plan, SEEDS, {"beta": BETAS})
    try:
        return carry_out(grid, out, width=len(grid), callback=KeepingAll(out, every, seconds))
    except TimeIsUp:
        return {}


def main() -> None:
    """Train as asked."""
    parser = argparse.ArgumentParser(prog="python -m runs.card_beta", description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--keep", type=int, default=10, help="epochs between the policies that are kept")
    parser.add_argument("--quick", action="store_true", help="tiny epochs: shows that it runs")
    options = parser.parse_args()
    plan = planned(options.log, options.model, **(QUICK if options.quick else {}))
    train(plan, options.out, options.keep, options.seconds)


if __name__ == "__main__":
    main()
