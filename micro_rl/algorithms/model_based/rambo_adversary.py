"""RAMBO's adversary (arXiv 2204.12581): steps of the model that make it worse for the policy."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Key, PyTree, Scalar

from micro_rl.algorithms.buffer import draw_log, draw_numbers
from micro_rl.algorithms.rollout import Replayed, sample_ensemble
from micro_rl.algorithms.slots import EpochContext, MethodContext, ModelUpdate
from micro_rl.core.networks import q_values, sample
from micro_rl.core.optim import adam_step
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Transition
from micro_rl.core.wording import plural
from micro_rl.dynamics.ensemble import (
    Ensemble,
    Members,
    Models,
    inputs_of,
    predict,
    predicted_part,
    standardise,
    targets_of,
)
from micro_rl.dynamics.losses import likelihood_loss, weight_decay
from micro_rl.errors import UserError


def log_density(
    members: Members,
    elites: int,
    units: Ensemble,
    rows: Transition,
    outcome: Float[Array, "rows out"],
    exogenous: Bool[Array, " obs"] | None = None,
) -> Float[Array, " rows"]:
    """log of the mean over the elites of T_i(s', r | s, a), exogenous columns of s' left out."""
    ensemble = eqx.tree_at(lambda e: e.members, units, members).best(elites)
    mean, std = predict(ensemble, rows.observation, rows.action)
    outcome, mean, std = (predicted_part(units, part) for part in (outcome, mean, std))
    by_column = jax.scipy.stats.norm.logpdf(outcome[None], mean, std)
    if exogenous is not None:
        newest = by_column.shape[-1] - 1
        by_column = jnp.where(jnp.append(exogenous[:newest], False), 0.0, by_column)
    each = jnp.sum(by_column, axis=-1)
    return jax.nn.logsumexp(each, axis=0) - jnp.log(float(elites))


def advantage(context: MethodContext, rows: Transition, noise: Float[Array, "rows act"]) -> Float[Array, " rows"]:
    """r + gamma d min_k Q_k(s', a') - min_k Q_k(s, a), a' the policy's, standardised over the rows."""
    action, _ = sample(context.actor, rows.next_observation, noise)
    following = jnp.min(q_values(context.critics, rows.next_observation, action), axis=0)
    now = jnp.min(q_values(context.critics, rows.observation, rows.action), axis=0)
    gain = rows.reward + context.discount * rows.discount * following - now
    return (gain - jnp.mean(gain)) / (jnp.std(gain, ddof=1) + 1e-6)


class TurnAgainst(ModelUpdate):
    """Steps on weight log T(s', r | s, a) advantage (by the policy-gradient theorem) + the fit's loss."""

    weight: Scalar
    rate: Scalar
    steps: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    length: int = eqx.field(static=True)
    decay: tuple[float, ...] = eqx.field(static=True)
    logvar_weight: float = eqx.field(static=True, default=0.001)

    def __call__(
        self, ensemble: Ensemble, method_state: PyTree, context: EpochContext, key: Key[Array, ""]
    ) -> tuple[Ensemble, PyTree]:
        if not self.steps:
            return ensemble, method_state
        episode = partial(self._episode, units=ensemble, context=context)
        keys = jax.random.split(key, -(-self.steps // self.length))
        (members, moments), _ = jax.lax.scan(episode, (ensemble.members, method_state), keys)
        return eqx.tree_at(lambda e: e.members, ensemble, members), moments

    def refuse(self, sizes: ModelSizes) -> None:
        if self.steps and len(self.decay) != sizes.layers:
            raise UserError(
                f"model_decay: {plural(len(self.decay), 'value')} for {plural(sizes.layers, 'layer')}; "
                "give one per layer of the model"
            )

    def _episode(self, carry, key: Array, *, units: Ensemble, context: EpochContext):
        start_key, steps_key = jax.random.split(key)
        observation, row = draw_log(context.log, start_key, self.batch).observation, None
        if context.replay is not None:
            row = draw_numbers(start_key, self.batch, context.log.reward.shape[0])

        def step(carry, step_key: Array):
            members, moments, observation, row = carry
            imagined_key, log_key = jax.random.split(step_key)
            now = eqx.tree_at(lambda e: e.members, units, members)
            rows, row = self._imagined(now, context, observation, row, imagined_key)
            noise = jax.random.normal(jax.random.fold_in(imagined_key, 9), rows.action.shape)
            gain = advantage(context.networks, context.paid(rows), noise)
            real = draw_log(context.log, log_key, self.batch)
            gradient = jax.grad(self._loss)(members, units, context.networks.models, rows, gain, real)
            members, moments = adam_step(members, gradient, moments, self.rate)
            return (members, moments, rows.next_observation, row), None

        (members, moments, *_), _ = jax.lax.scan(
            step, (*carry, observation, row), jax.random.split(steps_key, self.length)
        )
        return (members, moments), None

    def _imagined(
        self, ensemble: Ensemble, context: EpochContext, observation: Array, row: Array | None, key: Array
    ) -> tuple[Transition, Array | None]:
        """A step of the model from each observation, in a new order, and the log's next rows beside them."""
        order_key, action_key, state_key, end_key = jax.random.split(key, 4)
        observation = jax.random.permutation(order_key, observation)
        row = None if row is None else jax.random.permutation(order_key, row)
        actor, elites = context.networks.actor, context.networks.models.elites.size
        noise = jax.random.normal(action_key, (self.batch, actor.biases[-1].shape[-1] // 2))
        action, _ = sample(actor, observation, noise)
        outcome = sample_ensemble(ensemble.best(elites), observation, action, state_key)
        following = outcome[:, :-1]
        if row is not None and context.replay is not None:
            following, row = Replayed(row, context.log.next_observation, context.replay).put(following, row)
        return Transition(observation, action, outcome[:, -1], following, 1.0 - context.ends(following, end_key)), row

    def _loss(self, members: Members, units: Ensemble, models: Models, rows, gain, real) -> Scalar:
        outcome = jnp.concatenate([rows.next_observation, rows.reward[:, None]], axis=-1)
        density = log_density(members, models.elites.size, units, rows, outcome, models.exogenous)
        against = jnp.mean(density * gain)
        inputs = standardise(inputs_of(real), units.input_mean, units.input_std)
        targets = standardise(targets_of(real, units.target_mean.shape[0] - 1), units.target_mean, units.target_std)
        spread = jnp.sum(members.max_logvar) - jnp.sum(members.min_logvar)
        fit = likelihood_loss(members, inputs[None], targets[None]) + weight_decay(members, self.decay)
        return self.weight * against + fit + self.logvar_weight * spread
