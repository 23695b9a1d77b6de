"""What a policy collects in a window by the judge's members, from the same starts for all; and the members' test."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from micro_rl.errors import UserError
from micro_rl.trust import importance
from micro_rl.trust.actors import Actor, Behaviour, Judged, compiled_act, pick
from micro_rl.trust.case import Case
from micro_rl.trust.difference import spread
from micro_rl.trust.judge import strangers
from micro_rl.trust.options import Progress
from micro_rl.trust.places import starts_of, windows_in
from micro_rl.trust.rollouts import Collected, Starts, roll_out
from micro_rl.trust.self_test import SelfTest, self_test
from micro_rl.trust.starts import core_rows

WEIGHTED = 2000
"""Windows that importance weights are taken over."""


class Estimates(NamedTuple):
    """What one policy collects from the common starts, by the model and by FQE, raw units a window."""

    model: Collected
    fqe: Float[np.ndarray, "replica start"]


def collect(case: Case, actor: Actor, starts: Starts) -> Collected:
    """The rollouts of one policy, as NumPy arrays; of what made the log from the common starts alone."""
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
        known_reward=case.known_reward,
    )
    if case.known_reward is not None and not np.isfinite(collected.total).all():
        raise UserError(
            f"known_reward: {case.known_reward.formula.text!r} gives no number for some of the model's steps: keep it "
            "finite beyond the log, too, as in log(max(x, 1e-6))"
        )
    return Collected(*(np.asarray(part, np.float64) for part in collected))  # pyright: ignore[reportArgumentType]


def test_on_folds(case: Case, progress: Progress) -> SelfTest:
    """Predict what every fold returned: its clone, from its own states, by the members that did not see it."""
    predicted, measured, deviation = [], [], []
    for fold in range(case.layout.folds.size):
        progress("testing the judge on parts it did not see", 0.75 + 0.05 * fold / case.layout.folds.size)
        windows = windows_in(case, fold)
        total = np.asarray(collect(case, pick(case.clones, 1 + fold), starts_of(case, windows)).total)
        predicted.append(float(total[strangers(fold, case.layout.folds.size)].mean()))
        measured.append(float(windows.returns.mean()))
        deviation.append(float(np.hypot(*spread(total - windows.returns, windows.disjoint))) + 1e-9)
    return self_test(np.array(predicted), np.array(measured), np.array(deviation))


def weigh(case: Case, actor: Judged) -> tuple[importance.Weighted, int]:
    """Importance sampling over at most `WEIGHTED` windows of the log."""
    some = case.layout.windows.evenly(WEIGHTED)
    rows, there = some.rows()
    core = core_rows(case.layout.dataset, rows.reshape(-1), case.judge.scaling)
    behaviour = pick(case.clones, 0)
    still = jnp.zeros_like(core.action)
    means = (compiled_act(one, core.observation, still) for one in (actor, behaviour))
    done, own, usual = (np.asarray(part).reshape(*rows.shape, -1) for part in (core.action, *means))
    ratios = importance.log_ratios(done, own, usual, np.asarray(behaviour.noise))
    return importance.estimate(ratios, case.layout.dataset.rewards[rows].astype(np.float64), there), len(rows)
