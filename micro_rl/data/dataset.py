"""`Dataset`: one log, checked, in raw units, and what can be read off it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from micro_rl.core.columns import UNNAMED, Column, Columns
from micro_rl.core.expression import Expression
from micro_rl.core.tasks import UNKNOWN, Task, find, over
from micro_rl.core.windows import newest
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions


class RawTransitions(NamedTuple):
    """Rows to learn from, on the host, in raw units; `discount` is 0 where the episode terminated, else 1."""

    observation: Float32[np.ndarray, "row obs"]
    action: Float32[np.ndarray, "row act"]
    reward: Float32[np.ndarray, " row"]
    next_observation: Float32[np.ndarray, "row obs"]
    discount: Float32[np.ndarray, " row"]


class Summary(NamedTuple):
    """A log in a dozen figures: returns are undiscounted sums of raw rewards, lengths are in steps."""

    rows: int
    episodes: int
    observation_size: int
    action_size: int
    terminals: int
    timeouts: int
    return_mean: float
    return_std: float
    return_worst: float
    return_best: float
    length_mean: float
    length_shortest: int
    length_longest: int


@dataclass(frozen=True, eq=False)
class Dataset:
    """One log in raw units, in the file's row order; the arrays are read-only.

    `terminals` ended an episode by the task's own rule. `timeouts` only cut it: a time limit, or the end of
    the file. No row is both, and the last row is one of them. `usable` rows have a true next observation; in
    the others `next_observations` must not be learned from. `notes` are sentences that a person must see
    before trusting results on this log. `columns` names every observation and action, with units where the log
    tells them; `termination` is the rule that the log itself states, over raw next observations by those names.
    `task` is what the name tells of simulator, time limit, rule and scores, with what the log itself tells put over
    it; `reading` is what the caller said about reading it.
    `mapping` is the text of the TOML beside the log, what flags said above it; empty where there was neither.
    `exogenous` are the places of observations that the actions do not move: set-points, the weather.
    Where `history` is not 1, the observations are windows (see `micro_rl.core.windows`).
    """

    name: str
    observations: Float32[np.ndarray, "row obs"]
    actions: Float32[np.ndarray, "row act"]
    rewards: Float32[np.ndarray, " row"]
    next_observations: Float32[np.ndarray, "row obs"]
    terminals: Bool[np.ndarray, " row"]
    timeouts: Bool[np.ndarray, " row"]
    usable: Bool[np.ndarray, " row"]
    action_low: Float32[np.ndarray, " act"]
    action_high: Float32[np.ndarray, " act"]
    path: Path
    sha256: str
    format: str
    notes: tuple[str, ...]
    columns: Columns = UNNAMED
    termination: Expression | None = None
    task: Task = UNKNOWN
    reading: ReadOptions = NO_OPTIONS
    history: int = 1
    mapping: str = ""
    exogenous: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        named = self.columns.filled(self.observations.shape[1], self.actions.shape[1])
        object.__setattr__(self, "columns", named)
        object.__setattr__(self, "task", over(find(self.name), self.task))

    def __len__(self) -> int:
        return len(self.rewards)

    def __repr__(self) -> str:
        sizes = f"{len(self)} rows, {len(self.starts)} episodes"
        return f"Dataset({self.name!r}, {sizes}, format={self.format!r})"

    @property
    def observation_size(self) -> int:
        """Columns of one observation, the newest of a window."""
        return newest(self.observations.shape[1], self.actions.shape[1], self.history)

    @cached_property
    def stops(self) -> Int[np.ndarray, " episode"]:
        """One past each episode's last row."""
        return np.flatnonzero(self.terminals | self.timeouts) + 1

    @cached_property
    def starts(self) -> Int[np.ndarray, " episode"]:
        """Each episode's first row."""
        return np.concatenate([[0], self.stops[:-1]])

    @property
    def episodes(self) -> list[slice]:
        """Each episode's rows."""
        return [slice(int(start), int(stop)) for start, stop in zip(self.starts, self.stops, strict=True)]

    @property
    def lengths(self) -> Int[np.ndarray, " episode"]:
        """Steps per episode."""
        return self.stops - self.starts

    @cached_property
    def returns(self) -> Float64[np.ndarray, " episode"]:
        """Undiscounted sum of raw rewards per episode."""
        return np.add.reduceat(self.rewards.astype(np.float64), self.starts)

    def best_rows(self, fraction: float) -> Bool[np.ndarray, " row"]:
        """Picks the rows of the episodes with the highest returns.

        Args:
            fraction: share of the episodes, in (0, 1]; at least one episode is taken.

        Returns:
            True for the rows of those episodes.

        Raises:
            ValueError: `fraction` is no such share.
        """
        if not 0 < fraction <= 1:
            raise ValueError(f"fraction must be in (0, 1], not {fraction}")
        count = max(1, round(fraction * len(self.returns)))
        chosen = np.zeros(len(self.returns), bool)
        chosen[np.argsort(-self.returns, kind="stable")[:count]] = True
        return np.repeat(chosen, self.lengths)

    def learnable(self, keep_timeouts: bool, rows: Bool[np.ndarray, " row"] | None = None) -> Bool[np.ndarray, " row"]:
        """Tells which rows can be learned from.

        Args:
            keep_timeouts: False drops the rows that end by timeout and the last row of the file, as the published
                results do. True keeps every usable row, with discount 1 at a timeout, since a time limit is no
                termination; a file without next observations has no such row to keep.
            rows: narrows the choice further, for example to `best_rows(0.1)`.

        Returns:
            True for the rows that can be learned from.
        """
        chosen = self.usable if rows is None else self.usable & rows
        if not keep_timeouts:
            chosen = chosen & ~self.timeouts
            chosen[-1] = False
        return chosen

    def transitions(self, keep_timeouts: bool, rows: Bool[np.ndarray, " row"] | None = None) -> RawTransitions:
        """Collects the `learnable` rows, in raw units; the arguments are those of `learnable`."""
        chosen = self.learnable(keep_timeouts, rows)
        return RawTransitions(
            self.observations[chosen],
            self.actions[chosen],
            self.rewards[chosen],
            self.next_observations[chosen],
            1 - self.terminals[chosen].astype(np.float32),
        )

    @property
    def continued(self) -> Bool[np.ndarray, " row"]:
        """Rows whose next step is the next row: of the same episode, and observing this row's next observation."""
        follows = np.zeros(len(self), bool)
        follows[:-1] = (self.next_observations[:-1] == self.observations[1:]).all(1)
        return follows & ~(self.terminals | self.timeouts)

    def observation_std(self) -> Float64[np.ndarray, " obs"]:
        """Computes the standard deviation of every observed channel over all rows, in raw units."""
        return self.observations[:, : self.observation_size].std(0, dtype=np.float64)

    @cached_property
    def measured_columns(self) -> Columns:
        """Names and units of the columns with the least and the greatest value of each, raw units."""
        newest = self.observations[:, : self.observation_size]
        return Columns(_measured(self.columns.observations, newest), _measured(self.columns.actions, self.actions))

    def summary(self) -> Summary:
        """The log in a dozen figures."""
        returns, lengths = self.returns, self.lengths
        return Summary(
            rows=len(self),
            episodes=len(returns),
            observation_size=self.observation_size,
            action_size=self.actions.shape[1],
            terminals=int(self.terminals.sum()),
            timeouts=int(self.timeouts.sum()),
            return_mean=float(returns.mean()),
            return_std=float(returns.std()),
            return_worst=float(returns.min()),
            return_best=float(returns.max()),
            length_mean=float(lengths.mean()),
            length_shortest=int(lengths.min()),
            length_longest=int(lengths.max()),
        )


def _measured(columns: Sequence[Column], values: Float32[np.ndarray, "row column"]) -> tuple[Column, ...]:
    limits = zip(columns, values.min(0), values.max(0), strict=True)
    return tuple(column._replace(low=float(str(low)), high=float(str(high))) for column, low, high in limits)
