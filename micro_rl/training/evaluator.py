"""What a policy in training is worth: in the simulator where there is one, else by the model's own estimate."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from micro_rl.algorithms import value_estimates
from micro_rl.core import tasks, windows
from micro_rl.core.metric_keys import CRITICS_RETURN, MODEL_RETURN, SCORE_KEYS
from micro_rl.core.settings import SCORED_EVALUATIONS
from micro_rl.core.types import Keys, Scaling
from micro_rl.data import Dataset
from micro_rl.data.history import resting_action
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.policy import Policy
from micro_rl.simulation.envs import Match, check_matches
from micro_rl.simulation.evaluation import Evaluator, scores
from micro_rl.storage.jsonl import Row
from micro_rl.training.plan import Plan

ESTIMATE_STARTS = 100
FIRST_SEED = 1_000_000
"""Evaluation episodes have seeds of their own, other ones at every evaluation and in every run."""


class PolicyEvaluator:
    """Evaluates a run's policies; a context manager that holds the simulators open."""

    def __init__(self, plan: Plan):
        """Raises `UserError` where the simulator's widths are not the log's; `notes` say what else differs."""
        self._plan = plan
        self.notes: tuple[str, ...] = ()
        self._evaluator: Evaluator | None = None
        if plan.task.env is not None:
            self.notes = _match(plan.dataset, plan.task.env).notes
            episodes = plan.settings.eval_episodes
            self._evaluator = Evaluator(plan.task.env, episodes=episodes, horizon=plan.task.horizon)

    def __enter__(self) -> "PolicyEvaluator":
        return self

    def __exit__(self, *_: object) -> None:
        if self._evaluator is not None:
            self._evaluator.close()

    def __call__(self, state: Any, policy: Policy, scaling: Scaling, ends: Termination | None) -> Row:
        """An evaluation's figures, in raw units, under the keys of metrics.jsonl; `ends` None: there is no model."""
        if self._evaluator is None:
            return self._estimate(state, scaling, ends)
        settings, agent = self._plan.settings, state.agent
        first_seed = FIRST_SEED * (1 + settings.seed) + int(state.epoch) * settings.eval_episodes
        result = self._evaluator(policy, seed=first_seed, discount=settings.discount)
        row = {f"eval/{name}": number for name, number in scores(result, self._plan.task).items()}
        if agent.critics is None:
            return row
        starts = _core(self._first_windows(result.start_observations), scaling)
        value = value_estimates.critic_estimate(agent.actor, agent.critics, scaling, starts)
        return row | {"eval/critic_estimate": float(value)}

    def _first_windows(self, observations: np.ndarray) -> np.ndarray:
        """What the policy sees at the start of an episode."""
        resting = resting_action(self._plan.dataset)
        resting = np.broadcast_to(resting, (len(observations), len(resting)))
        return np.concatenate(windows.first(observations, resting, self._plan.settings.history), axis=-1)

    def _estimate(self, state: Any, scaling: Scaling, ends: Termination | None) -> Row:
        """What is said of a policy that nobody can measure: by the model, else by the critics, else nothing."""
        if ends is not None:
            return {MODEL_RETURN: self._model_estimate(state, scaling, ends)}
        agent = state.agent
        if agent.critics is None:
            return {}
        starts = _core(self._log_starts(), scaling)
        value = value_estimates.critic_estimate(agent.actor, agent.critics, scaling, starts)
        return {CRITICS_RETURN: float(value)}

    def _log_starts(self) -> np.ndarray:
        """First observations of episodes throughout the log."""
        dataset = self._plan.dataset
        spread = np.linspace(0, len(dataset.starts) - 1, ESTIMATE_STARTS).round().astype(int)
        return dataset.observations[dataset.starts[spread]]

    def _model_estimate(self, state: Any, scaling: Scaling, ends: Termination) -> float:
        """Mean return of the policy run in the model from the log's own starts."""
        settings = self._plan.settings
        value = value_estimates.model_estimate(
            state.agent.actor,
            state.ensemble.best(settings.num_elites),
            scaling,
            _core(self._log_starts(), scaling),
            jax.random.fold_in(Keys.of(settings.seed).judge, state.epoch),
            ends=ends,
            horizon=self._plan.estimated_steps,
        )
        return float(value)


def _match(dataset: Dataset, env: str) -> Match:
    """The log held against the simulator that it is trained for."""
    names = [column.name for column in dataset.columns.observations]
    bounds = dataset.action_low, dataset.action_high
    return check_matches(env, dataset.observation_size, dataset.actions.shape[1], bounds, names)


def _core(observations: np.ndarray, scaling: Scaling) -> Float[Array, "rows obs"]:
    """Raw observations in core units."""
    mean, std = np.asarray(scaling.observation_mean), np.asarray(scaling.observation_std)
    return jnp.asarray((observations - mean) / std, jnp.float32)


def final_scores(rows: list[Row], plan: Plan) -> dict[str, Any]:
    """The mean of the last ten evaluations, never the best, which stands beside it under its own name."""
    result: dict[str, Any] = {
        "epochs": len(rows),
        "planned_epochs": plan.settings.epochs,
        "log": _log_scores(plan),
    }
    for key in SCORE_KEYS:
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
    return result


def _log_scores(plan: Plan) -> Row:
    """What the log itself reached."""
    summary = plan.dataset.summary()
    figures = {"return_mean": summary.return_mean, "return_best": summary.return_best}
    normalised = {f"normalised_{name}": tasks.normalised(value, plan.task) for name, value in figures.items()}
    known = {name: value for name, value in normalised.items() if value is not None}
    return {"rows": summary.rows, "episodes": summary.episodes} | figures | known
