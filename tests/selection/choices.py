"""A choice made by hand."""

from micro_rl.reports.choice.record import KEEP, TRY, CandidateRecord, Choice
from micro_rl.reports.trust.record import PolicyJudgement
from tests.trust.judgements import judgement


def choice(*policies: PolicyJudgement, candidates: tuple[CandidateRecord, ...] = (), decision: str = KEEP) -> Choice:
    """A choice among policies that were judged, the first of them the best founded."""
    whole = judgement(*policies)
    return Choice(
        log="pump",
        sha256="0" * 64,
        decision=decision,
        reason="So it is.",
        looks=(),
        candidates=candidates,
        judgement=whole,
        chosen=policies[0].name if decision == TRY else None,
        minutes=10.0,
        workers=2,
        seconds=60.0,
        command="",
        folder="trained/pump",
        apart=True,
        version="0",
    )
