"""What it saves to evaluate an epoch while the next is computed: the old order and the new one, in turn.

    python -m benchmarks.overlap LOG --model FOLDER [--env ID] [--turns 2]

MICRO with one draw on a log with a simulator and a model from `micro-rl fit`, four epochs a turn, an evaluation after
each; the first epoch, in which programs are compiled, is not counted.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from micro_rl import run
from micro_rl.metrics import MetricsLog, open_metrics
from micro_rl.plan import Plan, make_plan
from micro_rl.policy import Policy
from micro_rl.rows import Row
from micro_rl.store import RunFolder
from micro_rl.training import Epoch, Training
from micro_rl.wandb_run import WandbSettings
from micro_rl.watcher import Watcher

EPOCHS = 4


class Clock(Watcher):
    """When each epoch was over."""

    def __init__(self) -> None:
        self.over: list[float] = []

    def trained(self, row: Row, policy: Policy) -> None:
        self.over.append(time.perf_counter())


def seconds(plan: Plan) -> float:
    """Of an epoch and its evaluation."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        run.execute(plan, Path(place) / "run", watcher=clock)
    return (clock.over[-1] - clock.over[0]) / (EPOCHS - 1)


def one_after_the_other(plan: Plan) -> float:
    """The same where an epoch is concluded before the next one is dispatched."""
    logs: list[MetricsLog] = []
    begin: Callable[[Training, Epoch], None] = Training.begin

    def opened(folder: RunFolder, wandb: WandbSettings | None = None) -> MetricsLog:
        logs.append(open_metrics(folder, wandb))
        return logs[-1]

    def at_once(training: Training, epoch: Epoch) -> None:
        begin(training, epoch)
        training.conclude(logs[-1])

    with mock.patch.object(Training, "begin", at_once), mock.patch.object(run, "open_metrics", opened):
        return seconds(plan)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overlap", description=__doc__)
    parser.add_argument("log")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--env")
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    overrides = {"draws": 1, "epochs": EPOCHS, "evaluate_every": 1, "checkpoint_every": 2 * EPOCHS}
    plan = make_plan(options.log, "micro", env=options.env, model=options.model, overrides=overrides)
    for _ in range(options.turns):
        old, new = one_after_the_other(plan), seconds(plan)
        print(
            f"one after the other {old:.2f} s an epoch, together {new:.2f} s: {old / new:.2f} times as fast", flush=True
        )


if __name__ == "__main__":
    main()
