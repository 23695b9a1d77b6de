"""Branched rollouts (MBPO, arXiv 1906.08253): from states of the log, a few steps into the model."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int, Key, PyTree

from micro_rl.algorithms.slots import RolloutTransform
from micro_rl.algorithms.support import Support
from micro_rl.core.networks import MLP, sample
from micro_rl.core.random import orders
from micro_rl.core.types import Predictions, Replay, Rollout, Scaling, Transition
from micro_rl.dynamics.ensemble import Ensemble, predict
from micro_rl.dynamics.known_reward import KnownReward
from micro_rl.dynamics.termination_rules import Termination

TERMINATION_STREAM = 1 << 29
"""Folded into a block's key; as `METHOD_STREAM`, beyond the numbers that `split` uses."""
BLOCK = 4096
"""About as many rows take a step together: activations of more fall out of the cache, fewer starve a second core."""


class Branches(NamedTuple):
    """Where rollouts have got to, whether their episodes last, and their rows of the log: -1 where it has ended."""

    observation: Float[Array, "rows obs"]
    alive: Bool[Array, " rows"]
    row: Int[Array, " rows"] | None = None


class Replayed(NamedTuple):
    """The exogenous part of the log beside rollouts: where each starts, and what the log observed next in each row."""

    start: Int[Array, " rows"]
    next_observation: Float[Array, "log obs"]
    replay: Replay

    def put(self, following: Float[Array, "rows obs"], row: Int[Array, " rows"]) -> tuple[Array, Array]:
        """The next observations with the log's own in the exogenous columns while it goes on, and the log's next rows.

        Args:
            following: What the model predicts.
            row: The row of the log beside each; -1 where the log has ended.
        """
        there, log_row = row >= 0, jnp.maximum(row, 0)
        own = jnp.where(self.replay.columns[None] & there[:, None], self.next_observation[log_row], following)
        return own, jnp.where(there & self.replay.continued[log_row], log_row + 1, -1)


class RowRules(NamedTuple):
    """What becomes of the rows that the model makes.

    `support` treats those that are unlike the log's; None: nothing, and nobody asks which they are. The predictions of
    `stored` come with the rows; None: nobody's. `reward` says what they pay; None: what the model predicts.
    """

    transform: RolloutTransform
    method_state: PyTree
    support: Support | None = None
    stored: Ensemble | None = None
    reward: KnownReward | None = None

    def applied(
        self, rows: Transition, ensemble: Ensemble, scaling: Scaling
    ) -> tuple[Transition, Array | None, Predictions | None]:
        """The rows as they are learned from, which of them are unknown, and what is predicted of them.

        No rule pays more than a reward that is known: an end at the log's least one does not undo a fine.
        """
        paid = rows if self.reward is None else self.reward(rows, scaling)
        rows, unknown = self.transform(ensemble, self.method_state, paid), None
        if self.support is not None:
            rows, unknown = self.support(rows)
        if self.reward is not None:
            rows = rows._replace(reward=jnp.minimum(rows.reward, paid.reward))
        return rows, unknown, None if self.stored is None else predictions_of(self.stored, rows)

    def going_on(self, rollout: Rollout) -> Bool[Array, " rows"]:
        """The rows after which the rollout goes on."""
        alive = rollout.valid & (rollout.rows.discount > 0)
        if self.support is not None and self.support.ends_rollout:
            assert rollout.unknown is not None, "support says which rows are"
            alive &= ~rollout.unknown
        return alive


def rollout(
    ensemble: Ensemble,
    elites: int,
    actor: MLP,
    rules: RowRules,
    ends: Termination,
    scaling: Scaling,
    starts: Float[Array, "rows obs"],
    length: int,
    key: Key[Array, ""],
    replayed: Replayed | None = None,
    one_member: bool = False,
) -> Rollout:
    """Roll out `length` steps from every start; a row's later steps are invalid once its episode has ended.

    Args:
        ensemble: The model.
        elites: How many of its best members take part.
        actor: The policy.
        rules: What becomes of its rows.
        ends: When episodes end; what it draws comes from a stream of its own and changes nothing else.
        scaling: The units, for rules that look at raw values.
        starts: Observations in core units [rows, obs].
        length: Steps.
        key: For every draw.
        replayed: What the log gives in the place of predictions; None where no column is exogenous.
        one_member: A rollout stays with its elite, in place of one drawn anew for each step; starts come at random.

    Returns:
        Rows and whether they are valid, step after step [length * rows]; with `one_member` in the order of the starts.
    """
    best, judged = ensemble.best(elites), ensemble.silent_on(None if replayed is None else replayed.replay.columns)

    def advance(branches: Branches, key: Array) -> tuple[Rollout, Array | None]:
        made, row = step_in_model(best, actor, ends, scaling, replayed, branches, key)
        rows, unknown, predictions = rules.applied(made, judged, scaling)
        return Rollout(rows, branches.alive, unknown, predictions), row

    def step(branches: Branches, key: Array) -> tuple[Branches, Rollout]:
        rollout, row = in_blocks(advance, branches, elites, key, in_order=one_member)
        return Branches(rollout.rows.next_observation, rules.going_on(rollout), row), rollout

    branches = Branches(starts, jnp.ones(starts.shape[0], bool), None if replayed is None else replayed.start)
    _, steps = jax.lax.scan(step, branches, jax.random.split(key, length))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), steps)


def step_in_model(
    elites: Ensemble,
    actor: MLP,
    ends: Termination,
    scaling: Scaling,
    replayed: Replayed | None,
    branches: Branches,
    key: Key[Array, ""],
) -> tuple[Transition, Array | None]:
    """An action of the policy at each observation, what the model makes of it, and the log's next rows beside them.

    Rows come in random order.
    """
    observation, _, row = branches
    action_key, state_key = jax.random.split(key)
    noise = jax.random.normal(action_key, (observation.shape[0], actor.biases[-1].shape[-1] // 2))
    action, _ = sample(actor, observation, noise)
    outcome = sample_ensemble(elites, observation, action, state_key)
    following = outcome[..., :-1]
    if replayed is not None and row is not None:
        following, row = replayed.put(following, row)
    ended = ends(following, scaling, jax.random.fold_in(key, TERMINATION_STREAM))
    return Transition(observation, action, outcome[..., -1], following, 1.0 - ended), row


def predictions_of(members: Ensemble, rows: Transition) -> Predictions:
    """What each member expects to follow these rows, row by row."""
    mean, std = predict(members, rows.observation, rows.action)
    return Predictions(*(part[..., :-1].swapaxes(0, 1) for part in (mean, std)))


def in_blocks(
    advance: Callable[[Any, Array], PyTree], branches: Any, elites: int, key: Key[Array, ""], in_order: bool = False
) -> PyTree:
    """The rows in a new random order, advanced block after block; a block's rows are a multiple of the elites.

    `in_order` leaves the rows where they are: each is then the same elite's, step after step.

    Where the blocks do not divide the rows, the first rows fill up the last block and what comes of them there is
    dropped.
    """
    rows = jax.tree.leaves(branches)[0].shape[0]
    blocks = -(-rows // BLOCK)
    size = elites * -(-rows // (elites * blocks))
    order_key, advance_key = jax.random.split(key)
    order = jnp.arange(rows) if in_order else orders(order_key, (rows,))
    taken = order[jnp.arange(blocks * size) % rows].reshape(blocks, size)

    def one(block: tuple[Array, Array]) -> PyTree:
        rows, key = block
        return advance(jax.tree.map(lambda column: column[rows], branches), key)

    rollout = jax.lax.map(one, (taken, jax.random.split(advance_key, blocks)))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:rows], rollout)


def sample_ensemble(
    elites: Ensemble,
    observation: Float[Array, "rows obs"],
    action: Float[Array, "rows act"],
    key: Key[Array, ""],
) -> Float[Array, "rows out"]:
    """Sample next observation and reward from the ensemble.

    The elites take the rows in turn, so that their shares differ by one at most.
    Rows must come in random order: then each row's elite is uniform where the elites divide the rows. Where they do
    not, the better ones take a row more, of fewer rows than elites only the best act; the first rows fill up the last
    turn and what comes of them there is dropped.
    """
    rows = observation.shape[0]
    turns = -(-rows // elites.size)
    taken = (jnp.arange(turns * elites.size) % rows).reshape(turns, elites.size).T
    mean, std = predict(elites, observation[taken], action[taken])
    outcome = mean + std * jax.random.normal(key, mean.shape)
    return outcome.swapaxes(0, 1).reshape(-1, outcome.shape[-1])[:rows]
