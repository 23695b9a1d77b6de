"""What a policy collects in a window by fitted Q evaluation, on replicas that leave parts out; and its own test."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from micro_rl.trust import fqe
from micro_rl.trust.actors import Actor, Behaviour, Judged, Parted, compiled_act, pick
from micro_rl.trust.case import Case
from micro_rl.trust.current import Current, own_actions_at, own_actions_next
from micro_rl.trust.difference import spread
from micro_rl.trust.folds import LEFT_OUT
from micro_rl.trust.judge import left_out
from micro_rl.trust.places import common_windows, starts_of, windows_in
from micro_rl.trust.rollouts import Starts
from micro_rl.trust.self_test import SelfTest, self_test


def evaluate_by_fqe(
    case: Case, actors: Sequence[Actor], starts: Starts, current: Current | None = None
) -> list[Float[np.ndarray, "replica start"]]:
    """The window's return of every policy by every replica of FQE, all in one program, raw units.

    A replica begins with the same networks and sees the same batches whichever policy it evaluates, so that chance
    cancels in differences, and a policy's figure does not hang on which others are judged. With a current policy, whose
    imitation is the first actor, its own return is the last, with its own actions wherever the log has them.
    """
    log = jax.tree.map(jnp.asarray, case.layout.rows.log)
    draw, key = jax.random.split(jax.random.fold_in(case.key, 1))
    noise = jax.random.normal(draw, log.action.shape)
    first_noise = jnp.zeros((starts.observation.shape[0], log.action.shape[-1]))
    in_rows, at_starts = zip(*map(_where, actors), strict=True)
    then = jnp.stack([compiled_act(actor, log.next_observation, noise) for actor in in_rows])
    first = jnp.stack([compiled_act(actor, starts.observation, first_noise) for actor in at_starts])
    replicas = replica_rows(case.layout.rows.fold, case.layout.folds.size)
    if current is not None:
        own_then, own_first = _own_actions(case, current, then[0], first[0])
        then, first = jnp.concatenate([then, own_then[None]]), jnp.concatenate([first, own_first[None]])
    policy = np.repeat(np.arange(len(then)), len(replicas))
    which = np.tile(np.arange(len(replicas)), len(then))
    keys = jax.random.split(key, len(replicas))[which]
    values = fqe.evaluate(
        log,
        then,
        fqe.Variants(jnp.asarray(policy), jnp.asarray(replicas[which])),
        jnp.broadcast_to(starts.observation[None], (len(policy), *starts.observation.shape)),
        first[policy],
        keys,
        length=case.layout.windows.length,
        updates=_updates(case),
    )
    whole = np.asarray(values, np.float64) * float(case.judge.scaling.reward_scale)
    return list(whole.reshape(len(then), len(replicas), -1))


def test_fqe_on_folds(case: Case) -> SelfTest:
    """Predict what every fold returned: its clone, from its own states, by the replica that did not see it.

    Policies are estimated by the mean of all replicas; a fold by one, whose own error counts as unexplained.
    """
    log, folds = jax.tree.map(jnp.asarray, case.layout.rows.log), case.layout.folds.size
    draw, key = jax.random.split(jax.random.fold_in(case.key, 3))
    noise = jax.random.normal(draw, log.action.shape)
    windows = [windows_in(case, fold) for fold in range(folds)]
    starts = jnp.stack([starts_of(case, own).observation for own in windows])
    still = jnp.zeros((starts.shape[1], log.action.shape[-1]))
    clones = [pick(case.clones, 1 + fold) for fold in range(folds)]
    values = fqe.evaluate(
        log,
        jnp.stack([compiled_act(clone, log.next_observation, noise) for clone in clones]),
        fqe.Variants(
            jnp.arange(folds),
            jnp.asarray(replica_rows(case.layout.rows.fold, case.layout.folds.size)[np.arange(folds) // LEFT_OUT]),
        ),
        starts,
        jnp.stack([compiled_act(clone, own, still) for clone, own in zip(clones, starts, strict=True)]),
        jax.random.split(key, folds),
        length=case.layout.windows.length,
        updates=_updates(case),
    )
    predicted = np.asarray(values, np.float64) * float(case.judge.scaling.reward_scale)
    measured = np.stack([own.returns for own in windows])
    parts = zip(predicted, measured, windows, strict=True)
    deviation = [spread((own - truth)[None], looked.disjoint)[1] for own, truth, looked in parts]
    return self_test(predicted.mean(1), measured.mean(1), np.array(deviation) + 1e-9)


def _where(actor: Actor) -> tuple[Judged | Parted, Judged | Parted]:
    """What acts in the rows' next observations, and at the starts."""
    return (actor.rows, actor.starts) if isinstance(actor, Behaviour) else (actor, actor)


def _own_actions(case: Case, current: Current, then: Array, first: Array) -> tuple[Array, Array]:
    """What the current policy does in the rows' next observations and at the starts; as imitated where none knows."""
    rows, starts = case.layout.rows, common_windows(case).starts
    following = own_actions_next(rows.log, rows.number, current.actions, then)
    return jnp.asarray(following), jnp.asarray(own_actions_at(starts, rows.number, current.actions, first))


def replica_rows(fold: Int[np.ndarray, " row"], count: int) -> Int[np.ndarray, "replica rows"]:
    """Rows of half as many replicas as folds, each without two folds, and every fold is one of these."""
    least, random = len(fold) * 3 // 5, np.random.default_rng(0)
    free = [np.flatnonzero(~np.isin(fold, left_out(number, count))) for number in range(0, count, LEFT_OUT)]
    return np.stack([random.choice(rows, least) for rows in free])


def _updates(case: Case) -> int:
    return case.effort.fqe_updates or fqe.updates_for(case.layout.windows.length)
