"""A disk that is full for some files: what stands in for it where a test needs to know which one it refuses."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from micro_rl.storage import files


def refuse(patch: pytest.MonkeyPatch, part: str) -> None:
    """Refuse from now on every file whose name, or whose temporary name, has this part."""
    write = files.write_file

    def refusing(path: Path, chunks: Iterable[Any]) -> dict[str, Any]:
        if part in path.name:
            raise OSError(28, "No space left on device")
        return write(path, chunks)

    patch.setattr(files, "write_file", refusing)
