"""A record's page: one self-contained HTML file, without scripts."""

from collections.abc import Sequence

import numpy as np

from micro_rl._version import __version__
from micro_rl.core.wording import number, plural
from micro_rl.reports.monitor import panels, words
from micro_rl.reports.monitor.findings import Findings
from micro_rl.reports.monitor.recorded import Recorded
from micro_rl.reports.monitor.words import Obtained
from micro_rl.reports.run.page import Fact, environment
from micro_rl.reports.run.panels import Panel
from micro_rl.reports.run.story import Figure, Story

MARK = b"<title>In operation: "
"""Stands in the head of every such page, and says that another may replace it."""
HEAD = 1000
"""Bytes of a page in which it stands."""
SHOWN = 40
"""Alarms in the table, the newest."""


def render(
    name: str,
    record: Recorded,
    findings: Findings,
    test: Obtained | None,
    margins: np.ndarray,
    notes: Sequence[str] = (),
) -> str:
    """The page as text.

    Args:
        name: of the record.
        record: all of its rows.
        findings: what they show.
        test: of the policy's windows, None where there are none.
        margins: that decide after each window [window].
        notes: what else is to be said of the comparison.
    """
    drawn: list[Panel | None] = [panels.scores(record)]
    if findings.windows is not None:
        drawn.append(panels.returns(findings.windows, test, margins))
    length = None if findings.windows is None else findings.windows.length
    paragraphs = [f"{words.acted(findings)}.", f"The guard: {words.guarded(findings, record)}."]
    if findings.windows is not None:
        paragraphs.append(f"Obtained: {words.trial(test, length)}.")
    if test is not None and (told := words.against_prediction(test)) is not None:
        paragraphs.append(f"{told[0].upper()}{told[1:]}.")
    paragraphs += [f"{note[0].upper()}{note[1:]}." for note in notes]
    if record.cut:
        paragraphs.append("The last line of the record is cut off, so it is left out.")
    return (
        environment()
        .get_template("monitor.html")
        .render(
            title=f"In operation: {name}",
            story=Story(words.headline(findings, test), _figures(findings), paragraphs),
            main=[panel for panel in drawn if panel],
            alarms=[(record.times[alarm.begins][:19].replace("T", " "), alarm) for alarm in findings.alarms[-SHOWN:]],
            left_out=max(0, len(findings.alarms) - SHOWN),
            drifts=findings.drifts,
            facts=_facts(record),
            number=number,
            version=__version__,
        )
    )


def _figures(findings: Findings) -> list[Figure]:
    policy = dict(findings.who).get("policy", 0)
    notes = [] if not findings.alarms else [f"the longest {plural(max(a.steps for a in findings.alarms), 'step')}"]
    columns = "not compared" if findings.drifts is None else f"{sum(drift.drifted for drift in findings.drifts)}"
    return [
        Figure("of the steps the policy acted", f"{policy / findings.steps:.0%}", [plural(findings.steps, "step")]),
        Figure("alarms", f"{len(findings.alarms):,}", notes),
        Figure("columns have drifted", columns, [] if findings.drifts is None else [f"of {len(findings.drifts)}"]),
    ]


def _facts(record: Recorded) -> list[Fact]:
    limit = "none" if record.last_limit is None else f"{record.last_limit:.4g}"
    rate = "" if record.rate is None else f", for a rate of {record.rate:g}"
    policies = [
        Fact(f"Policy from episode {first} on, SHA-256", digest or "not known", True)
        for first, digest in record.policies
    ]
    return [
        *policies,
        Fact("From", record.times[0], True),
        Fact("To", record.times[-1], True),
        Fact("Guard's limit", limit + rate),
    ]
