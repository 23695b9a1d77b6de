"""micro-rl data check: what is wrong with a log."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from micro_rl.commands.console import console
from micro_rl.errors import UserError

if TYPE_CHECKING:
    from micro_rl.data.inspection import Inspection

COLOURS = {"error": "bold red", "warning": "yellow"}


@dataclass(frozen=True)
class Checking:
    """How to answer."""

    json: bool = False
    """Print everything as JSON, for machines."""


def run(arguments: list[str]) -> None:
    """Carry the command out; exit code 2 where training would refuse the log."""
    from micro_rl.arguments import parse, shape
    from micro_rl.data.inspection import inspect
    from micro_rl.data.reading import Reading

    explanation = "Find what is wrong with a log before training on it. Exit code 2 if training would refuse it."
    kind = shape("DataCheck", explanation, ("log", str), asked=Checking, reading=Reading)
    given = parse("data check", arguments, kind)
    seen = inspect(given.log, given.reading)
    verdict = _verdict(seen, given.log)
    if given.asked.json:
        print(json.dumps(_machine(seen, verdict), indent=2, ensure_ascii=False))
    else:
        _print(seen, verdict)
    if errors := seen.count("error"):
        raise UserError(f"{seen.path}: {_plural(errors, 'error')}, listed above")


def _verdict(seen: "Inspection", log: str) -> str:
    """What it comes to, and what to do next."""
    errors, warnings = seen.count("error"), seen.count("warning")
    if errors:
        also = f" and {_plural(warnings, 'warning')}" if warnings else ""
        return f"not usable: {_plural(errors, 'error')}{also}. Mend what is named above, then check again."
    following = f"Next: micro-rl train {log}"
    if warnings:
        read = "it" if warnings == 1 else "each"
        return f"usable, with {_plural(warnings, 'warning')}: read {read} and decide whether it is so. {following}"
    return f"usable: nothing was found against it. {following}"


def _print(seen: "Inspection", verdict: str) -> None:
    """A line for each finding, the sentence hanging beside its level."""
    from rich.table import Table
    from rich.text import Text

    screen = console()
    screen.print(_headline(seen), soft_wrap=True, highlight=False, markup=False)
    table = Table.grid(padding=(0, 2))
    for one in seen.findings:
        table.add_row(Text(one.level, style=COLOURS[one.level]), Text(one.text))
    if screen.is_terminal:
        screen.print(table)
    else:
        for one in seen.findings:
            print(f"{one.level:9}{one.text}")
    style = "bold red" if seen.count("error") else "bold"
    screen.print(Text(f"verdict  {verdict}", style=style), soft_wrap=True)


def _headline(seen: "Inspection") -> str:
    """The log in one line."""
    log = seen.dataset
    if log is None:
        return f"{seen.path}: cannot be read"
    few = log.summary()
    sizes = f"{_plural(few.rows, 'row')}, {_plural(few.episodes, 'episode')}"
    ends = f"{few.terminals:,} terminate, {few.timeouts:,} time out"
    widths = f"{_plural(few.observation_size, 'observation')}, {_plural(few.action_size, 'action')}"
    return f"{log.name} ({log.format}): {sizes} ({ends}), {widths}"


def _machine(seen: "Inspection", verdict: str) -> dict[str, Any]:
    """Everything, in plain values."""
    log = seen.dataset
    about = {"name": log.name, "format": log.format, "sha256": log.sha256} if log else {}
    sizes = {"rows": len(log), "episodes": len(log.stops)} if log else {}
    return {
        "path": str(seen.path),
        **about,
        **sizes,
        "errors": seen.count("error"),
        "warnings": seen.count("warning"),
        "findings": [asdict(one) for one in seen.findings],
        "verdict": verdict,
    }


def _plural(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'s' * (count != 1)}"
