"""What the parts of support do on systems with known values: `python -m runs.support_probes` writes the page.

MICRO alone and with each part on the five systems of `runs.probes`, and what happens at the edge of reach
(`runs.edge_of_reach`). Cells are kept as JSON below out/: stopped and started again it goes on where it was, and with
--finished the page is written of the cells that are there.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runs import edge_of_reach, probes
from runs.support_probes_page import PROBES, write

TIMES = Path("out/support-probes-seconds.json")
"""Processor seconds of every cell that was made."""
Figures = TypeVar("Figures")


def main() -> None:
    """Every cell that is not there yet, then the page."""
    finished = "--finished" in sys.argv
    edges = {
        cell.title: timed(cell, edge_of_reach.file_of(cell), edge_of_reach.curves)
        for cell in edge_of_reach.CELLS
        if not finished or edge_of_reach.file_of(cell).exists()
    }
    hills = {
        probe.title: timed(probe, probes.file_of(probe), probes.cells)
        for probe in PROBES
        if not finished or probes.file_of(probe).exists()
    }
    write(hills, edges, json.loads(TIMES.read_text()) if TIMES.exists() else {})


def timed(cell: edge_of_reach.Cell | probes.Probe, file: Path, figures_of: Callable[..., Figures]) -> Figures:
    """A cell's figures; where they have to be made, the time that it takes is kept."""
    made, begin = not file.exists(), time.process_time()
    figures = figures_of(cell)
    if made:
        seconds = json.loads(TIMES.read_text()) if TIMES.exists() else {}
        own = f"{file.parent.name}/{file.stem}"
        seconds[own] = round(time.process_time() - begin, 1)
        TIMES.write_text(json.dumps(seconds, indent=1))
        print(f"{own}: {seconds[own]} s", flush=True)
    return figures


if __name__ == "__main__":
    main()
