"""What was measured of a fitted ensemble on rows that its fit held out: how it is kept, read back and said."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

KEY = "report"
"""Where it stands in what a model's folder says about its fit."""
MOST_STEPS = 100
"""Longest stretch that is followed, and longest list that is believed."""
LARGEST = 1e12
"""Errors from here on count as not finite: a model that has run away."""
TOLD = 0.9
"""The interval that the sentence tells of."""


class Horizon(NamedTuple):
    """Errors after 1, 2, ... steps of the log's own actions, in standard deviations of the log's observations.

    `error`: root mean square over starts and columns of each elite's mean prediction, averaged over the elites.
    `unchanged`: the same of the prediction that nothing changes. `disagreement`: root mean square of the elites'
    standard deviation about their mean; empty for a single elite. Shorter than was asked for where the model ran away.
    """

    starts: int
    error: list[float]
    unchanged: list[float]
    disagreement: list[float]


class Calibration(NamedTuple):
    """Shares of true outcomes inside the central intervals that the one-step Gaussians promise, averaged over elites.

    `expected` are the intervals' own shares. `observation`: over all columns whose change varies, empty where none
    does. `reward`: empty where it does not vary.
    """

    rows: int
    expected: list[float]
    observation: list[float]
    reward: list[float]

    @property
    def told(self) -> float:
        """Share of the observations inside the interval of `TOLD`; there must be a column that varies."""
        return self.observation[self.expected.index(TOLD)]


class ModelReport(NamedTuple):
    """Both, where there was something to measure, of so many elites."""

    elites: int
    horizon: Horizon | None
    calibration: Calibration | None

    def kept(self) -> dict[str, Any]:
        """As JSON holds it."""
        parts = {"horizon": self.horizon, "calibration": self.calibration}
        return {"elites": self.elites} | {name: part._asdict() for name, part in parts.items() if part is not None}

    def sentence(self) -> str:
        """The report in a line."""
        parts = []
        if self.horizon:
            error, unchanged = self.horizon.error, self.horizon.unchanged
            last = len(error)
            later = f", {last} steps by {_short(error[-1])}" if last > 1 else ""
            trivial = _short(unchanged[0]) + (f" and {_short(unchanged[-1])}" if last > 1 else "")
            said = f"one step is off by {_short(error[0])}{later} of the log’s spread (if nothing changed: {trivial})"
            parts.append(said)
        if self.calibration and self.calibration.observation:
            parts.append(f"{100 * TOLD:.0f} % intervals hold {100 * self.calibration.told:.0f} %")
        return "; ".join(parts)


def of(about: Mapping[str, Any]) -> ModelReport | None:
    """The report in what a model's folder says, None where it has none; `ValueError` where it is no report."""
    if KEY not in about:
        return None
    told = about[KEY]
    _require(isinstance(told, dict) and _count(told.get("elites")))
    parts = [None if name not in told else read(told[name]) for name, read in _PARTS]
    return ModelReport(told["elites"], *parts)  # pyright: ignore[reportArgumentType]


def _horizon(told: Any) -> Horizon:
    curves = _lists(told, Horizon)
    steps = len(curves["error"])
    _require(_count(told.get("starts")) and steps >= 1 and len(curves["unchanged"]) == steps)
    _require(len(curves["disagreement"]) in (0, steps))
    _require(all(0 <= value < LARGEST for curve in curves.values() for value in curve))
    return Horizon(told["starts"], **curves)


def _calibration(told: Any) -> Calibration:
    shares = _lists(told, Calibration)
    levels = len(shares["expected"])
    _require(_count(told.get("rows")) and TOLD in shares["expected"])
    _require(all(len(shares[name]) in (0, levels) for name in ("observation", "reward")))
    _require(all(0 <= value <= 1 for part in shares.values() for value in part))
    return Calibration(told["rows"], **shares)


_PARTS = (("horizon", _horizon), ("calibration", _calibration))


def _lists(told: Any, kind: type[Horizon] | type[Calibration]) -> dict[str, list[float]]:
    """All but the first field, each a short list of finite numbers."""
    _require(isinstance(told, dict))
    found = {name: told.get(name) for name in kind._fields[1:]}
    for values in found.values():
        _require(isinstance(values, list) and len(values) <= MOST_STEPS)
        _require(all(type(value) in (int, float) and isfinite(value) for value in values))
    return {name: [float(value) for value in values] for name, values in found.items()}


def _short(value: float) -> str:
    return f"{value:#.2g}".rstrip(".")


def _count(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("its report is none that a fit makes")
