"""The fit of the ensemble: its state, one epoch of it, when it is over, and what it ends with."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int, Key, PyTree, Scalar

from micro_rl.core import windows
from micro_rl.core.first_bad import first_bad
from micro_rl.core.networks import Network, normal_mlp, normalised
from micro_rl.core.optim import adam_step, init_opt_state
from micro_rl.core.random import orders
from micro_rl.core.sizes import FitSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import CONSTANT, Ensemble, Members, inputs_of, standardise, targets_of
from micro_rl.dynamics.losses import fit_loss, holdout_errors

FIRST_LOG_VARIANCE = (-10.0, 0.5)
DROP = 0.3
"""Of the learning rate so much is left after a drop."""


class Patience(NamedTuple):
    """Each member's best holdout error and its epoch; epochs since any member improved."""

    error: Float[Array, " member"]
    epoch: Int[Array, " member"]
    stale: Int[Array, ""]

    @classmethod
    def start(cls, members: int) -> "Patience":
        """Nothing seen yet."""
        return cls(jnp.full(members, jnp.inf, jnp.float32), jnp.zeros(members, jnp.int32), jnp.zeros((), jnp.int32))

    def see(self, errors: Float[Array, " member"], epoch: Int[Array, ""]) -> tuple["Patience", Array]:
        """A member improves when it gains more than 1 % on its best; also says which did."""
        improved = errors < 0.99 * self.error
        patience = Patience(
            jnp.where(improved, errors, self.error),
            jnp.where(improved, epoch, self.epoch),
            jnp.where(jnp.any(improved), 0, self.stale + 1),
        )
        return patience, improved


class FitState(NamedTuple):
    """Everything a fit carries from epoch to epoch."""

    members: Members
    best: Network
    moments: PyTree
    patience: Patience
    epoch: Int[Array, ""]
    bootstrap: Int[Array, "member train"]
    holdout: Int[Array, "*member holdout"]
    """Of all members, or of each its own."""
    input_mean: Float[Array, " in"]
    input_std: Float[Array, " in"]
    target_mean: Float[Array, " out"]
    target_std: Float[Array, " out"]
    drops: Int[Array, ""] | None = None
    """How often the learning rate has dropped; None where it never does."""


def start_fit(rows: Transition, sizes: FitSizes, key: Key[Array, ""]) -> FitState:
    """Split off the holdout rows, draw each member's bootstrap rows, initialise."""
    split_key, bootstrap_key, net_key = jax.random.split(key, 3)
    count = rows.reward.shape[0]
    train, holdout = split_rows(split_key, count, sizes)
    chosen = jax.random.randint(bootstrap_key, (sizes.ensemble_size, len(train)), 0, len(train))
    newest = windows.newest(rows.observation.shape[-1], rows.action.shape[-1], sizes.history)
    inputs, targets = inputs_of(rows)[train], targets_of(rows, newest)[train]
    width_in, width_out = inputs.shape[-1], targets.shape[-1]
    plain = normal_mlp(net_key, (width_in, *sizes.hidden_sizes, 2 * width_out), (sizes.ensemble_size,))
    net = normalised(plain, before_activation=True) if sizes.norm else plain
    lowest, highest = (jnp.full(width_out, value, jnp.float32) for value in FIRST_LOG_VARIANCE)
    members = Members(net, highest, lowest)
    input_mean, input_std = _moments(inputs)
    target_mean, target_std = _moments(targets)
    if not sizes.standardise_targets:
        target_mean, target_std = jnp.zeros(width_out), jnp.ones(width_out)
    return FitState(
        members=members,
        best=net,
        moments=init_opt_state(members),
        patience=Patience.start(sizes.ensemble_size),
        epoch=jnp.zeros((), jnp.int32),
        bootstrap=train[chosen],
        holdout=holdout,
        input_mean=input_mean,
        input_std=input_std,
        target_mean=target_mean,
        target_std=target_std,
        drops=jnp.zeros((), jnp.int32) if sizes.lr_drops else None,
    )


def split_rows(key: Key[Array, ""], count: int, sizes: FitSizes) -> tuple[Int[Array, " train"], Int[Array, " holdout"]]:
    """Of so many rows those to fit and those to hold out, each in random order."""
    order = jax.random.permutation(key, count)
    size = max(1, min(int(count * sizes.holdout_fraction), sizes.holdout_rows, count - 1))
    return order[size:], order[:size]


def _moments(x: Float[Array, "rows width"]) -> tuple[Float[Array, " width"], Float[Array, " width"]]:
    """Mean and standard deviation per column; 1 for one that is constant but for rounding."""
    std, largest = jnp.std(x, axis=0), jnp.max(jnp.abs(x), axis=0)
    return jnp.mean(x, axis=0), jnp.where(std > CONSTANT * largest + 1e-12, std, 1.0)


def unfinished(state: FitState, sizes: FitSizes) -> Bool[Array, ""]:
    """Whether another epoch is due: some member improved, or the learning rate dropped, within `patience` epochs."""
    return (state.patience.stale < sizes.patience) & (state.epoch < sizes.max_epochs)


def fit_epoch(
    state: FitState, rows: Transition, sizes: FitSizes, key: Key[Array, ""]
) -> tuple[FitState, dict[str, Array], dict[str, Int[Array, ""]]]:
    """One pass over every member's bootstrap rows in a new order; a member keeps its best networks.

    The last batch is filled up with the pass's first rows. Once the fit is finished the state stays as it is.

    Returns:
        The state after it; the mean loss and the members' holdout errors [member]; and the first batch (from 1; 0
        where there is none) whose loss was not finite.
    """
    batches = shuffled_batches(state.bootstrap, sizes.batch_size, key)
    step = fit_step(state, rows, sizes)
    (members, moments), losses = jax.lax.scan(step, (state.members, state.moments), batches)
    holdout = jax.tree.map(lambda column: column[state.holdout], rows)
    return conclude_epoch(state, members, moments, losses, holdout, sizes)


def conclude_epoch(
    state: FitState,
    members: Members,
    moments: PyTree,
    losses: Float[Array, " batch"],
    holdout: Transition,
    sizes: FitSizes,
) -> tuple[FitState, dict[str, Array], dict[str, Int[Array, ""]]]:
    """The state after an epoch that began with `state` and made these members and moments, by the rows of `holdout`."""
    errors = holdout_errors(members, *_standardised(state, holdout), sizes.exogenous)
    patience, improved = state.patience.see(errors, state.epoch)
    after = state._replace(
        members=members,
        best=jax.tree.map(lambda new, old: _where(improved, new, old), members.net, state.best),
        moments=moments,
        patience=patience,
        epoch=state.epoch + 1,
    )
    if state.drops is not None:
        after = _dropped(after, state.drops, sizes)
    due = unfinished(state, sizes)
    state = jax.tree.map(lambda new, old: jnp.where(due, new, old), after, state)
    return state, {"loss": jnp.mean(losses), "holdout": errors}, {"loss": first_bad(losses)}


def _dropped(state: FitState, drops: Int[Array, ""], sizes: FitSizes) -> FitState:
    """Where patience has run out and the learning rate may drop once more, it does, and patience begins anew."""
    drop = (state.patience.stale >= sizes.patience) & (drops < sizes.lr_drops)
    patience = state.patience._replace(stale=jnp.where(drop, 0, state.patience.stale))
    return state._replace(patience=patience, drops=drops + drop)


def learning_rate(state: FitState, sizes: FitSizes) -> Scalar | float:
    """Adam's, after as many drops as there have been."""
    return sizes.lr if state.drops is None else sizes.lr * DROP**state.drops


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
    rate = learning_rate(state, sizes)

    def step(carry, index):
        members, moments = carry
        batch = jax.tree.map(lambda column: column[index], rows)
        loss, gradient = jax.value_and_grad(fit_loss)(members, *_standardised(state, batch), sizes)
        return adam_step(members, gradient, moments, rate), loss

    return step


def _where(improved: Bool[Array, " member"], new: Array, old: Array) -> Array:
    return jnp.where(improved.reshape((-1,) + (1,) * (new.ndim - 1)), new, old)


@jax.jit
def finish_fit(state: FitState) -> Ensemble:
    """Every member at its best epoch, in order of its holdout error; the variance bounds as they ended."""
    order = jnp.argsort(state.patience.error)
    members = Members(
        jax.tree.map(lambda leaf: leaf[order], state.best),
        state.members.max_logvar,
        state.members.min_logvar,
    )
    return Ensemble(members, state.input_mean, state.input_std, state.target_mean, state.target_std)


compiled_start = jax.jit(start_fit, static_argnames="sizes")
compiled_epoch = jax.jit(fit_epoch, static_argnames="sizes", donate_argnames="state")
