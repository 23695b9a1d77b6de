"""Versions of what computes: nodes must have the driver's, or bits and even formats would differ unsaid."""

import platform
from importlib import metadata

from micro_rl._version import __version__

PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy")


def versions() -> dict[str, str]:
    """Of this process, by name."""
    own = {"python": platform.python_version(), "micro-rl": __version__}
    return own | {name: metadata.version(name) for name in PACKAGES}


def differences(driver: dict[str, str]) -> str:
    """What this process has otherwise than the driver, in words for whoever sits at that; empty where they agree."""
    own = versions()
    other = [name for name in driver if own.get(name) != driver[name]]
    return ", ".join(f"{name} {own.get(name)} there and {driver[name]} here" for name in other)
