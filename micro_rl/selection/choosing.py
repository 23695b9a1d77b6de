"""A choice from start to end: look, part the log, make the judge, train in rungs, judge all, decide.

What it comes to is a function of the log, the question and the plan; whatever lies in the folder already is taken, so
that one that was killed goes on, and ends as it would have ended.
"""

from pathlib import Path

from micro_rl.core.wording import duration, plural
from micro_rl.data import Dataset
from micro_rl.data.conversion import convert
from micro_rl.data.stretches import stretches
from micro_rl.errors import UserError
from micro_rl.reports.choice.record import Choice
from micro_rl.selection import decision, plan_file
from micro_rl.selection.clock import Clock
from micro_rl.selection.field import Field
from micro_rl.selection.look import Look, look
from micro_rl.selection.parts import Parts, part
from micro_rl.selection.plan_file import Planned
from micro_rl.selection.portfolio import SEEDS_FROM, portfolio
from micro_rl.selection.question import Question, check, enter
from micro_rl.selection.rungs import Rungs
from micro_rl.selection.watching import Watcher
from micro_rl.selection.workers import cores
from micro_rl.storage.locks import locked
from micro_rl.trust.options import Options
from micro_rl.trust.window_length import FEWEST, longest
from micro_rl.trust.yardstick import Yardstick, make_yardstick

JUDGED = 20.0
"""Seconds that the judgement at the end takes for each candidate, about."""
LOG = "training.hdf5"


def choose_policy(
    dataset: Dataset, question: Question, folder: Path, resume: bool, watcher: Watcher, command: str = ""
) -> Choice:
    """Choose a policy from a log.

    Args:
        dataset: the log, single observations.
        question: what was asked.
        folder: takes everything.
        resume: go on in that folder.
        watcher: is told how it goes.
        command: what was typed, for the record.

    Returns:
        The decision; the folder holds the policies and runs behind it.

    Raises:
        UserError: in one line, before anything is computed where that is possible.
    """
    check(question)
    question.options(dataset, folder)
    enter(folder, question.kept(dataset), resume)
    with locked(folder / "lock", "choice"):
        return _choose(dataset, question, folder, watcher, command)


def _choose(dataset: Dataset, question: Question, folder: Path, watcher: Watcher, command: str) -> Choice:
    clock, seen = Clock(folder / "clock.json"), look(dataset)
    options = question.options(dataset, folder / "judge")
    candidates = portfolio(question.minutes, seen.history, seen.narrow, seen.negative)
    if question.plan is not None:
        plan_file.read(question.plan, [candidate.name for candidate in candidates])
    try:
        parts, yardstick = _judge(dataset, seen, options, watcher, question.minutes)
    except UserError as error:
        watcher.looked(seen.lines)
        about = decision.About(dataset, question, seen.lines, command, cores(), clock.seconds)
        return decision.without_judge(about, str(error))
    lines = (*seen.lines, ("parts", parts.made), ("judge", _judge_words(yardstick)))
    watcher.looked(lines)
    field = Field(candidates, _training_log(parts, folder), folder, _seeds(question))
    for candidate in candidates:
        watcher.note(f"{'try':10}{candidate.name}: {candidate.why}")
    planned = _planned(field, question, clock.before_training(), len(parts.training), watcher)
    rungs = Rungs(field, yardstick, planned, folder / "tasks", watcher, clock)
    rungs.carry_out()
    watcher.at_work("judging every candidate's best policy", JUDGED * len(field.candidates))
    about = decision.About(dataset, question, lines, command, planned.workers, clock.seconds)
    return decision.decide(about, rungs, options)


def _judge(dataset: Dataset, seen: Look, options: Options, watcher: Watcher, minutes: float) -> tuple[Parts, Yardstick]:
    """Both parts, and the judge of its own; of a log too short for two parts, the judge of the whole."""

    def progress(what: str, share: float) -> None:
        watcher.at_work(f"the judge: {what}", 60 * minutes)

    parts = part(dataset)
    length, reason = longest(dataset).length, "as long as the whole log leaves enough of them"
    if options.window is not None or stretches(parts.judging, length).disjoint < FEWEST:
        length, reason = options.window, None
    try:
        own = make_yardstick(parts.judging, seen.history, options._replace(window=length), progress)
        return parts, own if reason is None else own.reasoned(reason)
    except UserError as error:
        made = (
            f"the log is too short to keep a part for the judge ({error}), so the judge saw what the candidates learn "
            "from, and its word is worth less"
        )
        whole = Parts(dataset, dataset, made)
        return whole, make_yardstick(dataset, seen.history, options, progress)


def _judge_words(yardstick: Yardstick) -> str:
    test, layout = yardstick.standard.test, yardstick.case.layout
    explained = max(0.0, test.explained)
    return (
        f"tested on {plural(len(test.measured), 'part')} that it did not see, it explains {100 * explained:.0f} % of "
        f"what they differ by; windows have {plural(layout.windows.length, 'step')} ({layout.reason})"
    )


def _training_log(parts: Parts, folder: Path) -> Path:
    """The file of the candidates' part."""
    path = folder / LOG
    if not path.exists():
        convert(parts.training, path, "hdf5", "micro-rl choose")
    return path


def _seeds(question: Question) -> tuple[int, ...]:
    return (question.seed, question.seed + 1) if question.minutes >= SEEDS_FROM else (question.seed,)


def _planned(field: Field, question: Question, spent: float, rows: int, watcher: Watcher) -> Planned:
    """The plan that is there, or was given, or follows from the first epochs of every candidate."""
    path, processes = field.folder / plan_file.PLAN, cores()
    if not path.exists() and question.plan is not None:
        plan_file.write(path, plan_file.read(question.plan, field.names))
    failures = plan_file.begin(field, question.minutes, processes, rows, watcher)
    if not path.exists():
        rest = 60 * question.minutes - spent - JUDGED * len(field.candidates)
        plan_file.write(path, plan_file.make(field, rest, processes, rows, failures))
    planned = plan_file.read(path, field.names)
    for name, reason in planned.failures.items():
        watcher.note(f"{name}: {reason}")
    watcher.note(
        f"{'plan':10}three rungs for {', '.join(map(str, planned.schedule.places))} candidates with "
        f"{plural(len(field.seeds), 'seed')} each on {plural(planned.workers, 'core')}, about "
        f"{duration(planned.schedule.seconds(planned.costs, planned.workers))}"
    )
    return planned


def folder_of(dataset: Dataset) -> Path:
    """Where a choice goes that was given no folder."""
    return Path("trained") / f"{dataset.name}-choice"
