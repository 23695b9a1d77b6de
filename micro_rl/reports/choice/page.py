"""Put a choice into the page decision.html: one file, without scripts, that loads nothing."""

from pathlib import Path
from typing import NamedTuple

from micro_rl.core.wording import duration, number, plural
from micro_rl.reports.choice import panels, words
from micro_rl.reports.choice.record import TRY, CandidateRecord, Choice
from micro_rl.reports.run.page import Fact, environment
from micro_rl.reports.run.story import Figure, Story
from micro_rl.reports.trust import panels as trust_panels
from micro_rl.storage.files import replace_file


class Row(NamedTuple):
    """A candidate's line in the table; `page` is its run's, where one was written."""

    name: str
    why: str
    settings: str
    trained: str
    difference: str
    cost: str
    verdict: str


def write(choice: Choice, path: Path, run_page: str | None = None) -> Path:
    """Write the page, whole or not at all.

    Args:
        choice: what it came to.
        path: the page.
        run_page: where the chosen run's own page lies, from here.

    Raises:
        CannotWrite: the disk refuses it.
    """
    replace_file(path, render(choice, run_page).encode())
    return path


def render(choice: Choice, run_page: str | None = None) -> str:
    """The page as text."""
    judgement = choice.judgement
    pictures = [] if judgement is None else [trust_panels.differences(judgement), *panels.rungs(choice, judgement)]
    return (
        environment()
        .get_template("choice.html")
        .render(
            title=f"What to do with the log {choice.log}",
            story=Story(words.headline(choice), _figures(choice), [choice.reason, *words.paragraphs(choice)]),
            trial=words.trial(choice),
            tried=choice.decision == TRY,
            remedies=words.remedies(choice),
            best=choice.best.name if choice.best else "",
            main=pictures,
            rows=[_row(choice, candidate) for candidate in choice.candidates],
            judgement=judgement,
            looks=[Fact(word.capitalize(), text) for word, text in choice.looks],
            facts=_facts(choice),
            anew=words.anew(choice),
            run_page=run_page,
            version=choice.version,
        )
    )


def _figures(choice: Choice) -> list[Figure]:
    spent = Figure("was spent", duration(choice.seconds), [f"{number(choice.minutes)} minutes were allowed"])
    if choice.judgement is None or choice.best is None:
        return [spent]
    own = choice.best.difference
    return [
        Figure(
            f"{choice.best.name} a window, against {choice.judgement.opponent}",
            f"{'+' if own.mean > 0 else ''}{number(own.mean)}",
            [f"between {number(own.low)} and {number(own.high)}"],
        ),
        Figure(
            "what made the log, a window",
            number(choice.judgement.measured),
            ["measured, in the rows that the judge judges by"],
        ),
        spent,
    ]


def _row(choice: Choice, candidate: CandidateRecord) -> Row:
    judged = choice.judged(candidate.best)
    settings = ", ".join(f"{name} {value}" for name, value in candidate.settings.items()) or "the usual ones"
    epochs = f"{plural(candidate.rungs[-1].epoch, 'epoch')}, " if candidate.rungs else ""
    trained = f"{epochs}{duration(candidate.seconds)}"
    if judged is None:
        reason = candidate.failure or "left no policy"
        return Row(candidate.name, candidate.why, settings, trained, "", "", reason)
    return Row(
        candidate.name,
        candidate.why,
        settings,
        trained,
        words.gain(judged),
        _cost(choice, candidate),
        "; ".join(
            [
                judged.verdict,
                *(["handed over"] if candidate.best == choice.chosen else []),
                *([candidate.failure] if candidate.failure else []),
            ]
        ),
    )


def _cost(choice: Choice, candidate: CandidateRecord) -> str:
    """What is given up by taking the chosen one, or gained."""
    judged = choice.judged(candidate.best)
    if judged is None or choice.best is None or candidate.best == choice.best.name:
        return ""
    apart = judged.difference.mean - choice.best.difference.mean
    return f"{'+' if apart > 0 else ''}{number(apart)}"


def _facts(choice: Choice) -> list[Fact]:
    facts = [Fact("Log", choice.log), Fact("SHA-256", choice.sha256, True)]
    if choice.command:
        facts.append(Fact("Command", choice.command, True))
    return [
        *facts,
        Fact("Time", f"{duration(choice.seconds)} on {plural(choice.workers, 'core')}"),
        Fact("Decision", "a policy to try" if choice.decision == TRY else "keep what you have"),
    ]
