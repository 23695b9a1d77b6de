"""The end of a choice: all candidates' best policies judged together, and what follows for the user."""

from pathlib import Path
from typing import NamedTuple

from micro_rl._version import __version__
from micro_rl.core.wording import number
from micro_rl.data import Dataset
from micro_rl.errors import UserError
from micro_rl.reports.choice.record import KEEP, TRY, CandidateRecord, Choice, Rung
from micro_rl.reports.trust.record import BETTER, Judgement
from micro_rl.selection.clock import Clock
from micro_rl.selection.portfolio import Candidate
from micro_rl.selection.question import Question
from micro_rl.selection.rungs import Rungs
from micro_rl.trust import best_of
from micro_rl.trust.by_fqe import evaluate_by_fqe
from micro_rl.trust.estimates import Estimates
from micro_rl.trust.judging import conclude
from micro_rl.trust.options import Options
from micro_rl.trust.places import common_windows


class About(NamedTuple):
    """What a record says beside the outcome."""

    dataset: Dataset
    question: Question
    looks: tuple[tuple[str, str], ...]
    command: str
    folder: Path
    workers: int = 1
    apart: bool = True


def without_judge(about: About, reason: str, clock: Clock) -> Choice:
    """Nothing can be judged, so nothing is trained: keep what you have."""
    return _choice(about, KEEP, f"Nothing can be judged, so nothing was trained. {reason}", (), None, None, clock)


def decide(about: About, rungs: Rungs, options: Options, clock: Clock) -> Choice:
    """Judge every candidate's best policy, with intervals that hold for all policies that were ever scored.

    Raises:
        UserError: no candidate left a policy.
    """
    if not rungs.candidates:
        raise UserError(f"choose: no candidate left a policy: {'; '.join(rungs.failures.values())}")
    finalists = [rungs.best(name) for name in rungs.candidates]
    actors = {own.name: own.actor for own in finalists}
    case, starts = rungs.yardstick.case, rungs.yardstick.starts
    values = evaluate_by_fqe(case, list(actors.values()), starts)
    estimates = {own.name: Estimates(own.collected, value) for own, value in zip(finalists, values, strict=True)}
    looked_at = [own.collected for own in rungs.scored]
    wider = best_of.widening_of(looked_at, values, rungs.yardstick.standard, common_windows(case).disjoint)
    digests = {own.name: own.sha256 for own in finalists}
    judgement = conclude(rungs.yardstick, actors, estimates, options, clock.seconds, digests, widening=wider)
    candidates = tuple(_record(candidate, rungs) for candidate in rungs.field.candidates)
    best = judgement.ranked[0]
    decision, chosen = (TRY, best.name) if best.verdict == BETTER else (KEEP, None)
    return _choice(about, decision, _reason(judgement), candidates, judgement, chosen, clock)


def _reason(judgement: Judgement) -> str:
    best = judgement.ranked[0]
    if best.verdict == BETTER:
        low, high = number(best.difference.low), number(best.difference.high)
        return f"It is better by {low} to {high} a window, as far as the log can tell."
    return f"{best.name} is the best founded of {len(judgement.policies)}, and is not shown to be better."


def _record(candidate: Candidate, rungs: Rungs) -> CandidateRecord:
    after = rungs.after(candidate.name)
    return CandidateRecord(
        candidate.name,
        candidate.method,
        candidate.settings,
        candidate.why,
        tuple(Rung(own.epoch, own.mean, own.low, own.high) for own in after),
        rungs.field.seconds(candidate.name),
        rungs.best(candidate.name).name if after else None,
        rungs.failures.get(candidate.name),
        rungs.would_rise(candidate.name),
    )


def _choice(
    about: About,
    decision: str,
    reason: str,
    candidates: tuple[CandidateRecord, ...],
    judgement: Judgement | None,
    chosen: str | None,
    clock: Clock,
) -> Choice:
    return Choice(
        log=about.dataset.name,
        sha256=about.dataset.sha256,
        decision=decision,
        reason=reason,
        looks=about.looks,
        candidates=candidates,
        judgement=judgement,
        chosen=chosen,
        minutes=about.question.minutes,
        workers=about.workers,
        seconds=clock.seconds,
        command=about.command,
        folder=str(about.folder),
        apart=about.apart,
        version=__version__,
    )
