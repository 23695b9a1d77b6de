"""The log that a run was trained on, read again as it was then."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.data.dataset import Dataset
from micro_rl.data.loading import load
from micro_rl.data.log_paths import EMBEDDED
from micro_rl.data.read_options import ReadOptions
from micro_rl.errors import UserError


def log_of(folder: Path, config: Mapping[str, Any]) -> Dataset:
    """Read the log of a run's configuration.

    Args:
        folder: the run's, for messages.
        config: of the run.

    Raises:
        UserError: it is gone, another one, or was no file.
    """
    known = config.get("log", {})
    name, digest = known.get("name"), known.get("sha256")
    path = str(name if name in EMBEDDED else known.get("path"))
    if known.get("format") in ("arrays", "frame"):
        raise UserError(
            f"{folder}: its log {path!r} was made in Python (SHA-256 {digest}) and is no file: make it again "
            "with Dataset.from_arrays or from_frame"
        )
    log = _read(path, config, None)
    if log.sha256 != digest:
        raise UserError(f"{path}: is not the log that {folder} was trained on; bring that one back")
    if len(log.starts) != known.get("episodes", len(log.starts)):  # a time limit was given beside the file's
        log = _read(path, config, config["task"]["horizon"])
    return log


def _read(path: str, config: Mapping[str, Any], horizon: int | None) -> Dataset:
    known = config.get("log", {})
    options: dict[str, Any] = known.get("reading", {})
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    limits: dict[str, Any] = {side: np.array(known[side]) for side in ("action_low", "action_high")}
    usual = (config.get("task") or {}).get("horizon")
    return load(path, **limits, horizon=horizon, reading=ReadOptions(**options), usual_horizon=usual)
