"""The log's columns as a run's page lists them: what the policy sees and does, with the range of each in the log."""

from typing import NamedTuple

from micro_rl.core.columns import Column
from micro_rl.core.wording import number
from micro_rl.reports.run.record import Record


class Channel(NamedTuple):
    """A column of the log: observation or action, its name with its unit, its least and greatest value."""

    kind: str
    name: str
    low: str
    high: str


def of(run: Record) -> list[Channel]:
    """The log's columns; none where the run does not tell them."""
    columns = run.config.get("columns", {})
    return [
        Channel(kind, str(Column(entry["name"], entry["unit"])), _limit(entry["low"]), _limit(entry["high"]))
        for kind, part in (("observation", "observations"), ("action", "actions"))
        for entry in columns.get(part, [])
    ]


def _limit(value: int | float | None) -> str:
    return "–" if value is None else number(float(value))
