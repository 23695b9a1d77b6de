"""The quality report of a fitted ensemble: what was measured on held-out rows, as a type, as JSON and as a sentence."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

from micro_rl.core.wording import plural

KEY = "report"
"""Where it stands in what a model's folder says about its fit."""
MOST_STEPS = 100
"""Longest stretch that is followed, and longest list that is believed."""
LARGEST = 1e12
"""Errors from here on count as not finite: a model that has run away."""
INTERVAL = 0.9
"""The central interval whose share the sentence names."""

COVERED = (0.9, 0.95, 0.99)
"""Shares of true transitions that the calibrated limits of the score of the unknown are set for."""
NO_EPISODES = (
    "no episode was held out of the fit, so nothing tells what the score of the unknown covers: "
    "fit with --holdout-episodes 0.1"
)
NOT_MEASURED = (
    "nothing could be measured on the episodes held out of the fit: half of them have no row to learn from, or nothing "
    "that is judged varies in them; hold out more, or log more"
)


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
    def inside(self) -> float:
        """Share of the observations inside the central interval `INTERVAL`; there must be a column that varies."""
        return self.observation[self.expected.index(INTERVAL)]


class EpisodeCoverage(NamedTuple):
    """Shares of true transitions within the limits of the score of the unknown, on episodes that no member saw.

    Limits are set on half of `episodes`, all else is measured on `rows` of the others. `error`, `unchanged`: of one
    step, as in `Horizon`; None where nothing varies. `coverage`: beside each of `levels`, of which those that the rows
    are too few for are missing. `inside`: of next states that lie between the elites' draws in every column that
    varies, `inside_columns`: averaged over the columns. `of_sets`: of next states in the calibrated sets
    (`calibrated_set`), beside each of `levels`; empty in reports from before there were any.
    """

    episodes: int
    rows: int
    error: float | None
    unchanged: float | None
    levels: list[float]
    coverage: list[float]
    inside: float
    inside_columns: float
    of_sets: list[float] = []  # noqa: RUF012 (a NamedTuple's default, never changed)

    def sentence(self) -> str:
        """The coverage in a line."""
        off = "" if self.error is None else f"one step is off by {_short(self.error)} of the log’s spread, "
        promised, measured = (
            "/".join(f"{100 * share:.0f}" for share in shares) for shares in (self.levels, self.coverage)
        )
        limits = f"limits of the score for {promised} % hold {measured} %" if self.levels else "too few rows for limits"
        if self.of_sets:
            limits += f", calibrated sets {'/'.join(f'{100 * share:.0f}' for share in self.of_sets)} %"
        where = f"on {plural(self.episodes, 'episode')} held out"
        return f"{where}: {off}{limits}, the elites’ draws {100 * self.inside:.0f} %"


class ModelReport(NamedTuple):
    """All three, where there was something to measure, of so many elites."""

    elites: int
    horizon: Horizon | None
    calibration: Calibration | None
    episodes: EpisodeCoverage | None = None

    def as_json(self) -> dict[str, Any]:
        """The report as a model's folder holds it under `KEY`; `from_json` reads it back."""
        parts = {"horizon": self.horizon, "calibration": self.calibration, "episodes": self.episodes}
        return {"elites": self.elites} | {name: part._asdict() for name, part in parts.items() if part is not None}

    def sentence(self) -> str:
        """The report in a line."""
        parts = []
        if self.horizon:
            error, unchanged = self.horizon.error, self.horizon.unchanged
            last = len(error)
            later = f", {last} steps by {_short(error[-1])}" if last > 1 else ""
            trivial = _short(unchanged[0]) + (f" and {_short(unchanged[-1])}" if last > 1 else "")
            one_step = f"one step is off by {_short(error[0])}{later}"
            parts.append(f"{one_step} of the log’s spread (if nothing changed: {trivial})")
        if self.calibration and self.calibration.observation:
            parts.append(f"{100 * INTERVAL:.0f} % intervals hold {100 * self.calibration.inside:.0f} %")
        if self.episodes:
            parts.append(self.episodes.sentence())
        return "; ".join(parts)

    def warning(self, scores_alone: bool = False) -> str:
        """What to do about a model whose next step is no better than that nothing changes; empty where it is.

        `scores_alone`: nothing is learned in it.
        """
        if not self.horizon or self.horizon.error[0] < self.horizon.unchanged[0]:
            return ""
        error, unchanged = _short(self.horizon.error[0]), _short(self.horizon.unchanged[0])
        useless = "the score that it gives" if scores_alone else "what is learned in it"
        other = "" if scores_alone else ", and a method without a model (--method td3_bc, bc) needs none"
        return (
            f"the model is no better than saying that nothing changes (one step is off by {error} against {unchanged}),"
            f" so {useless} means nothing: `micro-rl data info LOG` proposes a step and a --history, more rows may "
            f"help{other}"
        )


def from_json(declared: Any) -> ModelReport:
    """The report that a folder holds under `KEY`, checked.

    Args:
        declared: What JSON holds there, of any content.

    Raises:
        ValueError: Where it is no report that `ModelReport.as_json` makes.
    """
    _require(isinstance(declared, dict) and _count(declared.get("elites")))
    horizon = _horizon(declared["horizon"]) if "horizon" in declared else None
    calibration = _calibration(declared["calibration"]) if "calibration" in declared else None
    episodes = _episodes(declared["episodes"]) if "episodes" in declared else None
    return ModelReport(declared["elites"], horizon, calibration, episodes)


def of(about: Mapping[str, Any]) -> ModelReport | None:
    """The report in a model's manifest, None where it has none; raises as `from_json`."""
    return from_json(about[KEY]) if KEY in about else None


def _horizon(declared: Any) -> Horizon:
    curves = _lists(declared, Horizon)
    steps = len(curves["error"])
    _require(_count(declared.get("starts")) and steps >= 1 and len(curves["unchanged"]) == steps)
    _require(len(curves["disagreement"]) in (0, steps))
    _require(all(0 <= value < LARGEST for curve in curves.values() for value in curve))
    return Horizon(declared["starts"], **curves)


def _calibration(declared: Any) -> Calibration:
    shares = _lists(declared, Calibration)
    levels = len(shares["expected"])
    _require(_count(declared.get("rows")) and INTERVAL in shares["expected"])
    _require(all(len(shares[name]) in (0, levels) for name in ("observation", "reward")))
    _require(all(0 <= value <= 1 for part in shares.values() for value in part))
    return Calibration(declared["rows"], **shares)


def _episodes(declared: Any) -> EpisodeCoverage:
    _require(isinstance(declared, dict) and _count(declared.get("episodes")) and _count(declared.get("rows")))
    figures: dict[str, Any] = {name: declared.get(name) for name in EpisodeCoverage._fields[2:]}
    figures["of_sets"] = declared.get("of_sets", [])
    for name in ("error", "unchanged"):
        _require(figures[name] is None or (_number(figures[name]) and 0 <= figures[name] < LARGEST))
    for name in ("levels", "coverage", "of_sets"):
        _require(isinstance(figures[name], list) and len(figures[name]) <= len(COVERED))
    _require(len(figures["levels"]) == len(figures["coverage"]))
    _require(len(figures["of_sets"]) in (0, len(figures["levels"])))
    shares: list[Any] = [figures["inside"], figures["inside_columns"], *figures["levels"], *figures["coverage"]]
    shares += figures["of_sets"]
    _require(all(_number(share) and 0 <= share <= 1 for share in shares))
    return EpisodeCoverage(declared["episodes"], declared["rows"], **figures)


def _lists(declared: Any, kind: type[Horizon] | type[Calibration]) -> dict[str, list[float]]:
    """All but the first field, each a short list of finite numbers."""
    _require(isinstance(declared, dict))
    lists = {name: declared.get(name) for name in kind._fields[1:]}
    for values in lists.values():
        _require(isinstance(values, list) and len(values) <= MOST_STEPS)
        _require(all(map(_number, values)))
    return {name: [float(value) for value in values] for name, values in lists.items()}


def _short(value: float) -> str:
    return f"{value:#.2g}".rstrip(".")


def _number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _count(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("its report is none that a fit makes")
