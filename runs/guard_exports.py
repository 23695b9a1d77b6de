"""How far the scores of exports are from their guard's: `python -m runs.guard_exports LOG...`.

LOG is a log, or `together-K`: 17 columns, mixtures of four that walk at random, with a noise of 10^-K of their size, so
that they hang together to K digits. In three ways by lot half of a log's episodes make a guard; it is exported to C
(`cc -O2`) and ONNX (onnxruntime) and scores up to 2,000 steps of the other half, and the steps on which `micro-rl
export` tries a file. Printed are the largest differences of a score as a share of it, or of 1 where that is more, of
each of the three, and how many steps of all three differ by more than 10^-5.
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from micro_rl import Dataset, Guard, Policy, load
from micro_rl.deploy.c_files import c_text
from micro_rl.deploy.equality import TOLERANCE, Decisions
from micro_rl.deploy.onnx_file import onnx_model
from micro_rl.deploy.onnx_running import run_onnx
from micro_rl.deploy.running import run_c
from micro_rl.deploy.scores import expected_scores
from micro_rl.deploy.single import WHOLE
from micro_rl.deploy.source import Source
from micro_rl.deploy.trial import BEGIN, ON, Trial, draw
from runs.guard import Episode, split
from runs.usage import words

SPLITS, STEPS = 3, 2000
TOGETHER, COLUMNS, HIDDEN = "together-", 17, 4

Run = Callable[[Source, Trial], Decisions]


def together(digits: int, episodes: int = 40, steps: int = 100) -> Dataset:
    """A log whose columns hang together to so many digits."""
    rng, rows = np.random.default_rng(0), episodes * (steps + 1)
    mixed, actions = rng.normal(size=(HIDDEN, COLUMNS)), rng.uniform(-1, 1, (rows, 1))
    walk = np.empty((rows, HIDDEN))
    for row in range(rows):
        moved = 0.95 * walk[row - 1] + 0.3 * rng.normal(size=HIDDEN) + 0.3 * np.eye(HIDDEN)[0] * actions[row - 1]
        walk[row] = moved if row % (steps + 1) else rng.normal(size=HIDDEN)
    observed = walk @ mixed + 10.0**-digits * rng.normal(size=(rows, COLUMNS))
    first = np.flatnonzero(np.arange(rows) % (steps + 1) != steps)
    over = np.arange(len(first)) % steps == steps - 1
    return Dataset.from_arrays(
        observed[first],
        actions[first],
        np.zeros(len(first)),
        None,
        over,
        observed[first + 1],
        name=f"{TOGETHER}{digits}",
    )


def held_out(others: list[Episode]) -> Trial:
    """The first steps of other episodes, each an episode of the trial."""
    kinds = [np.where(np.arange(len(each.actions)) == 0, BEGIN, ON) for each in others]
    observed = np.concatenate([each.observations[:-1] for each in others])[:STEPS]
    done = np.concatenate([each.actions for each in others])[:STEPS]
    return Trial(np.concatenate(kinds)[:STEPS].astype(np.int8), observed, done, np.zeros(done.shape[1]))


def policy_of(log: Dataset) -> Policy:
    """Any policy of the log's columns."""
    obs, act = log.observation_size, log.actions.shape[1]
    middle, half = (log.action_high + log.action_low) / 2, (log.action_high - log.action_low) / 2
    return Policy(
        [(np.zeros((obs, 2 * act)), np.zeros(2 * act))], observation_mean=log.measured_observations.mean(0),
        observation_std=log.observation_std(), action_mid=middle, action_half=half, columns=log.measured_columns,
    )  # fmt: skip


def by_c(source: Source, trial: Trial) -> Decisions:
    """An export in C, run over a trial."""
    text = c_text(source, "exported", "exported")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "exported.h").write_text(text.header)
        (Path(folder) / "exported.c").write_text(text.code)
        return run_c(Path(folder) / "exported.c", "exported", source, trial)


def by_onnx(source: Source, trial: Trial) -> Decisions:
    """An export in ONNX, run over a trial."""
    return run_onnx(onnx_model(source).SerializeToString(), source, trial)


def by_double(source: Source, trial: Trial) -> Decisions:
    """The guard with its tables rounded to single precision, but for centers and limits, which have two parts."""
    assert source.guard is not None
    tables = {name: getattr(source.guard, name).astype(np.float32).astype(np.float64) for name in WHOLE}
    scores = expected_scores(replace(source.guard, **tables), trial)[0]
    return Decisions(trial.applied, trial.applied, trial.applied, scores)


def differences(source: Source, trial: Trial, run: Run) -> np.ndarray:
    """How far an export's scores are from the guard's, and at which steps one of them alone alarms [2, step]."""
    assert source.guard is not None
    given, right = run(source, trial).score, expected_scores(source.guard, trial)[0]
    assert given is not None
    limit = source.guard.threshold
    return np.stack([np.abs(given - right) / np.maximum(right, 1), (given > limit) != (right > limit)])


def printed(log: Dataset) -> None:
    """Prints a row for every export and kind of steps of a log."""
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    factors = []
    for seed in range(SPLITS):
        made, others = split(log, seed)
        source = Source(policy_of(log)).guarded(guard := Guard.fit(log, episodes=made))
        factors.append(np.abs(guard.whitening).max())
        trials = {"other episodes": held_out(others), "the command's": draw(source.policy, single=True, guard=guard)}
        for language, run in (("C", by_c), ("ONNX", by_onnx), ("double", by_double)):
            for steps, trial in trials.items():
                found.setdefault((language, steps), []).append(differences(source, trial, run))
    for (language, steps), each in found.items():
        largest = ", ".join(f"{apart.max():.1e}" for apart, _ in each)
        apart, alarms = np.concatenate(each, axis=1)
        above = f"{(apart > TOLERANCE).sum():,} of {apart.size:,} | {alarms.sum():.0f}"
        print(f"| {log.name} | {max(factors):.0f} | {language} | {steps} | {largest} | {above} |", flush=True)


def main() -> None:
    """Prints the rows of every log."""
    print(f"| log | whitening | export | steps | difference, {SPLITS} guards | above {TOLERANCE:.0e} | other alarms |")
    print("|---|---|---|---|---|---|---|")
    for word in words(__doc__, 1):
        printed(together(int(word.removeprefix(TOGETHER))) if word.startswith(TOGETHER) else load(word))


if __name__ == "__main__":
    main()
