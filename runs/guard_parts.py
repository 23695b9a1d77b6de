"""What each piece of the guard is worth: `python -m runs.guard_parts LOG... > tables.md`.

LOG is a log, or a plant of `runs.trust_plants` (two-tanks, dryer), whose log is then made. In three ways by lot half of
the episodes make guards, and up to 30 of the others are seen through the faulty sensors of the protocol `industrial`,
as in `runs.guard`. Printed are mean (least to greatest of the splits):

* by fault, areas under the ROC curve of the score of Support (fitted on the same half; it judges rows of a model), of
  the guard without its running means, of the guard, and of the guard with 256 random ReLU units before its linear
  prediction;
* by the number of rows of reference, the mean area over all faults of the distance alone and of the whole guard;
* of a log with few episodes the false alarms at 1 %, where whole episodes fit and calibrate the guard, and where
  stretches of the same episodes stand on both sides; eight ways by lot.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from micro_rl import Dataset
from micro_rl.control.guard import Guard
from micro_rl.control.guard_fit import Steps, parts_of
from micro_rl.core.settings import Settings
from micro_rl.data.log_parts import RawTransitions
from micro_rl.data.scaling import to_core
from micro_rl.training.log_support import log_support
from runs.guard import RATE, Episode, Score, area, faults, joined, opened, split
from runs.usage import words

SPLITS, JUDGED, FEW, FEW_SPLITS = 3, 30, 20, 8
REFERENCES = (16, 64, 256, 1024, 4096)
UNITS, ROWS_AT_ONCE, STRETCHES = 256, 4096, (500, 200, 50, 10)
ALONE = " alone"
DISTANCE, WITHOUT_MEANS, WHOLE = [0], [0, 1, 2, 3, 4], list(range(7))
SINGLE = {("delay", 1.0), ("bias", 0.1)}
"""Cells that are printed beside the means of their faults."""


class Features(NamedTuple):
    """Random ReLU units of what a step begins with, in standard deviations."""

    center: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    biases: np.ndarray

    @classmethod
    def drawn(cls, observations: np.ndarray, actions: np.ndarray, seed: int) -> "Features":
        """Units whose edges lie about the log's middle."""
        rows, rng = np.concatenate([observations, actions], 1).astype(np.float64), np.random.default_rng(seed)
        weights = rng.normal(size=(rows.shape[1], UNITS)) / np.sqrt(rows.shape[1])
        return cls(rows.mean(0), np.maximum(rows.std(0), 1e-9), weights, rng.normal(size=UNITS))

    def beside(self, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """The actions with the units beside them [row, act + UNITS], for which a guard takes them."""
        rows = (np.concatenate([observations, actions], 1) - self.center) / self.scale
        return np.concatenate([actions, np.maximum(rows @ self.weights + self.biases, 0)], 1)


def with_ends(log: Dataset, timeouts: np.ndarray, rows: np.ndarray | slice = slice(None)) -> Dataset:
    """The log, or rows of it, cut where these say [row]."""
    names = [[column.name for column in part] for part in log.columns]
    parts = (log.observations, log.actions, log.rewards, log.terminals, timeouts, log.next_observations)
    return Dataset.from_arrays(
        *(part[rows] for part in parts), name=log.name, observation_names=names[0], action_names=names[1],
        action_low=log.action_low, action_high=log.action_high,
    )  # fmt: skip


def of_episodes(log: Dataset, numbers: Sequence[int]) -> Dataset:
    """These episodes alone."""
    whole = [np.arange(rows.start, rows.stop) for rows in log.episodes]
    return with_ends(log, log.timeouts, np.concatenate([whole[number] for number in sorted(numbers)]))


def supports_score(log: Dataset, numbers: Sequence[int]) -> Score:
    """The score by which `--support` judges rows of a model, of steps."""
    measured = log_support(of_episodes(log, numbers), keep_timeouts=False)
    support = measured.slot(Settings(support="halt"), measured.scaling)
    judge = jax.jit(lambda rows: support.score(rows))

    def score(steps: Steps) -> np.ndarray:
        blank = np.zeros(ROWS_AT_ONCE, np.float32)
        scores = []
        for start in range(0, len(steps.action), ROWS_AT_ONCE):
            rows = np.arange(start, start + ROWS_AT_ONCE) % len(steps.action)
            observation, action, after = (part[rows].astype(np.float32) for part in steps[:3])
            scores.append(judge(to_core(RawTransitions(observation, action, blank, after, blank), measured.scaling)))
        return np.concatenate(scores)[: len(steps.action)]

    return score


def with_features(log: Dataset, numbers: Sequence[int], seed: int) -> tuple[Score, int]:
    """The score of a guard whose prediction has random units too, and how many numbers the two of them are."""
    features = Features.drawn(log.observations, log.actions, seed)
    actions = features.beside(log.observations, log.actions)
    bounds = {"action_low": actions.min(0) - 1, "action_high": actions.max(0) + 1}
    names = [column.name for column in log.columns[0]]
    parts = (log.rewards, log.terminals, log.timeouts, log.next_observations)
    wide = Dataset.from_arrays(log.observations, actions, *parts, name="wide", observation_names=names, **bounds)
    guard = Guard.fit(wide, RATE, episodes=numbers)

    def score(steps: Steps) -> np.ndarray:
        return parts_of(guard, steps._replace(action=features.beside(*steps[:2]))).max(1)

    return score, numbers_of(guard) + features.weights.size + UNITS


def numbers_of(guard: Guard) -> int:
    """How many numbers a guard is, but for what it says of actions."""
    arrays = (guard.center, guard.scale, guard.low, guard.high, guard.references, guard.weights)
    others = (guard.residual_scale, guard.whitening, guard.still_cost, guard.usual)
    return sum(array.size for array in (*arrays, *others))


def areas(
    scores: Mapping[str, Score], others: Sequence[Episode], scale: np.ndarray
) -> Iterator[tuple[str, str, float]]:
    """Fault, score and area, of every cell whose fault acts."""
    healthy = {name: score(joined(others)) for name, score in scores.items()}
    for kind, amount, steps, acts in faults(others, scale):
        if not acts.any():
            continue
        for name, score in scores.items():
            value = area(healthy[name], score(steps)[acts])
            yield kind, name, value
            if (kind, amount) in SINGLE:
                yield f"{kind} {amount:g}{ALONE}", name, value


def parts(log: Dataset) -> None:
    """Prints the areas by fault."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for seed in range(SPLITS):
        made, others = split(log, seed)
        guard, (wide, size) = Guard.fit(log, RATE, episodes=made), with_features(log, made, seed)
        scores = of_guard(guard, {"without running means": WITHOUT_MEANS, "the guard": WHOLE})
        scores = {"Support's score": supports_score(log, made), **scores, "with random units": wide}
        for kind, name, value in areas(scores, others[:JUDGED], log.observation_std()):
            own = found.setdefault(kind, {}).setdefault(name, [[] for _ in range(SPLITS)])
            own[seed].append(value)
        if seed == 0:
            print(f"The guard has {numbers_of(guard):,} numbers, with random units {size:,}.")
            print(f"\n| fault | {' | '.join(scores)} |\n|---|" + "---|" * len(scores))
    for kind, by_name in found.items():
        cells = [spread([float(np.mean(each)) for each in own]) for own in by_name.values()]
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


def of_guard(guard: Guard, chosen: Mapping[str, list[int]]) -> dict[str, Score]:
    """The scores that some of its parts make, by name."""
    return {name: lambda steps, own=own: parts_of(guard, steps)[:, own].max(1) for name, own in chosen.items()}


def references(log: Dataset) -> None:
    """Prints what the number of rows of reference does to the mean area."""
    print("\n| rows of reference | distance alone | the guard |\n|---|---|---|")
    for count in REFERENCES:
        found: dict[str, list[float]] = {"distance": [], "whole": []}
        for seed in range(SPLITS):
            made, others = split(log, seed)
            scores = of_guard(Guard.fit(log, RATE, count, episodes=made), {"distance": DISTANCE, "whole": WHOLE})
            cells = list(areas(scores, others[:JUDGED], log.observation_std()))
            for name, means in found.items():
                own = [value for kind, score, value in cells if score == name and not kind.endswith(ALONE)]
                means.append(float(np.mean(own)))
        print(f"| {count:,} | {spread(found['distance'])} | {spread(found['whole'])} |", flush=True)


def stretches(log: Dataset) -> None:
    """Prints the false alarms of guards that whole episodes made, and stretches of the same on both sides."""
    guards = {"whole episodes": log} | {f"stretches of {length} steps": cut_at(log, length) for length in STRETCHES}
    episode = np.repeat(np.arange(len(log.lengths)), log.lengths)
    print(f"\n| fitted and calibrated on | false alarms, {FEW_SPLITS} splits |\n|---|---|")
    for name, short in guards.items():
        shares = []
        for seed in range(FEW_SPLITS):
            made, others = split(log, seed)
            guard = Guard.fit(short, RATE, episodes=np.flatnonzero(np.isin(episode[short.starts], made)).tolist())
            shares.append(float((parts_of(guard, joined(others)).max(1) > guard.threshold).mean()))
        print(f"| {name} | {np.mean(shares):.2%} ({min(shares):.2%} to {max(shares):.2%}) |", flush=True)


def cut_at(log: Dataset, length: int) -> Dataset:
    """The log, its episodes cut after so many steps."""
    within = np.arange(len(log)) - np.repeat(log.starts, log.lengths)
    return with_ends(log, log.timeouts | ((within % length == length - 1) & ~log.terminals))


def spread(values: Sequence[float]) -> str:
    """Mean, least and greatest."""
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    for word in words(__doc__, 1):
        recorded = opened(word)
        print(f"\n## {recorded.name}\n\n{len(recorded):,} rows, {len(recorded.episodes)} episodes.", flush=True)
        parts(recorded)
        references(recorded)
        if len(recorded.episodes) <= FEW:
            stretches(recorded)
