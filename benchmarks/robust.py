"""Episodes a second of `micro-rl robust`, beside a plain Gymnasium loop with the same policy.

    python -m benchmarks.robust [--quick] [--write FILE]

HalfCheetah-v4, whose episodes all have 1,000 steps, and a fresh policy of two layers of 256. The plain loop makes the
simulator and steps it with an action at a time, as evaluation scripts do. The attacks are of MICRO's protocol; `min Q`
is left out, since a policy's file has no critics.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import gymnasium
import jax
import numpy as np

from benchmarks import machine
from benchmarks.table import question_and_answer
from micro_rl.core.networks import uniform_mlp
from micro_rl.core.wording import plural
from micro_rl.policy import Policy
from micro_rl.robustness import running
from micro_rl.robustness.cells import Protocol
from micro_rl.robustness.protocols import protocol
from micro_rl.robustness.results import Results
from micro_rl.robustness.running import Job
from micro_rl.robustness.subject import Subject
from micro_rl.robustness.trial import Trial

ENV, OBS, ACT, EPISODES = "HalfCheetah-v4", 17, 6, 10


def fresh_policy(path: Path) -> Policy:
    """Weights as training begins with them."""
    net = uniform_mlp(jax.random.key(0), (OBS, 256, 256, 2 * ACT))
    policy = Policy(
        list(zip(map(np.asarray, net.weights), map(np.asarray, net.biases), strict=True)),
        observation_mean=np.zeros(OBS),
        observation_std=np.ones(OBS),
        action_mid=np.zeros(ACT),
        action_half=np.ones(ACT),
    )
    policy.save(path)
    return policy


def plain_loop(policy: Policy, episodes: int) -> None:
    """What an evaluation script does."""
    env = gymnasium.make(gymnasium.spec(ENV), disable_env_checker=True)
    for seed in range(episodes):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            observation, _, terminated, truncated, _ = env.step(policy(observation))
            over = terminated or truncated
    env.close()


def seconds(work: Callable[[], object]) -> float:
    """Of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def without_critics(whole: Protocol, cells: int | None) -> Protocol:
    """The groups that need none; of each only the first cells, where it is to be quick."""
    groups = [group for group in whole.groups if "min Q" not in group.name]
    return replace(whole, groups=tuple(replace(group, cells=group.cells[:cells]) for group in groups))


def measure(folder: Path, quick: bool) -> list[tuple[str, float, int]]:
    """What was run, its seconds and its episodes."""
    policy = fresh_policy(folder / "policy.safetensors")
    subject = Subject(folder / "policy.safetensors", ENV, (1.0,) * OBS, episodes=EPISODES)
    micro = without_critics(protocol("micro", ENV), 2 if quick else None)
    grid = micro.groups[1].cells
    rows = []
    with Trial(subject) as trial:
        trial.run(grid[0])
        for _ in range(1 if quick else 3):
            rows.append(("plain Gymnasium loop", seconds(lambda: plain_loop(policy, EPISODES)), EPISODES))
            rows.append(("a cell of the grid, one process", seconds(lambda: trial.run(grid[0])), EPISODES))
    for workers in (1,) if quick else (1, 2):
        jobs = [Job(subject, Results(folder / str(workers)), "none")]
        took = seconds(lambda jobs=jobs, workers=workers: running.run(jobs, micro, workers))
        rows.append(
            (
                f"protocol micro without min Q, {plural(workers, 'process', 'processes')}",
                took,
                EPISODES * len(micro.cells),
            )
        )
    return rows


class Speed(NamedTuple):
    """What was timed: the median of its repetitions, and how much faster its episodes are than the plain loop's."""

    label: str
    seconds: float
    episodes: int
    faster: float


def speeds(rows: list[tuple[str, float, int]]) -> list[Speed]:
    """Medians over repetitions."""
    plain = np.median([took / episodes for label, took, episodes in rows if "plain" in label])
    each: dict[str, list[tuple[float, int]]] = {}
    for label, took, episodes in rows:
        each.setdefault(label, []).append((took, episodes))
    medians = {label: (float(np.median([took for took, _ in of])), of[0][1]) for label, of in each.items()}
    return [Speed(label, took, many, float(plain * many / took)) for label, (took, many) in medians.items()]


def table(rows: list[Speed]) -> str:
    """As Markdown."""
    lines = ["| what | seconds | episodes a second | against the plain loop |", "|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row.label} | {row.seconds:.2f} | {row.episodes / row.seconds:.1f} | {row.faster:.2f} |")
    return "\n".join(lines)


def answered(rows: list[Speed]) -> str:
    """In a sentence."""
    times = "; ".join(f"{row.label}: {row.faster:.2f}" for row in rows[1:])
    return question_and_answer(
        "How fast are policies tried, beside a plain loop over Gymnasium?",
        f"The plain loop makes {rows[0].episodes / rows[0].seconds:.1f} episodes a second. Times that: {times}.",
    )


def main() -> None:
    """Measure, print, and write the page where asked."""
    told_by = argparse.ArgumentParser(description=__doc__)
    told_by.add_argument("--quick", action="store_true", help="a little of everything, to see that it runs")
    told_by.add_argument("--write", type=Path, help="the page to write")
    options = told_by.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = speeds(measure(Path(folder), options.quick))
    print(table(rows))
    if options.write:
        facts = "\n".join(f"* {name}: {value}" for name, value in machine.describe().items())
        about = (__doc__ or "").split("\n\n")[2].strip()
        command = "Made by `python -m benchmarks.robust --write FILE`."
        parts = ["# How fast policies are tried", answered(rows), command, about, table(rows), facts]
        options.write.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
