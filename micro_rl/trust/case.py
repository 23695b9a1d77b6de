"""What is the same for all policies of a log: its windows and folds, the judge and its calibration, the clones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Key

from micro_rl.core.columns import titles
from micro_rl.core.expression import Expression
from micro_rl.core.settings import WEIGHT_DECAY, ModelSettings
from micro_rl.core.types import Scaling
from micro_rl.data import Dataset, windowed
from micro_rl.data.stretches import Stretches
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.termination import episode_ends
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.errors import UserError
from micro_rl.trust import kept_judge
from micro_rl.trust.actors import Judged, clones
from micro_rl.trust.calibration import calibrate
from micro_rl.trust.folds import Folds, by_behaviour, by_labels, by_time
from micro_rl.trust.judge import Judge, Rows, fit, references, rows_of
from micro_rl.trust.rollouts import Limits
from micro_rl.trust.verdict import Thresholds
from micro_rl.trust.window_length import choose

STILL = 0.9
"""Share of the rows in which a column that is held does not change."""
CALIBRATED = 400
"""Windows whose true transitions calibrate the score."""

Progress = Callable[[str, float], None]
"""Sees what is being done, and the share of the whole that is behind."""


class Effort(NamedTuple):
    """How much is computed."""

    fit_epochs: int = 40
    """Passes of the judge's fit at the most."""
    hidden: tuple[int, ...] = (200, 200, 200, 200)
    """Widths of its members' hidden layers."""
    clone_updates: int = 4000
    fqe_updates: int | None = None
    """By default as many as the window asks for."""
    starts: int = 300
    """States of the log that every policy's windows begin at."""
    fold_starts: int = 100
    """The same of a fold's clone."""


class Options(NamedTuple):
    """What may be chosen."""

    window: str | int | None = None
    groups: str | Sequence[Any] = "time"
    limits: tuple[Expression, ...] = ()
    termination: str | None = None
    seed: int = 0
    current: Any = None
    """What acts today: a function of one raw observation, or actions in all rows of the log; None: nothing else."""
    thresholds: Thresholds = Thresholds()
    effort: Effort = Effort()
    folder: Path | None = None
    """Where judges are kept and found again; None keeps none."""


class Layout(NamedTuple):
    """The log as it will be judged by, before anything is fitted."""

    dataset: Dataset
    windows: Stretches
    fold: Int[np.ndarray, " window"]
    folds: Folds
    rows: Rows
    scaling: Scaling
    limits: Limits | None
    reason: str
    """Why windows are so long."""
    held: str
    """Which columns are taken for exogenous without having been called so."""


class Case(NamedTuple):
    """Everything that is the same for all policies."""

    layout: Layout
    judge: Judge
    ends: Termination
    rewards: tuple[Any, Any]
    clones: Judged
    """Of the whole log, then of every fold [1 + fold, ...]."""
    coverage: float
    key: Key[Any, ""]
    effort: Effort

    @property
    def raw_rewards(self) -> tuple[float, float]:
        """The log's least and greatest reward, raw units."""
        unit = float(self.judge.scaling.reward_scale)
        return float(self.rewards[0]) * unit, float(self.rewards[1]) * unit

    @property
    def log_violations(self) -> float:
        """Share of the log's steps that break the limits."""
        dataset, limits = self.layout.dataset, self.layout.limits
        if limits is None:
            return 0.0
        newest = dataset.next_observations[dataset.usable][:, : dataset.observation_size]
        return float(np.mean(np.asarray(limits(newest))))


def lay_out(dataset: Dataset, history: int, options: Options) -> Layout:
    """Cut the log into windows and folds.

    Raises:
        UserError: the log is too small, or its rewards are all the same.
    """
    if float(np.ptp(dataset.rewards)) == 0:
        reward = f"{float(dataset.rewards[0]):g}"
        raise UserError(f"{dataset.name}: every reward is {reward}, so no policy is better: log one that differs")
    folds = _folds(dataset, options.groups)
    dataset, held = with_held_columns(dataset)
    dataset = windowed(dataset, history)
    windows, reason = choose(dataset, options.window)
    windows, fold = folds.of_windows(windows, dataset)
    folds, fold = _used(folds, fold)
    rows, scaling = rows_of(dataset, folds)
    return Layout(dataset, windows, fold, folds, rows, scaling, _limits(dataset, options.limits), reason, held)


def with_held_columns(dataset: Dataset) -> tuple[Dataset, str]:
    """Take columns that stand still most of the time and then jump, as set-points do, for exogenous.

    No Gaussian can follow them, and rollouts that try drift away from everything the log knows.

    Returns:
        The log with these columns exogenous, and a sentence that names them; empty where there are none.
    """
    width = dataset.observation_size
    rows = dataset.usable
    still = dataset.next_observations[rows][:, :width] == dataset.observations[rows][:, :width]
    varies = np.ptp(dataset.observations[:, :width], axis=0) > 0
    held = np.flatnonzero((still.mean(0) >= STILL) & varies & ~np.isin(np.arange(width), dataset.exogenous))
    if not len(held):
        return dataset, ""
    names = titles("observation", held.tolist(), dataset.columns.observations)
    sentence = (
        f"{names} stand still in {100 * STILL:.0f} % of the rows or more, as set-points do: rollouts take them from "
        "the log, as if no action moved them"
    )
    return replace(dataset, exogenous=tuple(sorted({*dataset.exogenous, *held.tolist()}))), sentence


def prepare(layout: Layout, options: Options, progress: Progress) -> Case:
    """Fit and calibrate the judge of a log."""
    dataset, windows, rows, scaling = layout.dataset, layout.windows, layout.rows, layout.scaling
    fit_key, clone_key, key = jax.random.split(jax.random.key(options.seed), 3)
    ensemble = _members(layout, options, fit_key, progress)
    known = references(rows, layout.folds.size)
    progress("calibrating on parts that members did not see", 0.5)
    some = evenly(len(windows.starts), CALIBRATED)
    scored = calibrate(dataset, scaling, ensemble, known, windows.of(some), layout.fold[some])
    progress("cloning what made the log", 0.55)
    return Case(
        layout,
        Judge(
            ensemble,
            known,
            scales=jnp.asarray(scored.scales, jnp.float32),
            limit=jnp.asarray(scored.limit, jnp.float32),
            allowed=jnp.asarray(scored.allowed, jnp.float32),
            scaling=scaling,
            history=dataset.history,
        ),
        _ends(dataset, ensemble, scaling, options),
        _rewards(rows),
        clones(rows.log, _clone_rows(rows, layout.folds), clone_key, options.effort.clone_updates),
        scored.coverage,
        key,
        options.effort,
    )


def _members(layout: Layout, options: Options, key: Key[Any, ""], progress: Progress) -> Ensemble:
    """The judge's members: found again where they are kept, else fitted now."""
    dataset, epochs = layout.dataset, options.effort.fit_epochs

    def on_epoch(epoch: int, error: float) -> None:
        progress(f"the judge's model, epoch {epoch}, holdout error {error:.3g}", 0.5 * epoch / (epoch + 10))

    def fitted() -> Ensemble:
        hidden = options.effort.hidden
        decay = (*WEIGHT_DECAY[: len(hidden)], WEIGHT_DECAY[-1])
        settings = ModelSettings(history=dataset.history, model_hidden_sizes=hidden, weight_decay=decay)
        return fit(layout.rows, layout.scaling, layout.folds, settings, epochs, key, on_epoch)

    if options.folder is None:
        return fitted()
    parts = sha256(layout.folds.of_row.tobytes()).hexdigest()
    made_of = {
        "log": dataset.sha256,
        "history": dataset.history,
        "folds": parts,
        "epochs": epochs,
        "hidden": options.effort.hidden,
        "seed": options.seed,
    }
    path = kept_judge.place(options.folder, made_of | {"rows": len(layout.rows.number)})
    ensemble = kept_judge.read(path)
    if ensemble is None:
        ensemble = fitted()
        kept_judge.keep(path, ensemble, layout.scaling, dataset.history, dataset.name)
    return ensemble


def evenly(count: int, most: int) -> Int[np.ndarray, " place"]:
    """At most so many places of as many as there are, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def _folds(dataset: Dataset, groups: str | Sequence[Any]) -> Folds:
    if isinstance(groups, str):
        named = {"time": by_time, "behaviour": by_behaviour}
        if groups in named:
            return named[groups](dataset)
        columns = [column.name for column in (*dataset.columns.observations, *dataset.columns.actions)]
        if groups not in columns:
            raise UserError(
                f"--groups {groups}: take time, behaviour, or a column of the log ({', '.join(columns[:20])})"
            )
        values = np.concatenate([dataset.observations, dataset.actions], 1)[:, columns.index(groups)]
        return by_labels(dataset, values.tolist())
    return by_labels(dataset, groups)


def _used(folds: Folds, fold: Int[np.ndarray, " window"]) -> tuple[Folds, Int[np.ndarray, " window"]]:
    """Only the folds that hold at least two windows; rows of others belong to the one before."""
    numbers, counts = np.unique(fold, return_counts=True)
    kept = numbers[counts >= 2]
    if len(kept) < 4:
        raise UserError(
            f"only {len(kept)} parts of the log hold two windows or more, and 4 are needed to test a judge: take a "
            "shorter --window, other --groups, or log more"
        )
    place = np.clip(np.searchsorted(kept, np.arange(folds.size), side="right") - 1, 0, None)
    of_row = place[folds.of_row]
    return Folds(of_row, tuple(folds.names[number] for number in kept), folds.made), place[fold]


def _ends(dataset: Dataset, ensemble: Ensemble, scaling: Scaling, options: Options) -> Termination:
    ends = episode_ends(dataset, options.termination)
    model = ends.complete(FittedModel(ensemble, scaling, {}), dataset, ModelSettings(), options.seed)
    found = ends.of(model, dataset.observation_size)
    assert found is not None, "rollouts end somewhere or never"
    return found


class _Breaks(NamedTuple):
    """Which raw observations break one of the limits; two of the same text share a compiled program."""

    limits: tuple[Expression, ...]
    names: tuple[str, ...]

    def __call__(self, observation: Any) -> Any:
        values = {name: observation[..., place] for place, name in enumerate(self.names)}
        broken = ~self.limits[0](values)
        for limit in self.limits[1:]:
            broken = broken | ~limit(values)
        return broken


def _limits(dataset: Dataset, limits: tuple[Expression, ...]) -> Limits | None:
    names = tuple(column.name for column in dataset.columns.observations[: dataset.observation_size])
    return _Breaks(limits, names) if limits else None


def _rewards(rows: Rows) -> tuple[Any, Any]:
    reward = np.asarray(rows.log.reward)
    return jnp.asarray(reward.min()), jnp.asarray(reward.max())


def _clone_rows(rows: Rows, folds: Folds) -> Int[np.ndarray, "group row"]:
    """As many rows of the whole log, then of every fold."""
    random = np.random.default_rng(0)
    groups = [np.arange(len(rows.fold)), *(np.flatnonzero(rows.fold == fold) for fold in range(folds.size))]
    return np.stack([random.choice(group, min(20_000, len(rows.fold))) for group in groups])
