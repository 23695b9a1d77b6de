"""Which machine the figures are of, when and by which commit: processor, cores, versions. Never its name."""

import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

from micro_rl.storage.provenance import commit

PACKAGES = ("jax", "jaxlib", "numpy")
FASTER = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
GENERATION = {"family": "cpu family", "model": "model"}


def describe() -> dict[str, str]:
    """What a reader needs to compare, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    info = _cpu_info()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    facts = {
        "processor": processor(info),
        "vector units": " ".join(flag for flag in FASTER if flag in info.get("flags", "").split()) or "not known",
        "cores": str(cores),
        "software": f"Python {platform.python_version()}, {versions}",
        "measured": f"{date.today()}, commit {code()}",
        "load before": f"{os.getloadavg()[0]:.1f} other tasks waiting on average",
    }
    flags = os.environ.get("XLA_FLAGS")
    return facts | ({"XLA_FLAGS": flags} if flags else {})


def code() -> str:
    """The commit, shortened, and whether the package differs from it; "unknown" outside a checkout."""
    head, _, changes = (commit() or "unknown").partition(" ")
    return f"{head[:10]} {changes}".strip()


def processor(info: dict[str, str]) -> str:
    """Its name, and its generation where the system tells it: virtual machines may call all of a maker's alike."""
    name = info.get("model name") or platform.processor() or platform.machine()
    return ", ".join([name, *(f"{part} {info[key]}" for part, key in GENERATION.items() if key in info)])


def _cpu_info() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    first: dict[str, str] = {}
    for key, value in pairs:
        first.setdefault(key.strip(), value.strip())
    return first
