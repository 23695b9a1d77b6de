"""Fit the ensembles of one or several runs to a log, with progress; each keeps its own seed, rows and patience."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Key

from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.setting import check_values
from micro_rl.core.settings import Settings
from micro_rl.core.types import Keys, Problem, Replay, Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.data.scaling import fit_scaling, to_core
from micro_rl.data.taking import content
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.episode_coverage import coverage_of
from micro_rl.dynamics.episode_holdout import fitted_rows, held_out_episodes
from micro_rl.dynamics.fit_epoch import FitState, finish_fit, split_rows
from micro_rl.dynamics.measure import report_of
from micro_rl.dynamics.quality_report import ModelReport
from micro_rl.dynamics.saved_model import FittedModel, ModelShape
from micro_rl.errors import Diverged, UserError
from micro_rl.storage.jsonl import Row
from micro_rl.training import divergence
from micro_rl.training.fit_program import fits_left, run_fit_epoch, start_fits
from micro_rl.training.host_log import stays_on_host
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.lanes import set_run, shard_runs, stack, take_run, view_run
from micro_rl.training.saving import FitSaver, Kept


class Fit(NamedTuple):
    """One run's fit: its seed, who sees its epochs, and who saves it; None: nobody."""

    seed: int
    on_epoch: Callable[[Row], None]
    saver: FitSaver | None = None


def problem_of(dataset: Dataset, settings: ModelSettings, scaling: Scaling | None = None) -> Problem:
    """The log in core units, on the device unless it is too large; `scaling` where a model brings its own."""
    if scaling is None:
        scaling = fit_scaling(dataset, settings.standardise, settings.scale_reward)
    rows = to_core(dataset.transitions(settings.keep_timeouts), scaling)
    log = rows if stays_on_host(settings, dataset) else jax.tree.map(jnp.asarray, rows)
    return Problem(log, jax.tree.map(jnp.asarray, scaling), replay_of(dataset, settings))


def replay_of(dataset: Dataset, settings: ModelSettings) -> Replay | None:
    """What rollouts take from this log and not from the model; None where none of its columns is exogenous."""
    if not dataset.exogenous:
        return None
    chosen = dataset.learnable(settings.keep_timeouts)
    continued = (dataset.continued & np.roll(chosen, -1))[chosen]
    columns = np.isin(np.arange(dataset.observations.shape[1]), dataset.exogenous)
    return Replay(jnp.asarray(continued), jnp.asarray(columns))


@jax.jit
def _epoch_keys(keys: Key[Array, "run 2"], epoch: Int[Array, " run"]) -> Key[Array, " run"]:
    """Of every run's second key, the epoch's own."""
    return jax.vmap(jax.random.fold_in)(keys[:, 1], epoch)


@jax.jit
def _copied(states: FitState) -> FitState:
    return jax.tree.map(jnp.copy, states)


def fit_model(
    dataset: Dataset, problem: Problem, settings: ModelSettings, seed: int, on_epoch: Callable[[Row], None]
) -> FittedModel:
    """Fit one ensemble until patience runs out, saving nothing; raises `Diverged`."""
    [model] = fit_models(dataset, problem, settings, [Fit(seed, on_epoch)])
    if isinstance(model, Diverged):
        raise model
    return model


def fit_models(
    dataset: Dataset,
    problem: Problem,
    settings: ModelSettings,
    fits: Sequence[Fit],
    interrupts: Interrupts | None = None,
) -> list[FittedModel | Diverged]:
    """Fit until every run's patience has run out.

    Args:
        dataset: The log, of which the fitted model is measured.
        problem: The same in core units.
        settings: The fits' settings, the same for all.
        fits: One for each run.
        interrupts: Asks to save and leave.

    Returns:
        Every fit's model; of one whose loss or holdout errors stopped being finite the error, the others go on.

    Raises:
        Interrupted: A signal came, and every fit's state is saved.
    """
    sizes = settings.fit_sizes()._replace(exogenous=dataset.exogenous)
    log = _without_episodes(rows_of(problem.log), dataset, settings)
    keys = stack([jax.random.split(Keys.of(fit.seed).fit) for fit in fits])
    states = _restored(start_fits(log, sizes, shard_runs(keys[:, 0])), fits)
    failed: dict[int, Diverged] = {}
    while going := sorted(set(np.flatnonzero(fits_left(states, sizes=sizes)).tolist()) - failed.keys()):
        epoch_keys = _epoch_keys(keys, states.epoch)
        before = _copied(states)  # the next line donates them: if it goes wrong this is what led there
        states, logged, first_bad = run_fit_epoch(states, log, sizes, epoch_keys)
        figures, first_bad = jax.device_get((logged, first_bad))
        for run in going:
            row = fit_row(int(before.epoch[run]) + 1, {name: value[run] for name, value in figures.items()})
            if np.isfinite(list(row.values())).all():
                _pass_on(fits[run], row, states, run)
            else:
                update = int(first_bad["loss"][run])
                failed[run] = _diverged(fits[run], take_run(before, run), epoch_keys[run], row, update, log)
        if interrupts is not None and interrupts.received:
            _leave([run for run in going if run not in failed], fits, states, interrupts)
    return [
        failed[run] if run in failed else measured(dataset, problem, settings, fit.seed, take_run(states, run))
        for run, fit in enumerate(fits)
    ]


def _restored(states: FitState, fits: Sequence[Fit]) -> FitState:
    """With what was saved by earlier processes in its place."""
    blank = jax.eval_shape(lambda: take_run(states, 0))
    for run, fit in enumerate(fits):
        state = fit.saver.restore(blank) if fit.saver else blank
        if state is not blank:
            states = set_run(states, run, state)
    return states


def _pass_on(fit: Fit, row: Row, states: FitState, run: int) -> None:
    fit.on_epoch(row)
    if fit.saver:
        fit.saver.after_epoch(row, lambda: view_run(states, run))


def _diverged(fit: Fit, before: FitState, key: Key[Any, ""], row: Row, first_bad: int, log: Transition) -> Diverged:
    """The error of a fit whose figures are not finite, with what was kept of it."""
    text = divergence.find_fit_cause(before, log, first_bad)
    if fit.saver:
        text = divergence.keep_fit(fit.saver.diverged, before, key, row, text)
    return Diverged(f"epoch {row['epoch']} of the dynamics fit gave errors that are not finite; {text}")


def _leave(going: Sequence[int], fits: Sequence[Fit], states: FitState, interrupts: Interrupts) -> None:
    """Save every fit that is not finished, then raise `Interrupted`."""
    saved = [saver.save_now(view_run(states, run)) for run in going if (saver := fits[run].saver)]
    worst = min(saved, key=lambda own: own.whole, default=Kept("no fit goes on", True))
    interrupts.leave(*worst)


def measured(dataset: Dataset, problem: Problem, settings: ModelSettings, seed: int, state: FitState) -> FittedModel:
    """What a finished fit has made, with its quality measured on the rows that it held out."""
    log, sizes = rows_of(problem.log), settings.fit_sizes()
    ensemble = finish_fit(state)
    about = {
        "log": dataset.name,
        "log_sha256": dataset.sha256,
        "log_content": content(dataset),
        "seed": seed,
        "epochs": int(state.epoch),
        "settings": {field.name: getattr(settings, field.name) for field in fields(ModelSettings)},
        "holdout": np.sort(np.asarray(state.patience.error)).tolist(),
        "shape": ModelShape(
            log.observation.shape[-1],
            log.action.shape[-1],
            sizes.ensemble_size,
            sizes.hidden_sizes,
            sizes.history,
            sizes.norm,
        )._asdict(),
    }
    if settings.holdout_episodes:
        about["episodes_held_out"] = np.sort(held_out_episodes(dataset, settings.holdout_episodes)).tolist()
    report = _report(dataset, ensemble, problem.scaling, state.holdout, settings)
    return FittedModel(ensemble, problem.scaling, about, report=report)


def _report(
    dataset: Dataset, ensemble: Ensemble, scaling: Scaling, holdout: Any, settings: ModelSettings
) -> ModelReport | None:
    """What is measured on the rows and on the episodes that a fit held out."""
    report = report_of(dataset, ensemble, scaling, holdout, settings)
    episodes = coverage_of(dataset, ensemble, scaling, settings)
    if episodes is None:
        return report
    elites = min(ensemble.size, settings.num_elites if isinstance(settings, Settings) else Settings().num_elites)
    return (report or ModelReport(elites, None, None))._replace(episodes=episodes)


def measured_for(model: FittedModel, dataset: Dataset, settings: Settings) -> FittedModel:
    """The model with the report of the members that a run uses, where its own is of others.

    Args:
        model: That was fitted before.
        dataset: The run's log.
        settings: The run's.

    Returns:
        The model as it is where nobody can tell which rows its fit held out: they were another log's, or another
        version fitted it.
    """
    report, about = model.report, model.about
    if report is None or report.elites == min(model.ensemble.size, settings.num_elites):
        return model
    if about.get("log_content") != content(dataset) or type(about.get("seed")) is not int:
        return model
    known = _settings_of(about, settings)
    if known is None:
        return model
    holdout = held_out(about["seed"], int(fitted_rows(dataset, known).sum()), known)
    return model._replace(report=_report(dataset, model.ensemble, model.scaling, holdout, known))


def _settings_of(about: Mapping[str, Any], settings: Settings) -> Settings | None:
    """A fit's settings with what a run's say of elites and rollouts; None where they are not those of this version."""
    own = about.get("settings")
    if not isinstance(own, dict) or set(own) != {field.name for field in fields(ModelSettings)}:
        return None
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in own.items()}
    known = Settings(**values, num_elites=settings.num_elites, rollout_length=settings.rollout_length)
    try:
        check_values(known)
    except UserError:
        return None
    return known


def _without_episodes(log: Transition, dataset: Dataset, settings: ModelSettings) -> Transition:
    """The rows that a fit sees: all, or those of the episodes that it does not keep out."""
    if settings.holdout_episodes == 0:
        return log
    rows = fitted_rows(dataset, settings)
    return jax.tree.map(lambda column: column[rows], log)


def held_out(seed: int, rows: int, settings: ModelSettings) -> Int[np.ndarray, " holdout"]:
    """Which of so many rows a fit with this seed and these settings holds out, in its order."""
    start_key, _ = jax.random.split(Keys.of(seed).fit)
    return np.asarray(split_rows(jax.random.split(start_key, 3)[0], rows, settings.fit_sizes())[1])


def fit_row(epoch: int, logged: Mapping[str, Any]) -> Row:
    """What is logged of a fitting epoch, from 1."""
    errors = np.asarray(logged["holdout"])
    members = {f"holdout/member{i}": float(error) for i, error in enumerate(errors)}
    return {
        "epoch": epoch,
        "loss": float(logged["loss"]),
        "holdout/mean": float(errors.mean()),
        "holdout/best": float(errors.min()),
    } | members
