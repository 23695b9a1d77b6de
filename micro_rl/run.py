"""A run from start to end: everything between the compiled epochs, that is disk, simulator and watchers."""

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from micro_rl import trees
from micro_rl.arrays import write_arrays
from micro_rl.data.scaling import fit_scaling
from micro_rl.errors import Diverged, UserError
from micro_rl.export import export
from micro_rl.files import CannotWrite
from micro_rl.fitting import (
    FittedModel,
    fit_model,
    load_model,
    problem_of,
    save_model,
)
from micro_rl.judge import Judge, final_scores
from micro_rl.loop import Keys, Problem, TrainState, actor_rate, coefficients, epoch, start
from micro_rl.method import Method
from micro_rl.metrics import MetricsLog, open_metrics
from micro_rl.plan import Plan
from micro_rl.policy import Policy
from micro_rl.report import write_report
from micro_rl.rows import Row
from micro_rl.store import RunFolder
from micro_rl.termination import ByRule, Termination
from micro_rl.termination_fit import learn_termination, measurement
from micro_rl.types import Scaling
from micro_rl.wandb_run import WandbSettings
from micro_rl.watcher import Watcher

compiled_start = jax.jit(start, static_argnames="sizes")
compiled_epoch = jax.jit(epoch, static_argnames="sizes", donate_argnames="state")

RAW_REWARD_KEYS = ("q/real", "q/model", "q/target", "conservative_term", "rollout/reward")


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies, what it learned and what it scored."""

    path: Path
    policy: Policy
    scores: dict[str, Any]
    metrics: list[Row]


def execute(
    plan: Plan,
    path: Path,
    *,
    resume: bool = False,
    until: int | None = None,
    watcher: Watcher | None = None,
    wandb: WandbSettings | None = None,
) -> Run:
    """Fit or load the model, train epoch by epoch, evaluate, save. Raises `UserError`, `Diverged`.

    `until` stops the run after that epoch, with everything saved, as if it were to go on to the plan's last.
    """
    watcher = watcher or Watcher()
    last = _last_epoch(plan, until)
    for note in plan.dataset.notes:
        watcher.note(note)
    with Judge(plan) as judge:
        given = _given_model(plan, path, resume, watcher)
        folder = _folder(plan, path, resume)  # last, so that a mistake leaves no folder behind
        with folder.locked():
            model, problem = _model(plan, folder, given, watcher)
            session = _Session(plan, folder, model, problem, watcher)
            with session.open_metrics(wandb) as log:
                session.train(judge, log, last)
                return session.finish()


def _folder(plan: Plan, path: Path, resume: bool) -> RunFolder:
    """A new run folder, or the one to go on with, whose plan must be this one."""
    if not (resume and (path / "config.json").exists()):
        return RunFolder.create(path, plan.config())
    folder = RunFolder.open(path)
    plan.refuse_another(folder.config(), path)
    return folder


def _last_epoch(plan: Plan, until: int | None) -> int:
    if until is None:
        return plan.settings.epochs
    if until < 1:
        raise UserError(f"until: {until} is too small; it must be at least 1")
    return min(until, plan.settings.epochs)


def _given_model(plan: Plan, path: Path, resume: bool, watcher: Watcher) -> FittedModel | None:
    """The run's own copy if it has one, else the shared one; None where a model is to be fitted."""
    own = RunFolder(path).model
    source = own if resume and own.exists() else plan.model
    if source is None:
        return None
    model = load_model(source)
    _check_widths(model, plan, source)
    watcher.note(f"model of {model.about.get('log')} from {source}")
    watcher.given(float(np.mean(model.about["holdout"])))
    return model


def _model(plan: Plan, folder: RunFolder, given: FittedModel | None, watcher: Watcher) -> tuple[FittedModel, Problem]:
    """The given model, kept in the run folder, or a fresh fit; and the log in its units."""
    if given is not None:
        model = _with_end(given, plan, watcher)
        if not folder.model.exists() or model is not given:
            save_model(folder.model, model)
        return model, problem_of(plan.dataset, plan.settings, model.scaling)
    folder.restart_fit()
    problem = problem_of(plan.dataset, plan.settings)

    def fitted(row: Row) -> None:
        folder.append_fit(row)
        watcher.fitted(row)

    model = fit_model(plan.dataset, problem, plan.settings, plan.settings.seed, fitted)
    model = _with_end(model, plan, watcher)
    save_model(folder.model, model)
    return model, problem


def _with_end(model: FittedModel, plan: Plan, watcher: Watcher) -> FittedModel:
    """The model with a termination head where the plan has no rule: the one it brings, else one learned now."""
    if plan.ends is not None:
        return model
    if model.head is None:
        model = learn_termination(plan.dataset, model, plan.settings, plan.settings.seed)
    watcher.note(measurement(model.about))
    return model


def _termination(model: FittedModel, plan: Plan) -> Termination:
    if plan.ends is not None:
        return ByRule(plan.ends)
    assert model.head is not None, "learned with the model"
    return model.head


def _check_widths(model: FittedModel, plan: Plan, source: Path) -> None:
    log = (plan.dataset.observations.shape[1], plan.dataset.actions.shape[1])
    own = (len(model.scaling.observation_mean), len(model.scaling.action_mid))
    if own != log:
        raise UserError(
            f"{source}: its model has {own[0]} observations and {own[1]} actions, the log {log[0]} and {log[1]}"
        )
    _check_units(model.scaling, plan, source)
    if model.ensemble.size < plan.settings.elites:
        raise UserError(
            f"{source}: its model has {model.ensemble.size} members; elites {plan.settings.elites} is too many"
        )


def _check_units(units: Scaling, plan: Plan, source: Path) -> None:
    """A model brings its own units; they must be those that the plan's settings and log ask for."""
    usual = fit_scaling(plan.dataset, plan.settings.standardise, plan.settings.scale_reward)
    for name, own, asked in (
        ("action bounds", (units.action_mid, units.action_half), (usual.action_mid, usual.action_half)),
        ("standardise", np.ptp(units.observation_std) > 0, np.ptp(usual.observation_std) > 0),
        ("scale_reward", float(units.reward_scale) != 1, float(usual.reward_scale) != 1),
    ):
        if not np.allclose(own, asked):
            raise UserError(f"{source}: its model was fitted with other {name}; use those or fit another model")


class _Session:
    """One process's part of a run: the state, and what happens to it between epochs."""

    def __init__(self, plan: Plan, folder: RunFolder, model: FittedModel, problem: Problem, watcher: Watcher):
        self.plan, self.folder, self.problem, self.watcher = plan, folder, problem, watcher
        self.method: Method = plan.method()
        self.ends = _termination(model, plan)
        self.settings, self.sizes = plan.settings, plan.settings.sizes()
        self.keys = Keys.of(plan.settings.seed)
        temperature = self.settings.temperature
        fresh = compiled_start(problem, model.ensemble, self.method, self.sizes, temperature, self.keys)
        self.state = self._restored(fresh)

    def _restored(self, fresh: TrainState) -> TrainState:
        """The newest valid checkpoint if there is one; its metrics go back to that epoch."""
        kept = self.folder.newest_checkpoint()
        if kept is None:
            self.folder.rewind(0)
            return fresh
        for skipped in kept.skipped:
            self.watcher.note(f"passed over a checkpoint: {skipped}")
        self.watcher.note(f"goes on after epoch {kept.epoch}")
        self.folder.rewind(kept.epoch)
        return trees.from_arrays(fresh, kept.arrays, str(self.folder.checkpoint(kept.epoch)))

    def open_metrics(self, wandb: WandbSettings | None) -> MetricsLog:
        """After the rewind, so that every epoch stands there once."""
        return open_metrics(self.folder, wandb)

    def train(self, judge: Judge, log: MetricsLog, last: int) -> None:
        """The epochs that are left up to `last`."""
        act, scale = self.problem.log.action.shape[-1], float(self.problem.scaling.reward_scale)
        base = coefficients(self.settings, act, scale)
        for number in range(int(self.state.epoch), last):
            began = time.perf_counter()
            now = base._replace(actor_rate=actor_rate(self.settings, number))
            self.state, logged = compiled_epoch(
                self.state,
                self.method,
                self.problem,
                now,
                self.keys.epochs,
                sizes=self.sizes,
                ends=self.ends,
            )
            row = self._row(number + 1, jax.device_get(logged))
            row["time/updates_per_second"] = self.settings.updates / (time.perf_counter() - began)
            self._stop_if_diverged(row)
            policy = self._policy()
            if self._due(self.settings.evaluate_every, number, self.settings.epochs):
                row |= judge(self.state, policy, self.problem.scaling, self.ends)
            row["time/seconds"] = time.perf_counter() - began
            self._save(log, row, number, last)
            self.watcher.trained(row, policy)

    def _due(self, every: int, number: int, last: int) -> bool:
        return (number + 1) % every == 0 or number + 1 == last

    def _policy(self) -> Policy:
        return export(self.state.agent.actor, self.problem.scaling, self.plan.task.env)

    def _row(self, number: int, logged: dict[str, Any]) -> Row:
        """An epoch's means; rewards and values in raw units."""
        scale = float(self.problem.scaling.reward_scale)
        row = {name: float(value) * (scale if name in RAW_REWARD_KEYS else 1.0) for name, value in logged.items()}
        return {"epoch": number, "updates": number * self.settings.updates} | row

    def _stop_if_diverged(self, row: Row) -> None:
        arrays = trees.to_arrays(self.state.agent)
        bad = [name for name, value in row.items() if not np.isfinite(value)]
        bad += [name for name, array in arrays.items() if not np.isfinite(array).all()]
        if not bad:
            return
        with suppress(CannotWrite):  # the cause matters more than what could not be kept of it
            about = {"epoch": row["epoch"], "not_finite": bad}
            write_arrays(self.folder.path / "diverged", "agent", arrays, about)
        kept = " and an earlier state in the newest checkpoint" if self.folder.checkpoints() else ""
        raise Diverged(
            f"epoch {row['epoch']:.0f}: {bad[0]} is not finite; the agent is kept in "
            f"{self.folder.path / 'diverged'}{kept}; "
            "try lower learning rates, a shorter rollout_length or a larger beta"
        )

    def _save(self, log: MetricsLog, row: Row, number: int, last: int) -> None:
        """A disk that refuses does not stop training; the next save tries again."""
        try:
            log.append(row)
            if self._due(self.settings.checkpoint_every, number, last):
                self.folder.save_checkpoint(number + 1, trees.to_arrays(self.state), {"seed": self.settings.seed})
        except CannotWrite as error:
            self.watcher.note(f"not saved, training goes on: {error}")

    def finish(self) -> Run:
        """Policy, scores and the page."""
        policy = self._policy()
        policy.save(self.folder.path / "policy.safetensors")
        rows = self.folder.metrics()
        result = final_scores(rows, self.plan)
        self.folder.write_scores(result)
        try:
            write_report(self.folder.path)
        except CannotWrite as error:
            self.watcher.note(f"no page: {error}")
        self.folder.seal()
        return Run(self.folder.path, policy, result, rows)
