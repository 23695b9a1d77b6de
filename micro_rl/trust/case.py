"""What is the same for all policies of a log: the judge, its calibration, the clones."""

from hashlib import sha256
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, Key

from micro_rl.core.model_settings import WEIGHT_DECAY, ModelSettings
from micro_rl.core.types import Scaling
from micro_rl.data import Dataset
from micro_rl.dynamics import known_reward
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.known_reward import KnownReward
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.termination import episode_ends
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.trust import kept_judge
from micro_rl.trust.actors import Judged, clones
from micro_rl.trust.calibration import calibrate
from micro_rl.trust.folds import Folds
from micro_rl.trust.judge import LEARNING_RATE, Judge, Rows, fit, references
from micro_rl.trust.layout import Layout
from micro_rl.trust.options import Effort, Options, Progress

CALIBRATED = 400
"""Windows whose true transitions calibrate the score."""


class Case(NamedTuple):
    """Everything that is the same for all policies."""

    layout: Layout
    judge: Judge
    ends: Termination
    rewards: tuple[Any, Any]
    known_reward: KnownReward | None
    clones: Judged
    """Of the whole log, then of every fold [1 + fold, ...]."""
    coverage: float
    key: Key[Any, ""]
    effort: Effort

    @property
    def window_rewards(self) -> tuple[float, float]:
        """The mean reward a step of the log's worst window and of its best, raw units."""
        windows = self.layout.windows
        return float(windows.returns.min()) / windows.length, float(windows.returns.max()) / windows.length

    @property
    def by_formula(self) -> str:
        """That the model's steps pay what a formula says, and FQE's do not; empty where there is none."""
        if self.known_reward is None:
            return ""
        return (
            f"what the model's steps pay is computed by known_reward {self.known_reward.formula.text!r}; FQE learns "
            "from the log's rewards, and cannot tell of one that no row shows"
        )

    @property
    def log_violations(self) -> float:
        """Share of the log's steps that break the limits."""
        dataset, limits = self.layout.dataset, self.layout.limits
        if limits is None:
            return 0.0
        newest = dataset.next_observations[dataset.usable][:, : dataset.observation_size]
        return float(np.mean(np.asarray(limits(newest))))


def prepare(layout: Layout, options: Options, progress: Progress) -> Case:
    """Fit and calibrate the judge of a log."""
    dataset, windows, rows, scaling = layout.dataset, layout.windows, layout.rows, layout.scaling
    formula = None if options.known_reward is None else known_reward.find(options.known_reward, dataset)
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
        ends_of(dataset, ensemble, scaling, options),
        _rewards(rows),
        formula,
        clones(rows.log, _clone_rows(rows, layout.folds), clone_key, options.effort.clone_updates),
        scored.coverage,
        key,
        options.effort,
    )


def _members(layout: Layout, options: Options, key: Key[Any, ""], progress: Progress) -> Ensemble:
    """The judge's members: found again where they are kept, else fitted now."""
    dataset, effort = layout.dataset, options.effort

    def on_epoch(epoch: int, error: float) -> None:
        progress(f"the judge's model, epoch {epoch}, holdout error {error:.3g}", 0.5 * epoch / (epoch + 10))

    def fitted() -> Ensemble:
        decay = (*WEIGHT_DECAY[: len(effort.hidden)], WEIGHT_DECAY[-1])
        settings = ModelSettings(history=dataset.history, model_hidden_sizes=effort.hidden, weight_decay=decay)
        return fit(layout.rows, layout.scaling, layout.folds, settings, effort, key, on_epoch)

    if options.folder is None:
        return fitted()
    made_of = {
        "rows": _digest(layout.rows),
        "history": dataset.history,
        "folds": layout.folds.size,
        "epochs": effort.fit_epochs,
        "updates": effort.fit_updates,
        "patience": effort.patience,
        "rate": LEARNING_RATE,
        "holdout": "each member's own",
        "hidden": effort.hidden,
        "seed": options.seed,
    }
    path = kept_judge.place(options.folder, made_of)
    ensemble = kept_judge.read(path)
    if ensemble is None:
        ensemble = fitted()
        kept_judge.keep(path, ensemble, layout.scaling, dataset.history, dataset.name)
    return ensemble


def _digest(rows: Rows) -> str:
    """Of everything in the rows: one file may be read in several ways."""
    digest = sha256()
    for part in jax.tree.leaves(rows):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def evenly(count: int, most: int) -> Int[np.ndarray, " place"]:
    """At most so many places of as many as there are, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def ends_of(dataset: Dataset, ensemble: Ensemble, scaling: Scaling, options: Options) -> Termination:
    """When the rollouts' episodes end: by the user's rule or the log's, or as learned from it."""
    ends = episode_ends(dataset, options.termination)
    model = ends.complete(FittedModel(ensemble, scaling, {}), dataset, ModelSettings(), options.seed)
    termination = ends.of(model, dataset.observation_size)
    assert termination is not None, "rollouts end somewhere or never"
    return termination


def _rewards(rows: Rows) -> tuple[Any, Any]:
    reward = np.asarray(rows.log.reward)
    return jnp.asarray(reward.min()), jnp.asarray(reward.max())


def _clone_rows(rows: Rows, folds: Folds) -> Int[np.ndarray, "group row"]:
    """As many rows of the whole log, then of every fold."""
    random = np.random.default_rng(0)
    groups = [np.arange(len(rows.fold)), *(np.flatnonzero(rows.fold == fold) for fold in range(folds.size))]
    return np.stack([random.choice(group, min(20_000, len(rows.fold))) for group in groups])
