"""What a run's own figures say against it while there is still time to stop: each kind is said once."""

from collections.abc import Iterator

import numpy as np

from micro_rl.core.metric_keys import SCORE_KEYS, metric_label
from micro_rl.core.wording import number
from micro_rl.storage.jsonl import Row
from micro_rl.training.plan import Plan

VALUES = ("q/model", "q/real")
PENALTY = "conservative_term"

ABOVE, BELOW = 0.1, 0.5
"""Shares of the span of allowed values by which Q may pass it: below, pessimism takes it there by design."""
STRETCH = 5
"""Epochs, or evaluations, that are looked at together."""
GROWTH = 2.0
"""Factor over ten epochs from which on a penalty that grew in each of the last five counts as growing."""
DEVIATIONS = 3.0
"""By so many of the latest evaluations' standard deviations an estimate must have fallen."""


class EarlyWarnings:
    """Looks at a run's rows one after the other."""

    def __init__(self, rewards: tuple[float, float], discount: float, reward_scale: float):
        """`rewards`: least and greatest of a step, raw; `reward_scale`: raw reward of one unit of the core's."""
        self._least, self._greatest = rewards
        self._discount, self._scale = discount, reward_scale
        self._rows: list[Row] = []
        self._said: set[str] = set()

    @classmethod
    def of(cls, plan: Plan, reward_scale: float) -> "EarlyWarnings":
        """Those of a run: where episodes terminate, nothing is earned from then on."""
        rewards = plan.dataset.rewards
        ends = [0.0] if plan.dataset.terminals.any() else []
        bounds = min([float(rewards.min()), *ends]), max([float(rewards.max()), *ends])
        return cls(bounds, plan.settings.discount, reward_scale)

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
        """A mean of Q against what the log's rewards, and the entropy's bonus, add up to at this discount."""
        row = self._rows[-1]
        bonus = row.get("temperature", 0.0) * self._scale * max(row.get("entropy", 0.0), 0.0)
        low, high = (bound / (1 - self._discount) for bound in (self._least, self._greatest + bonus))
        span, value = high - low, row[key]
        if low - BELOW * span <= value <= high + ABOVE * span:
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
        latest = [row[PENALTY] for row in self._rows[-2 * STRETCH - 1 :] if PENALTY in row]
        if len(latest) <= 2 * STRETCH or latest[0] <= 0:
            return
        if min(np.diff(latest[-STRETCH - 1 :])) > 0 and latest[-1] > GROWTH * latest[0]:
            yield (
                PENALTY,
                f"epoch {self._rows[-1]['epoch']}: {metric_label(PENALTY)} grew from {number(latest[0])} to "
                f"{number(latest[-1])} in {2 * STRETCH} epochs: the policy goes where the model's members disagree",
            )

    def _score(self) -> Iterator[tuple[str, str]]:
        key = next((key for key in SCORE_KEYS if any(key in row for row in self._rows)), None)
        if key is None or key not in self._rows[-1]:
            return
        rows = [row for row in self._rows if key in row]
        if len(rows) < 3 * STRETCH:
            return
        means = np.convolve([row[key] for row in rows], np.full(STRETCH, 1 / STRETCH), "valid")
        best, spread = int(means.argmax()), float(np.std([row[key] for row in rows[-STRETCH:]]))
        if len(means) - 1 - best < 2 * STRETCH or means[best] - means[-1] <= DEVIATIONS * spread:
            return
        yield (
            key,
            f"epoch {rows[-1]['epoch']}: {metric_label(key)} has fallen since epoch {rows[best + STRETCH - 1]['epoch']}"
            f", from {number(float(means[best]))} to {number(float(means[-1]))} (means of {STRETCH})",
        )
