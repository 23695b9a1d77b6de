"""What the page of a choice says of its candidates, by records made by hand."""

from pathlib import Path
from typing import Any, cast

import pytest

from micro_rl.reports.choice import page, panels, words
from micro_rl.reports.choice.record import CandidateRecord, Choice, Rung
from micro_rl.selection import decision, schedule
from micro_rl.selection.clock import Clock
from micro_rl.selection.plan_file import Planned
from micro_rl.selection.portfolio import COMMON
from micro_rl.selection.rungs import Rungs
from micro_rl.selection.schedule import Schedule
from micro_rl.selection.scoring import Scored
from micro_rl.selection.watching import Watcher
from micro_rl.trust.yardstick import Yardstick
from tests.selection.choices import choice
from tests.selection.test_field import field_of
from tests.trust.judgements import evidence, judged

MOST = schedule.MOST_UPDATES // COMMON["updates_per_epoch"]


class Idle:
    """A crew that trains nothing."""

    size = 1

    def carry_out(self, *about: Any):
        return []


def choice_of(*candidates: CandidateRecord) -> Choice:
    """A choice whose best policy, of the first candidate, is not shown to be better."""
    return choice(judged(candidates[0].best or "none", evidence(-1.0, 3.0)), candidates=candidates)


def scored(epoch: int, standing: float) -> Scored:
    nothing: Any = None
    return Scored(f"bc-seed0-epoch{epoch}", "bc", epoch, nothing, nothing, 0.0, -1.0, 1.0, standing, "")


def record_of(folder: Path, standings: dict[int, float], failed: int | None = None) -> CandidateRecord:
    """The record of a candidate that stood so after these epochs, and came to nothing on its way to another."""
    field = field_of(folder, (3.0, 0.7))._replace(crew=cast(Any, Idle()))
    epochs = [*standings, *([] if failed is None else [failed])]
    planned = Planned(Schedule(tuple({"bc": epoch} for epoch in epochs), (1,) * len(epochs)), {"bc": 1.0}, 1, {}, {})
    if failed is not None:
        field.fail("bc", failed, "policy diverged")
    yardstick = tuple.__new__(Yardstick, (None,) * len(Yardstick._fields))
    own: Any = Rungs(field, yardstick, planned, folder, Watcher(), Clock(folder / "clock.json"))
    own._score = lambda name, epoch: own.scored.append(scored(epoch, standings[epoch]))
    own.carry_out(planned)
    return decision._record(field.candidates[0], own)


@pytest.mark.parametrize(
    ("standings", "failed", "rising"),
    [
        ({4: 1.0, 8: 2.0}, None, True),
        ({4: 2.0, 8: 1.0}, None, False),
        ({4: 1.0, 8: 1.0}, None, False),
        ({4: 1.0}, None, False),
        ({4: 1.0, 8: 2.0}, 12, False),
        ({4: 1.0, MOST: 2.0}, None, False),
        ({4: 1.0, MOST - 1: 2.0}, None, True),
    ],
)
def test_more_minutes_are_advised_where_they_would_train_further(tmp_path: Path, standings, failed, rising):
    record = record_of(tmp_path, standings, failed)
    assert record.failure == (None if failed is None else "policy diverged")
    advised = [remedy for remedy in words.remedies(choice_of(record)) if "--minutes" in remedy]
    assert advised == (["bc was still rising when its time was up: more --minutes"] if rising else [])


def trained(name: str, rungs: int, failure: str | None = None) -> CandidateRecord:
    """A candidate that took part in so many rungs."""
    parts = tuple(Rung(4 * (1 + rung), 0.1 * rung, -1.0, 1.0) for rung in range(rungs))
    best = f"{name}-seed0-epoch{4 * rungs}" if rungs else None
    return CandidateRecord(name, name, {}, "a reason", parts, 75.0, best, failure)


@pytest.mark.parametrize(("rungs", "ends"), [((5, 5), False), ((5, 5, 1), True), ((3, 3, 0), False)])
def test_the_picture_of_the_rungs_says_why_lines_end_only_where_some_do(rungs, ends):
    choice = choice_of(*(trained(f"c{number}", count) for number, count in enumerate(rungs)))
    assert choice.judgement is not None
    (panel,) = panels.rungs(choice, choice.judgement)
    assert "by the judge's model." in panel.caption and "fewer went on" not in panel.caption
    assert ("fell out, failed or had trained as long as any may" in panel.caption) == ends


def test_a_candidate_without_a_rung_shows_its_time_and_no_epochs():
    row = page._row(
        choice_of(trained("a", 2), trained("b", 0, "diverged")), trained("b", 0, "policy diverged in epoch 57")
    )
    assert (row.trained, row.verdict) == ("75.0 seconds", "policy diverged in epoch 57")
    assert page._row(choice_of(trained("a", 2)), trained("a", 2)).trained == "8 epochs, 75.0 seconds"
