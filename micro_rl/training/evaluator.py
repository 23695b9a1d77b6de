"""What a policy in training is worth: in the simulator where there is one, else by the model's own estimate."""

from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from micro_rl.algorithms import value_estimates
from micro_rl.core import tasks, windows
from micro_rl.core.metric_keys import CRITICS_RETURN, EVAL_SCORE, SCORE_KEYS, WINDOW_DIFFERENCE
from micro_rl.core.settings import SCORED_EVALUATIONS
from micro_rl.core.types import Keys, Scaling
from micro_rl.data import Dataset
from micro_rl.data.history import resting_action
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.policy import Policy
from micro_rl.simulation.envs import Match, check_matches
from micro_rl.simulation.evaluation import Evaluator, scores
from micro_rl.storage.jsonl import Row
from micro_rl.training.plan import Plan
from micro_rl.trust.actors import Judged, judged, plain
from micro_rl.trust.early import EarlyJudge
from micro_rl.trust.window_length import longest

ESTIMATE_STARTS = 100
FIRST_SEED = 1_000_000
"""Evaluation episodes have seeds of their own, other ones at every evaluation and in every run."""


UNSCORED = (
    "its score will be the critics' own discounted estimate, if any: without --no-scoring-model a model is fitted that "
    "tells the gain a window over the log, with an interval, and --model DIR takes one that is there"
)


class _Scorer(NamedTuple):
    """The members that windows are made by, their units, and when episodes end."""

    elites: Ensemble
    scaling: Scaling
    ends: Termination


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
        elif not plan.method.learns_model and not plan.scored_apart:
            self.notes = (UNSCORED,)
        self._scorer: _Scorer | None = None

    def score_by(self, model: FittedModel | None) -> None:
        """Where the plan is scored by a model that nothing is learned in, it is this one."""
        plan = self._plan
        if plan.scored_apart and model is not None:
            ends = plan.model_ends.of(model, plan.newest)
            assert ends is not None, "rollouts end somewhere or never"
            self._scorer = _Scorer(model.ensemble.best(plan.settings.num_elites), model.scaling, ends)

    def __enter__(self) -> "PolicyEvaluator":
        return self

    def __exit__(self, *_: object) -> None:
        if self._evaluator is not None:
            self._evaluator.close()

    def __call__(self, state: Any, policy: Policy, scaling: Scaling, ends: Termination | None) -> Row:
        """An evaluation's figures, in raw units, under the keys of metrics.jsonl; `ends` None: there is no model."""
        if self._evaluator is None:
            return self._estimate(state, policy, scaling, ends)
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

    def _estimate(self, state: Any, policy: Policy, scaling: Scaling, ends: Termination | None) -> Row:
        """What is said of a policy that nobody can measure: by a model, else by the critics, else nothing."""
        if ends is not None:
            elites = state.ensemble.best(self._plan.settings.num_elites)
            own = plain(state.agent.actor, self._plan.dataset.actions.shape[1])
            return self._window_estimate(state, own, _Scorer(elites, scaling, ends))
        if self._scorer is not None:
            actor = judged(policy, self._scorer.scaling, self._plan.settings.history)
            return self._window_estimate(state, actor, self._scorer)
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

    def _window_estimate(self, state: Any, actor: Judged, scorer: _Scorer) -> Row:
        """The policy's windows in a model, less those of the log."""
        key = jax.random.fold_in(Keys.of(self._plan.settings.seed).judge, state.epoch)
        apart = self._judge(actor, *scorer, key)
        return {f"window_estimate/{name}": value for name, value in apart._asdict().items()}

    @cached_property
    def _judge(self) -> EarlyJudge:
        return EarlyJudge(self._plan.dataset, None if self._plan.scored_apart else self._plan.known_reward)


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
        "epochs": int(max((row["epoch"] for row in rows), default=0)),
        "planned_epochs": plan.settings.epochs,
        "log": _log_scores(plan),
    }
    for key in SCORE_KEYS:
        if key == EVAL_SCORE and plan.task.score_min is None:  # of a run that was begun when it had scores
            continue
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
    if WINDOW_DIFFERENCE in result:
        windows = longest(plan.dataset)
        result["log"] |= {"window": windows.length, "window_return": float(windows.returns.mean())}
    return result


def _log_scores(plan: Plan) -> Row:
    """What the log itself reached."""
    summary = plan.dataset.summary()
    figures = {"return_mean": summary.return_mean, "return_best": summary.return_best}
    normalised = {f"normalised_{name}": tasks.normalised(value, plan.task) for name, value in figures.items()}
    known = {name: value for name, value in normalised.items() if value is not None}
    return {"rows": summary.rows, "episodes": summary.episodes} | figures | known
