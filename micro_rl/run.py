"""A run from start to end: everything between the compiled epochs, that is disk, simulator and watchers."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl import estimate, tasks, trees
from micro_rl.envs import check_matches
from micro_rl.errors import Diverged, UserError
from micro_rl.evaluate import Evaluator, scores
from micro_rl.fitting import FittedModel, fit_model, load_model, problem_of, save_model
from micro_rl.method import Method
from micro_rl.metrics import MetricsLog, WandbSettings, open_metrics
from micro_rl.nets import MLP
from micro_rl.plan import Plan
from micro_rl.policy import Policy
from micro_rl.report import write_report
from micro_rl.store import CannotWrite, RunFolder, write_arrays
from micro_rl.train import Keys, Problem, TrainState, actor_rate, coefficients, epoch, start
from micro_rl.types import Scaling

Row = dict[str, float]
compiled_epoch = jax.jit(epoch, static_argnames=("sizes", "ends"), donate_argnames="state")

SCORED_EVALUATIONS = 10
ESTIMATE_STARTS = 100
RAW_REWARD_KEYS = ("q/real", "q/model", "q/target", "conservative_term", "rollout/reward")


class Watcher:
    """Is told how a run goes; does nothing unless overridden."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def fitted(self, row: Row) -> None:
        """An epoch of the dynamics fit."""

    def trained(self, row: Row, policy: Policy) -> None:
        """An epoch of policy training."""


@dataclass(frozen=True)
class Run:
    """A finished run: where it lies, what it learned and what it scored."""

    path: Path
    policy: Policy
    scores: dict[str, Any]
    metrics: list[Row]


def export(actor: MLP, scaling: Scaling, task: tasks.Task) -> Policy:
    """The policy that acts from NumPy alone, in raw units."""
    weights, biases = jax.device_get((actor.weights, actor.biases))
    units = jax.device_get(scaling)
    return Policy(
        list(zip(weights, biases, strict=True)),
        observation_mean=units.observation_mean,
        observation_std=units.observation_std,
        action_mid=units.action_mid,
        action_half=units.action_half,
        environment=task.env,
    )


def open_folder(plan: Plan, path: Path, resume: bool) -> RunFolder:
    """A new run folder, or the one to go on with, whose plan must be this one."""
    config = plan.config()
    if not (resume and (path / "config.json").exists()):
        return RunFolder.create(path, config)
    folder = RunFolder.open(path)
    kept = folder.config()
    for part in ("log", "method", "options", "settings", "task"):
        if _comparable(kept.get(part)) != _comparable(config[part]):
            raise UserError(
                f"{path}: was begun with another {part} ({_difference(kept.get(part), config[part])}); "
                "resume with the same or choose another folder"
            )
    return folder


def _comparable(part: Any) -> Any:
    """As JSON gives it back; the log's bytes count, not where they lie."""
    if isinstance(part, dict):
        return {key: _comparable(value) for key, value in part.items() if key not in ("path", "name")}
    return list(part) if isinstance(part, tuple) else part


def _difference(kept: Any, now: Any) -> str:
    if not (isinstance(kept, dict) and isinstance(now, dict)):
        return f"{kept}, now {now}"
    changed = (key for key in now if key != "path" and _comparable(kept.get(key)) != _comparable(now[key]))
    return ", ".join(f"{key}: {kept.get(key)}, now {now[key]}" for key in changed)


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
    folder = open_folder(plan, path, resume)
    for note in plan.dataset.notes:
        watcher.note(note)
    model, problem = _model(plan, folder, watcher)
    session = _Session(plan, folder, model, problem, watcher)
    with _evaluator(plan) as evaluator, session.open_metrics(wandb) as log:
        session.train(evaluator, log, min(until or plan.settings.epochs, plan.settings.epochs))
        return session.finish()


def _model(plan: Plan, folder: RunFolder, watcher: Watcher) -> tuple[FittedModel, Problem]:
    """The run's own copy if it has one, else the shared one, else a fresh fit."""
    given = folder.model if folder.model.exists() else plan.model
    if given is not None:
        model = load_model(given)
        _check_widths(model, plan, given)
        watcher.note(f"model of {model.about.get('log')} from {given}")
        if not folder.model.exists():
            save_model(folder.model, model)
        return model, problem_of(plan.dataset, plan.settings, model.scaling)
    folder.restart_fit()
    problem = problem_of(plan.dataset, plan.settings)

    def fitted(row: Row) -> None:
        folder.append_fit(row)
        watcher.fitted(row)

    model = fit_model(plan.dataset, problem, plan.settings, plan.settings.seed, fitted)
    save_model(folder.model, model)
    return model, problem


def _check_widths(model: FittedModel, plan: Plan, source: Path) -> None:
    log = (plan.dataset.observations.shape[1], plan.dataset.actions.shape[1])
    own = (len(model.scaling.observation_mean), len(model.scaling.action_mid))
    if own != log:
        raise UserError(
            f"{source}: its model has {own[0]} observations and {own[1]} actions, the log {log[0]} and {log[1]}"
        )
    if model.ensemble.size < plan.settings.elites:
        raise UserError(
            f"{source}: its model has {model.ensemble.size} members; elites {plan.settings.elites} is too many"
        )


class _NoSimulator:
    """Stands where an evaluator would."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        pass


def _evaluator(plan: Plan) -> Evaluator | _NoSimulator:
    if plan.task.env is None:
        return _NoSimulator()
    check_matches(plan.task.env, plan.dataset.observations.shape[1], plan.dataset.actions.shape[1])
    return Evaluator(plan.task.env, episodes=plan.settings.evaluation_episodes, horizon=plan.task.horizon)


class _Session:
    """One process's part of a run: the state, and what happens to it between epochs."""

    def __init__(self, plan: Plan, folder: RunFolder, model: FittedModel, problem: Problem, watcher: Watcher):
        self.plan, self.folder, self.problem, self.watcher = plan, folder, problem, watcher
        self.method: Method = plan.method()
        self.settings, self.sizes = plan.settings, plan.settings.sizes()
        self.keys = Keys.of(plan.settings.seed)
        fresh = start(problem, model.ensemble, self.method, self.sizes, self.settings.temperature, self.keys)
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

    def train(self, evaluator: Evaluator | None, log: MetricsLog, last: int) -> None:
        """The epochs that are left up to `last`."""
        base = coefficients(self.settings, self.problem.log.action.shape[-1])
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
                ends=self.plan.ends,
            )
            row = self._row(number + 1, jax.device_get(logged))
            row["time/updates_per_second"] = self.settings.updates / (time.perf_counter() - began)
            self._stop_if_diverged(row)
            policy = export(self.state.agent.actor, self.problem.scaling, self.plan.task)
            if self._due(self.settings.evaluate_every, number, last):
                row |= self._evaluation(evaluator, policy)
            row["time/seconds"] = time.perf_counter() - began
            self._save(log, row, number, last)
            self.watcher.trained(row, policy)

    def _due(self, every: int, number: int, last: int) -> bool:
        return (number + 1) % every == 0 or number + 1 == last

    def _row(self, number: int, logged: dict[str, Any]) -> Row:
        """An epoch's means; rewards and values in raw units."""
        scale = float(self.problem.scaling.reward_scale)
        row = {name: float(value) * (scale if name in RAW_REWARD_KEYS else 1.0) for name, value in logged.items()}
        return {"epoch": number, "updates": number * self.settings.updates} | row

    def _stop_if_diverged(self, row: Row) -> None:
        bad = [name for name, value in row.items() if not np.isfinite(value)]
        if not bad:
            return
        arrays, about = trees.to_arrays(self.state.agent), {"epoch": row["epoch"], "not_finite": bad}
        write_arrays(self.folder.path / "diverged", "agent", arrays, about)
        raise Diverged(
            f"epoch {row['epoch']:.0f}: {bad[0]} is not finite; the agent is kept in "
            f"{self.folder.path / 'diverged'} and the state before it in the newest checkpoint; "
            "try lower learning rates, a shorter rollout_length or a larger beta"
        )

    def _evaluation(self, evaluator: Evaluator | None, policy: Policy) -> Row:
        """In the simulator where there is one; otherwise the model's own estimate, and called so."""
        agent, scaling = self.state.agent, self.problem.scaling
        if evaluator is None:
            return self._model_estimate()
        result = evaluator(policy, seed=self.settings.seed + 1_000_000, discount=self.settings.discount)
        starts = (result.start_observations - np.asarray(scaling.observation_mean)) / np.asarray(
            scaling.observation_std
        )
        value = estimate.critic_estimate(agent.actor, agent.critics, scaling, jnp.asarray(starts, jnp.float32))
        row = {f"eval/{name}": number for name, number in scores(result, self.plan.task).items()}
        return row | {"eval/critic_estimate": float(value)}

    def _model_estimate(self) -> Row:
        dataset, agent = self.plan.dataset, self.state.agent
        first = dataset.starts[np.arange(ESTIMATE_STARTS) % len(dataset.starts)]
        scaling = self.problem.scaling
        starts = (dataset.observations[first] - np.asarray(scaling.observation_mean)) / np.asarray(
            scaling.observation_std
        )
        horizon = self.plan.task.horizon or int(dataset.lengths.max())
        value = estimate.model_estimate(
            agent.actor,
            self.state.ensemble.best(self.settings.elites),
            scaling,
            jnp.asarray(starts, jnp.float32),
            jax.random.key(self.settings.seed),
            ends=self.plan.ends,
            horizon=horizon,
        )
        return {"model_estimate/return": float(value)}

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
        policy = export(self.state.agent.actor, self.problem.scaling, self.plan.task)
        policy.save(self.folder.path / "policy.safetensors")
        rows = self.folder.metrics()
        result = final_scores(rows, self.plan)
        self.folder.write_scores(result)
        write_report(self.folder.path)
        self.folder.seal()
        return Run(self.folder.path, policy, result, rows)


def final_scores(rows: list[Row], plan: Plan) -> dict[str, Any]:
    """The mean of the last ten evaluations, never the best, which stands beside it under its own name."""
    summary = plan.dataset.summary()
    result: dict[str, Any] = {
        "epochs": len(rows),
        "planned_epochs": plan.settings.epochs,
        "log": {
            "return_mean": summary.return_mean,
            "return_best": summary.return_best,
            "episodes": summary.episodes,
        },
    }
    for key in ("eval/return", "eval/normalised_score", "model_estimate/return"):
        values = [row[key] for row in rows if key in row]
        if values:
            last = values[-SCORED_EVALUATIONS:]
            result[key] = {
                "mean_of_last": float(np.mean(last)),
                "std_of_last": float(np.std(last)),
                "evaluations": len(last),
                "last": last[-1],
                "best": max(values),
            }
    for name, figure in (("return_mean", summary.return_mean), ("return_best", summary.return_best)):
        score = tasks.normalised(figure, plan.task)
        if score is not None:
            result["log"][f"normalised_{name}"] = score
    return result
