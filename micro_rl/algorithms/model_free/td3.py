"""Twin delayed deterministic policy gradient (TD3, arXiv 1802.09477), as TD3+BC and ReBRAC build on it."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.sac import Coefficients, critic_loss
from micro_rl.core.networks import MLP, Network, mode
from micro_rl.core.optim import adam_step, init_opt_state, polyak_update
from micro_rl.core.types import LogRows


class Learner(NamedTuple):
    """What the updates change: both networks, their slow copies, Adam's moments."""

    actor: MLP
    critics: Network
    slow_actor: MLP
    slow_critics: Network
    actor_moments: PyTree
    critic_moments: PyTree


class _Critics(NamedTuple):
    """The critics while the actor waits."""

    critics: Network
    moments: PyTree


Targets = Callable[[Learner, LogRows, Float[Array, "rows act"]], Float[Array, " rows"]]
"""y of these rows, from the learner's slow copies and standard normal draws."""
ActorLoss = Callable[[MLP, Network, LogRows], Scalar]


def begin(actor: MLP, critics: Network) -> Learner:
    """Nothing has moved yet."""
    slow_actor, slow_critics = jax.tree.map(jnp.copy, (actor, critics))
    return Learner(actor, critics, slow_actor, slow_critics, init_opt_state(actor), init_opt_state(critics))


def turn(
    agent: Learner,
    rows: LogRows,
    key: Key[Array, ""],
    c: Coefficients,
    steps: int,
    targets: Targets,
    actor_loss: ActorLoss,
) -> tuple[Learner, dict[str, Array]]:
    """So many steps of the critics against one set of slow copies, then one of the actor, then one of the copies."""
    batches = jax.tree.map(lambda column: column.reshape(steps, -1, *column.shape[1:]), rows)

    def step(now: _Critics, batch_and_key: tuple[LogRows, Array]) -> tuple[_Critics, dict[str, Array]]:
        batch, step_key = batch_and_key
        y = targets(agent, batch, jax.random.normal(step_key, batch.now.action.shape))
        (loss, q), gradient = jax.value_and_grad(critic_loss, has_aux=True)(now.critics, batch.now, y)
        logged = {"loss/critic": loss, "q/real": jnp.mean(q), "q/target": jnp.mean(y)}
        return _Critics(*adam_step(now.critics, gradient, now.moments, c.critic_lr)), logged

    begun = _Critics(agent.critics, agent.critic_moments)
    (critics, moments), logged = jax.lax.scan(step, begun, (batches, jax.random.split(key, steps)))
    last = jax.tree.map(lambda column: column[-1], batches)
    loss, gradient = jax.value_and_grad(actor_loss)(agent.actor, critics, last)
    actor, actor_moments = adam_step(agent.actor, gradient, agent.actor_moments, c.actor_lr)
    slow_actor = polyak_update(agent.slow_actor, actor, c.tau)
    slow_critics = polyak_update(agent.slow_critics, critics, c.tau)
    logged = {name: jnp.mean(value) for name, value in logged.items()} | {"loss/actor": loss}
    return Learner(actor, critics, slow_actor, slow_critics, actor_moments, moments), logged


def smoothed(
    actor: MLP, observation: Float[Array, "rows obs"], noise: Float[Array, "rows act"], size: Scalar, limit: Scalar
) -> Float[Array, "rows act"]:
    """The actor's action plus noise of that size, cut at the limit and at the actions' bounds."""
    return jnp.clip(mode(actor, observation) + jnp.clip(size * noise, -limit, limit), -1.0, 1.0)
