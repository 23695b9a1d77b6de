"""What two real logs hold: `python -m runs.describe_logs DATA` writes docs/results/logs.md and its figures."""

from pathlib import Path

from micro_rl.data import Dataset
from micro_rl.data.checks.inspection import Inspection
from micro_rl.reports.log import Insight, describe, words
from micro_rl.reports.log import panels as log_panels
from micro_rl.simulation.log_check import inspect
from runs import usage

PAGE = Path("docs/results/logs.md")
LOGS = {
    "hopper-medium-replay.hdf5": "hopper-medium-replay (re-created by D4RL's protocol, not D4RL's own file)",
    "neorl2/SafetyHalfCheetah-high-100000-train.npz": "SafetyHalfCheetah (NeoRL-2's training file, CC BY 4.0)",
}
TEXT = """# What two logs hold

**Question.** Do `micro-rl data check` and `micro-rl data info` tell a narrow log from a wide one?

**Answer.** {answer}

Made by `python -m runs.describe_logs DATA`, with the functions behind `micro-rl data check` and `micro-rl data info`;
[checking.md](../guides/checking.md) says what each figure is.

{sections}
"""


def section(inspection: Inspection, insight: Insight, title: str) -> str:
    """A log's findings, figures and sentences; its drawings are written beside the page."""
    assert inspection.dataset is not None
    few = insight.summary
    lines = [f"## {title}", "", f"**{words.headline(insight)}**", ""]
    lines += [
        f"{few.rows:,} rows of {few.observation_size} observations and {few.action_size} actions in {few.episodes:,} "
        f"episodes of {words.steps(few)}; {few.terminals:,} terminate, "
        f"{few.timeouts:,} time out. Returns {few.return_mean:.1f} ± {few.return_std:.1f}, from {few.return_worst:.1f} "
        f"to {few.return_best:.1f}; normalised {insight.score_mean:.1f} on average, {insight.score_best:.1f} at best.",
        "",
    ]
    lines += [f"* {finding.level}: {finding.text}" for finding in inspection.findings] or [
        "* the check found nothing against it"
    ]
    for paragraph in words.paragraphs(insight):
        lines += ["", paragraph]
    lines += ["", *_table(insight), "", *_drawings(inspection.dataset, insight)]
    return "\n".join(lines)


def _table(insight: Insight) -> list[str]:
    lines = [
        "| channel | least | 1 % | median | 99 % | greatest | covered | at a bound |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for channel in insight.channels:
        values = (
            f"{value:.4g}" for value in (channel.least, channel.low, channel.median, channel.high, channel.greatest)
        )
        at_bound = "" if channel.at_bound is None else f"{100 * channel.at_bound:.1f} %"
        lines.append(f"| {channel.name} | {' | '.join(values)} | {100 * channel.covered:.0f} % | {at_bound} |")
    return lines


def _drawings(dataset: Dataset, insight: Insight) -> list[str]:
    """Each figure in its smaller size, as a file of its own."""
    lines = []
    name = "-".join(dataset.name.split("-")[:3])
    panels = {
        "returns": log_panels.returns(dataset, insight),
        "where": log_panels.projection(dataset),
        "rows": log_panels.learning(insight),
    }
    for kind, panel in panels.items():
        if panel:
            file = PAGE.with_name(f"log-{name}-{kind}.svg")
            spaces = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            file.write_text(panel.drawings[-1][1].replace("<svg ", spaces, 1) + "\n")
            legend = "; ".join(swatch.label for swatch in panel.legend)
            key = f" {'From dark to bright' if kind == 'where' else 'Solid and dashed'}: {legend}." if legend else ""
            lines += [f"![{panel.title}]({file.name})", "", f"{panel.title}: {panel.caption}{key}", ""]
    return lines


def main(data: Path) -> None:
    """Write the page."""
    sections, answers = [], []
    for file, title in LOGS.items():
        inspection = inspect(data / file)
        assert inspection.dataset is not None, f"{file} is a log that can be read"
        insight = describe(inspection.dataset)
        sections.append(section(inspection, insight, title))
        answers.append(f'Of {title.split(" (")[0]} they say: "{words.headline(insight)}"')
    PAGE.write_text(TEXT.format(answer=" ".join(answers), sections="\n".join(sections).rstrip()))


if __name__ == "__main__":
    main(Path(usage.words(__doc__, 1)[0]))
