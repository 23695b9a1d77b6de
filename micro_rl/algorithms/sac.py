"""Soft actor-critic (arXiv 1801.01290, 1812.05905): the agent, its losses, and one update of everything."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.slots import METHOD_STREAM, Method, MethodContext, bellman
from micro_rl.core.networks import (
    MLP,
    Network,
    action_error,
    multiplied_by,
    normalised,
    q_values,
    sample,
    uniform_mlp,
)
from micro_rl.core.optim import adam_step, init_opt_state, polyak_update
from micro_rl.core.types import Batch, Transition
from micro_rl.dynamics.ensemble import Models

MAX_TEMPERATURE = 1.0
PENALTY = "loss/penalty"
VALUES = ("q/real", "q/model", "q/target")
"""The logged terms that are values of Q, in core units."""


class Agent(NamedTuple):
    """What the updates change."""

    actor: MLP
    critics: Network
    targets: Network
    log_temperature: Scalar
    actor_moments: PyTree
    critic_moments: PyTree
    temperature_moments: PyTree


class Coefficients(NamedTuple):
    """The numbers of the update; leaves, so any of them can differ between runs of one program."""

    discount: Scalar
    tau: Scalar
    actor_lr: Scalar
    critic_lr: Scalar
    temperature_lr: Scalar
    target_entropy: Scalar
    backup_entropy: Scalar
    min_target: Scalar
    bc_weight: Scalar


class Noise(NamedTuple):
    """An update's standard normal draws, the log's rows first."""

    next_action: Float[Array, "rows act"]
    actor_action: Float[Array, "rows act"]
    target: PyTree


def start_agent(
    key: Key[Array, ""],
    obs: int,
    act: int,
    hidden: tuple[int, ...],
    critics: int,
    temperature: Scalar | float,
    critic_norm: bool = False,
) -> Agent:
    """Fresh networks; the targets begin as copies of the critics."""
    actor_key, critic_key = jax.random.split(key)
    actor = uniform_mlp(actor_key, (obs, *hidden, 2 * act))
    plain = uniform_mlp(critic_key, (obs + act, *hidden, 1), (critics,))
    stack = normalised(plain) if critic_norm else plain
    log_temperature = jnp.log(jnp.asarray(temperature, jnp.float32))
    moments = (init_opt_state(actor), init_opt_state(stack), init_opt_state(log_temperature))
    return Agent(actor, stack, jax.tree.map(jnp.copy, stack), log_temperature, *moments)


def temperature(agent: Agent) -> Scalar:
    """alpha, at most 1 as the authors clamp it; its logarithm moves freely."""
    return jnp.minimum(jnp.exp(agent.log_temperature), MAX_TEMPERATURE)


def draw_noise(key: Key[Array, ""], method: Method, batch: Batch, models: Models) -> Noise:
    """All draws of one update; the method's own come from a stream apart, so they disturb no other."""
    rows = batch.real.reward.shape[0] + batch.model.reward.shape[0]
    next_key, actor_key = jax.random.split(key)
    shape = (rows, batch.real.action.shape[-1])
    return Noise(
        next_action=jax.random.normal(next_key, shape),
        actor_action=jax.random.normal(actor_key, shape),
        target=method.target.noise(jax.random.fold_in(key, METHOD_STREAM), batch.model, models),
    )


def soft_value(
    agent: Agent, observation: Float[Array, "rows obs"], noise: Float[Array, "rows act"], entropy: Scalar
) -> Float[Array, " rows"]:
    """V(s) = min_k Q'_k(s, a) - alpha log pi(a|s), a ~ pi(.|s) (SAC, arXiv 1812.05905).

    `entropy` 0 leaves the last term out.
    """
    action, log_prob = sample(agent.actor, observation, noise)
    smallest = jnp.min(q_values(agent.targets, observation, action), axis=0)
    return smallest - entropy * temperature(agent) * log_prob


def targets(
    agent: Agent, method: Method, models: Models, batch: Batch, noise: Noise, c: Coefficients
) -> tuple[Float[Array, " rows"], dict[str, Array]]:
    """y: the standard target on the log's rows, the method's on the model's; never below the minimum."""
    real = batch.real.reward.shape[0]
    following = jnp.concatenate([batch.real.next_observation, batch.model.next_observation])
    value = soft_value(agent, following, noise.next_action, c.backup_entropy)
    networks = multiplied_by(method.product, (agent.critics, agent.targets, agent.actor, models))
    context = MethodContext(*networks, c.discount, batch.predictions)
    on_log = bellman(batch.real, value[:real], c.discount)
    on_model, logged = method.target(batch.model, value[real:], context, noise.target)
    return jnp.maximum(jnp.concatenate([on_log, on_model]), c.min_target), logged


def critic_loss(critics: Network, rows: Transition, y: Float[Array, " rows"]) -> tuple[Scalar, Array]:
    """Mean over critics and rows of (Q_k(s, a) - y)^2, and the values themselves."""
    q = q_values(critics, rows.observation, rows.action)
    return jnp.mean((q - y[None]) ** 2), q


def regularized_loss(
    critics: Network, rows: Transition, y: Float[Array, " rows"], penalty: Callable[[Network], Scalar]
) -> tuple[Scalar, tuple[Scalar, Scalar, Array]]:
    """The critics' loss with the method's addition; the loss without it, the addition, and the values."""
    loss, q = critic_loss(critics, rows, y)
    added = penalty(critics)
    return loss + added, (loss, added, q)


def added_to_loss(
    critics: Network, method: Method, actor: MLP, batch: Batch, rows: Transition, key: Key[Array, ""]
) -> Scalar:
    """What the method adds to the critics' loss, and what keeps them apart; `rows` are all of the batch."""
    added, apart = method.regularize(critics, actor, batch, key), method.critics.penalty(critics, rows, key)
    return added if apart is None else added + apart


def actor_loss(
    actor: MLP, critics: Network, observation: Array, noise: Array, alpha: Scalar
) -> tuple[Scalar, tuple[Float[Array, " rows"], Scalar]]:
    """Mean of alpha log pi(a|s) - min_k Q_k(s, a); the log-probabilities, and the mean size of the values."""
    action, log_prob = sample(actor, observation, noise)
    smallest = jnp.min(q_values(critics, observation, action), axis=0)
    return jnp.mean(alpha * log_prob - smallest), (log_prob, jnp.mean(jnp.abs(smallest)))


def anchored_loss(
    actor: MLP, critics: Network, rows: Transition, real: Transition, noise: Array, alpha: Scalar, anchor: Scalar
) -> tuple[Scalar, Float[Array, " rows"]]:
    """The actor's loss plus anchor mean|Q| (pi(s) - a)^2 on the log's rows; 0 leaves it as it is.

    TD3+BC (arXiv 2106.06860) weighs the two as -a Q / mean|Q| + (pi(s) - a)^2; this is the same over a / mean|Q|,
    with anchor = 1 / a, so that its a = 2.5 is an anchor of 0.4. No gradient flows through the weight, as there.
    """
    loss, (log_prob, size) = actor_loss(actor, critics, rows.observation, noise, alpha)
    weight = anchor * jax.lax.stop_gradient(size)
    return loss + weight * action_error(actor, real.observation, real.action), log_prob


def temperature_loss(log_temperature: Scalar, log_prob: Float[Array, " rows"], target: Scalar) -> Scalar:
    """-mean(log alpha (log pi + target entropy)): arXiv 1812.05905, with log alpha in the place of alpha."""
    return -jnp.mean(log_temperature * (log_prob + target))


def update(
    agent: Agent,
    method: Method,
    models: Models,
    batch: Batch,
    noise: Noise,
    key: Key[Array, ""],
    c: Coefficients,
) -> tuple[Agent, dict[str, Array]]:
    """Update the critics, then the actor against the new critics, then the temperature, then the target critics.

    Args:
        agent: What the updates change.
        method: The slots; `target` and `regularize` act here.
        models: Of the ensemble, as the target sees them.
        batch: Rows of the log and of the model.
        noise: As `draw_noise` drew it.
        key: For what `regularize` and `critics` draw.
        c: The numbers of the update.

    Returns:
        The agent after it, and the terms to log, each a scalar.
    """
    counted = agent._replace(targets=method.critics.counted(agent.targets, key))
    y, logged = targets(counted, method, models, batch, noise, c)
    rows = jax.tree.map(lambda real, model: jnp.concatenate([real, model]), batch.real, batch.model)
    penalty = partial(added_to_loss, method=method, actor=agent.actor, batch=batch, rows=rows, key=key)
    gradient, (loss_q, added, q) = jax.grad(regularized_loss, has_aux=True)(agent.critics, rows, y, penalty)
    critics, critic_moments = adam_step(agent.critics, gradient, agent.critic_moments, c.critic_lr)
    (loss_pi, log_prob), gradient = jax.value_and_grad(anchored_loss, has_aux=True)(
        agent.actor, critics, rows, batch.real, noise.actor_action, temperature(agent), c.bc_weight
    )
    actor, actor_moments = adam_step(agent.actor, gradient, agent.actor_moments, c.actor_lr)
    loss_alpha, gradient = jax.value_and_grad(temperature_loss)(agent.log_temperature, log_prob, c.target_entropy)
    log_temperature, temperature_moments = adam_step(
        agent.log_temperature, gradient, agent.temperature_moments, c.temperature_lr
    )
    moved = polyak_update(agent.targets, critics, c.tau)
    agent = Agent(actor, critics, moved, log_temperature, actor_moments, critic_moments, temperature_moments)
    logged |= {"loss/critic": loss_q, "loss/actor": loss_pi, "loss/temperature": loss_alpha}
    if method.regularize.logged or method.critics.diversity is not None:
        logged[PENALTY] = added
    logged |= {"temperature": temperature(agent), "entropy": -jnp.mean(log_prob)}
    return agent, logged | mean_values(q, y, batch.real.reward.shape[0])


def mean_values(q: Float[Array, "critic rows"], y: Float[Array, " rows"], real: int) -> dict[str, Array]:
    """Of the critics on the log's rows, which are the first `real`, and on the model's, and of the target."""
    return {"q/real": jnp.mean(q[:, :real]), "q/model": jnp.mean(q[:, real:]), "q/target": jnp.mean(y)}
