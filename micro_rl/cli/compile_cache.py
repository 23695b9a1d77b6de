"""Compiled programs outlive the process: what this machine has compiled once begins at once the next time."""

import hashlib
import os
from pathlib import Path

from micro_rl.storage.provenance import processor

SET_BY_USER = ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE")
DEFAULTS = {
    "JAX_COMPILATION_CACHE_MAX_SIZE": str(1 << 30),  # bytes; JAX evicts the programs that were used longest ago
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
}


def keep_compiled() -> None:
    """Tell JAX, which is not imported yet, to keep its programs below the user's cache folder.

    Nothing happens where the user has told it something already, or where no such folder can be made.
    """
    if any(name in os.environ for name in SET_BY_USER):
        return
    try:
        cache = folder()
        cache.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or one that cannot be written: every process compiles anew
        return
    if not os.access(cache, os.W_OK):
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def folder() -> Path:
    """Below $XDG_CACHE_HOME or ~/.cache; apart for each processor, since machines may share a home.

    All versions of jaxlib share it, as JAX's own keys tell them apart: the programs of an old one are evicted.
    """
    home = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home else Path.home() / ".cache"
    return base / "micro-rl" / "programs" / hashlib.sha256(processor().encode()).hexdigest()[:16]
