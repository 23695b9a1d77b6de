"""Judge policies by a log: windows, folds, the judge and its calibration, the self-test, then every policy."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Key

from micro_rl._version import __version__
from micro_rl.core.expression import Expression
from micro_rl.core.settings import ModelSettings
from micro_rl.core.types import Scaling
from micro_rl.data import Dataset, windowed
from micro_rl.data.stretches import Stretches
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.termination import episode_ends
from micro_rl.dynamics.termination_rules import Termination
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.reports.trust.record import BETTER, FoldTest, Interval, Judgement, PolicyJudgement
from micro_rl.trust import fqe, importance, trial, verdict
from micro_rl.trust.actors import Judged, clones, judged
from micro_rl.trust.calibration import calibrate, core_rows
from micro_rl.trust.difference import Difference, difference, spread, worst_tenth
from micro_rl.trust.folds import Folds, by_behaviour, by_labels, by_time
from micro_rl.trust.judge import Judge, Rows, fit, references, rows_of, strangers
from micro_rl.trust.rollouts import Collected, Limits, Starts, roll_out
from micro_rl.trust.self_test import SelfTest, self_test
from micro_rl.trust.verdict import Evidence, Thresholds
from micro_rl.trust.window_length import choose

STARTS, STARTS_OF_A_FOLD = 300, 40
"""States of the log that rollouts begin at, for a policy and for a fold's clone."""
CALIBRATED = 400
"""Windows whose true transitions calibrate the score."""
WEIGHTED = 2000
"""Windows that importance weights are taken over."""

Progress = Callable[[str, float], None]
"""Sees what is being done, and the share of the whole that is behind."""


class Options(NamedTuple):
    """What may be chosen."""

    window: str | int | None = None
    groups: str | Sequence[Any] = "time"
    limits: tuple[Expression, ...] = ()
    termination: str | None = None
    seed: int = 0
    thresholds: Thresholds = Thresholds()


class Case(NamedTuple):
    """Everything that is the same for all policies."""

    dataset: Dataset
    windows: Stretches
    fold: Int[np.ndarray, " window"]
    folds: Folds
    rows: Rows
    judge: Judge
    ends: Termination
    limits: Limits | None
    rewards: tuple[Any, Any]
    clones: Judged
    """Of the whole log, then of every fold [1 + fold, ...]."""
    coverage: float
    key: Key[Any, ""]
    reason: str


class Estimates(NamedTuple):
    """What one policy collects from the common starts, by the model and by FQE, raw units a window."""

    model: Collected
    fqe: Float[np.ndarray, "replica start"]


def judge_policies(
    dataset: Dataset, policies: Mapping[str, Policy], options: Options = Options(), progress: Progress = lambda *_: None
) -> Judgement:
    """Say of every policy whether it is better than what made the log, and how sure that is.

    Args:
        dataset: the log, single observations.
        policies: by name; their histories may differ.
        options: window, groups, limits, seed.
        progress: sees how far it is.

    Returns:
        The judgement, raw units.

    Raises:
        UserError: too few windows or groups, a policy with other columns, a constant reward, in one line.
    """
    began = time.monotonic()
    case = prepare(dataset, max((policy.history for policy in policies.values()), default=1), options, progress)
    actors = [judged(policy, case.judge.scaling, case.judge.history, name) for name, policy in policies.items()]
    starts, places = common_starts(case)
    every = [pick(case.clones, 0), *actors]
    collected = []
    for number, actor in enumerate(every):
        progress("rollouts of every policy", 0.6 + 0.15 * number / len(every))
        collected.append(collect(case, actor, starts))
    test = test_on_folds(case, progress)
    progress("fitted Q evaluation", 0.8)
    values = evaluate_by_fqe(case, every, starts)
    known, behaviour = [Estimates(*pair) for pair in zip(collected, values, strict=True)], 0
    judgements = [
        _judgement(case, name, actor, known[1 + number], known[behaviour], test, options.thresholds)
        for number, (name, actor) in enumerate(zip(policies, actors, strict=True))
    ]
    progress("done", 1.0)
    return _whole(case, options, known[behaviour], test, judgements, time.monotonic() - began)


def prepare(dataset: Dataset, history: int, options: Options, progress: Progress) -> Case:
    """Fit and calibrate the judge of a log."""
    if float(np.ptp(dataset.rewards)) == 0:
        raise UserError(
            f"{dataset.name}: every reward is {float(dataset.rewards[0]):g}, so no policy is better: log one"
        )
    plain = dataset
    dataset = windowed(dataset, history)
    windows, reason = choose(dataset, options.window)
    folds = _folds(plain, options.groups)
    windows, fold = folds.of_windows(windows, dataset)
    folds, fold = _used(folds, fold)
    rows, scaling = rows_of(dataset, folds)
    key = jax.random.key(options.seed)
    fit_key, clone_key, key = jax.random.split(key, 3)
    settings = ModelSettings(history=history)

    def on_epoch(epoch: int, error: float) -> None:
        progress(f"the judge's model, epoch {epoch}, holdout error {error:.3g}", 0.5 * epoch / (epoch + 10))

    ensemble = fit(rows, scaling, folds, settings, fit_key, on_epoch)
    known = references(rows, folds.count)
    progress("calibrating on parts that members did not see", 0.5)
    some = evenly(len(windows.starts), CALIBRATED)
    scored = calibrate(dataset, scaling, ensemble, known, windows.of(some), fold[some])
    judge = Judge(
        ensemble, known, *(jnp.asarray(part, jnp.float32) for part in scored[:3]), scaling=scaling, history=history
    )
    progress("cloning what made the log", 0.55)
    return Case(
        dataset,
        windows,
        fold,
        folds,
        rows,
        judge,
        _ends(dataset, ensemble, scaling, options),
        _limits(dataset, options.limits),
        _rewards(rows),
        clones(rows.log, _clone_rows(rows, folds), clone_key),
        scored.coverage,
        key,
        reason,
    )


def common_starts(case: Case) -> tuple[Starts, Int[np.ndarray, " start"]]:
    """Where every policy's windows begin: evenly through the log's own windows; and which windows those are."""
    places = evenly(len(case.windows.starts), STARTS)
    return starts_at(case, places), places


def evenly(count: int, most: int) -> Int[np.ndarray, " place"]:
    """At most so many places of as many as there are, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def starts_at(case: Case, windows: Int[np.ndarray, " start"]) -> Starts:
    """The first observations of these windows, with the log's exogenous columns beside them."""
    dataset, chosen = case.dataset, case.windows.of(windows)
    first = core_rows(dataset, chosen.starts, case.judge.scaling).observation
    if not dataset.exogenous:
        return Starts(first)
    rows, _ = chosen.rows(dataset)
    following = core_rows(dataset, rows.reshape(-1), case.judge.scaling).next_observation
    replayed = following.reshape(*rows.shape, -1).swapaxes(0, 1)
    return Starts(first, replayed, jnp.asarray(np.isin(np.arange(first.shape[1]), dataset.exogenous)))


def collect(case: Case, actor: Judged, starts: Starts) -> Collected:
    """The rollouts of one policy, as NumPy arrays."""
    key = jax.random.fold_in(case.key, 0)
    found = roll_out(
        case.judge, actor, starts, case.rewards, case.ends, key, length=case.windows.length, limits=case.limits
    )
    return Collected(*(np.asarray(part, np.float64) for part in found))  # pyright: ignore[reportArgumentType]


def test_on_folds(case: Case, progress: Progress) -> SelfTest:
    """Predict what every fold returned: its clone, from its own states, by the members that did not see it."""
    predicted, measured, deviation = [], [], []
    for fold in range(case.folds.count):
        progress("testing the judge on parts it did not see", 0.75 + 0.05 * fold / case.folds.count)
        windows = np.flatnonzero(case.fold == fold)
        places = windows[np.linspace(0, len(windows) - 1, STARTS_OF_A_FOLD).round().astype(int)]
        total = collect(case, pick(case.clones, 1 + fold), starts_at(case, places)).total
        own = case.windows.of(windows)
        members, chance = spread(total)  # type: ignore[arg-type]
        predicted.append(float(np.mean(total[strangers(fold, case.folds.count)])))
        measured.append(float(own.returns.mean()))
        deviation.append(float(np.sqrt(members**2 + chance**2 + own.mean_deviation**2)) + 1e-9)
    return self_test(np.array(predicted), np.array(measured), np.array(deviation))


def evaluate_by_fqe(case: Case, actors: Sequence[Judged], starts: Starts) -> list[Float[np.ndarray, "replica start"]]:
    """The window's return of every policy by every replica of FQE, all in one program, raw units."""
    log = jax.tree.map(jnp.asarray, case.rows.log)
    draw, key = jax.random.split(jax.random.fold_in(case.key, 1))
    noise = jax.random.normal(draw, log.action.shape)
    first_noise = jnp.zeros((starts.observation.shape[0], log.action.shape[-1]))
    then = jnp.stack([_compiled_act(actor, log.next_observation, noise) for actor in actors])
    first = jnp.stack([_compiled_act(actor, starts.observation, first_noise) for actor in actors])
    replicas = _replica_rows(case)
    policy = np.repeat(np.arange(len(actors)), len(replicas))
    which = np.tile(np.arange(len(replicas)), len(actors))
    values = fqe.evaluate(
        log,
        then,
        fqe.Variants(jnp.asarray(policy), jnp.asarray(replicas[which])),
        jnp.broadcast_to(starts.observation, (len(policy), *starts.observation.shape)),
        first[policy],
        key,
        length=case.windows.length,
        updates=fqe.updates_for(case.windows.length),
    )
    whole = np.asarray(values, np.float64) * float(case.judge.scaling.reward_scale)
    return list(whole.reshape(len(actors), len(replicas), -1))


def pick(stacked: Judged, number: int) -> Judged:
    """One of several stacked actors."""
    return jax.tree.map(lambda leaf: leaf[number], stacked)


_compiled_act = jax.jit(lambda actor, observation, noise: actor.act(observation, noise))


def _replica_rows(case: Case) -> Int[np.ndarray, "replica row"]:
    """Rows of half as many replicas as folds, each without two folds."""
    count, least = case.folds.count, len(case.rows.fold) * 3 // 5
    random = np.random.default_rng(0)
    replicas = []
    for number in range(0, count - 1, 2):
        free = np.flatnonzero(~np.isin(case.rows.fold, [number, number + 1]))
        replicas.append(random.choice(free, least))
    return np.stack(replicas)


def _judgement(
    case: Case,
    name: str,
    actor: Judged,
    policy: Estimates,
    behaviour: Estimates,
    test: SelfTest,
    thresholds: Thresholds,
) -> PolicyJudgement:
    worst_reward, best_reward = (float(end * case.judge.scaling.reward_scale) for end in case.rewards)
    own, base = policy.model, behaviour.model
    worst, best = own.known + own.unknown * worst_reward, own.known + own.unknown * best_reward
    found = difference(*(np.asarray(part) for part in (own.total, worst, best, base.total)), test.slope, test.width)
    apart = policy.fqe - behaviour.fqe
    by_fqe = _interval(apart, test.width)
    weighted, windows = weigh(case, actor)
    support = 1 - float(np.sum(own.unknown) / np.sum(own.lived))
    tested = test.correlation if _folds_differ(test) else None
    evidence = Evidence(
        difference=Interval(found.mean, found.low, found.high),
        fqe=by_fqe,
        support=support,
        effective=weighted.first / windows,
        worst_tenth=worst_tenth(np.asarray(own.total).mean(0)),
        behaviour_worst_tenth=worst_tenth(np.asarray(base.total).mean(0)),
        deviation=found.deviation,
        violations=float(np.sum(own.violations) / np.sum(own.lived)) if case.limits else None,
        log_violations=_log_violations(case),
        correlation=tested,
        folds=case.folds.count,
    )
    asked = verdict.gates(evidence, thresholds)
    decided = verdict.decide(evidence, asked)
    return PolicyJudgement(
        name=name,
        verdict=decided,
        sentence=verdict.sentence(decided, evidence, asked),
        gates=asked,
        difference=evidence.difference,
        value=float(np.mean(own.total)),
        behaviour=float(np.mean(base.total)),
        worst_tenth=evidence.worst_tenth,
        behaviour_worst_tenth=evidence.behaviour_worst_tenth,
        support=support,
        violations=evidence.violations or 0.0,
        fqe=by_fqe,
        fqe_value=float(policy.fqe.mean()),
        importance=weighted.value if weighted.last >= 30 else None,
        effective_first=weighted.first,
        effective_last=weighted.last,
        trial=_trial(case, found) if decided == BETTER else None,
    )


def weigh(case: Case, actor: Judged) -> tuple[importance.Weighted, int]:
    """Importance sampling over at most `WEIGHTED` windows of the log."""
    some = case.windows.evenly(WEIGHTED)
    rows, there = some.rows(case.dataset)
    core = core_rows(case.dataset, rows.reshape(-1), case.judge.scaling)
    behaviour = pick(case.clones, 0)
    still = jnp.zeros_like(core.action)
    means = [
        np.asarray(_compiled_act(one, core.observation, still)).reshape(*rows.shape, -1) for one in (actor, behaviour)
    ]
    done = np.asarray(core.action).reshape(*rows.shape, -1)
    ratios = importance.log_ratios(done, *means, np.asarray(behaviour.noise))
    return importance.estimate(ratios, case.dataset.rewards[rows].astype(np.float64), there), len(rows)


def _interval(apart: Float[np.ndarray, "replica start"], width: float) -> Interval:
    members, chance = spread(apart)
    half, mean = width * float(np.hypot(members, chance)), float(apart.mean())
    return Interval(mean, mean - half, mean + half)


def _trial(case: Case, found: Difference) -> Any:
    returns = case.windows.returns
    return trial.plan(max(found.low, found.mean / 2), float(returns.mean()), float(returns.std(ddof=1)))


def _folds_differ(test: SelfTest) -> bool:
    """Whether the folds' measured returns vary by more than their own noise."""
    return bool(test.measured.std(ddof=1) > 2 * np.median(test.deviation))


def _folds(dataset: Dataset, groups: str | Sequence[Any]) -> Folds:
    if isinstance(groups, str):
        named = {"time": by_time, "behaviour": by_behaviour}
        if groups in named:
            return named[groups](dataset)
        columns = [column.name for column in (*dataset.columns.observations, *dataset.columns.actions)]
        if groups not in columns:
            raise UserError(
                f"--groups {groups}: take time, behaviour, or a column of the log ({', '.join(columns[:20])})"
            )
        values = np.concatenate([dataset.observations, dataset.actions], 1)[:, columns.index(groups)]
        return by_labels(dataset, values.tolist())
    return by_labels(dataset, groups)


def _used(folds: Folds, fold: Int[np.ndarray, " window"]) -> tuple[Folds, Int[np.ndarray, " window"]]:
    """Only the folds that hold at least two windows; rows of others belong to the one before."""
    numbers, counts = np.unique(fold, return_counts=True)
    kept = numbers[counts >= 2]
    if len(kept) < 4:
        raise UserError(
            f"only {len(kept)} parts of the log hold two windows or more, and 4 are needed to test a judge: take a "
            "shorter --window, other --groups, or log more"
        )
    place = np.clip(np.searchsorted(kept, np.arange(folds.count), side="right") - 1, 0, None)
    of_row = place[folds.of_row]
    return Folds(of_row, tuple(folds.names[number] for number in kept), folds.made), place[fold]


def _ends(dataset: Dataset, ensemble: Ensemble, scaling: Scaling, options: Options) -> Termination:
    ends = episode_ends(dataset, options.termination)
    model = ends.complete(FittedModel(ensemble, scaling, {}), dataset, ModelSettings(), options.seed)
    found = ends.of(model, dataset.observation_size)
    assert found is not None, "rollouts end somewhere or never"
    return found


class _Breaks(NamedTuple):
    """Which raw observations break one of the limits; two of the same text share a compiled program."""

    limits: tuple[Expression, ...]
    names: tuple[str, ...]

    def __call__(self, observation: Any) -> Any:
        values = {name: observation[..., place] for place, name in enumerate(self.names)}
        broken = ~self.limits[0](values)
        for limit in self.limits[1:]:
            broken = broken | ~limit(values)
        return broken


def _limits(dataset: Dataset, limits: tuple[Expression, ...]) -> Limits | None:
    names = tuple(column.name for column in dataset.columns.observations[: dataset.observation_size])
    return _Breaks(limits, names) if limits else None


def _log_violations(case: Case) -> float:
    if case.limits is None:
        return 0.0
    newest = case.dataset.next_observations[case.dataset.usable][:, : case.dataset.observation_size]
    return float(np.mean(np.asarray(case.limits(newest))))


def _rewards(rows: Rows) -> tuple[Any, Any]:
    reward = np.asarray(rows.log.reward)
    return jnp.asarray(reward.min()), jnp.asarray(reward.max())


def _clone_rows(rows: Rows, folds: Folds) -> Int[np.ndarray, "group row"]:
    """As many rows of the whole log, then of every fold."""
    random = np.random.default_rng(0)
    groups = [np.arange(len(rows.fold)), *(np.flatnonzero(rows.fold == fold) for fold in range(folds.count))]
    return np.stack([random.choice(group, min(20_000, len(rows.fold))) for group in groups])


def _whole(
    case: Case, options: Options, behaviour: Estimates, test: SelfTest, policies: list[PolicyJudgement], seconds: float
) -> Judgement:
    returns = case.windows.returns
    scale = float(case.judge.scaling.reward_scale)
    return Judgement(
        log=case.dataset.name,
        sha256=case.dataset.sha256,
        window=case.windows.length,
        window_reason=case.reason,
        windows=case.windows.disjoint,
        measured=float(returns.mean()),
        measured_deviation=case.windows.mean_deviation,
        reward_range=(float(case.rewards[0]) * scale, float(case.rewards[1]) * scale),
        folds=tuple(
            FoldTest(name, *(float(part[number]) for part in test[:3]), windows=int((case.fold == number).sum()))
            for number, name in enumerate(case.folds.names)
        ),
        folds_made=case.folds.made,
        level=test.level,
        slope=test.slope,
        width=test.width,
        explained=test.explained,
        correlation=test.correlation,
        coverage=case.coverage,
        known_windows=float(np.mean(np.asarray(behaviour.model.unknown) == 0)),
        limits=tuple(limit.text for limit in options.limits),
        log_violations=_log_violations(case),
        policies=tuple(policies),
        notes=case.dataset.notes,
        seconds=seconds,
        version=__version__,
    )
