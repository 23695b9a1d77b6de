"""IQL (arXiv 2110.06169): values of the log's own better actions by expectiles, the actor by weighted cloning."""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.model_free.base import CRITICS, TRAINING, ModelFreeMethod
from micro_rl.algorithms.sac import Coefficients, critic_loss
from micro_rl.algorithms.slots import bellman
from micro_rl.core.constants import LOG_STD_MAX, LOG_STD_MIN
from micro_rl.core.networks import MLP, mode, q_values, state_values, steady_mlp, uniform_mlp
from micro_rl.core.optim import adam_step, init_opt_state, polyak_update
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import LogRows, Transition

SUMMARY = "never asks what an unseen action is worth: expectiles of the log's values, weighted cloning"
PAPER = "arXiv 2110.06169"
CODE = "ikostrikov/implicit_q_learning: configs/mujoco_config.py"
USES = TRAINING | CRITICS
DEFAULTS: dict[str, Any] = {"actor_schedule": "cosine"}

LARGEST_WEIGHT = 100.0


@dataclass(frozen=True)
class Options:
    """IQL's own settings."""

    expectile: Annotated[float, Setting(above=0, below=1, source=CODE)] = 0.7
    """Which expectile of Q over the log's actions V(s) is: 0.5 is their mean, towards 1 their largest."""
    inverse_temperature: Annotated[float, Setting(minimum=0, source=CODE)] = 3.0
    """A better action is cloned more, by exp(inverse_temperature * advantage); 0 is cloning by likelihood."""


class Learner(NamedTuple):
    """What the updates change; the actor's spread is `log_std`, the same in every state."""

    actor: MLP
    log_std: Float[Array, " act"]
    critics: MLP
    slow_critics: MLP
    value: MLP
    actor_moments: PyTree
    critic_moments: PyTree
    value_moments: PyTree


class Iql(ModelFreeMethod):
    """V by expectile regression on the slow critics, the actor by advantage-weighted cloning, Q on r + gamma d V."""

    expectile: Scalar
    inverse_temperature: Scalar
    steps: int = eqx.field(static=True, default=1)

    def start(self, key: Key[Array, ""], obs: int, act: int, sizes: Sizes, temperature: Scalar | float) -> Learner:
        actor_key, critic_key, value_key = jax.random.split(key, 3)
        actor, log_std = steady_mlp(actor_key, obs, act, sizes.hidden_sizes), jnp.zeros(act)
        critics = uniform_mlp(critic_key, (obs + act, *sizes.hidden_sizes, 1), (sizes.num_critics,))
        value = uniform_mlp(value_key, (obs, *sizes.hidden_sizes, 1))
        moments = (init_opt_state((actor, log_std)), init_opt_state(critics), init_opt_state(value))
        return Learner(actor, log_std, critics, jax.tree.map(jnp.copy, critics), value, *moments)

    def update(
        self, agent: Learner, rows: LogRows, key: Key[Array, ""], c: Coefficients
    ) -> tuple[Learner, dict[str, Array]]:
        now = rows.now
        q = jnp.min(q_values(agent.slow_critics, now.observation, now.action), axis=0)
        (loss_v, v), gradient = jax.value_and_grad(value_loss, has_aux=True)(agent.value, now, q, self.expectile)
        value, value_moments = adam_step(agent.value, gradient, agent.value_moments, c.critic_lr)
        weight = cloning_weight(q - state_values(value, now.observation), self.inverse_temperature)
        policy = (agent.actor, agent.log_std)
        loss_pi, gradient = jax.value_and_grad(cloning_loss)(policy, now, weight)
        (actor, log_std), actor_moments = adam_step(policy, gradient, agent.actor_moments, c.actor_lr)
        y = bellman(now, state_values(value, now.next_observation), c.discount)
        (loss_q, all_q), gradient = jax.value_and_grad(critic_loss, has_aux=True)(agent.critics, now, y)
        critics, critic_moments = adam_step(agent.critics, gradient, agent.critic_moments, c.critic_lr)
        slow = polyak_update(agent.slow_critics, critics, c.tau)
        moments = (actor_moments, critic_moments, value_moments)
        return Learner(actor, log_std, critics, slow, value, *moments), {
            "loss/critic": loss_q,
            "loss/value": loss_v,
            "loss/actor": loss_pi,
            "q/real": jnp.mean(all_q),
            "q/target": jnp.mean(y),
            "value/real": jnp.mean(v),
            "cloning_weight": jnp.mean(weight),
        }


def value_loss(
    value: MLP, rows: Transition, q: Float[Array, " rows"], expectile: Scalar
) -> tuple[Scalar, Float[Array, " rows"]]:
    """Mean of |expectile - 1(u < 0)| u^2, u = Q(s, a) - V(s), whose least is at that expectile; and V."""
    v = state_values(value, rows.observation)
    return jnp.mean(jnp.where(q > v, expectile, 1 - expectile) * (q - v) ** 2), v


def cloning_weight(advantage: Float[Array, " rows"], inverse_temperature: Scalar) -> Float[Array, " rows"]:
    """exp(inverse_temperature * advantage), at most 100."""
    return jnp.minimum(jnp.exp(inverse_temperature * advantage), LARGEST_WEIGHT)


def cloning_loss(policy: tuple[MLP, Float[Array, " act"]], rows: Transition, weight: Float[Array, " rows"]) -> Scalar:
    """-mean of weight * log N(a; tanh(mean(s)), std), one standard deviation for each action."""
    actor, log_std = policy
    std = jnp.exp(jnp.clip(log_std, LOG_STD_MIN, LOG_STD_MAX))
    each = jax.scipy.stats.norm.logpdf(rows.action, mode(actor, rows.observation), std[None])
    return -jnp.mean(weight * jnp.sum(each, axis=-1))


def build(options: Options) -> Iql:
    """The method with these coefficients."""
    check_values(options)
    return Iql(
        expectile=jnp.asarray(options.expectile, jnp.float32),
        inverse_temperature=jnp.asarray(options.inverse_temperature, jnp.float32),
    )
