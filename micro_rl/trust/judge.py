"""The judge: an ensemble whose members each leave two folds of the log out, and what each can vouch for.

Member k is fitted without folds k and k + 1 (modulo their number), on episodes drawn with repetition from the others.
So members k and k + 1 share fold k + 1, which neither saw: there the pair's scores are calibrated and its predictions
tested, as on the episodes of a stranger.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, Key

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.types import Scaling, Transition
from micro_rl.data import Dataset
from micro_rl.data.scaling import fit_scaling, to_core
from micro_rl.dynamics import support
from micro_rl.dynamics.ensemble import Ensemble, Members, predict, predicted_part
from micro_rl.dynamics.fit_epoch import FitState, compiled_epoch, compiled_start, unfinished
from micro_rl.dynamics.support import Reference
from micro_rl.errors import UserError
from micro_rl.trust.folds import LEFT_OUT, Folds
from micro_rl.trust.options import Effort

MOST_ROWS = 100_000
"""Rows that the members are fitted to; longer logs are thinned out evenly, by whole episodes."""
LEARNING_RATE = 1e-3


class Judge(NamedTuple):
    """What the log says of the system, by members that each know another part of it; core units.

    `scales` are what is usual for the three parts of the score of the unknown, `limit` the score that a chosen share
    of true transitions keeps, `allowed` the steps above it that a true window has, but for one in twenty.
    """

    ensemble: Ensemble
    known: Reference
    scales: Float[Array, " 3"]
    limit: Float[Array, ""]
    allowed: Float[Array, ""]
    scaling: Scaling
    history: int

    @property
    def members(self) -> int:
        """As many as there are folds."""
        return self.ensemble.size


class Rows(NamedTuple):
    """The rows of the log that can be learned from, core units, with number in the log, fold and episode of each."""

    log: Transition
    number: Int[np.ndarray, " row"]
    fold: Int[np.ndarray, " row"]
    episode: Int[np.ndarray, " row"]


def rows_of(dataset: Dataset, folds: Folds) -> tuple[Rows, Scaling]:
    """The usable rows, thinned out to `MOST_ROWS` by whole episodes or blocks."""
    scaling = fit_scaling(dataset, True, True)
    episode = np.repeat(np.arange(len(dataset.stops)), dataset.lengths)
    if len(dataset.stops) < 10 * folds.size:  # too few to be drawn with repetition: hundreds of rows stand together
        block = np.arange(len(dataset)) // max(1, len(dataset) // (20 * folds.size))
        episode = np.cumsum((np.diff(block, prepend=0) != 0) | (np.diff(folds.of_row, prepend=folds.of_row[0]) != 0))
    chosen = dataset.usable.copy()
    share = MOST_ROWS / chosen.sum()
    if share < 1:
        chosen &= _some_episodes(episode, folds, share)[episode]
    log = to_core(dataset.transitions(True, chosen), scaling)
    return Rows(log, np.flatnonzero(chosen), folds.of_row[chosen], episode[chosen]), jax.tree.map(jnp.asarray, scaling)


def _some_episodes(episode: Int[np.ndarray, " row"], folds: Folds, share: float) -> Bool[np.ndarray, " episode"]:
    """A share of the episodes, evenly in every fold, and one at least."""
    place, fold = _place_in_fold(episode, folds), folds.of_row[np.flatnonzero(np.diff(episode, prepend=-1))]
    some = np.floor((place + 1) * share) > np.floor(place * share)
    for empty in np.setdiff1d(fold, fold[some]):
        some[np.argmax(fold == empty)] = True
    return some


def _place_in_fold(episode: Int[np.ndarray, " row"], folds: Folds) -> Int[np.ndarray, " episode"]:
    """Each episode's place in the order of folds, and of the log within one: folds may take turns in the log."""
    fold = folds.of_row[np.flatnonzero(np.diff(episode, prepend=-1))]
    ranks = np.empty_like(fold)
    ranks[np.argsort(fold, kind="stable")] = np.arange(len(fold))
    return ranks


def left_out(member: int, folds: int) -> list[int]:
    """The folds that a member did not see."""
    return [(member + ahead) % folds for ahead in range(LEFT_OUT)]


def strangers(fold: int, folds: int) -> list[int]:
    """The members that did not see a fold; the first of them is the one whose score is calibrated there."""
    return [(fold - back) % folds for back in reversed(range(LEFT_OUT))]


def fit(
    rows: Rows,
    scaling: Scaling,
    folds: Folds,
    settings: ModelSettings,
    effort: Effort,
    key: Key[Array, ""],
    on_epoch: Callable[[int, float], None],
) -> Ensemble:
    """The members, every one with its own episodes; `on_epoch(epoch, holdout error)` sees each pass."""
    passes = max(effort.fit_epochs, -(-effort.fit_updates // _batches(rows, settings)))
    sizes = settings.fit_sizes()._replace(
        ensemble_size=folds.size,
        patience=effort.patience,
        max_epochs=passes,
        lr=LEARNING_RATE,
        lr_drops=0,
    )
    start_key, draw_key, epochs_key = jax.random.split(key, 3)
    log = jax.tree.map(jnp.asarray, rows.log)
    state = compiled_start(log, sizes, start_key)
    random = np.random.default_rng(np.asarray(jax.random.key_data(draw_key)))
    held_out = np.asarray(state.holdout)
    drawn = np.stack([_drawn(rows, left_out(member, folds.size), held_out, random) for member in range(folds.size)])
    own = _own_holdouts(rows, held_out, folds.size)
    state = state._replace(bootstrap=jnp.asarray(drawn, jnp.int32), holdout=jnp.asarray(own, jnp.int32))
    while bool(unfinished(state, sizes)):
        epoch = int(state.epoch)
        state, terms, bad = compiled_epoch(state, log, sizes, jax.random.fold_in(epochs_key, epoch))
        if int(bad["loss"]):
            raise UserError(
                f"the judge's model diverged in epoch {epoch + 1}: look at the log with micro-rl data check"
            )
        on_epoch(epoch + 1, float(jnp.mean(terms["holdout"])))
    return _in_order(state)


def _batches(rows: Rows, settings: ModelSettings) -> int:
    """How many batches a pass has."""
    return -(-_wanted(rows) // settings.model_batch_size)


def _wanted(rows: Rows) -> int:
    """Rows that every member draws."""
    return len(rows.fold) * 3 // 5


def _in_order(state: FitState) -> Ensemble:
    """Every member at its best epoch, in the order of the folds."""
    members = Members(state.best, state.members.max_logvar, state.members.min_logvar)
    return Ensemble(members, state.input_mean, state.input_std, state.target_mean, state.target_std)


def _own_holdouts(rows: Rows, held_out: Int[np.ndarray, " row"], folds: int) -> Int[np.ndarray, "member own"]:
    """Of the rows that nobody fits those whose folds a member saw, as many for every member; all where that is none."""
    holdouts = [held_out[~np.isin(rows.fold[held_out], left_out(member, folds))] for member in range(folds)]
    holdouts = [own if len(own) else held_out for own in holdouts]
    fewest = min(map(len, holdouts))
    return np.stack([own[:fewest] for own in holdouts])


def _drawn(
    rows: Rows, without: list[int], held_out: np.ndarray, random: np.random.Generator
) -> Int[np.ndarray, " row"]:
    """Rows of episodes that are drawn with repetition among the other folds, as many for every member."""
    free = ~np.isin(rows.fold, without)
    free[held_out] = False
    places = np.flatnonzero(free)
    episodes, first, counts = np.unique(rows.episode[places], return_index=True, return_counts=True)
    wanted = _wanted(rows)
    drawn: list[np.ndarray] = []
    total = 0
    while total < wanted:
        pick = int(random.integers(len(episodes)))
        drawn.append(places[first[pick] : first[pick] + counts[pick]])
        total += counts[pick]
    return np.concatenate(drawn)[:wanted]


def references(rows: Rows, folds: int) -> Reference:
    """What every member measures distances to: rows of the folds it saw, stacked [member, ...]."""
    apart = [
        support.reference(rows.log, np.flatnonzero(~np.isin(rows.fold, left_out(member, folds))))
        for member in range(folds)
    ]
    least = min(part.rows.shape[1] for part in apart)
    return jax.tree.map(
        lambda *leaves: jnp.stack([leaf[:, :least] if leaf.ndim == 3 else leaf for leaf in leaves]), *apart
    )


def parts_of_score(
    ensemble: Ensemble,
    known: Reference,
    observation: Float[Array, "member rows obs"],
    action: Float[Array, "member rows act"],
    following: Float[Array, "member rows obs"],
    mean: Float[Array, "member rows out"],
) -> Float[Array, "member rows 3"]:
    """Distance, excess and disagreement with the next member, for every member's rows; `mean` is its own prediction."""
    net = jax.tree.map(lambda leaf: jnp.roll(leaf, -1, axis=0), ensemble.members.net)
    other, _ = predict(eqx.tree_at(lambda e: e.members.net, ensemble, net), observation, action)
    apart = jax.vmap(support.distance)(known, jnp.concatenate([observation, action], -1))
    outside = jax.vmap(support.excess)(known, following)
    unit = ensemble.target_std
    differ = jax.vmap(support.disagreement, in_axes=(0, 0, None))(
        predicted_part(ensemble, mean), predicted_part(ensemble, other), unit
    )
    return jnp.stack([apart, outside, differ], axis=-1)


@jax.jit
def compiled_parts(ensemble: Ensemble, known: Reference, rows: Transition) -> Float[Array, "member rows 3"]:
    """The parts of the score of true transitions [member, rows, ...]."""
    mean, _ = predict(ensemble, rows.observation, rows.action)
    return parts_of_score(ensemble, known, rows.observation, rows.action, rows.next_observation, mean)
