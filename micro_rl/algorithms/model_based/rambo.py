"""RAMBO (arXiv 2204.12581): the model itself is trained to be bad for the policy, as far as the log lets it."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Key, PyTree, Scalar

from micro_rl.algorithms.buffer import draw_log
from micro_rl.algorithms.model_based.rambo_adversary import TurnAgainst
from micro_rl.algorithms.slots import Method, Prepare
from micro_rl.core.networks import MLP, action_error
from micro_rl.core.optim import adam_step, init_opt_state
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.errors import UserError

SUMMARY = "an adversarial model: after every epoch it learns to be worse for the policy, within the log"
PAPER = "arXiv 2204.12581"


@dataclass(frozen=True)
class Options:
    """RAMBO's own settings."""

    adversarial_weight: float = 3e-4
    """How strongly the model is turned against the policy; 0 leaves it with learning from the log."""
    adversarial_steps: int = 1000
    """Steps of the model after each epoch; 0 leaves it alone."""
    adversarial_lr: float = 3e-4
    """Adam's learning rate of these steps."""
    adversarial_batch_size: int = 256
    """Rows of the log, and as many imagined rows, in each of these steps."""
    adversarial_length: int = 5
    """Steps of the imagined episodes in them."""
    model_decay: tuple[float, ...] = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
    """Weight decay per layer of the model in these steps."""
    clone_epochs: int = 50
    """Passes over the log in which the actor first learns to do as the log did; 0: it starts fresh."""
    clone_lr: float = 1e-4
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
            gradient = jax.grad(action_error)(carry[0], rows.observation, rows.action)
            return adam_step(carry[0], gradient, carry[1], self.rate), None

        (actor, _), _ = jax.lax.scan(step, (actor, init_opt_state(actor)), jax.random.split(key, updates))
        return actor, init_opt_state(ensemble.members)


def build(options: Options) -> Method:
    """The method with these coefficients."""
    for name in ("adversarial_weight", "adversarial_steps", "clone_epochs"):
        if getattr(options, name) < 0:
            raise UserError(f"{name}: {getattr(options, name)} is negative")
    for name in ("adversarial_lr", "adversarial_batch_size", "adversarial_length", "clone_lr"):
        if not getattr(options, name) > 0:
            raise UserError(f"{name}: {getattr(options, name)} is not positive")
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
