"""TD3+BC (arXiv 2106.06860): TD3 whose actor is also pulled to the log's actions."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, Scalar

from micro_rl.algorithms.model_free import td3
from micro_rl.algorithms.model_free.base import CRITICS, TRAINING, ModelFreeMethod
from micro_rl.algorithms.sac import Coefficients
from micro_rl.algorithms.slots import bellman
from micro_rl.core.networks import MLP, Network, action_error, mode, q_values, steady_mlp, uniform_mlp
from micro_rl.core.setting import AUTHORS, Setting, check_values
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import LogRows

SUMMARY = "TD3 whose actor is also pulled to the log's actions"
PAPER = "arXiv 2106.06860"
USES = TRAINING | CRITICS
DEFAULTS: dict[str, Any] = {}


@dataclass(frozen=True)
class Options:
    """TD3+BC's own settings."""

    alpha: Annotated[float, Setting(minimum=0, source=AUTHORS)] = 2.5
    """How much the critics' value counts beside the distance to the log's actions; 0 is cloning."""
    policy_noise: Annotated[float, Setting(minimum=0, source=AUTHORS)] = 0.2
    """Standard deviation of the noise on the target's next action, of actions in [-1, 1]."""
    noise_clip: Annotated[float, Setting(minimum=0, source=AUTHORS)] = 0.5
    """Most of that noise."""
    policy_delay: Annotated[int, Setting(minimum=1, unit="updates", source=AUTHORS)] = 2
    """Updates of the critics for each of the actor and of the slow copies; divides `updates_per_epoch`."""


class Td3Bc(ModelFreeMethod):
    """Clipped double Q with smoothed target actions; the actor on -weight Q / mean|Q| + (pi(s) - a)^2."""

    alpha: Scalar
    policy_noise: Scalar
    noise_clip: Scalar
    steps: int = eqx.field(static=True)

    def start(self, key: Key[Array, ""], obs: int, act: int, sizes: Sizes, temperature: Scalar | float) -> td3.Learner:
        actor_key, critic_key = jax.random.split(key)
        critics = uniform_mlp(critic_key, (obs + act, *sizes.hidden_sizes, 1), (sizes.num_critics,))
        return td3.begin(steady_mlp(actor_key, obs, act, sizes.hidden_sizes), critics)

    def update(
        self, agent: td3.Learner, rows: LogRows, key: Key[Array, ""], c: Coefficients
    ) -> tuple[td3.Learner, dict[str, Array]]:
        targets, loss = partial(self.targets, c=c), partial(actor_loss, weight=self.alpha)
        return td3.turn(agent, rows, key, c, self.steps, targets, loss)

    def targets(
        self, agent: td3.Learner, rows: LogRows, noise: Float[Array, "rows act"], c: Coefficients
    ) -> Float[Array, " rows"]:
        """y = r + gamma d min_k Q'_k(s', a'), a' the slow actor's action with clipped noise, within its bounds."""
        following = rows.now.next_observation
        action = td3.smoothed(agent.slow_actor, following, noise, self.policy_noise, self.noise_clip)
        return bellman(rows.now, jnp.min(q_values(agent.slow_critics, following, action), axis=0), c.discount)


def actor_loss(actor: MLP, critics: Network, rows: LogRows, weight: Scalar) -> Scalar:
    """-weight mean(Q_1(s, pi(s))) / mean|Q_1| + mean (pi(s) - a)^2; no gradient flows through the division."""
    now = rows.now
    q = q_values(critics, now.observation, mode(actor, now.observation))[0]
    size = jax.lax.stop_gradient(jnp.mean(jnp.abs(q)))
    return action_error(actor, now.observation, now.action) - weight * jnp.mean(q) / size


def build(options: Options) -> Td3Bc:
    """The method with these coefficients."""
    check_values(options)
    return Td3Bc(
        alpha=jnp.asarray(options.alpha, jnp.float32),
        policy_noise=jnp.asarray(options.policy_noise, jnp.float32),
        noise_clip=jnp.asarray(options.noise_clip, jnp.float32),
        steps=options.policy_delay,
    )
