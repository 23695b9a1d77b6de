"""What all policies of a log are measured by: the judge, tested, and the baseline; and what one policy measures."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from micro_rl.data import Dataset
from micro_rl.policy import Policy
from micro_rl.trust.actors import Actor, Judged, judged
from micro_rl.trust.by_fqe import evaluate_by_fqe, test_fqe_on_folds
from micro_rl.trust.case import Case, prepare
from micro_rl.trust.current import Current, actions_of, imitate
from micro_rl.trust.estimates import Estimates, collect, test_on_folds
from micro_rl.trust.evidence import Standard, baseline_error, decides_alone
from micro_rl.trust.layout import Layout, lay_out
from micro_rl.trust.options import Options, Progress
from micro_rl.trust.places import behaviour, common_starts
from micro_rl.trust.rollouts import Starts


class Baseline(NamedTuple):
    """What policies are compared with, what it is called, and the current policy, where it imitates one."""

    actor: Actor
    name: str
    current: Current | None = None


class Yardstick(NamedTuple):
    """What every policy of a log is measured by; made once, and the dear part of a judgement."""

    case: Case
    starts: Starts
    baseline: Baseline
    standard: Standard

    def actor(self, policy: Policy, name: str) -> Judged:
        """A policy in the judge's units.

        Raises:
            UserError: it has other columns than the log.
        """
        return judged(policy, self.case.layout.scaling, self.case.layout.dataset.history, name)

    def reasoned(self, reason: str) -> "Yardstick":
        """The same with another reason why windows are so long."""
        return self._replace(case=self.case._replace(layout=self.case.layout._replace(reason=reason)))


def make_yardstick(dataset: Dataset, history: int, options: Options, progress: Progress = lambda *_: None) -> Yardstick:
    """Fit, calibrate and test the judge of a log, before there is any policy.

    Args:
        dataset: the log, single observations.
        history: the longest of the policies'.
        options: window, groups, limits, seed.
        progress: sees how far it is.

    Raises:
        UserError: too few windows or groups, a constant reward, in one line.
    """
    return measure(lay_out(dataset, history, options), {}, options, progress)[0]


def estimate(yardstick: Yardstick, actor: Judged) -> Estimates:
    """What one policy collects, by every estimator; the same whichever others are judged."""
    case, starts = yardstick.case, yardstick.starts
    return Estimates(collect(case, actor, starts), evaluate_by_fqe(case, [actor], starts)[0])


def measure(
    layout: Layout, actors: Mapping[str, Judged], options: Options, progress: Progress
) -> tuple[Yardstick, dict[str, Estimates]]:
    """Make the yardstick, and the estimates of policies that are there already: FQE of all is one program.

    Args:
        layout: the log as it is judged by.
        actors: in the judge's units, by name.
        options: as the layout was made by.
        progress: sees how far it is.
    """
    current = None if options.current is None else actions_of(options.current, layout.dataset, layout.rows)
    case = prepare(layout, options, progress)
    baseline = _baseline(case, current)
    starts = common_starts(case)
    every = [baseline.actor, *actors.values()]
    collected = []
    for number, actor in enumerate(every):
        progress("rollouts of every policy", 0.6 + 0.15 * number / len(every))
        collected.append(collect(case, actor, starts))
    test = test_on_folds(case, progress)
    progress("fitted Q evaluation", 0.8)
    by_fqe = test_fqe_on_folds(case)
    values = evaluate_by_fqe(case, every, starts, baseline.current)
    imitation = None if baseline.current is None else float((values[0] - values.pop()).mean())
    own, *others = (Estimates(*pair) for pair in zip(collected, values, strict=True))
    error = baseline_error(case, own) if imitation is None else None
    alone = layout.folds.whole(layout.dataset) and decides_alone(test.explained, by_fqe.explained)
    standard = Standard(own, error, test, by_fqe, imitation, alone)
    return Yardstick(case, starts, baseline, standard), dict(zip(actors, others, strict=True))


def _baseline(case: Case, current: Float[np.ndarray, "row act"] | None) -> Baseline:
    if current is None:
        return Baseline(behaviour(case), "clones of what made the log, part by part, with their noise")
    key = jax.random.fold_in(case.key, 2)
    imitated = imitate(current, case.layout.rows, case.judge.scaling, key, case.effort.clone_updates)
    return Baseline(
        imitated.net,
        "your current policy, by a network that imitates it; it misses its actions by "
        f"{100 * imitated.error:.0f} % of their spread",
        imitated,
    )
