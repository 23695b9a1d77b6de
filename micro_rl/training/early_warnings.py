"""What a run's own figures say against it while there is still time to stop: each kind is said once."""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from micro_rl.core.metric_keys import CRITICS_RETURN, SCORE_KEYS, metric_label
from micro_rl.core.wording import number
from micro_rl.storage.jsonl import Row
from micro_rl.training.plan import Plan

MODEL_VALUE = "q/model"
VALUES = (MODEL_VALUE, "q/real")
PENALTY = "conservative_term"

ABOVE, BELOW = 0.1, 0.5
"""Shares of the span of allowed values by which Q may pass it: below, pessimism takes it there by design."""
SLOWER = 4.0
"""Critics begin at 0 and move with their targets, exp(-tau (1 - discount) updates) of the way left: at worst, so many
times slower."""
STRETCH = 5
"""Epochs of a penalty that are looked at together."""
GROWTH = 3.0
"""So many times its least share of Q a penalty must be (docs/guides/runs.md has what was measured)."""
LEAST_VALUE = 0.4
"""Of Q's greatest size so far: smaller values count as so large, where Q passes through 0."""
EVALUATIONS, SINCE = 8, 10
"""Evaluations whose mean counts, and how many there must have been since the best of these means."""
ERRORS, FALL = 1.5, 0.1
"""By so many standard errors more than chance lifts the best of many means, and such a share of it, it must fall."""
SCORES = tuple(key for key in SCORE_KEYS if key != CRITICS_RETURN)
"""What may fall; the critics' own estimate starts at 0 and falls wherever rewards are negative."""


class EarlyWarnings:
    """Looks at a run's rows one after the other."""

    def __init__(self, rewards: tuple[float, float], discount: float, reward_scale: float, tau: float = 1.0):
        """`rewards`: least and greatest of a step, raw; infinite: any. `reward_scale`: raw reward of a core unit."""
        self._least, self._greatest = rewards
        self._discount, self._scale = discount, reward_scale
        self._pace = tau * (1 - discount) / SLOWER
        self._rows: list[Row] = []
        self._largest = 0.0
        self._shares: list[float] = []
        self._said: set[str] = set()

    @classmethod
    def of(cls, plan: Plan, reward_scale: float) -> "EarlyWarnings":
        """Those of a run: where episodes terminate, nothing is earned from then on; a formula may pay anything."""
        if plan.known_reward is not None:
            return cls((-math.inf, math.inf), plan.settings.discount, reward_scale, plan.settings.tau)
        rewards = plan.dataset.rewards[plan.dataset.usable]  # a code for a missing value is no reward
        ends = [0.0] if plan.dataset.terminals.any() else []
        bounds = min([float(rewards.min()), *ends]), max([float(rewards.max()), *ends])
        return cls(bounds, plan.settings.discount, reward_scale, plan.settings.tau)

    def resume(self, rows: list[Row]) -> None:
        """Take the rows of earlier processes, about which nothing is said any more."""
        for row in rows:
            self.after(row)

    def after(self, row: Row) -> list[str]:
        """Take a row; a sentence for each kind of warning that is new."""
        self._rows.append(row)
        new = [(kind, text) for kind, text in self._all() if kind not in self._said]
        self._said |= {kind for kind, _ in new}
        return [text for _, text in new]

    def _all(self) -> Iterator[tuple[str, str]]:
        for key in VALUES:
            if key in self._rows[-1]:
                yield from self._value(key)
        yield from self._penalty()
        yield from self._score()

    def _value(self, key: str) -> Iterator[tuple[str, str]]:
        """A mean of Q against what the log's rewards, and the entropy's bonus, add up to at this discount.

        Where all rewards are alike their size is the span, and where all have one sign Q is on its way from 0.
        """
        if self._discount == 1 or math.isinf(self._least):  # nothing bounds what they add up to
            return
        row = self._rows[-1]
        bonus = row.get("temperature", 0.0) * self._scale * row.get("entropy", 0.0)
        bounds = self._least + min(bonus, 0.0), self._greatest + max(bonus, 0.0)
        low, high = (bound / (1 - self._discount) for bound in bounds)
        size = max(abs(bounds[0]), abs(bounds[1])) or self._scale
        span, value = max(high - low, size / (1 - self._discount)), row[key]
        way = -math.expm1(-self._pace * row.get("updates", 0.0))
        if min(low, way * low) - BELOW * span <= value <= max(high, way * high) + ABOVE * span:
            return
        why = (
            "its critics believe in what no row has shown: more pessimism (--beta, a penalty) or a lower learning rate"
            if value > high
            else "its pessimism outweighs the rewards: less of it, or other scales"
        )
        yield (
            f"{key} {value > high}",
            f"epoch {row['epoch']}: {metric_label(key)} {number(value)} is outside {number(low)} to {number(high)}, "
            f"what the log's rewards allow at discount {self._discount:g}; {why}",
        )

    def _penalty(self) -> Iterator[tuple[str, str]]:
        """A penalty against the size of Q, with which it grows in every run; means of five epochs."""
        row = self._rows[-1]
        if PENALTY not in row or MODEL_VALUE not in row:
            return
        size = abs(row[MODEL_VALUE])
        self._largest = max(self._largest, size)
        if not self._largest > 0:
            return
        self._shares.append(row[PENALTY] / max(size, LEAST_VALUE * self._largest))
        if len(self._shares) < STRETCH:
            return
        means = np.convolve(self._shares, np.full(STRETCH, 1 / STRETCH), "valid")
        least = int(means.argmin())
        if means[-1] <= GROWTH * means[least] or means[least] <= 0:
            return
        yield (
            PENALTY,
            f"epoch {row['epoch']}: {metric_label(PENALTY)} is {100 * means[-1]:.2g} % of {metric_label(MODEL_VALUE)}, "
            f"and was {100 * means[least]:.2g} % about epoch {self._epoch_of_share(least)}: the members' disagreement "
            "gains on the rewards; try less of it (a lower --beta), or shorter rollouts",
        )

    def _epoch_of_share(self, place: int) -> int:
        """The last epoch of a stretch's mean."""
        epochs = [row["epoch"] for row in self._rows if PENALTY in row and MODEL_VALUE in row]
        return int(epochs[len(epochs) - len(self._shares) + place + STRETCH - 1])

    def _score(self) -> Iterator[tuple[str, str]]:
        key = next((key for key in SCORES if any(key in row for row in self._rows)), None)
        if key is None or key not in self._rows[-1]:
            return
        rows = [row for row in self._rows if key in row]
        if len(rows) < EVALUATIONS + SINCE:
            return
        values = np.array([row[key] for row in rows], np.float64)
        means = np.convolve(values, np.full(EVALUATIONS, 1 / EVALUATIONS), "valid")
        best = int(means.argmax())
        chance = np.sqrt(2 * np.log(len(means)))  # the greatest of so many draws, in standard deviations
        least = max((ERRORS + chance) * _error_of_difference(values[best:]), FALL * abs(means[best]))
        if len(means) - 1 - best < SINCE or means[best] - means[-1] <= least:
            return
        yield (
            key,
            f"epoch {rows[-1]['epoch']}: {metric_label(key)} has fallen since epoch "
            f"{rows[best + EVALUATIONS - 1]['epoch']}, from {number(float(means[best]))} to "
            f"{number(float(means[-1]))} (means of {EVALUATIONS})",
        )


def _error_of_difference(values: Float[np.ndarray, " evaluation"]) -> float:
    """The standard error of the difference of two means, by how much neighbours differ: a trend is no noise."""
    deviation = float(np.std(np.diff(values))) / np.sqrt(2) if len(values) > 1 else 0.0
    return deviation * np.sqrt(2 / EVALUATIONS)
