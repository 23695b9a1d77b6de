"""micro-rl report: a run's page, written anew from files that are checked first."""

from pathlib import Path
from typing import Any

EXPLANATION = "Check a run's files against their SHA-256 and write its page anew."


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.arguments import parse, shape
    from micro_rl.report import write_report

    given: Any = parse("report", arguments, shape("Report", EXPLANATION, ("run", Path)))
    print(f"page    {write_report(given.run)}")
