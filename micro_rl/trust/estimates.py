"""What a policy collects in a window, by every estimator, from the same starts; and the estimators' own test."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from micro_rl.data.stretches import Stretches
from micro_rl.trust import fqe, importance
from micro_rl.trust.actors import Actor, Behaviour, Judged, Parted
from micro_rl.trust.case import Case, evenly
from micro_rl.trust.current import Current, own_actions_at, own_actions_next
from micro_rl.trust.difference import spread
from micro_rl.trust.folds import LEFT_OUT
from micro_rl.trust.judge import left_out, strangers
from micro_rl.trust.options import Progress
from micro_rl.trust.rollouts import Collected, Starts, roll_out
from micro_rl.trust.self_test import SelfTest, self_test
from micro_rl.trust.starts import core_rows, starts_at

WEIGHTED = 2000
"""Windows that importance weights are taken over."""


class Estimates(NamedTuple):
    """What one policy collects from the common starts, by the model and by FQE, raw units a window."""

    model: Collected
    fqe: Float[np.ndarray, "replica start"]


def common_starts(case: Case) -> Starts:
    """Where every policy's windows begin: evenly through the log's own windows."""
    return starts_at(case.layout.dataset, _common_windows(case), case.judge.scaling)


def _common_windows(case: Case) -> Stretches:
    return case.layout.windows.of(_common_places(case))


def _common_places(case: Case) -> Int[np.ndarray, " start"]:
    return evenly(len(case.layout.windows.starts), case.effort.starts)


def _starts(case: Case, windows: Int[np.ndarray, " start"]) -> Starts:
    return starts_at(case.layout.dataset, case.layout.windows.of(windows), case.judge.scaling)


def behaviour(case: Case) -> Behaviour:
    """What made the log: in its rows, and from the common starts."""
    clones = jax.tree.map(lambda leaf: leaf[1:], case.clones)
    at_starts = case.layout.fold[_common_places(case)]
    return Behaviour(*(Parted(clones, jnp.asarray(part)) for part in (case.layout.rows.fold, at_starts)))


def collect(case: Case, actor: Actor, starts: Starts) -> Collected:
    """The rollouts of one policy, as NumPy arrays."""
    key = jax.random.fold_in(case.key, 0)
    collected = roll_out(
        case.judge,
        actor.starts if isinstance(actor, Behaviour) else actor,
        starts,
        case.rewards,
        case.ends,
        key,
        length=case.layout.windows.length,
        limits=case.layout.limits,
    )
    return Collected(*(np.asarray(part, np.float64) for part in collected))  # pyright: ignore[reportArgumentType]


def test_on_folds(case: Case, progress: Progress) -> SelfTest:
    """Predict what every fold returned: its clone, from its own states, by the members that did not see it."""
    predicted, measured, deviation = [], [], []
    for fold in range(case.layout.folds.size):
        progress("testing the judge on parts it did not see", 0.75 + 0.05 * fold / case.layout.folds.size)
        places = _places_in(case, fold)
        total = np.asarray(collect(case, pick(case.clones, 1 + fold), _starts(case, places)).total)
        returns = case.layout.windows.returns[places]
        predicted.append(float(total[strangers(fold, case.layout.folds.size)].mean()))
        measured.append(float(returns.mean()))
        deviation.append(float(np.hypot(*spread(total - returns))) + 1e-9)
    return self_test(np.array(predicted), np.array(measured), np.array(deviation))


def _places_in(case: Case, fold: int) -> Int[np.ndarray, " start"]:
    """Windows of a fold, evenly; some stand there twice where it has fewer than are asked for."""
    windows = np.flatnonzero(case.layout.fold == fold)
    return windows[np.linspace(0, len(windows) - 1, case.effort.fold_starts).round().astype(int)]


def test_fqe_on_folds(case: Case) -> SelfTest:
    """The same test of FQE: every fold's clone from its own states, by the replica that did not see the fold."""
    log, folds = jax.tree.map(jnp.asarray, case.layout.rows.log), case.layout.folds.size
    draw, key = jax.random.split(jax.random.fold_in(case.key, 3))
    noise = jax.random.normal(draw, log.action.shape)
    places = [_places_in(case, fold) for fold in range(folds)]
    starts = jnp.stack([_starts(case, windows).observation for windows in places])
    still = jnp.zeros((starts.shape[1], log.action.shape[-1]))
    clones = [pick(case.clones, 1 + fold) for fold in range(folds)]
    values = fqe.evaluate(
        log,
        jnp.stack([_compiled_act(clone, log.next_observation, noise) for clone in clones]),
        fqe.Variants(jnp.arange(folds), jnp.asarray(_replica_rows(case)[np.arange(folds) // LEFT_OUT])),
        starts,
        jnp.stack([_compiled_act(clone, own, still) for clone, own in zip(clones, starts, strict=True)]),
        jax.random.split(key, folds),
        length=case.layout.windows.length,
        updates=_fqe_updates(case),
    )
    predicted = np.asarray(values, np.float64) * float(case.judge.scaling.reward_scale)
    measured = np.stack([case.layout.windows.returns[windows] for windows in places])
    deviation = [spread((own - truth)[None])[1] for own, truth in zip(predicted, measured, strict=True)]
    return self_test(predicted.mean(1), measured.mean(1), np.array(deviation) + 1e-9)


def evaluate_by_fqe(
    case: Case, actors: Sequence[Actor], starts: Starts, current: Current | None = None
) -> list[Float[np.ndarray, "replica start"]]:
    """The window's return of every policy by every replica of FQE, all in one program, raw units.

    With a current policy, whose imitation is the first actor, its own return is the last: by the same networks and
    batches as the imitation's, with its own actions wherever the log has them.
    """
    log = jax.tree.map(jnp.asarray, case.layout.rows.log)
    draw, key = jax.random.split(jax.random.fold_in(case.key, 1))
    noise = jax.random.normal(draw, log.action.shape)
    first_noise = jnp.zeros((starts.observation.shape[0], log.action.shape[-1]))
    in_rows, at_starts = zip(*((one.rows, one.starts) if isinstance(one, Behaviour) else (one, one) for one in actors))
    then = jnp.stack([_compiled_act(actor, log.next_observation, noise) for actor in in_rows])
    first = jnp.stack([_compiled_act(actor, starts.observation, first_noise) for actor in at_starts])
    replicas = _replica_rows(case)
    keys = jax.random.split(key, len(actors) * len(replicas))
    if current is not None:
        own_then, own_first = _own_actions(case, current, then[0], first[0])
        then, first = jnp.concatenate([then, own_then[None]]), jnp.concatenate([first, own_first[None]])
        keys = jnp.concatenate([keys, keys[: len(replicas)]])
    policy = np.repeat(np.arange(len(then)), len(replicas))
    which = np.tile(np.arange(len(replicas)), len(then))
    values = fqe.evaluate(
        log,
        then,
        fqe.Variants(jnp.asarray(policy), jnp.asarray(replicas[which])),
        jnp.broadcast_to(starts.observation[None], (len(policy), *starts.observation.shape)),
        first[policy],
        keys,
        length=case.layout.windows.length,
        updates=_fqe_updates(case),
    )
    whole = np.asarray(values, np.float64) * float(case.judge.scaling.reward_scale)
    return list(whole.reshape(len(then), len(replicas), -1))


def _fqe_updates(case: Case) -> int:
    return case.effort.fqe_updates or fqe.updates_for(case.layout.windows.length)


def _own_actions(case: Case, current: Current, then: Array, first: Array) -> tuple[Array, Array]:
    """What the current policy does in the rows' next observations and at the starts; as imitated where none knows."""
    rows, starts = case.layout.rows, _common_windows(case).starts
    following = own_actions_next(rows.log, rows.number, current.actions, then)
    return jnp.asarray(following), jnp.asarray(own_actions_at(starts, rows.number, current.actions, first))


def weigh(case: Case, actor: Judged) -> tuple[importance.Weighted, int]:
    """Importance sampling over at most `WEIGHTED` windows of the log."""
    some = case.layout.windows.evenly(WEIGHTED)
    rows, there = some.rows(case.layout.dataset)
    core = core_rows(case.layout.dataset, rows.reshape(-1), case.judge.scaling)
    behaviour = pick(case.clones, 0)
    still = jnp.zeros_like(core.action)
    means = (_compiled_act(one, core.observation, still) for one in (actor, behaviour))
    done, own, usual = (np.asarray(part).reshape(*rows.shape, -1) for part in (core.action, *means))
    ratios = importance.log_ratios(done, own, usual, np.asarray(behaviour.noise))
    return importance.estimate(ratios, case.layout.dataset.rewards[rows].astype(np.float64), there), len(rows)


def pick(stacked: Judged, number: int) -> Judged:
    """One of several stacked actors."""
    return jax.tree.map(lambda leaf: leaf[number], stacked)


def _replica_rows(case: Case) -> Int[np.ndarray, "replica row"]:
    """Rows of half as many replicas as folds, each without two folds, and every fold is one of these."""
    count, least = case.layout.folds.size, len(case.layout.rows.fold) * 3 // 5
    random = np.random.default_rng(0)
    replicas = []
    for number in range(0, count, LEFT_OUT):
        free = np.flatnonzero(~np.isin(case.layout.rows.fold, left_out(number, count)))
        replicas.append(random.choice(free, least))
    return np.stack(replicas)


_compiled_act = jax.jit(lambda actor, observation, noise: actor.act(observation, noise))
