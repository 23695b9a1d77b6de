"""The raw figures of studies, one small file a study beside their pages, so that no machine needs to keep run folders.

A cell that is recorded was measured, wherever that was; pages are made from the records alone.
"""

import json
from pathlib import Path
from typing import Any

from filelock import FileLock

from micro_rl.storage.files import replace_file

FOLDER = Path("docs/results/data")


def recorded(study: str) -> dict[str, Any]:
    """The figures of every cell of a study, by the cell's name; none before its first."""
    path = FOLDER / f"{study}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def record(study: str, cell: str, figures: Any) -> None:
    """Put a cell's figures, of which JSON can be made, in the place of what was known of it.

    One line a cell, so that a change shows as the lines of the cells that it is about. Several may record at once.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(FOLDER / f".{study}.lock"):
        cells = recorded(study) | {cell: figures}
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(cells[name])}" for name in sorted(cells))
        replace_file(FOLDER / f"{study}.json", f"{{\n{lines}\n}}\n".encode())
