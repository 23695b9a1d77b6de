"""A run folder's page: one self-contained HTML file that tells what was trained, how it went and what it is worth."""

from collections.abc import Callable
from pathlib import Path

from micro_rl.errors import UserError
from micro_rl.storage.files import saving


def write_report(run_folder: Path | str) -> Path:
    """Write a run's page, RUN/report.html, whole or not at all.

    Args:
        run_folder: The run.

    Returns:
        The page's path.

    Raises:
        UserError: There is no run, a file in it is damaged, another file has the page's name, or it cannot be written.
    """
    with saving(Path(run_folder) / "report.html"):  # matplotlib refuses to be imported where it can write nowhere
        from micro_rl.reports.run import page  # and takes a second: only those who draw should wait

    return page.write(Path(run_folder))


def write_page(run_folder: Path, note: Callable[[str], None]) -> None:
    """Write the page of a run that has just finished; where there can be none, `note` is told and the run stands."""
    try:
        write_report(run_folder)
    except UserError as error:
        note(f"no page: {error}")
