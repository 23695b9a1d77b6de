"""The short trainings of the probes: small networks on a system's log, and on its hand-made model if there is one."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from micro_rl.algorithms import log_epoch
from micro_rl.algorithms.epoch import epoch, start
from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.sac import Agent
from micro_rl.algorithms.slots import Method
from micro_rl.core.settings import Settings
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import Keys, Problem, Transition
from micro_rl.data import Dataset
from micro_rl.dynamics.calibrated_set import CalibratedSet, calibrate
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.support import reference
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.training.log_support import LogSupport, log_support
from tests.hills import DISCOUNT, MEMBERS
from tests.probes import coefficients

EPOCHS = 6
SETTINGS: dict[str, Any] = {
    "hidden_sizes": (32, 32),
    "num_elites": MEMBERS,
    "batch_size": 64,
    "updates_per_epoch": 250,
    "rollout_batch_size": 200,
    "rollout_length": 3,
}
SIZES = Settings(**SETTINGS).sizes()
RATES = {"actor_lr": 3e-3, "critic_lr": 3e-3, "temperature_lr": 0.0, "tau": 0.05}
TEMPERATURE = 0.02
HELD_OUT = 1000
"""True transitions of a system on which a calibrated set is measured."""


def settings_with(changes: Mapping[str, Any]) -> Settings:
    """The probes' settings with a part's changes."""
    return Settings(**SETTINGS | dict(changes))


@partial(jax.jit, static_argnames=("sizes", "bc_weight", "own_methods"))
def learned(
    method: Method,
    model: Ensemble,
    problem: Problem,
    seeds: Array,
    *,
    sizes: Sizes = SIZES,
    bc_weight: float = 0.0,
    own_methods: bool = False,
) -> Agent:
    """The agents of all systems (a leading axis of `model` and `problem`) and seeds: [system, seed].

    With `own_methods` the method's leaves have that axis too.
    """

    def one(method: Method, model: Ensemble, problem: Problem, seed: Array) -> Agent:
        keys, c = Keys.of(seed), coefficients(discount=DISCOUNT, bc_weight=bc_weight, **RATES)
        state = start(problem, model, method, sizes, TEMPERATURE, keys)
        step = lambda state, _: epoch(state, method, problem, c, keys.epochs, sizes=sizes, ends=ByRule(never))[:2]  # noqa: E731
        return jax.lax.scan(step, state, None, length=EPOCHS)[0].agent

    each_seed = jax.vmap(one, (None, None, None, 0))
    return jax.vmap(each_seed, (0 if own_methods else None, 0, 0, None))(method, model, problem, seeds)


@partial(jax.jit, static_argnames="critics")
def learned_from_log(baseline: ModelFreeMethod, problem: LogProblem, seeds: Array, *, critics: int) -> Any:
    """The same without a model: all systems (a leading axis of `problem`) and seeds."""
    sizes = SIZES._replace(num_critics=critics)

    def one(problem: LogProblem, seed: Array) -> Any:
        keys, c = Keys.of(seed), coefficients(discount=DISCOUNT, **RATES)
        state = log_epoch.start(problem, baseline, sizes, TEMPERATURE, keys)
        step = lambda state, _: log_epoch.epoch(state, baseline, problem, c, keys.epochs, sizes=sizes)[:2]  # noqa: E731
        return jax.lax.scan(step, state, None, length=EPOCHS)[0].agent

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(problem, seeds)


def stacked(trees: list[Any]) -> Any:
    """Along a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def with_limits(method: Method, settings: Settings, log: Problem, held_out: Problem, model: Ensemble) -> Method:
    """The method with what it needs to know of a system's log, measured on true transitions as a run does it.

    Args:
        method: Of which nothing has been measured yet.
        settings: Say what becomes of unknown rows.
        log: What is learned from; support's limits come of its own blocks, left out in turn.
        held_out: Rows of the same truth that are not in the log; they calibrate the set of next states.
        model: Whose elites are the centre of that set.
    """
    if settings.judges_rows:
        method = method.supported_by(limits_of(log).slot(settings, log.scaling))
    elites = model.best(settings.num_elites)
    return method.calibrated_by(lambda level: calibrated_set(elites, log, held_out, level))


def limits_of(log: Problem) -> LogSupport:
    """What a log can vouch for; each of its rows is an episode by itself."""
    rows = transitions(log)
    *columns, after, _ = (np.asarray(column) for column in rows)
    dataset = Dataset.from_arrays(*columns, timeouts=np.ones(len(after), bool), next_observations=after)
    return log_support(dataset, keep_timeouts=True)


def calibrated_set(elites: Ensemble, log: Problem, held_out: Problem, level: float) -> CalibratedSet:
    """The set around the elites' mean that holds a share of the true next states held out, in the model's own units."""
    rows = transitions(log)
    known = reference(rows, np.arange(len(rows.reward)))
    return calibrate(elites, known, transitions(held_out), elites.target_std[:-1], level)


def transitions(problem: Problem) -> Transition:
    """The rows of its log, which is here."""
    assert isinstance(problem.log, Transition)
    return problem.log


def needs_limits(method: Method, settings: Settings) -> bool:
    """Whether each system has a method of its own, with its own log's limits."""
    return settings.judges_rows or method.needs_held_out
