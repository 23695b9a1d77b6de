"""micro-rl monitor: what a controller's record shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.commands.console import console, say
from micro_rl.errors import UserError

if TYPE_CHECKING:
    from micro_rl.data import Dataset
    from micro_rl.reports.monitor.findings import Findings, Windows
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
    """What `micro-rl trust RUN --json` printed: its trial and its prediction are held against the record.
    Where it judges several runs, --run says whose."""
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
    from micro_rl.reports.monitor.page import write
    from micro_rl.reports.monitor.recorded import read

    inputs: Any = parse("monitor", arguments, shape("MonitorRecord", EXPLANATION, ("record", Path), options=Monitor))
    asked: Monitor = inputs.options
    page = _page(inputs.record, asked)
    for name in ("judgement", "window"):
        if getattr(asked, name) is not None and asked.run is None and asked.log is None:
            raise UserError(f"--{name}: the record's windows are compared with the log's; name it with --run or --log")
    record, log = read(inputs.record), _log(asked)
    judged = None if asked.judgement is None else _judgement(asked.judgement, asked.run)
    if judged and log is not None and judged["log"] not in (None, log.sha256):
        say(console(), f"note    {asked.judgement} judges by another log than {log.path}: is it that of this policy?")
    findings = find(record, log, _length(asked, log, judged))
    test, margins = _tested(findings.windows, judged, asked)
    write(page, inputs.record.name, record, findings, test, margins)
    _show(record, findings, test)
    say(console(), f"page    {page}")


def _page(record: Path, asked: Monitor) -> Path:
    """Where the page is written: never over the record, a log or a policy."""
    page = asked.page or record.with_suffix(".html")
    if page.is_dir():
        raise UserError(f"--page {page}: is a folder; name a file in it")
    if page.suffix not in (".html", ".htm"):
        raise UserError(f"--page {page}: a page's name ends in .html")
    if page == record:
        raise UserError(f"{record}: is no record of a controller: name the CSV")
    return page


def _log(asked: Monitor) -> "Dataset | None":
    """The log to compare with; None where none is named."""
    from micro_rl.data import load
    from micro_rl.data.run_log import log_of
    from micro_rl.storage.run_folder import RunFolder

    if asked.log is not None:
        return load(asked.log)
    return None if asked.run is None else log_of(asked.run, RunFolder.open(asked.run).config())


def _judgement(path: Path, run: Path | None) -> dict[str, Any]:
    """What is needed of a judgement: the window, the prediction of the run's policy, its trial."""
    from micro_rl.storage.json_files import read_json

    try:
        judged = read_json(path)
        own = _own(path, {policy["name"]: policy for policy in judged["policies"]}, run)
        window, predicted, trial = judged["window"], own["evidence"]["difference"]["mean"], own["trial"]
        numbers = [window, predicted, *([trial["baseline"], trial["deviation"], trial["alpha"]] if trial else [])]
        if not all(isinstance(value, int | float) for value in numbers):
            raise TypeError
        return {"window": window, "predicted": predicted, "trial": trial, "log": judged.get("sha256")}
    except (AttributeError, KeyError, TypeError, IndexError):
        raise UserError(f"{path}: is no judgement; write one with micro-rl trust RUN --json > {path}") from None


def _own(path: Path, policies: dict[str, Any], run: Path | None) -> Any:
    """The run's policy among those of a judgement, or its only one.

    Raises:
        UserError: there are several, and none or more than one of them can be the run's.
    """
    if len(policies) < 2:
        return next(iter(policies.values()), None)
    same = [] if run is None else [name for name in policies if _folder(name) == _folder(run)]
    if len(same) == 1:
        return policies[same[0]]
    which = "which of them acted no --run tells" if run is None else f"which of them {run} is cannot be told"
    raise UserError(
        f"{path}: judges {len(policies)} policies, and {which}; write a judgement of the one run, with "
        f"micro-rl trust {run or 'RUN'} --json > FILE"
    )


def _folder(run: str | Path) -> Path:
    """A run's folder, also where the policy's file in it is named."""
    path = Path(run)
    return (path.parent if path.name == "policy.safetensors" else path).resolve()


def _length(asked: Monitor, log: "Dataset | None", judged: dict[str, Any] | None) -> int | None:
    """Steps of a window."""
    from micro_rl.trust.window_length import longest

    if asked.window is not None and asked.window < 1:
        raise UserError(f"--window {asked.window}: a window has 1, 2, 3, ... steps")
    if log is None:
        return None
    return asked.window or (judged["window"] if judged else longest(log).length)


def _tested(windows: "Windows | None", judged: dict[str, Any] | None, asked: Monitor) -> tuple["Obtained | None", Any]:
    """The sequential test of the policy's windows, and the margins it decides by."""
    import numpy as np

    from micro_rl.reports.monitor.words import Obtained
    from micro_rl.trust.trial import ALPHA, margin
    from micro_rl.trust.watching import watch

    if windows is None or not len(windows.returns):
        return None, np.zeros(0)
    plan = judged["trial"] if judged and judged["window"] == windows.length else None
    baseline, deviation = (plan["baseline"], plan["deviation"]) if plan else (windows.baseline, windows.deviation)
    alpha = plan["alpha"] if plan else ALPHA
    watched = watch(windows.returns.tolist(), baseline, deviation, alpha)
    predicted, by = _predicted(windows, judged, asked)
    margins = np.array([margin(count, deviation, alpha) for count in range(1, watched.windows + 1)])
    outcome = (watched.difference, watched.margin, watched.verdict, watched.decided_after)
    most = plan["most_windows"] if plan else None
    return Obtained(watched.windows, windows.length, baseline, *outcome, predicted, by, most), margins


def _predicted(windows: "Windows", judged: dict[str, Any] | None, asked: Monitor) -> tuple[float | None, str]:
    """What was expected of a window beyond the log, and by whom."""
    from micro_rl.core.metric_keys import WINDOW_DIFFERENCE
    from micro_rl.storage.run_folder import RunFolder

    if judged is not None:
        return judged["predicted"] * windows.length / judged["window"], "the judgement"
    if asked.run is None or not (asked.run / "scores.json").exists():
        return None, ""
    score = RunFolder.open(asked.run).scores().get(WINDOW_DIFFERENCE)
    return (None, "") if score is None else (score["mean_of_last"], _by_own_model(score["evaluations"]))


def _by_own_model(evaluations: int) -> str:
    from micro_rl.core.wording import plural

    own = "the run's own model, which it learned to please"
    return own if evaluations == 1 else f"{own} (mean of its last {plural(evaluations, 'evaluation')})"


def _show(record: "Recorded", findings: "Findings", test: "Obtained | None") -> None:
    from micro_rl.core.wording import plural
    from micro_rl.reports.monitor import words

    screen = console()
    if record.cut:
        say(screen, "note    the last line is cut off, so it is left out")
    say(screen, f"acted   {words.acted(findings)}")
    say(screen, f"guard   {words.guarded(findings, record)}")
    for alarm in findings.alarms[-LONGEST:]:
        say(screen, f"alarm   row {alarm.begins}, for {plural(alarm.steps, 'step')}: {alarm.reason}")
    if findings.drifts is None:
        say(screen, "drift   not compared: name the run with --run")
    for drift in findings.drifts or ():
        say(screen, f"drift   {drift.name}: {words.drifted(drift)}{'  <- look at it' if drift.drifted else ''}")
    length = None if findings.windows is None else findings.windows.length
    if findings.windows is not None:
        say(screen, f"reward  {words.trial(test, length)}")
    say(screen, f"in short {words.headline(findings, test)}")
