"""Training on a model, an epoch at a time: rollouts and updates in turn (MBPO, arXiv 1906.08253)."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Int, Key, PyTree, Scalar

from micro_rl.algorithms import buffer as buffers
from micro_rl.algorithms.rollout import Replayed, RowRules, rollout
from micro_rl.algorithms.sac import VALUES, Agent, Coefficients, Noise, draw_noise, start_agent, update
from micro_rl.algorithms.slots import METHOD_STREAM, EpochContext, Method, MethodContext
from micro_rl.core.first_bad import first_bad_of_each
from micro_rl.core.networks import multiplied_by
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import Batch, GatheredRows, Keys, Problem, Rollout, Transition
from micro_rl.dynamics.ensemble import Ensemble, Models
from micro_rl.dynamics.termination_rules import Termination

MODEL_ROWS = "model rows"
FURTHEST_ROW = 1e6
"""In core units, where the log's own rows are about 1: a rollout that goes further has run away."""


class TrainState(NamedTuple):
    """Everything training carries from epoch to epoch; with the log and the seed, all there is to a run."""

    agent: Agent
    ensemble: Ensemble
    buffer: buffers.Buffer
    method_state: PyTree
    epoch: Int[Array, ""]

    def without_buffer(self) -> "TrainState":
        """Without most of it; of several runs as of one."""
        empty = buffers.empty(0, 0, 0, 0)
        runs = self.epoch.shape
        return self._replace(buffer=jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*runs, *leaf.shape)), empty))


def start(
    problem: Problem, ensemble: Ensemble, method: Method, sizes: Sizes, temperature: Scalar | float, keys: Keys
) -> TrainState:
    """Begin: a fresh agent, an empty buffer and the method's own state.

    Args:
        problem: The log and its units.
        ensemble: The fitted model; it is copied.
        method: The five slots.
        sizes: The numbers that fix the program's shapes.
        temperature: alpha to begin with.
        keys: The run's streams.

    Returns:
        The state before the first epoch.
    """
    log = buffers.rows_of(problem.log)
    obs, act = log.observation.shape[-1], log.action.shape[-1]
    capacity = sizes.rollout_batch_size * sizes.rollout_length
    agent = start_agent(keys.agent, obs, act, sizes.hidden_sizes, sizes.num_critics, temperature, sizes.critic_norm)
    actor, method_state = method.prepare(agent.actor, ensemble.silent_on(_exogenous(problem)), log, keys.prepare)
    stored = method.target.stored(Models.of(ensemble, sizes.num_elites, _exogenous(problem)))
    return TrainState(
        agent=agent._replace(actor=actor),
        ensemble=jax.tree.map(jnp.copy, ensemble),
        buffer=buffers.empty(sizes.rollouts_kept, capacity, obs, act, 0 if stored is None else stored.size),
        method_state=method_state,
        epoch=jnp.zeros((), jnp.int32),
    )


def epoch(
    state: TrainState,
    method: Method,
    problem: Problem,
    c: Coefficients,
    key: Key[Array, ""],
    *,
    sizes: Sizes,
    ends: Termination,
    value_limit: Scalar | float = jnp.inf,
) -> tuple[TrainState, dict[str, Array], dict[str, Int[Array, ""]]]:
    """Roll out and update by turns, then let the method adapt the model.

    Args:
        state: What the epoch before has left; the compiled form uses it up.
        method: The five slots.
        problem: The log and its units.
        c: The epoch's coefficients.
        key: The run's.
        sizes: The numbers that fix the program's shapes.
        ends: When the model's episodes end.
        value_limit: The size of Q, in core units, past which it has exploded.

    Returns:
        The state after it; the mean of each logged term over the epoch; and for each of them and for `MODEL_ROWS` the
        first update (from 1; 0 where there is none) at which it was not finite or past its limit. A term of a turn's
        rollouts counts at the turn's first update.
    """
    key = jax.random.fold_in(key, state.epoch)
    turn = partial(_rollout_and_updates, method=method, problem=problem, c=c, sizes=sizes, ends=ends)
    turns = jax.random.split(key, sizes.updates_per_epoch // sizes.rollout_every)
    state, (logged, by_update, by_turn) = jax.lax.scan(turn, state, turns)
    state = _adapted_model(state, method, problem, c, jax.random.fold_in(key, METHOD_STREAM), ends, sizes)
    limits = dict.fromkeys(VALUES, value_limit) | {MODEL_ROWS: FURTHEST_ROW}
    first = first_bad_of_each({name: values.reshape(-1) for name, values in by_update.items()}, limits)
    first_turn = first_bad_of_each(by_turn, limits)
    first |= {name: jnp.where(turn, (turn - 1) * sizes.rollout_every + 1, 0) for name, turn in first_turn.items()}
    state = state._replace(epoch=state.epoch + 1)
    return state, {name: jnp.mean(value) for name, value in logged.items()}, first


def _adapted_model(
    state: TrainState,
    method: Method,
    problem: Problem,
    c: Coefficients,
    key: Key[Array, ""],
    ends: Termination,
    sizes: Sizes,
) -> TrainState:
    """After an epoch's updates: the model as the method leaves it."""
    agent, models = state.agent, _models(state, problem, sizes)
    context = EpochContext(
        networks=MethodContext(agent.critics, agent.targets, agent.actor, models, c.discount),
        log=buffers.rows_of(problem.log),
        ends=lambda following, end_key: ends(following, problem.scaling, end_key),
        replay=problem.replay,
        paid=lambda rows: rows if method.reward is None else method.reward(rows, problem.scaling),
    )
    ensemble, method_state = method.update_model(state.ensemble, state.method_state, context, key)
    return state._replace(ensemble=ensemble, method_state=method_state)


def _rollout_and_updates(state: TrainState, key: Array, *, method, problem, c, sizes, ends):
    rollout_keys, update_keys = rollout_and_update_keys(key, sizes)
    branches = branched_rollout(state, method, problem, ends, rollout_keys, sizes)
    buffer = buffers.write(state.buffer, branches)
    models = _models(state, problem, sizes)

    def step(agent: Agent, step_key: Array) -> tuple[Agent, dict[str, Array]]:
        batch, noise, method_key = draw_batch_and_noise(problem.log, buffer, method, models, step_key, sizes)
        return update(agent, method, models, batch, noise, method_key, c)

    agent, by_update = jax.lax.scan(step, state.agent, update_keys)
    by_turn = buffers.figures(branches, sizes.rollout_batch_size)
    by_turn["buffer/rows"] = jnp.sum(buffer.filled).astype(jnp.float32)
    logged = {name: jnp.mean(value) for name, value in by_update.items()} | by_turn
    by_turn |= {MODEL_ROWS: buffers.largest_entry(branches)}
    return state._replace(agent=agent, buffer=buffer), (logged, by_update, by_turn)


def _models(state: TrainState, problem: Problem, sizes: Sizes) -> Models:
    """The model as methods see it, with what of it is exogenous."""
    return Models.of(state.ensemble, sizes.num_elites, _exogenous(problem))


def _exogenous(problem: Problem) -> Array | None:
    """True for columns that no action moves; None where there is no such column."""
    return None if problem.replay is None else problem.replay.columns


def rollout_and_update_keys(key: Key[Array, ""], sizes: Sizes) -> tuple[list[Array], Key[Array, " update"]]:
    """Two keys for a rollout, the first of them for its starts, and one for each of the updates after it."""
    *rollout_keys, update_key = jax.random.split(key, 3)
    return rollout_keys, jax.random.split(update_key, sizes.rollout_every)


def branched_rollout(
    state: TrainState, method: Method, problem: Problem, ends: Termination, keys: Sequence[Array], sizes: Sizes
) -> Rollout:
    """Roll out from rows of the log; the first key draws those, the second the rest."""
    start_key, rollout_key = keys
    starts = buffers.draw_log(problem.log, start_key, sizes.rollout_batch_size).observation
    replayed = _replayed(problem, start_key, sizes)
    stored = method.target.stored(_models(state, problem, sizes))
    ensemble, actor, stored = multiplied_by(method.product, (state.ensemble, state.agent.actor, stored))
    return rollout(
        ensemble,
        sizes.num_elites,
        actor,
        RowRules(method.transform, state.method_state, method.support, stored, method.reward),
        ends,
        problem.scaling,
        starts,
        sizes.rollout_length,
        rollout_key,
        replayed,
        sizes.one_member,
    )


def _replayed(problem: Problem, start_key: Key[Array, ""], sizes: Sizes) -> Replayed | None:
    """The log beside rollouts that start in the rows drawn with this key; None where no column is exogenous."""
    log = problem.log
    if problem.replay is None or not isinstance(log, Transition):  # on the host it was refused with the plan
        return None
    starts = buffers.draw_numbers(start_key, sizes.rollout_batch_size, log.reward.shape[0])
    return Replayed(starts, log.next_observation, problem.replay)


def draw_batch_and_noise(
    log: Transition | GatheredRows,
    buffer: buffers.Buffer,
    method: Method,
    models: Models,
    key: Key[Array, ""],
    sizes: Sizes,
) -> tuple[Batch, Noise, Key[Array, ""]]:
    """Draw what one update sees: its batch, its noise, and the method's own key."""
    real_key, model_key, noise_key, method_key = keys_of_update(key)
    real = buffers.draw_log(log, real_key, sizes.real_rows)
    batch = Batch(real, *buffers.draw(buffer, model_key, sizes.batch_size - sizes.real_rows))
    return batch, draw_noise(noise_key, method, batch, models), method_key


def keys_of_update(key: Key[Array, ""]) -> Key[Array, " four"]:
    """For an update's rows of the log, its rows of the model, its noise, and the method's own draws."""
    return jax.random.split(key, 4)


compiled_start = jax.jit(start, static_argnames="sizes")
compiled_epoch = jax.jit(epoch, static_argnames="sizes", donate_argnames="state")
