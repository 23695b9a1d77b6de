"""What a choice came to, in plain values: what the page shows, the terminal prints and JSON holds."""

from typing import Any, NamedTuple

from micro_rl.reports.trust.record import Judgement, PolicyJudgement

TRY, KEEP = "try it, under watch", "keep what you have"


class Rung(NamedTuple):
    """A candidate after a rung: the best of its seeds by the judge's model, policy less what made the log, a window."""

    epoch: int
    mean: float
    low: float
    high: float


class CandidateRecord(NamedTuple):
    """A candidate, what became of it in each rung that it took part in, and why it ended where it came to nothing."""

    name: str
    method: str
    settings: dict[str, Any]
    why: str
    rungs: tuple[Rung, ...]
    seconds: float
    best: str | None
    """The policy of it that was judged in the end."""
    failure: str | None = None
    rising: bool = False
    """Whether more time would have taken it further: its last rung lifted it, and it could have gone on."""


class Choice(NamedTuple):
    """All of it. `judgement` is None where nothing could be judged, and `reason` then says why."""

    log: str
    sha256: str
    decision: str
    reason: str
    looks: tuple[tuple[str, str], ...]
    candidates: tuple[CandidateRecord, ...]
    judgement: Judgement | None
    chosen: str | None
    """The policy that is handed over; None where the answer is to keep what there is."""
    minutes: float
    workers: int
    seconds: float
    command: str
    folder: str
    apart: bool
    """Whether candidates were kept from what the judge judges by."""
    version: str

    @property
    def best(self) -> PolicyJudgement | None:
        """The judgement of the best founded policy, which is handed over where it is shown to be better."""
        return self.judged(self.judgement.ranking[0]) if self.judgement else None

    @property
    def on_trial(self) -> PolicyJudgement | None:
        """What is to be tried: what is handed over, else the best founded whose gain a trial can show."""
        if self.decision == TRY:
            return self.best
        ranked = self.judgement.ranked if self.judgement else ()
        return next((own for own in ranked if own.trial is not None and own.trial.shows(own.evidence.gain)), None)

    @property
    def runner_up(self) -> PolicyJudgement | None:
        """The judgement of the next one in the ranking."""
        ranking = self.judgement.ranking if self.judgement else ()
        return self.judged(ranking[1]) if len(ranking) > 1 else None

    def judged(self, name: str | None) -> PolicyJudgement | None:
        """The judgement of a policy, by its name."""
        policies = self.judgement.policies if self.judgement else ()
        return next((policy for policy in policies if policy.name == name), None)
