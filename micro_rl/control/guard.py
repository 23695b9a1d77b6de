"""A guard: how unlike its log a step is, from what was observed before, what was done, and what is observed now.

Seven parts, each over what is usual for healthy steps; the score is the greatest of them.

* **distance** of the observation to the nearest of some rows of the log.
* **range**: how far the worst column lies outside its range in the log.
* **surprise**: how far the worst column lies from what a linear prediction of the step expects.
* **joint surprise**: the same for all columns together, each less what the others explain of it.
* **stillness**: how improbable it is, in nats, that these columns have not moved for so many steps.
* **drift**: the running mean of a column's surprise, which is zero where nothing is wrong.
* **roughness**: the running mean of its square, which is one.

The last three take a memory of three numbers a column. NumPy alone, and no arithmetic that a microcontroller lacks. The
first step of an episode has the first two parts only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micro_rl.core.columns import UNNAMED, Columns

if TYPE_CHECKING:
    from micro_rl.data import Dataset

PARTS = ("distance", "range", "surprise", "joint surprise", "stillness", "drift", "roughness")
WORDS = (
    "unlike any row of the log",
    "out of its range in the log",
    "not where the step should have led",
    "columns do not fit each other",
    "stands still",
    "drifts off where the steps lead",
    "rougher than in the log",
)
"""What a part that is the greatest means, for reasons."""
FURTHEST = 1e6
"""Standard deviations that a value is taken to lie off at most, so that single precision can square them."""
FADING, LARGEST = 0.1, 5.0
"""Weight of the newest step in a running mean, and the surprise that counts most in it."""


class Before(NamedTuple):
    """What a step began with, raw units: the observation [obs], the action that was applied [act], the guard's memory.

    The memory [3 * obs] is what the last `Reading` gave: steps that each column stood still, the running mean of its
    surprise, that of its square less one. Each may have rows in front. Where the action is not known, or the
    observation is not of the last step, `predicts` is False: then nothing surprises, and the running means stay.
    """

    observation: np.ndarray
    action: np.ndarray
    memory: np.ndarray
    predicts: bool = True


class Reading(NamedTuple):
    """What the guard says of a step: the score, its parts each over what is usual, and what it remembers.

    `score` is a number or [rows]; `parts` is [..., 7] in the order of `PARTS`, `memory` [..., 3 * obs].
    """

    score: Any
    parts: np.ndarray
    memory: np.ndarray


@dataclass(frozen=True, eq=False)
class Guard:
    """A fitted guard; `Guard.fit` makes one from a log, `Guard.load` reads one.

    Attributes:
        center, scale: mean and standard deviation of the observations, raw units [obs].
        action_center, action_scale: of the actions [act].
        references: rows of the log in these units [row, obs].
        low, high: least and greatest value of each observation, raw units [obs].
        weights: of [1, observation, action] in standard deviations, for the change of each [1 + obs + act, obs].
        residual_scale: standard deviation of what the prediction leaves, in the observations' [obs].
        whitening: makes the residuals, over their scales, independent with variance one [obs, obs].
        still_cost: nats for each step that a column stands still; 0 where it does so often [obs].
        usual: what 99 of 100 healthy steps keep of each part [7].
        threshold: the score above which a step is an alarm.
        rate: share of healthy steps that may lie above it.
        counts: rows and episodes that it was fitted and calibrated on, by name.
        columns: of the observations and actions.
        log: SHA-256 of the log, empty where there is none.
    """

    center: np.ndarray
    scale: np.ndarray
    action_center: np.ndarray
    action_scale: np.ndarray
    references: np.ndarray
    low: np.ndarray
    high: np.ndarray
    weights: np.ndarray
    residual_scale: np.ndarray
    whitening: np.ndarray
    still_cost: np.ndarray
    usual: np.ndarray
    threshold: float
    rate: float
    counts: Mapping[str, int] = field(default_factory=dict)
    columns: Columns = UNNAMED
    log: str = ""

    @classmethod
    def fit(
        cls,
        log: Dataset,
        rate: float = 0.01,
        references: int = 256,
        episodes: Sequence[int] | None = None,
        records: Sequence[Dataset] = (),
    ) -> Guard:
        """Fit a guard on half of a log's episodes and calibrate it on the others.

        Args:
            log: the log, raw units.
            rate: share of healthy steps that may be alarms.
            references: rows of the log that distances are measured to.
            episodes: numbers of the log's episodes that may be used; by default all.
            records: what a controller has recorded since, so that the guard knows where the policy goes.

        Raises:
            UserError: the log has too little for this rate.
        """
        from micro_rl.control.guard_fit import fit

        return fit(log, rate, references, episodes, records)

    @classmethod
    def load(cls, path: str | Path) -> Guard:
        """Read what `save` wrote; `UserError` where it is missing, damaged or no guard."""
        from micro_rl.control.guard_file import read

        return read(Path(path))

    def save(self, path: str | Path) -> None:
        """Write the guard's file, safetensors; equal guards give equal bytes."""
        from micro_rl.control.guard_file import write

        write(Path(path), self)

    @property
    def observation_size(self) -> int:
        """Columns of an observation."""
        return len(self.center)

    @property
    def action_size(self) -> int:
        """Columns of an action."""
        return len(self.action_center)

    @property
    def blank(self) -> np.ndarray:
        """The memory of an episode that has just begun [3 * obs]."""
        return np.zeros(3 * self.observation_size)

    def read(self, observation: np.ndarray, before: Before | None = None) -> Reading:
        """Judge a step.

        Args:
            observation: what is observed now, raw units, finite [obs] or [rows, obs].
            before: what the step began with; None at an episode's first, where nothing can surprise.

        Returns:
            The score and its parts; `memory` is what `Before` of the next step takes.
        """
        with np.errstate(over="ignore"):
            lone = self.alone(observation)
            if before is None:
                rest = np.zeros((*lone.shape[:-1], len(PARTS) - 2))
                memory = np.zeros((*lone.shape[:-1], 3 * self.observation_size))
            else:
                residual = self._residual(observation, before)
                memory = remembered(before.memory, residual, observation == before.observation)
                rest = self.moving(residual, memory)
        parts = np.concatenate([lone, rest], -1) / self.usual
        score = parts.max(-1)
        return Reading(float(score) if score.ndim == 0 else score, parts, memory)

    def column(self, part: int, observation: np.ndarray, before: Before | None, reading: Reading) -> int | None:
        """Find the column that makes a part of a step's reading great; None where no single one does."""
        still, mean, square = _thirds(reading.memory)
        by_part: dict[str, Callable[[], np.ndarray]] = {
            "range": lambda: np.maximum(observation - self.high, self.low - observation) / self.scale,
            "stillness": lambda: still * self.still_cost,
            "drift": lambda: np.abs(mean),
            "roughness": lambda: square,
        }
        if before is not None and (residual := self._residual(observation, before)) is not None:
            by_part["surprise"] = lambda: np.abs(residual)
        amounts = by_part.get(PARTS[part])
        return None if amounts is None else int(np.argmax(amounts()))

    def still(self, memory: np.ndarray) -> np.ndarray:
        """Tell the columns that have each stood still for too long, by what the guard remembers [obs]."""
        longest = _thirds(memory)[0] * self.still_cost
        return longest / self.usual[PARTS.index("stillness")] > self.threshold

    def alone(self, observation: np.ndarray) -> np.ndarray:
        """Compute distance and range of an observation, not yet over what is usual [..., 2]."""
        now = _clipped(observation, self.center, self.scale)
        outside = np.maximum(_clipped(observation, self.high, self.scale), -_clipped(observation, self.low, self.scale))
        return np.array([self._distance(now), np.maximum(outside.max(-1), 0.0)]).T

    def residual(self, observation: np.ndarray, past: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Compute what the prediction leaves of a step, each column in its own standard deviations [..., obs]."""
        now, then = _clipped(observation, self.center, self.scale), _clipped(past, self.center, self.scale)
        inputs = np.concatenate([then, _clipped(action, self.action_center, self.action_scale)], -1)
        return (now - then - self.weights[0] - inputs @ self.weights[1:]) / self.residual_scale

    def _residual(self, observation: np.ndarray, before: Before) -> np.ndarray | None:
        return self.residual(observation, before.observation, before.action) if before.predicts else None

    def moving(self, residual: np.ndarray | None, memory: np.ndarray) -> np.ndarray:
        """Compute the parts from surprise to roughness, not yet over what is usual [..., 5].

        Args:
            residual: of the step [..., obs]; None where nothing was predicted, and nothing surprises.
            memory: after it [..., 3 * obs].
        """
        still, mean, square = _thirds(memory)
        residual = np.zeros_like(mean) if residual is None else residual
        joint = np.sqrt(((residual @ self.whitening) ** 2).sum(-1) / self.observation_size)
        parts = [np.abs(residual).max(-1), joint, still @ self.still_cost, np.abs(mean).max(-1), square.max(-1)]
        return np.array(parts).T

    def _distance(self, now: np.ndarray) -> Any:
        """Root mean square over the columns of the way to the nearest reference."""
        ways = self._reference_squares - 2 * now @ self.references.T
        return np.sqrt(np.maximum(ways.min(-1) + (now**2).sum(-1), 0.0) / now.shape[-1])

    @cached_property
    def _reference_squares(self) -> np.ndarray:
        return (self.references**2).sum(-1)


def remembered(
    memory: np.ndarray, residual: np.ndarray | None, equal: np.ndarray, measured: np.ndarray | bool = True
) -> np.ndarray:
    """Update the memory [..., 3 * obs] with a step.

    Args:
        memory: before it.
        residual: of the step [..., obs]; None where nothing was predicted, and the running means stay.
        equal: which columns are as they were when they were measured last [..., obs].
        measured: which were measured; of the others nothing changes [..., obs].
    """
    still, mean, square = _thirds(memory)
    still = np.where(measured, np.where(equal, still + 1.0, 0.0), still)
    if residual is not None:
        bounded = np.minimum(np.maximum(residual, -LARGEST), LARGEST)
        mean = mean + FADING * (bounded - mean)
        square = square + FADING * (bounded**2 - 1.0 - square)
    return np.concatenate([still, mean, square], -1)


def _thirds(memory: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = memory.shape[-1] // 3
    return memory[..., :size], memory[..., size : 2 * size], memory[..., 2 * size :]


def _clipped(values: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum((values - center) / scale, -FURTHEST), FURTHEST)
