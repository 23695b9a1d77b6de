"""Compiled programs outlive the process: what this machine has compiled once begins at once the next time."""

import hashlib
import os
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from micro_rl.storage.provenance import processor

TAKEN_BY_USER = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")
LEAST_SECONDS = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
MOST_BYTES = 1 << 30
"""Of kept programs; the oldest make room."""


def keep_compiled() -> None:
    """Tell JAX, which is not imported yet, to keep its programs below the user's cache folder.

    Nothing happens where the user has told it something already, or where no such folder can be made.
    """
    if any(name in os.environ for name in TAKEN_BY_USER):
        return
    try:
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or one that cannot be written: every process compiles anew
        return
    if not os.access(place, os.W_OK):
        return
    _make_room(place.parent)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(place)
    os.environ.setdefault(LEAST_SECONDS, "0.2")


def folder() -> Path:
    """Below $XDG_CACHE_HOME or ~/.cache; apart for each processor, since machines may share a home."""
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home else Path.home() / ".cache"
    machine = hashlib.sha256(f"{processor()} {metadata.version('jaxlib')}".encode()).hexdigest()[:16]
    return base / "micro-rl" / "compiled" / machine


def _make_room(place: Path) -> None:
    """Drop the oldest programs of all machines while there is more than `MOST_BYTES`; others may do so too."""
    with suppress(OSError):
        kept = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in place.rglob("*") if path.is_file())
        left = sum(size for _, size, _ in kept)
        for _, size, path in kept:
            if left <= MOST_BYTES:
                return
            path.unlink(missing_ok=True)
            left -= size
