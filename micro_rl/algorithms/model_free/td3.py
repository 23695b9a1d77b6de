"""Twin delayed deterministic policy gradient (TD3, arXiv 1802.09477), as TD3+BC and ReBRAC build on it."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.algorithms.sac import Coefficients, critic_loss
from micro_rl.core.networks import MLP, Network, mode, steady_mlp, uniform_mlp
from micro_rl.core.optim import adam_step, init_opt_state, polyak_update
from micro_rl.core.setting import Setting
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import LogRows

CODE = "sfujim/TD3: main.py"


@dataclass(frozen=True)
class Options:
    """TD3's own settings, which every method built on it has."""

    policy_noise: Annotated[float, Setting(minimum=0, source=CODE)] = 0.2
    """Standard deviation of the noise on the target's next action, of actions in [-1, 1]."""
    noise_clip: Annotated[float, Setting(minimum=0, source=CODE)] = 0.5
    """Most of that noise."""
    policy_delay: Annotated[int, Setting(minimum=1, unit="updates", source=CODE)] = 2
    """Updates of the critics for each of the actor and of the slow copies; divides `updates_per_epoch`."""

    def fields(self) -> dict[str, Any]:
        """The fields of `Td3` that these settings fill."""
        noise, clip = (jnp.asarray(value, jnp.float32) for value in (self.policy_noise, self.noise_clip))
        return {"policy_noise": noise, "noise_clip": clip, "steps": self.policy_delay}


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


class Td3(ModelFreeMethod):
    """Clipped double Q with smoothed target actions; what the target and the actor's loss add is the subclass's."""

    policy_noise: Scalar
    noise_clip: Scalar
    steps: int = eqx.field(static=True)

    def start(self, key: Key[Array, ""], obs: int, act: int, sizes: Sizes, temperature: Scalar | float) -> Learner:
        actor_key, critic_key = jax.random.split(key)
        critics = uniform_mlp(critic_key, (obs + act, *sizes.hidden_sizes, 1), (sizes.num_critics,))
        return begin(steady_mlp(actor_key, obs, act, sizes.hidden_sizes), self.critics(critics))

    def update(
        self, agent: Learner, rows: LogRows, key: Key[Array, ""], c: Coefficients
    ) -> tuple[Learner, dict[str, Array]]:
        return turn(agent, rows, key, c, self.steps, partial(self.targets, c=c), self.actor_loss)

    def critics(self, plain: MLP) -> Network:
        """The critics of a fresh network."""
        return plain

    def target_action(
        self, agent: Learner, observation: Float[Array, "rows obs"], noise: Float[Array, "rows act"]
    ) -> Float[Array, "rows act"]:
        """The slow actor's action at next observations, with clipped noise, within its bounds."""
        return smoothed(agent.slow_actor, observation, noise, self.policy_noise, self.noise_clip)

    @abstractmethod
    def targets(
        self, agent: Learner, rows: LogRows, noise: Float[Array, "rows act"], c: Coefficients
    ) -> Float[Array, " rows"]:
        """The targets y of the critics."""

    @abstractmethod
    def actor_loss(self, actor: MLP, critics: Network, rows: LogRows) -> Scalar:
        """What the actor descends."""


def begin(actor: MLP, critics: Network) -> Learner:
    """A learner with these networks, their copies and Adam's moments at zero."""
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
    """Make `steps` updates of the critics against one set of slow copies, then one of the actor and of the copies.

    Args:
        agent: The learner before.
        rows: Rows of the log in core units; their number is a multiple of `steps`.
        key: For the noise of the target's actions.
        c: Learning rates and tau.
        steps: Updates of the critics for each of the actor (the policy delay).
        targets: y of a batch, shape [rows].
        actor_loss: What the actor descends, on the last batch, against the new critics.

    Returns:
        The learner after, and the means of the logged terms.
    """
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
