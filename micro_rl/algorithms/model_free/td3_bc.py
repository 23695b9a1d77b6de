"""TD3+BC (arXiv 2106.06860): TD3 whose actor is also pulled to the log's actions."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Scalar

from micro_rl.algorithms.model_free import td3
from micro_rl.algorithms.model_free.base import CRITICS, TRAINING
from micro_rl.algorithms.sac import Coefficients
from micro_rl.algorithms.slots import bellman
from micro_rl.core.networks import MLP, Network, action_error, mode, q_values
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.types import LogRows

SUMMARY = "TD3 whose actor is also pulled to the log's actions"
PAPER = "arXiv 2106.06860"
USES = TRAINING | CRITICS
DEFAULTS: dict[str, Any] = {}


@dataclass(frozen=True)
class Options(td3.Options):
    """TD3+BC's own settings."""

    alpha: Annotated[float, Setting(minimum=0, source="sfujim/TD3_BC: main.py")] = 2.5
    """How much the critics' value counts beside the distance to the log's actions; 0 is cloning."""


class Td3Bc(td3.Td3):
    """Clipped double Q with smoothed target actions; the actor on -weight Q / mean|Q| + (pi(s) - a)^2."""

    alpha: Scalar

    def targets(
        self, agent: td3.Learner, rows: LogRows, noise: Float[Array, "rows act"], c: Coefficients
    ) -> Float[Array, " rows"]:
        """y = r + gamma d min_k Q'_k(s', a'), a' the slow actor's action with clipped noise, within its bounds."""
        following = rows.now.next_observation
        action = self.target_action(agent, following, noise)
        return bellman(rows.now, jnp.min(q_values(agent.slow_critics, following, action), axis=0), c.discount)

    def actor_loss(self, actor: MLP, critics: Network, rows: LogRows) -> Scalar:
        return actor_loss(actor, critics, rows, self.alpha)


def actor_loss(actor: MLP, critics: Network, rows: LogRows, weight: Scalar) -> Scalar:
    """-weight mean(Q_1(s, pi(s))) / mean|Q_1| + mean (pi(s) - a)^2; no gradient flows through the division."""
    now = rows.now
    q = q_values(critics, now.observation, mode(actor, now.observation))[0]
    size = jax.lax.stop_gradient(jnp.mean(jnp.abs(q)))
    return action_error(actor, now.observation, now.action) - weight * jnp.mean(q) / size


def build(options: Options) -> Td3Bc:
    """The method with these coefficients."""
    check_values(options)
    return Td3Bc(alpha=jnp.asarray(options.alpha, jnp.float32), **options.fields())
