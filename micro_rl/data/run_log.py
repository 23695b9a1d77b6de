"""The log that a run was trained on, read again as it was then."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.data.dataset import Dataset
from micro_rl.data.loading import load
from micro_rl.data.log_paths import EMBEDDED
from micro_rl.data.parts import alone
from micro_rl.data.read_options import Part, ReadOptions
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
    path, part = _file_of(folder, known), known.get("reading", {}).get("part")
    log = _read(path, config, None, part)
    if log.sha256 != known.get("sha256"):
        raise UserError(f"{path}: is not the log that {folder} was trained on; bring that one back")
    if len(log.starts) != known.get("episodes", len(log.starts)):  # a time limit was given beside the file's
        log = _read(path, config, config["task"]["horizon"], part)
    return log


def whole_log_of(folder: Path, config: Mapping[str, Any]) -> Dataset:
    """Read the file of a run's log as the run did, with the part that the run did not see; it may have changed since.

    Args:
        folder: the run's, for messages.
        config: of the run.

    Raises:
        UserError: it is gone, or was no file.
    """
    known = config.get("log", {})
    part = known.get("reading", {}).get("part")
    path = _file_of(folder, known)
    log = _read(path, config, None, None)
    learned = log if part is None else alone(log, part)
    if len(learned.starts) == known.get("episodes", len(learned.starts)):
        return log
    return _read(path, config, (config.get("task") or {}).get("horizon"), None)


def _file_of(folder: Path, known: Mapping[str, Any]) -> str:
    """The log's file, or the name of one that ships; `UserError` where it was none."""
    name = known.get("name")
    path = str(name if name in EMBEDDED else known.get("path"))
    if known.get("format") in ("arrays", "frame"):
        raise UserError(
            f"{folder}: its log {path!r} was made in Python (SHA-256 {known.get('sha256')}) and is no file: make it "
            "again with Dataset.from_arrays or from_frame"
        )
    return path


def _read(path: str, config: Mapping[str, Any], horizon: int | None, part: Part | None) -> Dataset:
    known = config.get("log", {})
    options: dict[str, Any] = known.get("reading", {})
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    limits: dict[str, Any] = {side: np.array(known[side]) for side in ("action_low", "action_high")}
    usual = (config.get("task") or {}).get("horizon")
    return load(
        path, **limits, horizon=horizon, reading=replace(ReadOptions(**options), part=part), usual_horizon=usual
    )
