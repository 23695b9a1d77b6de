"""micro-rl monitor: what a controller's record shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.commands.console import console, say
from micro_rl.errors import UserError

if TYPE_CHECKING:
    from micro_rl.data import Dataset
    from micro_rl.reports.monitor.findings import Findings, Windows
    from micro_rl.reports.monitor.prediction import Match, Prediction
    from micro_rl.reports.monitor.recorded import Recorded
    from micro_rl.reports.monitor.words import Obtained


@dataclass(frozen=True)
class Monitor:
    """What to hold the record against."""

    run: Path | None = None
    """The run that the policy is from: its log is what columns and returns are compared with."""
    log: str | None = None
    """The log, where it is not the run's own."""
    judgement: Path | None = None
    """What `micro-rl trust RUN --json` printed, or a choice's decision.json: what the record is held against.
    Of several policies it is the one that acted, by the SHA-256 of its file; else --run says whose."""
    window: int | None = None
    """Steps of a window; by default the judgement's, else as long as the log holds enough of."""
    page: Path | None = None
    """The page to write, .html; by default RECORD.html."""


EXPLANATION = """Say what a controller's record shows: who acted, alarms, drift against the log, what was obtained.

RECORD is the CSV that micro_rl.Controller wrote, with its TOML beside it.
"""
LONGEST = 20
"""Alarms that the terminal shows, the newest."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.reports.monitor.findings import find
    from micro_rl.reports.monitor.page import render
    from micro_rl.reports.monitor.recorded import read
    from micro_rl.storage.files import make_parent, replace_file

    inputs: Any = parse("monitor", arguments, shape("MonitorRecord", EXPLANATION, ("record", Path), options=Monitor))
    asked: Monitor = inputs.options
    page = _page(inputs.record, asked)
    for name in ("judgement", "window"):
        if getattr(asked, name) is not None and asked.run is None and asked.log is None:
            raise UserError(f"--{name}: the record's windows are compared with the log's; name it with --run or --log")
    record, log = read(inputs.record), _log(asked)
    prediction = None if log is None else _prediction(asked, record)
    if prediction and log is not None and _of_another(prediction, log, asked):
        say(console(), f"note    {asked.judgement} judges by another log than {log.path}: is it that of this policy?")
    matched, length = _matched(record, prediction, asked), _length(asked, log, prediction)
    findings = find(record, log, length, matched.policy)
    test, margins = _tested(findings.windows, prediction if matched.compared else None)
    notes = [matched.note] if matched.note else []
    text = render(inputs.record.name, record, findings, test, margins, notes)
    make_parent(page)
    replace_file(page, text.encode())
    _show(record, findings, test, notes)
    say(console(), f"page    {page}")


def _page(record: Path, asked: Monitor) -> Path:
    """Where the page is written: over a page of its own alone."""
    from micro_rl.reports.monitor.page import HEAD, MARK
    from micro_rl.storage.files import check_own

    page = asked.page or record.with_suffix(".html")
    if page.is_dir():
        raise UserError(f"--page {page}: is a folder; name a file in it")
    if page.suffix not in (".html", ".htm"):
        raise UserError(f"--page {page}: a page's name ends in .html")
    if page == record:
        raise UserError(f"{record}: is no record of a controller: name the CSV")
    check_own(page, MARK, HEAD, "micro-rl monitor did not write it; choose another name with --page")
    return page


def _log(asked: Monitor) -> "Dataset | None":
    """The log to compare with; None where none is named."""
    from micro_rl.data import load
    from micro_rl.data.run_log import log_of
    from micro_rl.storage.run_folder import RunFolder

    if asked.log is not None:
        return load(asked.log)
    return None if asked.run is None else log_of(asked.run, RunFolder.open(asked.run).config())


def _of_another(prediction: "Prediction", log: "Dataset", asked: Monitor) -> bool:
    """Whether a prediction is of another log: neither of this one, nor of all of it, nor of the judge's part."""
    from micro_rl.data.parts import judging_rows
    from micro_rl.data.run_log import whole_log_of
    from micro_rl.data.taking import digest_of
    from micro_rl.storage.run_folder import RunFolder

    if prediction.log in (None, log.sha256):
        return False
    whole = log
    if asked.log is None and asked.run is not None:
        whole = whole_log_of(asked.run, RunFolder.open(asked.run).config())
    return prediction.log not in (whole.sha256, digest_of(whole, judging_rows(whole)))


def _prediction(asked: Monitor, record: "Recorded") -> "Prediction | None":
    """What the judgement predicts or, without one, the run's own model."""
    from micro_rl.reports.monitor.prediction import of_judgement, of_run

    if asked.judgement is not None:
        return of_judgement(asked.judgement, asked.run, record.acted)
    return None if asked.run is None else of_run(asked.run)


def _matched(record: "Recorded", prediction: "Prediction | None", asked: Monitor) -> "Match":
    """Whether the prediction is of the policy that acted, and of windows as long as those asked for."""
    from micro_rl.core.wording import plural
    from micro_rl.reports.monitor.prediction import Match, match

    if prediction is None:
        lacking = (
            f"what a window brings was not predicted: micro-rl trust {asked.run} --json > FILE does, for --judgement"
        )
        return Match(False, None, lacking if asked.run is not None else "")
    matched = match(record, prediction)
    if not matched.compared or asked.window in (None, prediction.window):
        return matched
    length = plural(prediction.window, "step")
    return Match(
        False,
        matched.policy,
        f"{prediction.by} predicts for windows of {length}: not compared with --window {asked.window}",
    )


def _length(asked: Monitor, log: "Dataset | None", prediction: "Prediction | None") -> int | None:
    """Steps of a window; `UserError` where the log holds no two of it."""
    from micro_rl.core.wording import plural
    from micro_rl.data.stretches import greatest_length, stretches
    from micro_rl.trust.window_length import longest

    if asked.window is not None and asked.window < 1:
        raise UserError(f"--window {asked.window}: a window has 1, 2, 3, ... steps")
    if log is None:
        return None
    length = asked.window or (prediction.window if prediction else longest(log).length)
    if stretches(log, length).disjoint > 1:
        return length
    if not (greatest := greatest_length(log)):
        raise UserError(f"{log.path}: holds no two steps to compare with: name a longer log with --log")
    if not asked.window and not prediction:
        return greatest
    holds = f"{log.path} holds no two, the longest possible are of {plural(greatest, 'step')}"
    if asked.window:
        raise UserError(f"--window {length}: of windows so long {holds}: take --window {greatest} at most")
    raise UserError(
        f"{asked.judgement or asked.run}: predicts for windows of {plural(length, 'step')}, of which {holds}: name the "
        f"log that it is from with --log, or take --window {greatest}"
    )


def _tested(windows: "Windows | None", prediction: "Prediction | None") -> tuple["Obtained | None", Any]:
    """The sequential tests of the policy's windows, and the margins they decide by."""
    import numpy as np

    from micro_rl.reports.monitor.words import Obtained
    from micro_rl.trust.trial import ALPHA, effective, margins
    from micro_rl.trust.watching import FEWEST, hold, watch

    if windows is None or not len(windows.returns):
        return None, np.zeros(0)
    plan, returns = prediction and prediction.trial, windows.returns.tolist()
    predicted = None if prediction is None else prediction.baseline
    baseline = windows.baseline if predicted is None else predicted
    own = effective(windows.deviation, windows.alike) if windows.disjoint >= FEWEST else 0.0
    deviation, alpha = (plan["deviation"], plan["alpha"]) if plan else (own, ALPHA)
    measured = min(windows.disjoint, (prediction and prediction.measured) or windows.disjoint)
    of_mean = (plan or {}).get("baseline_deviation", own / measured**0.5)
    watched = watch(returns, baseline, deviation, alpha, of_mean)
    ends = (prediction.low, prediction.high) if prediction and own else None
    test = ends and hold(windows.returns, baseline, windows.deviation, ends, alpha, windows.alike, of_mean)
    half = margins(np.arange(1.0, len(returns) + 1), deviation, alpha, of_mean)
    spread = float(windows.returns.std(ddof=1)) / windows.deviation if len(returns) > 1 and own else None
    outcome = (watched.difference, watched.margin, watched.verdict, watched.decided_after)
    most = plan["most_windows"] if plan else None
    return Obtained(watched.windows, windows.length, baseline, *outcome, spread, most, prediction, test), half


def _show(record: "Recorded", findings: "Findings", test: "Obtained | None", notes: list[str]) -> None:
    from micro_rl.core.wording import plural
    from micro_rl.reports.monitor import words

    screen = console()
    if record.cut:
        say(screen, "note    the last line is cut off, so it is left out")
    say(screen, f"acted   {words.acted(findings)}")
    say(screen, f"guard   {words.guarded(findings, record)}")
    for alarm in findings.alarms[-LONGEST:]:
        say(screen, f"alarm   line {alarm.line}, for {plural(alarm.steps, 'step')}: {alarm.reason}")
    if findings.drifts is None:
        say(screen, "drift   not compared: name the run with --run, or the log with --log")
    for drift in findings.drifts or ():
        say(screen, f"drift   {drift.name}: {words.drifted(drift)}{'  <- look at it' if drift.drifted else ''}")
    length = None if findings.windows is None else findings.windows.length
    if findings.windows is not None:
        say(screen, f"reward  {words.trial(test, length)}")
    if test is not None and (told := words.against_prediction(test)) is not None:
        say(screen, f"reward  {told}")
    for note in notes:
        say(screen, f"note    {note}")
    say(screen, f"in short {words.headline(findings, test)}")
