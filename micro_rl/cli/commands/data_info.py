"""micro-rl data info: what is in a log, on the terminal and on a page."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.commands.console import console, print_for_machines, say
from micro_rl.core.wording import plural

if TYPE_CHECKING:
    from rich.table import Table

    from micro_rl.data import Dataset
    from micro_rl.reports.log import Insight

CHANNELS = 40
"""At most so many are listed on the terminal."""


@dataclass(frozen=True)
class Telling:
    """How to answer."""

    page: Path | None = None
    """The page to write; by default trained/LOG-info.html."""
    json: bool = False
    """Print every figure as JSON, for machines, and write no page unless --page names one."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.data.read_options import ReadOptions
    from micro_rl.reports.log import describe
    from micro_rl.reports.log.page import write_log_page
    from micro_rl.reports.own_page import check_page
    from micro_rl.storage.files import make_parent
    from micro_rl.training.log_reading import read_log

    explanation = "Tell what is in a log: returns, coverage, how it was made, what can be learned from it."
    inputs = parse(
        "data info", arguments, shape("DataInfo", explanation, ("log", str), options=Telling, reading=ReadOptions)
    )
    dataset, page = read_log(inputs.log, inputs.reading), inputs.options.page
    if page is None and not inputs.options.json:
        page = Path("trained", f"{dataset.name}-info.html")
    if page:
        check_page(page, "micro-rl data info", "--page")
        make_parent(page)  # before the work, which can take a minute
    insight = describe(dataset)
    if inputs.options.json:
        print_for_machines(json.dumps(_machine(dataset, insight), indent=2, ensure_ascii=False))
    else:
        _print(dataset, insight)
    if page:
        write_log_page(dataset, insight, page)
        if not inputs.options.json:
            say(console(), f"page      {page}")


def _print(dataset: "Dataset", insight: "Insight") -> None:
    from rich.text import Text

    from micro_rl.reports.log import timing, words

    screen = console()

    def add(name: str, text: str, style: str = "") -> None:
        screen.print(Text(f"{name:10}{text}", style=style), soft_wrap=not screen.is_terminal)

    summary = insight.summary
    add(
        "log",
        f"{dataset.name} ({dataset.format}), {plural(summary.rows, 'row')} of {summary.observation_size} + "
        f"{summary.action_size} columns",
    )
    add(
        "episodes",
        f"{summary.episodes:,}, of {words.steps(summary)}; {summary.terminals:,} terminate, "
        f"{summary.timeouts:,} time out",
    )
    add(
        "returns",
        f"{summary.return_mean:.2f} ± {summary.return_std:.2f}, "
        f"from {summary.return_worst:.2f} to {summary.return_best:.2f}",
    )
    if insight.score_mean is not None:
        add("scores", f"{insight.score_mean:.1f} on average, {insight.score_best:.1f} at best (normalised)")
    screen.print(_table(insight))
    for note in dataset.notes:
        add("note", note, "yellow")
    add("behaviour", words.behaviour(insight), "yellow" if insight.narrow else "")
    add("density", words.density(insight) or "too few rows to tell")
    add("rows", words.rows_needed(insight))
    add("delays", timing.delay_words(insight.pace))
    add("step", timing.step_words(insight.pace))
    add("proposal", timing.proposal_words(insight.pace), "bold")
    add("basis", words.basis(insight))
    add("in short", words.headline(insight), "bold yellow" if insight.narrow else "bold")


def _table(insight: "Insight") -> "Table":
    """A line for every channel."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("channel", "least", "1 %", "median", "99 %", "greatest", "covered", "at a bound"):
        table.add_column(name, justify="left" if name == "channel" else "right")
    for channel in insight.channels[:CHANNELS]:
        values = [
            f"{value:.4g}" for value in (channel.least, channel.low, channel.median, channel.high, channel.greatest)
        ]
        at_bound = "" if channel.at_bound is None else f"{100 * channel.at_bound:.1f} %"
        table.add_row(escape(channel.name), *values, f"{100 * channel.covered:.0f} %", at_bound)
    if len(insight.channels) > CHANNELS:
        table.add_row(f"and {len(insight.channels) - CHANNELS} more, on the page")
    return table


def _machine(dataset: "Dataset", insight: "Insight") -> dict[str, Any]:
    """Everything, in plain values; tuples with names become objects."""
    named = {"name": dataset.name, "path": str(dataset.path), "format": dataset.format, "sha256": dataset.sha256}
    return named | {key: _plain(value) for key, value in asdict(insight).items()} | {"narrow": insight.narrow}


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {key: _plain(part) for key, part in value._asdict().items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
