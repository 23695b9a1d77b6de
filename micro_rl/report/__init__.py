"""A run folder's page: one self-contained HTML file that tells what was trained, how it went and what it is worth."""

import logging
from pathlib import Path


def write_report(run_folder: Path | str) -> Path:
    """Write RUN/report.html, whole or not at all; raises `UserError` if there is no run or it cannot be written."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where no home is writable it speaks of its cache
    from micro_rl.report import page  # matplotlib takes a second to import: only those who draw should wait

    return page.write(Path(run_folder))
