"""What the guard sees of faulty sensors: `python -m runs.guard LOG[=MODEL]... > tables.md`.

LOG is a log, or a plant of `runs.trust_plants` (two-tanks, dryer), whose log is then made. Of each log half of the
episodes (of few long ones, stretches of time) make a guard at a rate of 1 %, in five ways by lot. On the other half its
false alarms are counted. There, and on the first of the five, the sensors then fail as the protocol `industrial` has
it: the area under the ROC curve tells the steps at which a fault acts from the healthy ones of the same episodes.
Beside the whole guard stand its first two parts alone, nearest rows and ranges. Where a model of the log is given, a
folder of `micro-rl fit`, its surprise stands in the place of the linear one, and how far its members disagree; it was
fitted on all of the log, which favours it.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from micro_rl import Dataset, load
from micro_rl.control.guard import Guard
from micro_rl.control.guard_fit import LEAST_USUAL, USUAL, Steps, parts_of
from micro_rl.dynamics.saved_model import load_model
from micro_rl.opened.model import RawModel
from micro_rl.robustness.cells import Cell
from micro_rl.robustness.protocols import industrial
from micro_rl.robustness.signals import OF_OBSERVATIONS, Interface, Units
from runs.trust_plants import PLANTS
from runs.trust_recorded import make_log
from runs.usage import words

RATE, SPLITS, MOST_EPISODES, FEWEST = 0.01, 5, 60, 8
PIECES = 20
ALONE, ONE_STEP, WHOLE = [0, 1], [0, 1, 2, 3], list(range(7))


class Episode(NamedTuple):
    """What was observed [step + 1, obs] and done [step, act], raw units."""

    observations: np.ndarray
    actions: np.ndarray

    def steps(self) -> Steps:
        """Its steps, in order."""
        continues = np.arange(len(self.actions)) > 0
        return Steps(self.observations[:-1], self.actions, self.observations[1:], continues)


Score = Callable[[Steps], np.ndarray]
"""Of steps, one number a step."""


def episodes(log: Dataset) -> Iterator[tuple[int, Episode]]:
    """Every episode of a log, with its number."""
    for number, rows in enumerate(log.episodes):
        usable = np.flatnonzero(log.usable[rows]) + rows.start
        if len(usable) > 1 and (np.diff(usable) == 1).all():
            last = log.next_observations[usable[-1:]]
            observed = np.concatenate([log.observations[usable], last]).astype(np.float64)
            yield number, Episode(observed, log.actions[usable].astype(np.float64))


def split(log: Dataset, seed: int) -> tuple[list[int], list[Episode]]:
    """Numbers of the episodes that make a guard, and others, at most 60."""
    whole = list(episodes(log))
    order = np.random.default_rng(seed).permutation(len(whole))
    made, others = order[: (len(order) + 1) // 2], order[(len(order) + 1) // 2 :][:MOST_EPISODES]
    return [whole[place][0] for place in made], [whole[place][1] for place in others]


def opened(name: str) -> Dataset:
    """A log by its name, or that of a plant's, which is made."""
    if name not in PLANTS:
        return cut(load(name))
    with TemporaryDirectory() as folder:
        make_log(name, Path(folder) / f"{name}.hdf5")
        return cut(load(Path(folder) / f"{name}.hdf5"))


def cut(log: Dataset) -> Dataset:
    """The log, its episodes cut where there are few."""
    if len(log.episodes) >= FEWEST:
        return log
    limit = len(log) // PIECES
    names = [[column.name for column in part] for part in log.columns]
    within = np.arange(len(log)) - np.repeat(log.starts, log.lengths)
    return Dataset.from_arrays(
        log.observations, log.actions, log.rewards, log.terminals,
        log.timeouts | ((within % limit == limit - 1) & ~log.terminals), log.next_observations, name=log.name,
        observation_names=names[0], action_names=names[1], action_low=log.action_low, action_high=log.action_high,
    )  # fmt: skip


def failing(episode: Episode, fault: Interface, scale: np.ndarray, random: np.random.Generator) -> Episode:
    """An episode as a faulty sensor shows it; what was done stays."""
    infinite = np.full(len(scale), np.inf)
    units = Units(scale, -infinite, infinite)
    show = OF_OBSERVATIONS[fault.kind].begin(fault.amount, units, random)
    return Episode(np.stack([show(value) for value in episode.observations]), episode.actions)


def joined(runs: Sequence[Episode]) -> Steps:
    """The steps of episodes, one after the other."""
    return Steps(*(np.concatenate(parts) for parts in zip(*(run.steps() for run in runs), strict=True)))


def area(healthy: np.ndarray, faulty: np.ndarray) -> float:
    """The area under the ROC curve: how often a faulty step scores above a healthy one; equal scores count half."""
    ordered = np.sort(healthy)
    below, not_above = np.searchsorted(ordered, faulty, "left"), np.searchsorted(ordered, faulty, "right")
    return float((below + not_above).mean() / 2 / len(healthy))


def ensemble_scores(guard: Guard, model: Path, log: Dataset, usual: Steps) -> dict[str, Score]:
    """The surprise and the disagreement of a model in the place of the linear prediction's."""
    fitted = RawModel(load_model(model), log.columns, 5, 1)

    def parts(steps: Steps) -> np.ndarray:
        predicted = fitted.predict(steps.observation, steps.action)
        mean = predicted.member_next_observation[:2]
        std = np.maximum(predicted.member_next_observation_std[:2], 1e-9 * guard.scale)
        apart = np.sqrt((((mean[0] - mean[1]) / guard.scale) ** 2).mean(-1))
        off = np.abs(steps.after - mean) / std
        return np.stack([apart, off.max(-1).min(0), np.sqrt((off**2).mean(-1)).min(0)], -1)

    scales = np.maximum(np.quantile(parts(usual), USUAL, axis=0), LEAST_USUAL[:3])
    own = {"+ disagreement": ([0, 1], [0]), "+ model's surprise": ([0, 1, 4], [1, 2])}

    def score(linear: list[int], learned: list[int]) -> Score:
        return lambda steps: np.maximum(
            parts_of(guard, steps)[:, linear].max(1), (parts(steps) / scales)[:, learned].max(1)
        )

    return {name: score(*columns) for name, columns in own.items()}


def false_alarms(log: Dataset) -> list[float]:
    """Share of healthy steps of episodes that made no guard that it calls alarms, in each of the splits."""
    shares = []
    for seed in range(SPLITS):
        made, others = split(log, seed)
        guard = Guard.fit(log, RATE, episodes=made)
        shares.append(float((parts_of(guard, joined(others)).max(1) > guard.threshold).mean()))
    return shares


def table(log: Dataset, model: Path | None) -> None:
    """Prints how well the faults of a log's sensors are told from health, and how many of their steps are alarms."""
    made, others = split(log, 0)
    guard, scale = Guard.fit(log, RATE, episodes=made), log.observation_std()
    healthy = joined(others)
    scores: dict[str, Score] = {
        "nearest rows and ranges": lambda steps: parts_of(guard, steps)[:, ALONE].max(1),
        "and surprise": lambda steps: parts_of(guard, steps)[:, ONE_STEP].max(1),
        "the guard": lambda steps: parts_of(guard, steps)[:, WHOLE].max(1),
    }
    scores |= ensemble_scores(guard, model, log, healthy) if model else {}
    usual = {name: score(healthy) for name, score in scores.items()}
    print(f"\n| fault | amount | steps it acts at | {' | '.join(scores)} | alarms |")
    print("|---|---|---|" + "---|" * (len(scores) + 1))
    for kind, amount, steps, acts in faults(others, scale):
        if not acts.any():
            print(f"| {kind} | {amount:g} | 0 % |{' |' * (len(scores) + 1)}")
            continue
        of_fault = {name: score(steps)[acts] for name, score in scores.items()}
        areas = " | ".join(f"{area(usual[name], of_fault[name]):.3f}" for name in scores)
        caught = (of_fault["the guard"] > guard.threshold).mean()
        print(f"| {kind} | {amount:g} | {acts.mean():.0%} | {areas} | {caught:.0%} |", flush=True)


def faults(others: Sequence[Episode], scale: np.ndarray) -> Iterator[tuple[str, float, Steps, np.ndarray]]:
    """Kind and amount of every sensor fault, the steps as it shows them, and at which of them it acts."""
    for cell in sensor_cells():
        (fault,) = cell.changes
        assert isinstance(fault, Interface)
        random = np.random.default_rng(1)
        faulty = [failing(episode, fault, scale, random) for episode in others]
        pairs = zip(others, faulty, strict=True)
        acts = np.concatenate([(a.observations != b.observations)[1:].any(1) for a, b in pairs])
        yield fault.kind, fault.amount, joined(faulty), acts


def sensor_cells() -> list[Cell]:
    """The cells of the protocol whose fault is a sensor's."""
    return [cell for cell in industrial("").cells if cell.group.startswith("observation")]


if __name__ == "__main__":
    for word in words(__doc__, 1):
        name, _, folder = word.partition("=")
        recorded = opened(name)
        shares = false_alarms(recorded)
        print(
            f"\n## {recorded.name}\n\n{len(recorded):,} rows, {len(recorded.episodes)} episodes. False alarms", end=""
        )
        print(f" {np.mean(shares):.2%} ({min(shares):.2%} to {max(shares):.2%} in {SPLITS} splits).")
        table(recorded, Path(folder) if folder else None)
