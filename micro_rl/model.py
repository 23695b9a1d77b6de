"""The Gaussian ensemble: what it predicts, its loss, and one epoch of fitting it (PETS, arXiv 1805.12114)."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int, Key, PyTree, Scalar

from micro_rl import windows
from micro_rl.draws import orders
from micro_rl.nets import MLP, normal_mlp
from micro_rl.optimise import descend, moments_of
from micro_rl.settings import FitSizes
from micro_rl.types import Transition

FIRST_LOG_VARIANCE = (-10.0, 0.5)
CONSTANT = 1e-6
"""A column that varies by less than this share of its own size is constant: float32 tells no more."""


class Members(eqx.Module):
    """What is learned: the stacked networks and the bounds of their log-variances, shared by the members."""

    net: MLP
    max_logvar: Float[Array, " out"]
    min_logvar: Float[Array, " out"]


class Ensemble(eqx.Module):
    """Members in order of holdout error, with the units of their inputs and targets."""

    members: Members
    input_mean: Float[Array, " in"]
    input_std: Float[Array, " in"]
    target_mean: Float[Array, " out"]
    target_std: Float[Array, " out"]

    @property
    def size(self) -> int:
        """How many members there are."""
        return self.members.net.weights[0].shape[0]

    def best(self, count: int) -> "Ensemble":
        """The `count` members with the smallest holdout error: the elites."""
        net = jax.tree.map(lambda leaf: leaf[:count], self.members.net)
        return eqx.tree_at(lambda e: e.members.net, self, net)


class Models(NamedTuple):
    """A fitted ensemble as methods see it: every member, and the best of them, the elites."""

    members: Ensemble
    elites: Ensemble

    @classmethod
    def of(cls, ensemble: Ensemble, elites: int) -> "Models":
        """With so many elites."""
        return cls(ensemble, ensemble.best(elites))

    @classmethod
    def none(cls) -> "Models":
        """Stands where a learner without a model hands one to a method that never looks at it."""
        empty = jnp.zeros(0)
        ensemble = Ensemble(Members(MLP((), ()), empty, empty), empty, empty, empty, empty)
        return cls(ensemble, ensemble)


def inputs_of(rows: Transition) -> Float[Array, "*rows in"]:
    """Observation and action, side by side."""
    return jnp.concatenate([rows.observation, rows.action], axis=-1)


def targets_of(rows: Transition, newest: int | None = None) -> Float[Array, "*rows out"]:
    """Change of the observation and reward, side by side; of a window only its `newest` columns, the rest is known."""
    change = rows.next_observation[..., :newest] - rows.observation[..., :newest]
    return jnp.concatenate([change, rows.reward[..., None]], axis=-1)


def gaussians(members: Members, inputs: Array) -> tuple[Array, Array]:
    """Mean and variance, in standardised units: [member, rows, out] each.

    `inputs` are standardised: [rows, in], or [member, rows, in] where each member sees its own rows.
    PETS clamps the log-variance softly by two softplus, from above and then from below; the variance that
    comes of it is exp(min) + exp(max) sigmoid(logvar - max), which is cheaper by far.
    """
    mean, logvar = jnp.split(members.net(inputs, jax.nn.swish), 2, axis=-1)
    bounds = (1,) * (logvar.ndim - 1) + (-1,)
    highest, lowest = members.max_logvar.reshape(bounds), members.min_logvar.reshape(bounds)
    return mean, jnp.exp(lowest) + jnp.exp(highest) * jax.nn.sigmoid(logvar - highest)


def predict(
    ensemble: Ensemble,
    observation: Float[Array, "*member rows obs"],
    action: Float[Array, "*member rows act"],
) -> tuple[Float[Array, "members rows out"], Float[Array, "members rows out"]]:
    """Mean and standard deviation of (next observation, reward), per member, in core units.

    In windows the networks predict the newest observation. What is older is known: copied, with deviation 0.
    """
    inputs = standardise(jnp.concatenate([observation, action], axis=-1), ensemble.input_mean, ensemble.input_std)
    mean, variance = gaussians(ensemble.members, inputs)
    last = (1,) * (mean.ndim - 1) + (-1,)
    target_std = ensemble.target_std.reshape(last)
    mean = mean * target_std + ensemble.target_mean.reshape(last)
    newest = mean.shape[-1] - 1
    mean = mean.at[..., :-1].add((observation if observation.ndim == 3 else observation[None])[..., :newest])
    std = jnp.sqrt(variance) * target_std
    if newest == observation.shape[-1]:
        return mean, std
    return _window_mean(mean, observation, action), _window_std(std, observation.shape[-1] - newest)


def predicted_part(ensemble: Ensemble, outcome: Float[Array, "*rows out"]) -> Float[Array, "*rows predicted"]:
    """Of (next observation, reward) what the networks predict: all of it, or in windows the newest and the reward."""
    newest = ensemble.target_mean.shape[0] - 1
    if outcome.shape[-1] == newest + 1:
        return outcome
    return jnp.concatenate([outcome[..., :newest], outcome[..., -1:]], axis=-1)


def _window_mean(mean: Float[Array, "members rows out"], observation: Array, action: Array) -> Array:
    lead = mean.shape[:-1]
    window, action = (jnp.broadcast_to(part, (*lead, part.shape[-1])) for part in (observation, action))
    return jnp.concatenate([*windows.following(mean[..., :-1], window, action), mean[..., -1:]], axis=-1)


def _window_std(std: Float[Array, "members rows out"], known: int) -> Array:
    return jnp.concatenate([std[..., :-1], jnp.zeros((*std.shape[:-1], known)), std[..., -1:]], axis=-1)


def standardise(x: Array, mean: Array, std: Array) -> Array:
    """Columns less their means, over their deviations."""
    last = (1,) * (x.ndim - 1) + (-1,)
    return (x - mean.reshape(last)) / std.reshape(last)


def likelihood_loss(
    members: Members, inputs: Float[Array, "*member rows in"], targets: Float[Array, "*member rows out"]
) -> Scalar:
    """Gaussian negative log-likelihood up to constants, summed over members (PETS, section 4)."""
    mean, variance = gaussians(members, inputs)
    return jnp.sum(jnp.mean((mean - targets) ** 2 / variance + jnp.log(variance), axis=(-2, -1)))


def weight_decay(members: Members, rates: tuple[float, ...]) -> Scalar:
    """0.5 * rate * |w|^2 per layer; biases are free."""
    layers = zip(rates, members.net.weights, strict=True)
    return sum((0.5 * rate * jnp.sum(weight**2) for rate, weight in layers), start=jnp.zeros(()))


def fit_loss(members: Members, inputs: Array, targets: Array, sizes: FitSizes) -> Scalar:
    """What a fitting step minimises: likelihood, weight decay, and a pull on the log-variance bounds."""
    spread = jnp.sum(members.max_logvar) - jnp.sum(members.min_logvar)
    return (
        likelihood_loss(members, inputs, targets)
        + weight_decay(members, sizes.weight_decay)
        + sizes.logvar_weight * spread
    )


def holdout_errors(members: Members, inputs: Array, targets: Array) -> Float[Array, " member"]:
    """Mean squared error of each member's mean, in the units of the targets."""
    mean, _ = gaussians(members, inputs)
    return jnp.mean((mean - targets[None]) ** 2, axis=(-2, -1))


class Patience(NamedTuple):
    """Each member's best holdout error and its epoch; epochs since any member improved."""

    error: Float[Array, " member"]
    epoch: Int[Array, " member"]
    stale: Int[Array, ""]

    @classmethod
    def start(cls, members: int) -> "Patience":
        """Nothing seen yet."""
        return cls(jnp.full(members, jnp.inf), jnp.zeros(members, jnp.int32), jnp.zeros((), jnp.int32))

    def see(self, errors: Float[Array, " member"], epoch: Int[Array, ""]) -> tuple["Patience", Array]:
        """A member improves when it gains more than 1 % on its best; also says which did."""
        improved = errors < 0.99 * self.error
        seen = Patience(
            jnp.where(improved, errors, self.error),
            jnp.where(improved, epoch, self.epoch),
            jnp.where(jnp.any(improved), 0, self.stale + 1),
        )
        return seen, improved


class FitState(NamedTuple):
    """Everything a fit carries from epoch to epoch."""

    members: Members
    best: MLP
    moments: PyTree
    patience: Patience
    epoch: Int[Array, ""]
    bootstrap: Int[Array, "member train"]
    holdout: Int[Array, " holdout"]
    input_mean: Float[Array, " in"]
    input_std: Float[Array, " in"]
    target_mean: Float[Array, " out"]
    target_std: Float[Array, " out"]


def start_fit(rows: Transition, sizes: FitSizes, key: Key[Array, ""]) -> FitState:
    """Split off the holdout rows, draw each member's bootstrap rows, initialise."""
    split_key, bootstrap_key, net_key = jax.random.split(key, 3)
    count = rows.reward.shape[0]
    train, held = split_rows(split_key, count, sizes)
    chosen = jax.random.randint(bootstrap_key, (sizes.members, len(train)), 0, len(train))
    newest = windows.newest(rows.observation.shape[-1], rows.action.shape[-1], sizes.history)
    inputs, targets = inputs_of(rows)[train], targets_of(rows, newest)[train]
    width_in, width_out = inputs.shape[-1], targets.shape[-1]
    net = normal_mlp(net_key, (width_in, *sizes.hidden, 2 * width_out), (sizes.members,))
    lowest, highest = (jnp.full(width_out, value) for value in FIRST_LOG_VARIANCE)
    members = Members(net, highest, lowest)
    input_mean, input_std = _moments(inputs)
    target_mean, target_std = _moments(targets)
    if not sizes.standardise_targets:
        target_mean, target_std = jnp.zeros(width_out), jnp.ones(width_out)
    return FitState(
        members=members,
        best=net,
        moments=moments_of(members),
        patience=Patience.start(sizes.members),
        epoch=jnp.zeros((), jnp.int32),
        bootstrap=train[chosen],
        holdout=held,
        input_mean=input_mean,
        input_std=input_std,
        target_mean=target_mean,
        target_std=target_std,
    )


def split_rows(key: Key[Array, ""], count: int, sizes: FitSizes) -> tuple[Int[Array, " train"], Int[Array, " holdout"]]:
    """Of so many rows those to fit and those to hold out, each in random order."""
    order = jax.random.permutation(key, count)
    held = max(1, min(int(count * sizes.holdout_fraction), sizes.holdout_rows, count - 1))
    return order[held:], order[:held]


def _moments(x: Float[Array, "rows width"]) -> tuple[Float[Array, " width"], Float[Array, " width"]]:
    """Mean and standard deviation per column; 1 for one that is constant but for rounding."""
    std, largest = jnp.std(x, axis=0), jnp.max(jnp.abs(x), axis=0)
    return jnp.mean(x, axis=0), jnp.where(std > CONSTANT * largest + 1e-12, std, 1.0)


def unfinished(state: FitState, sizes: FitSizes) -> Bool[Array, ""]:
    """Whether another epoch is due: some member improved within the last `patience` epochs."""
    return (state.patience.stale < sizes.patience) & (state.epoch < sizes.max_epochs)


def fit_epoch(
    state: FitState, rows: Transition, sizes: FitSizes, key: Key[Array, ""]
) -> tuple[FitState, dict[str, Array]]:
    """One pass over every member's bootstrap rows in a new order; a member keeps its best networks.

    The last batch is filled up with the pass's first rows. Once the fit is finished the state stays as it is.
    """
    batches = shuffled_batches(state.bootstrap, sizes.batch, key)
    step = fit_step(state, rows, sizes)
    (members, moments), losses = jax.lax.scan(step, (state.members, state.moments), batches)
    held = jax.tree.map(lambda column: column[state.holdout], rows)
    return conclude_epoch(state, members, moments, losses, held, sizes)


def conclude_epoch(
    state: FitState,
    members: Members,
    moments: PyTree,
    losses: Float[Array, " batch"],
    held: Transition,
    sizes: FitSizes,
) -> tuple[FitState, dict[str, Array]]:
    """The state after an epoch that began with `state` and made these members and moments; `held`: the holdout rows."""
    errors = holdout_errors(members, *_standardised(state, held))
    patience, improved = state.patience.see(errors, state.epoch)
    after = state._replace(
        members=members,
        best=jax.tree.map(lambda new, old: _where(improved, new, old), members.net, state.best),
        moments=moments,
        patience=patience,
        epoch=state.epoch + 1,
    )
    due = unfinished(state, sizes)
    state = jax.tree.map(lambda new, old: jnp.where(due, new, old), after, state)
    return state, {"loss": jnp.mean(losses), "holdout": errors}


def shuffled_batches(bootstrap: Array, batch: int, key: Array) -> Int[Array, "batches member batch"]:
    """An epoch's batches: every member's own rows in a new order."""
    members, count = bootstrap.shape
    rows = jnp.take_along_axis(bootstrap, orders(key, bootstrap.shape), axis=1)
    batch = min(batch, count)
    batches = -(-count // batch)
    filled = jnp.concatenate([rows, rows[:, : batches * batch - count]], axis=1)
    return filled.reshape(members, batches, batch).swapaxes(0, 1)


def _standardised(state: FitState, rows: Transition) -> tuple[Array, Array]:
    inputs = standardise(inputs_of(rows), state.input_mean, state.input_std)
    newest = state.target_mean.shape[0] - 1
    return inputs, standardise(targets_of(rows, newest), state.target_mean, state.target_std)


def fit_step(state: FitState, rows: Transition, sizes: FitSizes):
    """The step of a scan over an epoch's batches: (members, moments) and row numbers to the next, and the loss."""

    def step(carry, index):
        members, moments = carry
        batch = jax.tree.map(lambda column: column[index], rows)
        loss, gradient = jax.value_and_grad(fit_loss)(members, *_standardised(state, batch), sizes)
        return descend(members, gradient, moments, sizes.rate), loss

    return step


def _where(improved: Bool[Array, " member"], new: Array, old: Array) -> Array:
    return jnp.where(improved.reshape((-1,) + (1,) * (new.ndim - 1)), new, old)


def finish_fit(state: FitState) -> Ensemble:
    """Every member at its best epoch, in order of its holdout error; the variance bounds as they ended."""
    order = jnp.argsort(state.patience.error)
    members = Members(
        jax.tree.map(lambda leaf: leaf[order], state.best),
        state.members.max_logvar,
        state.members.min_logvar,
    )
    return Ensemble(members, state.input_mean, state.input_std, state.target_mean, state.target_std)
