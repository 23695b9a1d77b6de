"""Where a run's bits come from: what its numbers depend on beside log and settings, the code, and the command."""

import datetime
import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from micro_rl._version import __version__

PACKAGES = ("jax", "jaxlib", "numpy", "equinox", "optax", "gymnasium", "mujoco")
VECTOR_UNITS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


def fingerprint() -> dict[str, str]:
    """Describe what decides the bits of a run on the same log with the same settings, each in words."""
    import jax

    device = jax.devices()[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "micro-rl": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "device": f"{device.platform} ({device.device_kind})",
        "processor": processor(),
        "cores": str(cores),
        **{name: value for name, value in sorted(os.environ.items()) if _decides(name)},
    }


def _decides(name: str) -> bool:
    """Whether a variable of the environment can change bits: where compiled programs are kept cannot."""
    return name.startswith(("XLA_", "JAX_")) and "CACHE" not in name


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say what of a fingerprint is another one now, each in words; [] where nothing is."""
    names = [*before, *(name for name in now if name not in before)]
    return [
        f"{name} {before.get(name, 'unset')}, now {now.get(name, 'unset')}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def commit() -> str | None:
    """Find the commit of the checkout that the package runs from, and whether it has changes; None if installed."""
    package = Path(__file__).resolve().parents[1]
    if not (package.parent / ".git").exists():
        return None
    head = _git(package, "rev-parse", "HEAD")
    changed = _git(package, "status", "--porcelain", "--", ".")
    return None if head is None else head + (" with changes" if changed else "")


def process(command: str, epoch: int) -> dict[str, Any]:
    """Describe this process, for the run that it works on.

    Args:
        command: what was typed.
        epoch: after which it goes on.
    """
    return {
        "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "after_epoch": epoch,
        "command": command,
        "commit": commit(),
        "fingerprint": fingerprint(),
    }


def _git(folder: Path, *words: str) -> str | None:
    """What git answers; None where there is none, or none of it is git's."""
    with suppress(OSError, subprocess.SubprocessError):
        process = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10)
        return process.stdout.strip() if process.returncode == 0 else None
    return None


def processor() -> str:
    """Name the processor and the vector units for which programs are compiled differently."""
    with suppress(OSError):
        pairs = (line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
        facts = {name.strip(): value.strip() for name, value in pairs}
        units = [unit for unit in VECTOR_UNITS if unit in facts.get("flags", facts.get("Features", "")).split()]
        return " ".join([facts.get("model name", platform.machine()), *units])
    return platform.processor() or platform.machine()
