"""What it saves to evaluate an epoch while the next is computed: the old order and the new one, in turn.

    python -m benchmarks.overlap [LOG] [--model FOLDER] [--env ID] [--episodes N] [--turns 2]

MICRO with one draw on a log with a simulator, an evaluation after every epoch, timed from the end of the first epoch,
beside which nothing is evaluated, to the end of the last evaluation, beside which nothing is computed. Without a model
one is fitted first, in two epochs: what it is worth changes no time.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from micro_rl.training import runner
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.run import Epoch, RunTraining

EPOCHS = 6
LOG = "pendulum-demo"


class Overlap(NamedTuple):
    """Seconds of the epochs after the first and of all their evaluations."""

    one_after_the_other: float
    together: float

    def __str__(self) -> str:
        return (
            f"{EPOCHS - 1} epochs and {EPOCHS} evaluations: one after the other {self.one_after_the_other:.2f} s, "
            f"together {self.together:.2f} s, {self.one_after_the_other / self.together:.2f} times as fast"
        )


def planned(log: str, model: Path | None, env: str | None = None, episodes: int = 10, updates: int = 1000) -> Plan:
    """The run that is timed."""
    overrides: dict[str, Any] = {"num_samples": 1, "epochs": EPOCHS, "eval_every": 1, "checkpoint_every": 2 * EPOCHS}
    fit: dict[str, Any] = {} if model else {"max_fit_epochs": 2}
    sizes: dict[str, Any] = {"eval_episodes": episodes, "updates_per_epoch": updates, "rollout_every": updates}
    return make_plan(log, "micro", env=env, model=model, **(overrides | sizes | fit))


def overlap(plan: Plan) -> Overlap:
    """Both orders, one run each, after a first epoch and evaluation that compile what both need."""
    with tempfile.TemporaryDirectory() as folder:
        runner.execute(plan, Path(folder) / "run", until=1)
    return Overlap(seconds(plan, in_turn=True), seconds(plan, in_turn=False))


def seconds(plan: Plan, in_turn: bool) -> float:
    """From the end of the first epoch; `in_turn`: an epoch is finished before the next one is begun."""
    epochs_ended: list[float] = []
    ended = 0.0
    receive: Callable[[RunTraining, Epoch], None] = RunTraining.receive_epoch
    finish: Callable[[RunTraining], None] = RunTraining.finish_epoch

    def received(training: RunTraining, epoch: Epoch) -> None:
        epochs_ended.append(time.perf_counter())
        receive(training, epoch)
        if in_turn:
            finish(training)

    def finished(training: RunTraining) -> None:
        nonlocal ended
        finish(training)
        ended = time.perf_counter()

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(RunTraining, "receive_epoch", received),
        mock.patch.object(RunTraining, "finish_epoch", finished),
    ):
        runner.execute(plan, Path(folder) / "run")
    return ended - epochs_ended[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overlap", description=__doc__)
    parser.add_argument("log", nargs="?", default=LOG)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--env")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    plan = planned(options.log, options.model, options.env, options.episodes)
    for _ in range(options.turns):
        print(overlap(plan), flush=True)


if __name__ == "__main__":
    main()
