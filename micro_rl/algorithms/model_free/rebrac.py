"""ReBRAC (arXiv 2305.09836): TD3 with the distance to the log's actions in the actor's loss and in the target."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.algorithms.model_free import td3
from micro_rl.algorithms.model_free.base import CRITICS, TRAINING
from micro_rl.algorithms.sac import Coefficients
from micro_rl.algorithms.slots import bellman
from micro_rl.core.networks import MLP, Network, mode, normalised, q_values
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.types import LogRows

SUMMARY = "TD3 whose actor and target both pay for the distance to the log's actions; normalised critics"
PAPER = "arXiv 2305.09836"
USES = TRAINING | CRITICS
DEFAULTS: dict[str, Any] = {"hidden_sizes": (256, 256, 256), "batch_size": 1024, "actor_lr": 1e-3, "critic_lr": 1e-3}


@dataclass(frozen=True)
class Options(td3.Options):
    """ReBRAC's own settings."""

    actor_weight: Annotated[
        float, Setting(minimum=0, source="ours: within the authors' grid (CORL: 0.001 to 0.1 by task)")
    ] = 0.01
    """What the actor pays for the squared distance to the log's action."""
    critic_weight: Annotated[
        float, Setting(minimum=0, source="ours: within the authors' grid (CORL: 0 to 0.5 by task)")
    ] = 0.01
    """What the target pays for the squared distance of its next action to what was done next in the log."""


class Rebrac(td3.Td3):
    """TD3 in which both networks pay for leaving the log: the actor at s, the critics' target at s'."""

    actor_weight: Scalar
    critic_weight: Scalar

    def critics(self, plain: MLP) -> Network:
        return normalised(plain)

    def update(
        self, agent: td3.Learner, rows: LogRows, key: Key[Array, ""], c: Coefficients
    ) -> tuple[td3.Learner, dict[str, Array]]:
        agent, logged = super().update(agent, rows, key, c)
        return agent, logged | {"rows/continued": jnp.mean(rows.continued)}

    def targets(
        self, agent: td3.Learner, rows: LogRows, noise: Float[Array, "rows act"], c: Coefficients
    ) -> Float[Array, " rows"]:
        """y = r + gamma d (min_k Q'_k(s', a') - critic_weight |a' - b|^2), b what the log did at s', if it tells."""
        following = rows.now.next_observation
        action = self.target_action(agent, following, noise)
        distance = rows.continued * jnp.sum((action - rows.next_action) ** 2, axis=-1)
        smallest = jnp.min(q_values(agent.slow_critics, following, action), axis=0)
        return bellman(rows.now, smallest - self.critic_weight * distance, c.discount)

    def actor_loss(self, actor: MLP, critics: Network, rows: LogRows) -> Scalar:
        return actor_loss(actor, critics, rows, self.actor_weight)


def actor_loss(actor: MLP, critics: Network, rows: LogRows, weight: Scalar) -> Scalar:
    """mean(weight |pi(s) - a|^2) - mean(min_k Q_k(s, pi(s))) / mean|min_k Q_k|, no gradient through the division."""
    action = mode(actor, rows.now.observation)
    smallest = jnp.min(q_values(critics, rows.now.observation, action), axis=0)
    distance = jnp.sum((action - rows.now.action) ** 2, axis=-1)
    size = jax.lax.stop_gradient(jnp.mean(jnp.abs(smallest)))
    return weight * jnp.mean(distance) - jnp.mean(smallest) / size


def build(options: Options) -> Rebrac:
    """The method with these coefficients."""
    check_values(options)
    return Rebrac(
        actor_weight=jnp.asarray(options.actor_weight, jnp.float32),
        critic_weight=jnp.asarray(options.critic_weight, jnp.float32),
        **options.fields(),
    )
