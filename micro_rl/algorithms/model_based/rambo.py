"""RAMBO (arXiv 2204.12581): the model itself is trained to be bad for the policy, as far as the log lets it."""

from dataclasses import dataclass
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, PyTree, Scalar

from micro_rl.algorithms.buffer import draw_log
from micro_rl.algorithms.model_based.rambo_adversary import TurnAgainst
from micro_rl.algorithms.slots import Method, Prepare
from micro_rl.core.model_settings import WEIGHT_DECAY
from micro_rl.core.networks import MLP, sample
from micro_rl.core.optim import adam_step, init_opt_state
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble

SUMMARY = "an adversarial model: after every epoch it learns to be worse for the policy, within the log"
PAPER = "arXiv 2204.12581"


@dataclass(frozen=True)
class Options:
    """RAMBO's own settings."""

    adversarial_weight: Annotated[float, Setting(minimum=0, source="OfflineRL-Kit: 3e-4 or 0 by task")] = 3e-4
    """How strongly the model is turned against the policy; 0 leaves it with learning from the log."""
    adversarial_steps: Annotated[int, Setting(minimum=0, unit="steps", source="OfflineRL-Kit")] = 1000
    """Steps of the model after each epoch, in whole episodes of `adversarial_length`; 0 leaves it alone."""
    adversarial_lr: Annotated[float, Setting(above=0, source="OfflineRL-Kit")] = 3e-4
    """Adam's learning rate of these steps."""
    adversarial_batch_size: Annotated[int, Setting(minimum=1, unit="rows", source="OfflineRL-Kit")] = 256
    """Rows of the log, and as many imagined rows, in each of these steps."""
    adversarial_length: Annotated[int, Setting(minimum=1, unit="steps", source="OfflineRL-Kit: 2 or 5 by task")] = 5
    """Steps of the imagined episodes in them."""
    model_decay: Annotated[tuple[float, ...], Setting(minimum=0, source="OfflineRL-Kit")] = WEIGHT_DECAY
    """Weight decay per layer of the model in these steps."""
    clone_epochs: Annotated[int, Setting(minimum=0, unit="epochs", source="OfflineRL-Kit")] = 50
    """Passes over the log in which the actor first learns to do as the log did; 0: it starts fresh."""
    clone_lr: Annotated[float, Setting(above=0, source="OfflineRL-Kit")] = 1e-4
    """Adam's learning rate of the cloning."""


class CloneFirst(Prepare):
    """The actor begins as a clone of the behaviour; what is remembered are Adam's moments of the model."""

    rate: Scalar
    epochs: int = eqx.field(static=True)
    batch: int = eqx.field(static=True, default=256)

    def __call__(self, actor: MLP, ensemble: Ensemble, log: Transition, key: Key[Array, ""]) -> tuple[MLP, PyTree]:
        updates = self.epochs * max(1, log.reward.shape[0] // self.batch)

        def step(carry: tuple[MLP, PyTree], step_key: Array) -> tuple[tuple[MLP, PyTree], None]:
            rows = draw_log(log, step_key, self.batch)
            noise = jax.random.normal(jax.random.fold_in(step_key, 1), rows.action.shape)
            gradient = jax.grad(sampled_error)(carry[0], rows, noise)
            return adam_step(carry[0], gradient, carry[1], self.rate), None

        (actor, _), _ = jax.lax.scan(step, (actor, init_opt_state(actor)), jax.random.split(key, updates))
        return actor, init_opt_state(ensemble.members)


def sampled_error(actor: MLP, rows: Transition, noise: Float[Array, "rows act"]) -> Scalar:
    """Mean squared distance of what the actor draws from what was done: its spread costs, too, and shrinks."""
    return jnp.mean((sample(actor, rows.observation, noise)[0] - rows.action) ** 2)


def build(options: Options) -> Method:
    """The method with these coefficients."""
    check_values(options)
    weight, rate, clone_lr = (
        jnp.asarray(value, jnp.float32)
        for value in (options.adversarial_weight, options.adversarial_lr, options.clone_lr)
    )
    update_model = TurnAgainst(
        weight=weight,
        rate=rate,
        steps=options.adversarial_steps,
        batch=options.adversarial_batch_size,
        length=options.adversarial_length,
        decay=options.model_decay,
    )
    return Method(prepare=CloneFirst(clone_lr, options.clone_epochs), update_model=update_model)
