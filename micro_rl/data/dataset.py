"""`Dataset`: one log, checked, in raw units, and what can be read off it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, Shaped
from numpy.typing import ArrayLike

from micro_rl.core.columns import UNNAMED, Columns
from micro_rl.core.expression import Expression
from micro_rl.core.tasks import UNKNOWN, Task, find, over
from micro_rl.core.windows import newest
from micro_rl.core.wording import plural
from micro_rl.data import outliers
from micro_rl.data.action_bounds import Limit
from micro_rl.data.log_parts import RawTransitions, Summary
from micro_rl.data.outliers import Outliers
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions


@dataclass(frozen=True, eq=False)
class Dataset:
    """One log in raw units, in the file's row order; the arrays are read-only.

    `terminals` ended an episode by the task's own rule. `timeouts` only cut it: a time limit, or the end of the file.
    No row is both, and the last row is one of them. `usable` rows have a true next observation; in the others
    `next_observations` must not be learned from. `notes` are sentences that a person must see before trusting results
    on this log. `columns` names every observation and action, with units where the log tells them; `termination` is the
    rule that the log itself states, over raw next observations by those names. `task` is what the name tells of
    simulator, time limit, rule and scores, with what the log tells put over it; `reading` is what the caller said about
    reading it. `mapping` is the text of the TOML beside the log and of the flags above it; empty without. `exogenous`
    are the places of observations that no action moves, `groups` a text for each row or episode that tells who
    controlled, `step_seconds` the usual time from row to row. With a `history` the observations are windows.
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
    step_seconds: float | None = None
    groups: Shaped[np.ndarray, " label"] | None = None

    def __post_init__(self) -> None:
        named = self.columns.filled(self.observations.shape[1], self.actions.shape[1])
        object.__setattr__(self, "columns", named)
        object.__setattr__(self, "task", over(find(self.name), self.task))

    @classmethod
    def from_arrays(
        cls,
        observations: ArrayLike,
        actions: ArrayLike,
        rewards: ArrayLike,
        terminals: ArrayLike | None = None,
        timeouts: ArrayLike | None = None,
        next_observations: ArrayLike | None = None,
        *,
        name: str = "arrays",
        observation_names: Sequence[str] = (),
        action_names: Sequence[str] = (),
        units: Mapping[str, str] = MappingProxyType({}),
        action_low: Limit | None = None,
        action_high: Limit | None = None,
        horizon: int | None = None,
        exogenous: Sequence[str] = (),
    ) -> "Dataset":
        """Makes a log of arrays, copied and checked as a file's are.

        Args:
            observations: raw units [row, obs].
            actions: raw units [row, act].
            rewards: [row].
            terminals: [row], 1 or True where an episode ended by the task's own rule; by default nowhere.
            timeouts: [row], 1 or True where it was cut; without them there must be a horizon.
            next_observations: raw units [row, obs]; by default the next row's, and no episode's last row is used.
            name: what the log is called; one of D4RL's brings its task along.
            observation_names: one for each observation; o0, o1, ... by default.
            action_names: one for each action.
            units: by the columns' names.
            action_low: the least action in raw units, one number or one per action; -1 by default.
            action_high: the greatest, likewise; 1 by default.
            horizon: steps after which every episode is cut.
            exogenous: names of observations that the actions do not move.

        Raises:
            UserError: whatever is wrong, in one line that names the argument.
        """
        from micro_rl.data import in_memory

        fields = {"observations": observations, "actions": actions, "rewards": rewards, "terminals": terminals}
        fields |= {"timeouts": timeouts, "next_observations": next_observations}
        described = in_memory.array_description(horizon, observation_names, action_names, exogenous, units)
        return in_memory.of_arrays(name, fields, (action_low, action_high), described)

    @classmethod
    def from_frame(
        cls, frame: Any, *, name: str = "frame", mapping: str | Path | None = None, **words: Any
    ) -> "Dataset":
        """Makes a log of a DataFrame, one row a step, in the words of the TOML that describes a table.

        Args:
            frame: of pandas, Polars or PyArrow; the named index of a pandas one counts as a column.
            name: what the log is called.
            mapping: a TOML file with the words.
            words: the same as arguments, over the file's: `observations=["level"]`, `actions=["valve"]`,
                `reward="-abs(level - 2)"`, and `episode`, `time`, `terminal`, `action_bounds`, `bounds`, `units`, ...

        Raises:
            UserError: whatever is wrong, in one line; PyArrow is not installed.
        """
        from micro_rl.data import in_memory

        return in_memory.of_frame(frame, name, mapping, words)

    def __len__(self) -> int:
        return len(self.rewards)

    def __repr__(self) -> str:
        sizes = f"{plural(len(self), 'row')}, {plural(len(self.starts), 'episode')}"
        return f"Dataset({self.name!r}, {sizes}, format={self.format!r})"

    @property
    def in_memory(self) -> bool:
        """Whether it was made of arrays or of a DataFrame: there is no file to read it from again."""
        return self.format in ("arrays", "frame")

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
        return self.rows(self.learnable(keep_timeouts, rows))

    def rows(self, chosen: Bool[np.ndarray, " row"] | Int[np.ndarray, " some"]) -> RawTransitions:
        """Collects these rows, chosen by a mask or by their numbers, in raw units."""
        return RawTransitions.of(self, chosen)

    @property
    def continued(self) -> Bool[np.ndarray, " row"]:
        """Rows whose next step is the next row: of the same episode, and observing this row's next observation."""
        follows = np.zeros(len(self), bool)
        follows[:-1] = (self.next_observations[:-1] == self.observations[1:]).all(1)
        return follows & ~(self.terminals | self.timeouts)

    @cached_property
    def outliers(self) -> Outliers | None:
        """Values that no measurement gives, of the newest observation in a window; None where there are none."""
        size = self.observation_size
        parts = self.observations[:, :size], self.actions, self.rewards, self.next_observations[:, :size]
        return outliers.find(*parts)

    @property
    def measured_observations(self) -> Float32[np.ndarray, "row obs"]:
        """The newest observations, without the rows in which one is an outlier: what a scale is taken from."""
        newest = self.observations[:, : self.observation_size]
        return newest if self.outliers is None else newest[~self.outliers.observations.any(1)]

    def observation_std(self) -> Float64[np.ndarray, " obs"]:
        """Computes the standard deviation of every observed channel, in raw units; outliers do not count."""
        return self.measured_observations.std(0, dtype=np.float64)

    @cached_property
    def measured_columns(self) -> Columns:
        """Names and units of the columns with the least and the greatest value of each, raw units; no outliers."""
        return self.columns.measured(self.measured_observations, self.actions)

    @property
    def row_groups(self) -> Shaped[np.ndarray, " row"] | None:
        """Who controlled in each row, where the log tells."""
        if self.groups is None or len(self.groups) == len(self):
            return self.groups
        return np.repeat(self.groups, self.lengths)

    def summary(self) -> Summary:
        """The log in a dozen figures."""
        return Summary.of(self)
