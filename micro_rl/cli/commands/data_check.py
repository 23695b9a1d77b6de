"""micro-rl data check: what is wrong with a log, and a mended copy of it."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.commands.console import console, print_for_machines, say
from micro_rl.core.wording import plural
from micro_rl.errors import UserError

if TYPE_CHECKING:
    from micro_rl.data.checks.inspection import Inspection
    from micro_rl.data.checks.repair import Change

COLOURS = {"error": "bold red", "warning": "yellow"}


LINE = 2000
"""Characters of row numbers on one line; JSON has them all."""


@dataclass(frozen=True)
class Checking:
    """What to do, and how to answer."""

    fix: Path | None = None
    """Write a mended copy there, in the form of its suffix (.hdf5, .npz, .csv, .parquet), and list every row that was
    dropped or changed. With --horizon N, terminals after exactly N steps become timeouts."""
    json: bool = False
    """Print everything as JSON, for machines."""


def run(arguments: list[str]) -> None:
    """Carry the command out; exit code 2 where training would refuse the log, or its mended copy."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.data.checks.repair import mend
    from micro_rl.data.read_options import ReadOptions
    from micro_rl.simulation.log_check import inspect

    explanation = "Find what is wrong with a log before training on it. Exit code 2 if training would refuse it."
    kind = shape("DataCheck", explanation, ("log", str), options=Checking, reading=ReadOptions)
    inputs = parse("data check", arguments, kind)
    options, changes, lost = inputs.options, None, []
    inspection, log = inspect(inputs.log, inputs.reading), inputs.log
    if options.fix:
        if not options.json:
            _print(inspection, None)
        command = shlex.join(["micro-rl", "data", "check", *arguments])
        changes, lost = mend(inspection, options.fix, inputs.reading.horizon, command)
        if changes:
            inspection, log = inspect(options.fix), str(options.fix)
    verdict = _verdict(inspection, log, changes)
    if options.json:
        report = _machine(inspection, verdict, changes) | ({"not_kept": lost} if changes else {})
        print_for_machines(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _print_changes(changes or [], lost)
        _print(inspection if changes or not options.fix else None, verdict)
    if errors := inspection.count("error"):
        raise UserError(f"{inspection.path}: {plural(errors, 'error')}, listed above")


def _verdict(inspection: "Inspection", log: str, changes: "list[Change] | None") -> str:
    """What it comes to, and what to do next."""
    errors, warnings = inspection.count("error"), inspection.count("warning")
    if changes == []:
        return "nothing to mend that needs no knowledge of the system: no copy was written"
    if errors:
        also = f" and {plural(warnings, 'warning')}" if warnings else ""
        mendable = (
            f"Next: {_mending(log)}" if _all_mendable(inspection) else "Mend what is named above, then check again."
        )
        return f"not usable: {plural(errors, 'error')}{also}. {mendable}"
    following = f"Next: micro-rl data info {shlex.quote(log)}, then micro-rl train"
    if warnings:
        read = "it" if warnings == 1 else "each"
        return f"usable, with {plural(warnings, 'warning')}: read {read} and decide whether it is so. {following}"
    return f"usable: nothing was found against it. {following}"


def _all_mendable(inspection: "Inspection") -> bool:
    from micro_rl.data.checks.repair import MENDABLE

    return all(finding.kind in MENDABLE for finding in inspection.findings if finding.level == "error")


def _mending(log: str) -> str:
    """The command that mends; the copy has the log's name, for that may tell its task."""
    copy = Path("mended", Path(log).stem).with_suffix(".hdf5")
    return f"micro-rl data check {shlex.quote(log)} --fix {shlex.quote(str(copy))}"


def _print_changes(changes: "list[Change]", lost: list[str]) -> None:
    from micro_rl.data.checks.findings import ranges

    for change in changes:
        rows = ranges(change.rows)
        more = f"{rows[:LINE]} ... (--json lists all)" if len(rows) > LINE else rows
        print(f"mended   {plural(len(change.rows), 'row')}: {change.text}: {more}")
    for text in lost:
        print(f"not kept {text}")


def _print(inspection: "Inspection | None", verdict: str | None) -> None:
    """A line for each finding, the sentence hanging beside its level; then the verdict."""
    from rich.text import Text

    screen = console()
    if inspection is not None:
        _print_findings(inspection)
    if verdict is not None:
        style = "bold red" if inspection is not None and inspection.count("error") else "bold"
        screen.print(Text(f"verdict  {verdict}", style=style), soft_wrap=True)


def _print_findings(inspection: "Inspection") -> None:
    from rich.table import Table
    from rich.text import Text

    screen = console()
    say(screen, _headline(inspection))
    table = Table.grid(padding=(0, 2))
    for finding in inspection.findings:
        table.add_row(Text(finding.level, style=COLOURS[finding.level]), Text(finding.text))
    if screen.is_terminal:
        screen.print(table)
    else:
        for finding in inspection.findings:
            print(f"{finding.level:9}{finding.text}")


def _headline(inspection: "Inspection") -> str:
    """The log in one line."""
    log = inspection.dataset
    if log is None:
        return f"{inspection.path}: cannot be read"
    sizes = f"{plural(len(log), 'row')}, {plural(len(log.stops), 'episode')}"
    ends = f"{int(log.terminals.sum()):,} terminate, {int(log.timeouts.sum()):,} time out"
    widths = f"{plural(log.observations.shape[1], 'observation')}, {plural(log.actions.shape[1], 'action')}"
    return f"{log.name} ({log.format}): {sizes} ({ends}), {widths}"


def _machine(inspection: "Inspection", verdict: str, changes: "list[Change] | None") -> dict[str, Any]:
    """Everything, in plain values."""
    log = inspection.dataset
    about = {"name": log.name, "format": log.format, "sha256": log.sha256} if log else {}
    sizes = {"rows": len(log), "episodes": len(log.stops)} if log else {}
    return {
        "path": str(inspection.path),
        **about,
        **sizes,
        "errors": inspection.count("error"),
        "warnings": inspection.count("warning"),
        "findings": [asdict(finding) for finding in inspection.findings],
        **({} if changes is None else {"mended": [change._asdict() for change in changes]}),
        "verdict": verdict,
    }
