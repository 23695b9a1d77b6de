"""The scores of the study of beta: every policy that `runs.card_beta` kept, evaluated where MuJoCo is.

What is evaluated stays in OUT/evaluations.jsonl, so that a stopped evaluation goes on.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from micro_rl.core import tasks
from micro_rl.policy import Policy
from micro_rl.simulation.evaluation import Evaluator, scores
from micro_rl.storage.jsonl import Row
from micro_rl.storage.run_folder import RunFolder
from runs.card_beta import BETAS, SEEDS

TASK = tasks.find("hopper-medium-replay")
EPISODES = 10
LAST = 6
"""The score of a run is the mean of its last kept policies' scores, so many."""


class Study(NamedTuple):
    """Normalised scores [beta, seed, kept policy], the epochs of those policies, each run's metrics in the last."""

    scores: Float[np.ndarray, "beta seed policy"]
    epochs: list[int]
    ends: list[list[Row]]
    device: str

    def of_runs(self) -> Float[np.ndarray, "beta seed"]:
        """Each run's score."""
        return self.scores[..., -LAST:].mean(-1)


def run_name(beta: float, seed: int) -> str:
    """The run's folder."""
    return f"beta={beta:g}-seed{seed}"


def evaluate_all(out: Path) -> dict[tuple[str, int], float]:
    """The score of every kept policy by run and epoch; those that are not in the file yet are evaluated."""
    kept = out / "evaluations.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    known = {(row["run"], row["epoch"]): row["score"] for row in rows}
    assert TASK.env is not None
    with Evaluator(TASK.env, episodes=EPISODES, horizon=TASK.horizon) as evaluator, kept.open("a") as file:
        for run, epoch, path in policies(out):
            if (run, epoch) not in known:
                score = scores(evaluator(Policy.load(path)), TASK)["normalised_score"]
                known[run, epoch] = score
                print(json.dumps({"run": run, "epoch": epoch, "score": score}), file=file, flush=True)
    return known


def policies(out: Path) -> Iterator[tuple[str, int, Path]]:
    """Every kept policy, the newest of all runs first."""
    paths = [path for beta in BETAS for seed in range(SEEDS) for path in (out / run_name(beta, seed)).glob("policy-*")]
    for path in sorted(paths, key=lambda path: path.name, reverse=True):
        yield path.parent.name, int(path.stem.removeprefix("policy-")), path


def study(out: Path) -> Study:
    """All that the page tells."""
    known = evaluate_all(out)
    runs = [[run_name(beta, seed) for seed in range(SEEDS)] for beta in BETAS]
    epochs = sorted(set.intersection(*({epoch for of, epoch in known if of == run} for group in runs for run in group)))
    table = np.array([[[known[run, epoch] for epoch in epochs] for run in group] for group in runs])
    ends = [[RunFolder.open(out / run).metrics()[epochs[-1] - 1] for run in group] for group in runs]
    first = (out / runs[0][0] / "processes.jsonl").read_text().splitlines()[0]
    return Study(table, epochs, ends, json.loads(first)["fingerprint"]["device"])
