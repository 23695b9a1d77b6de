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
from micro_rl.trust.actors import Judged
from micro_rl.trust.case import Case, evenly
from micro_rl.trust.current import Current, own_actions_at, own_actions_next
from micro_rl.trust.difference import spread
from micro_rl.trust.judge import strangers
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
    return case.layout.windows.of(evenly(len(case.layout.windows.starts), case.effort.starts))


def _starts(case: Case, windows: Int[np.ndarray, " start"]) -> Starts:
    return starts_at(case.layout.dataset, case.layout.windows.of(windows), case.judge.scaling)


def collect(case: Case, actor: Judged, starts: Starts) -> Collected:
    """The rollouts of one policy, as NumPy arrays."""
    key = jax.random.fold_in(case.key, 0)
    collected = roll_out(
        case.judge,
        actor,
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
        windows = np.flatnonzero(case.layout.fold == fold)
        places = windows[np.linspace(0, len(windows) - 1, case.effort.fold_starts).round().astype(int)]
        total = np.asarray(collect(case, pick(case.clones, 1 + fold), _starts(case, places)).total)
        returns = case.layout.windows.returns[places]
        predicted.append(float(total[strangers(fold, case.layout.folds.size)].mean()))
        measured.append(float(returns.mean()))
        deviation.append(float(np.hypot(*spread(total - returns))) + 1e-9)
    return self_test(np.array(predicted), np.array(measured), np.array(deviation))


def evaluate_by_fqe(
    case: Case, actors: Sequence[Judged], starts: Starts, current: Current | None = None
) -> list[Float[np.ndarray, "replica start"]]:
    """The window's return of every policy by every replica of FQE, all in one program, raw units.

    With a current policy, whose imitation is the first actor, its own return is the last: by the same networks and
    batches as the imitation's, with its own actions wherever the log has them.
    """
    log = jax.tree.map(jnp.asarray, case.layout.rows.log)
    draw, key = jax.random.split(jax.random.fold_in(case.key, 1))
    noise = jax.random.normal(draw, log.action.shape)
    first_noise = jnp.zeros((starts.observation.shape[0], log.action.shape[-1]))
    then = jnp.stack([_compiled_act(actor, log.next_observation, noise) for actor in actors])
    first = jnp.stack([_compiled_act(actor, starts.observation, first_noise) for actor in actors])
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
        updates=case.effort.fqe_updates or fqe.updates_for(case.layout.windows.length),
    )
    whole = np.asarray(values, np.float64) * float(case.judge.scaling.reward_scale)
    return list(whole.reshape(len(then), len(replicas), -1))


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
    """Rows of half as many replicas as folds, each without two folds."""
    count, least = case.layout.folds.size, len(case.layout.rows.fold) * 3 // 5
    random = np.random.default_rng(0)
    replicas = []
    for number in range(0, count - 1, 2):
        free = np.flatnonzero(~np.isin(case.layout.rows.fold, [number, number + 1]))
        replicas.append(random.choice(free, least))
    return np.stack(replicas)


_compiled_act = jax.jit(lambda actor, observation, noise: actor.act(observation, noise))
