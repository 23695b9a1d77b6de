"""TD3+BC (arXiv 2106.06860): twin delayed deterministic policy gradient, held to the log's actions."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.baseline import CRITICS, TRAINING, Baseline
from micro_rl.errors import UserError
from micro_rl.method import bellman
from micro_rl.nets import MLP, action_error, mode, q_values, steady_mlp, uniform_mlp
from micro_rl.optimise import descend, follow, moments_of
from micro_rl.sac import Coefficients, critic_loss
from micro_rl.settings import Sizes
from micro_rl.types import LogRows, Transition

SUMMARY = "TD3 whose actor is also pulled to the log's actions"
PAPER = "arXiv 2106.06860"
USES = TRAINING | CRITICS
DEFAULTS: dict[str, Any] = {}


@dataclass(frozen=True)
class Options:
    """TD3+BC's own settings."""

    weight: float = 2.5
    """How much the critics' value counts beside the distance to the log's actions; 0 is cloning."""
    target_noise: float = 0.2
    """Standard deviation of the noise on the target's next action, of actions in [-1, 1]."""
    noise_limit: float = 0.5
    """Most of that noise."""
    actor_every: int = 2
    """Updates of the critics for each of the actor and of the slow copies; divides `updates`."""


class Learner(NamedTuple):
    """What the updates change: both networks, their slow copies, Adam's moments."""

    actor: MLP
    critics: MLP
    slow_actor: MLP
    slow_critics: MLP
    actor_moments: PyTree
    critic_moments: PyTree


class Critics(NamedTuple):
    """The critics while the actor waits."""

    critics: MLP
    moments: PyTree


class Td3Bc(Baseline):
    """Critics on clipped double Q with smoothed target actions; the actor on -weight Q / mean|Q| + (pi(s) - a)^2."""

    weight: Scalar
    target_noise: Scalar
    noise_limit: Scalar
    steps: int = eqx.field(static=True)

    def start(self, key: Key[Array, ""], obs: int, act: int, sizes: Sizes, temperature: Scalar | float) -> Learner:
        actor_key, critic_key = jax.random.split(key)
        actor = steady_mlp(actor_key, obs, act, sizes.hidden)
        critics = uniform_mlp(critic_key, (obs + act, *sizes.hidden, 1), (sizes.critics,))
        slow_actor, slow_critics = jax.tree.map(jnp.copy, (actor, critics))
        return Learner(actor, critics, slow_actor, slow_critics, moments_of(actor), moments_of(critics))

    def update(
        self, agent: Learner, rows: LogRows, key: Key[Array, ""], c: Coefficients
    ) -> tuple[Learner, dict[str, Array]]:
        batches = jax.tree.map(lambda column: column.reshape(self.steps, -1, *column.shape[1:]), rows.now)
        begun = Critics(agent.critics, agent.critic_moments)
        step = partial(self._critic_step, agent, c)
        (critics, moments), logged = jax.lax.scan(step, begun, (batches, jax.random.split(key, self.steps)))
        last = jax.tree.map(lambda column: column[-1], batches)
        loss, gradient = jax.value_and_grad(actor_loss)(agent.actor, critics, last, self.weight)
        actor, actor_moments = descend(agent.actor, gradient, agent.actor_moments, c.actor_rate)
        slow_actor = follow(agent.slow_actor, actor, c.target_rate)
        slow_critics = follow(agent.slow_critics, critics, c.target_rate)
        logged = {name: jnp.mean(value) for name, value in logged.items()} | {"loss/actor": loss}
        return Learner(actor, critics, slow_actor, slow_critics, actor_moments, moments), logged

    def _critic_step(
        self, agent: Learner, c: Coefficients, now: Critics, given: tuple[Transition, Array]
    ) -> tuple[Critics, dict[str, Array]]:
        rows, key = given
        y = self.targets(agent, rows, jax.random.normal(key, rows.action.shape), c)
        (loss, q), gradient = jax.value_and_grad(critic_loss, has_aux=True)(now.critics, rows, y)
        logged = {"loss/critic": loss, "q/real": jnp.mean(q), "q/target": jnp.mean(y)}
        return Critics(*descend(now.critics, gradient, now.moments, c.critic_rate)), logged

    def targets(
        self, agent: Learner, rows: Transition, noise: Float[Array, "rows act"], c: Coefficients
    ) -> Float[Array, " rows"]:
        """y = r + gamma d min_k Q'_k(s', a'), a' the slow actor's action with clipped noise, within its bounds."""
        action = smoothed(agent.slow_actor, rows.next_observation, noise, self.target_noise, self.noise_limit)
        return bellman(rows, jnp.min(q_values(agent.slow_critics, rows.next_observation, action), axis=0), c.discount)


def smoothed(actor: MLP, observation: Array, noise: Array, size: Scalar, limit: Scalar) -> Float[Array, "rows act"]:
    """The actor's action plus noise of that size, cut at the limit and at the actions' bounds."""
    return jnp.clip(mode(actor, observation) + jnp.clip(size * noise, -limit, limit), -1.0, 1.0)


def actor_loss(actor: MLP, critics: MLP, rows: Transition, weight: Scalar) -> Scalar:
    """-weight mean(Q_1(s, pi(s))) / mean|Q_1| + mean (pi(s) - a)^2; no gradient flows through the division."""
    q = q_values(critics, rows.observation, mode(actor, rows.observation))[0]
    size = jax.lax.stop_gradient(jnp.mean(jnp.abs(q)))
    return action_error(actor, rows.observation, rows.action) - weight * jnp.mean(q) / size


def build(options: Options) -> Td3Bc:
    """The method with these coefficients."""
    for name in ("weight", "target_noise", "noise_limit"):
        if not getattr(options, name) >= 0:
            raise UserError(f"{name}: {getattr(options, name)} is not 0 or more")
    if options.actor_every < 1:
        raise UserError(f"actor_every: {options.actor_every} is too small; it must be at least 1")
    return Td3Bc(
        weight=jnp.asarray(options.weight, jnp.float32),
        target_noise=jnp.asarray(options.target_noise, jnp.float32),
        noise_limit=jnp.asarray(options.noise_limit, jnp.float32),
        steps=options.actor_every,
    )
