"""A run folder's page: one self-contained HTML file that tells what was trained, how it went and what it is worth."""

from collections.abc import Callable
from pathlib import Path

from micro_rl.storage.files import CannotWrite, saving


def write_report(run_folder: Path | str) -> Path:
    """Write a run's page, RUN/report.html, whole or not at all.

    Args:
        run_folder: The run.

    Returns:
        The page's path.

    Raises:
        UserError: There is no run, a file in it is damaged, or the page cannot be written.
    """
    with saving(Path(run_folder) / "report.html"):  # matplotlib refuses to be imported where it can write nowhere
        from micro_rl.reports.run import page  # and takes a second: only those who draw should wait

    return page.write(Path(run_folder))


def write_page(run_folder: Path, note: Callable[[str], None]) -> None:
    """Write the page of a run that has just finished; where the disk refuses it, `note` is told and the run stands."""
    try:
        write_report(run_folder)
    except CannotWrite as error:
        note(f"no page: {error}")
