"""Logs of plants with a hidden state, and going on from any of their rows.

Beside every log lies NAME.hidden.npz, keyed by row: `state`, all that the plant is, `random`, its generator, from which
the log's own disturbances come again, and `operator`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from micro_rl import Dataset
from micro_rl.data.writers import hdf5
from runs.trust_plants import OPERATORS, PLANTS, Plant
from runs.trust_simulators import Columns, Outcome, Rows

IN_LOG = ("observations", "actions", "rewards", "next_observations", "timeouts")
HIDDEN = ("state", "random", "operator")


def hidden_file(log: Path) -> Path:
    """Where the hidden states of a plant's log are."""
    return log.with_suffix(".hidden.npz")


def make_log(name: str, log: Path, seed: int = 0, episodes: int | None = None) -> None:
    """Writes a plant's log and its hidden states.

    Args:
        name: of the plant.
        log: the HDF5 file.
        seed: of everything random.
        episodes: by default the plant's number.
    """
    plant = PLANTS[name]
    env, random = plant.make(), np.random.default_rng(seed)
    rows: dict[str, list[Any]] = {key: [] for key in (*IN_LOG, *HIDDEN)}
    for episode in range(plant.episodes if episodes is None else episodes):
        _record(plant, env, seed * 100_000 + episode, random, rows)
    arrays: dict[str, Any] = {key: np.array(values) for key, values in rows.items()}
    log.parent.mkdir(parents=True, exist_ok=True)
    with hidden_file(log).open("wb") as file:
        np.savez_compressed(file, **{key: arrays[key] for key in HIDDEN})
    about = {"recipe": f"runs.trust_recorded, {name}, seed {seed}"}
    hdf5.write_log(log, _dataset(name, plant, env, {key: arrays[key] for key in IN_LOG}), about)


def _record(plant: Plant, env: Any, seed: int, random: np.random.Generator, rows: dict[str, list[Any]]) -> None:
    """An episode under an operator drawn by lot."""
    observation, _ = env.reset(seed=seed)
    operator, over = int(random.integers(OPERATORS)), False
    hand = plant.controller(operator, observation, random)
    while not over:
        action = np.clip(hand(observation), env.action_space.low, env.action_space.high).astype(np.float32)
        hidden = plant.state(env), generator_words(env.np_random), operator
        after, reward, _, over, _ = env.step(action)
        for key, value in zip(rows, (observation, action, reward, after, over, *hidden), strict=True):
            rows[key].append(value)
        observation = after


def _dataset(name: str, plant: Plant, env: Any, arrays: dict[str, Any]) -> Dataset:
    observed, acted = plant.columns
    return Dataset.from_arrays(
        **arrays,
        name=name,
        observation_names=tuple(observed),
        action_names=tuple(acted),
        units=observed | acted,
        action_low=env.action_space.low,
        action_high=env.action_space.high,
    )


def generator_words(random: np.random.Generator) -> np.ndarray:
    """The state of a PCG64 generator as four words; numbers drawn in 32 bits would need more."""
    state: Any = random.bit_generator.state["state"]
    return np.array([part >> shift & 2**64 - 1 for part in state.values() for shift in (64, 0)], np.uint64)


def generator_of(words: np.ndarray) -> np.random.Generator:
    """The generator with that state."""
    bits: Any = np.random.PCG64()
    high, low, high_step, low_step = map(int, words)
    parts = {"state": high << 64 | low, "inc": high_step << 64 | low_step}
    bits.state = {"bit_generator": "PCG64", "state": parts, "has_uint32": 0, "uinteger": 0}
    return np.random.Generator(bits)


class Continued:
    """Copies of a plant that go on from rows of its log."""

    def __init__(self, name: str, log: Path):
        """`name` of the plant, `log` the file that `make_log` wrote."""
        self.plant, self.file = PLANTS[name], hidden_file(log)

    def begin(self, dataset: Dataset, rows: Rows, seed: int | None) -> Columns:
        """The hidden states of these rows; with a seed, disturbances that are not the log's."""
        with np.load(self.file) as hidden:
            states, words = hidden["state"][rows], hidden["random"][rows]
        self.copies = [self.plant.make() for _ in rows]
        for row, env, state, word in zip(rows, self.copies, states, words, strict=True):
            env.np_random = generator_of(word) if seed is None else np.random.default_rng([seed, int(row)])
            self.plant.set_state(env, state)
        self.observed = dataset.observations[rows].copy()
        return self.observed.copy()

    def step(self, action: Columns, live: Bool[np.ndarray, " row"]) -> Outcome:
        """One step of each live copy."""
        reward, over = np.zeros(len(live)), np.zeros(len(live), bool)
        for row in np.flatnonzero(live):
            self.observed[row], gain, over[row], _, _ = self.copies[row].step(action[row])
            reward[row] = float(gain)
        return self.observed.copy(), reward, over
