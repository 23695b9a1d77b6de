"""Earlier results of the speed table, a line each, and today's beside the last of the same kind of machine."""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import Row

PLACE = Path(__file__).parent / "history.jsonl"
SAME = ("processor", "vector units", "cores", "XLA_FLAGS")
"""What two machines share whose figures may be compared; their software may differ."""


def add(rows: Sequence[Row], facts: dict[str, str], path: Path) -> None:
    """A line with these figures."""
    figures = {row.label: {"unit": row.unit, "value": row.value, "share": row.share} for row in rows}
    entry = {"date": datetime.date.today().isoformat(), "machine": facts, "figures": figures}
    with path.open("a") as history:
        history.write(json.dumps(entry) + "\n")


def last(facts: dict[str, str], path: Path) -> dict[str, Any] | None:
    """The newest entry of such a machine, None where there is none."""
    lines = path.read_text().splitlines() if path.exists() else []
    entries = (json.loads(line) for line in reversed(lines))
    return next((entry for entry in entries if all(entry["machine"].get(key) == facts.get(key) for key in SAME)), None)


def against_last(rows: Sequence[Row], facts: dict[str, str], path: Path) -> str:
    """Each figure over the recorded one: of times, below 1 is faster; of shares of the matmul rate, above 1 is better.

    Machines drift within minutes, so a share's ratio means more than a time's.
    """
    before = last(facts, path)
    if before is None:
        return "No earlier result of such a machine is recorded; this is the first."
    lines = [f"Against the result of {before['date']} ({before['machine']['software']}):"]
    for row in rows:
        then = before["figures"].get(row.label)
        if then and then["value"][0]:
            words = f"{row.label}: {row.value.median / then['value'][0]:.2f} of its {row.unit or 'value'}"
            if row.share and then["share"]:
                words += f", {row.share.median / then['share'][0]:.2f} of its share"
            lines.append(words)
    return "\n".join(lines)
