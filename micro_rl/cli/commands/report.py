"""micro-rl report: a run's page, written anew from files that are checked first, or one page that compares runs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from micro_rl.cli.commands.console import print_for_machines
from micro_rl.errors import UserError


@dataclass(frozen=True)
class Compare:
    """Where several runs are compared."""

    out: Path | None = None
    """The file to write: compare.html in the folder that holds the runs, or the terminal for md and csv."""
    format: Literal["html", "md", "csv"] | None = None
    """A page, a Markdown table of scores, or a line for each run; by default as the name in --out ends, else a page."""
    figures: Path | None = None
    """Folder for learning curves as PNG and PDF, one figure for each log; no page or table is written then."""
    metric: str | None = None
    """What the figures show, a key of the metrics; by default the score."""


SUFFIXES = {".html": "html", ".htm": "html", ".md": "md", ".csv": "csv"}

EXPLANATION = """Check a run's files against their SHA-256 and write its page anew; compare several on one page.

A folder that holds run folders counts as all of them.
"""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape

    inputs: Any = parse("report", arguments, shape("Report", EXPLANATION, ("runs", tuple[Path, ...]), options=Compare))
    if not inputs.runs:
        raise UserError("report: name a run, or several to compare; `micro-rl report --help` shows every option")
    if inputs.options.figures is not None:
        _draw_curves(inputs.runs, inputs.options)
    elif inputs.options.metric is not None:
        raise UserError("metric: is what --figures DIR shows; name that folder, too")
    elif len(inputs.runs) == 1 and inputs.options == Compare() and not _holds_runs(inputs.runs[0]):
        from micro_rl.reports.run import write_report

        print(f"page    {write_report(inputs.runs[0])}")
    else:
        _compare(inputs.runs, inputs.options)


def _holds_runs(folder: Path) -> bool:
    """Whether it is a folder of runs and no run itself."""
    from micro_rl.storage.run_index import run_folders

    return not (folder / "config.json").exists() and any(run_folders(folder))


def _compare(runs: tuple[Path, ...], options: Compare) -> None:
    from micro_rl.reports.compare import compared, write_comparison

    path = options.out or _folder_of_all(runs) / "compare.html"
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the file to write with --out")
    form = _form(options)
    if form != "html" and options.out is None:
        print_for_machines(compared(runs, form), end="")
        return
    written = write_comparison(runs, path, form)
    print(f"{'page' if form == 'html' else 'table'}    {written}")


def _form(options: Compare) -> str:
    """What is written: as --format says, else as the name in --out ends."""
    if options.out is None:
        return options.format or "html"
    suffix = options.out.suffix
    if options.format is None and suffix not in SUFFIXES:
        raise UserError(
            f"--out {options.out}: its name ends in none of {', '.join(SUFFIXES)}, which say what is written: choose "
            "one of them, or name it with --format"
        )
    form = options.format or SUFFIXES[suffix]
    if SUFFIXES.get(suffix, form) != form:
        raise UserError(f"--out {options.out}: a name that ends in {suffix} is not of --format {form}: leave one out")
    return form


def _folder_of_all(runs: tuple[Path, ...]) -> Path:
    """The deepest folder that all the runs are in: of one folder of runs that folder, as a sweep's page has it."""
    folders = [os.path.abspath(run.parent if (run / "config.json").exists() else run) for run in runs]
    folder, here = Path(os.path.commonpath(folders)), Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _draw_curves(runs: tuple[Path, ...], options: Compare) -> None:
    from micro_rl.reports.compare import write_figures

    for name in ("out", "format"):
        if getattr(options, name) is not None:
            raise UserError(f"--{name}: no page or table is written beside --figures DIR; leave one of them out")
    assert options.figures is not None, "asked for"
    for path in write_figures(runs, options.figures, options.metric, lambda text: print(f"note    {text}")):
        print(f"figure  {path}")
