"""What a checkpoint costs at hopper's sizes with the full rollout buffer.

    python -m benchmarks.checkpoint [--write FILE]

Blocks of epochs with a save at their beginning, as a run makes it, alternate with blocks without. The epochs are SAC's,
the fastest there are, so the share is the largest that any method sees. The blocks' own times drift by more than a save
costs, so the times of the save itself are given too.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax

from benchmarks import machine
from benchmarks.workload import ACT, KEYS, fresh_ensemble, hopper, make_problem
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.epoch import TrainState, compiled_epoch, start
from micro_rl.algorithms.model_based import sac_on_model
from micro_rl.algorithms.registry import resolve
from micro_rl.dynamics.termination_rules import RULES, ByRule
from micro_rl.storage import pytree_io
from micro_rl.storage.background import Background
from micro_rl.storage.checkpoints import Checkpoints

ROWS = 299_037
"""Of the hopper-medium-replay log that results are shown on."""


class Block(NamedTuple):
    """Seconds of one block of epochs, and of what a save in it took: waited for, and beside the epochs."""

    wall: float
    processor: float
    copied: float = 0.0
    written: float = 0.0


class Training:
    """Epochs of SAC on a log of random numbers; the buffer is full before the first block."""

    def __init__(self, updates: int, rows: int, starts: int):
        settings = hopper(updates_per_epoch=updates, rollout_batch_size=starts)
        self.every = resolve("sac", "hopper-medium-replay", {})[0].checkpoint_every
        problem, method, sizes = make_problem(rows), sac_on_model.build(sac_on_model.Options()), settings.sizes()
        ensemble = fresh_ensemble(problem, settings)
        self.state: TrainState = start(problem, ensemble, method, sizes, settings.temperature, KEYS)
        self._arguments = (method, problem, coefficients(settings, ACT), KEYS.epochs)
        self._static: dict[str, Any] = {"sizes": sizes, "ends": ByRule(RULES["hopper"])}
        for _ in range(settings.rollouts_kept):
            self.epoch()

    def epoch(self) -> None:
        """One, to its end."""
        self.state, logged, _ = compiled_epoch(self.state, *self._arguments, **self._static)
        jax.block_until_ready((self.state, logged))

    def block(self, checkpoints: Checkpoints | None, number: int) -> Block:
        """The epochs between two checkpoints at the default interval, the first of them with a save beside it."""
        wall, processor = time.perf_counter(), time.process_time()
        copied, took = 0.0, [0.0]
        with Background(lambda error: None) as background:
            if checkpoints is not None:
                arrays = pytree_io.copies(self.state)
                copied = time.perf_counter() - wall

                def save() -> None:
                    began = time.perf_counter()
                    checkpoints.save(number, arrays)
                    took[0] = time.perf_counter() - began

                background.submit(save)
            for _ in range(self.every):
                self.epoch()
        return Block(time.perf_counter() - wall, time.process_time() - processor, copied, took[0])


def measure(training: Training, blocks: int, folder: Path) -> tuple[list[Block], list[Block], int]:
    """Blocks with a save, blocks without, and a checkpoint's bytes."""
    checkpoints, with_save, without = Checkpoints(folder), [], []
    for number in range(1, blocks + 1):
        without.append(training.block(None, number))
        with_save.append(training.block(checkpoints, number))
        print(
            f"pair {number} of {blocks}: {without[-1].wall:.2f} s, with a save {with_save[-1].wall:.2f} s", flush=True
        )
    size = sum(file.stat().st_size for file in checkpoints.folder(blocks).iterdir())
    return with_save, without, size


def page(with_save: list[Block], without: list[Block], size: int, every: int, updates: int) -> str:
    """The figures as a table."""

    def middle(values: list[float]) -> float:
        return statistics.median(values)

    def over(name: str) -> str:
        """Of the pairs, each a block with a save against the one before it: the median and the range."""
        ratios = sorted(
            100 * (getattr(block, name) / getattr(other, name) - 1)
            for block, other in zip(with_save, without, strict=True)
        )
        return f"{middle(ratios):+.1f} % ({ratios[0]:+.1f} to {ratios[-1]:+.1f})"

    plain, copied = middle([b.wall for b in without]), middle([b.copied for b in with_save])
    written = middle([b.written for b in with_save])
    share = (copied + written / 2) / plain
    lines = [
        "| measured | |",
        "| --- | ---: |",
        f"| a checkpoint | {size / 1e6:.1f} MB |",
        f"| copied while training waits | {copied:.3f} s |",
        f"| written, hashed and synced beside the next epochs | {written:.2f} s |",
        f"| {every} epochs of {updates} SAC updates without a save | {plain:.2f} s |",
        f"| training waits for | {100 * copied / plain:.2f} % of the time |",
        f"| the same and half of the writing, which has one of two cores | {100 * share:.2f} % |",
        f"| wall time with a save, {len(without)} pairs of blocks | {over('wall')} |",
        f"| processor time with a save | {over('processor')} |",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpoint", description=__doc__)
    parser.add_argument("--blocks", type=int, default=8, help="pairs of blocks")
    parser.add_argument("--quick", action="store_true", help="little work: shows that all of it runs, not how fast")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table there")
    options = parser.parse_args()
    updates, rows, starts = (4, 2_000, 500) if options.quick else (1000, ROWS, 50_000)
    facts = machine.describe()
    training = Training(updates, rows, starts)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        table = page(*measure(training, options.blocks, Path(folder)), training.every, updates)
    text = "\n".join([*(f"* {name}: {value}" for name, value in facts.items()), "", table, ""])
    print(text)
    if options.write:
        options.write.write_text(text)


if __name__ == "__main__":
    main()
