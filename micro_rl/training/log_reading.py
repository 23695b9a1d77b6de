"""A log read for a run: checked, and its episodes cut at the time limit."""

from dataclasses import replace
from pathlib import Path

from micro_rl.core import tasks
from micro_rl.data import Dataset, load, log_paths, toml_file
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.errors import UserError


def read_log(log: str | Path | Dataset, reading: ReadOptions = NO_OPTIONS, horizon: int | None = None) -> Dataset:
    """A checked log.

    Args:
        log: Where it is; one that is loaded stays as it is.
        reading: How it is read.
        horizon: The time limit at which episodes are cut, unless `reading` has one; by default the one that a TOML, the
            log's name or the log itself tells.

    Raises:
        UserError: Whatever is wrong with the log.
    """
    toml_file.check_reading(reading)
    if isinstance(log, Dataset):
        if replace(reading, horizon=None) != NO_OPTIONS:
            raise UserError(f"{log.path}: is loaded already; say to micro_rl.load how it is read")
        return log
    reading = reading if reading.horizon is not None else replace(reading, horizon=horizon)
    usual = None if reading.horizon is not None else tasks.find(log_paths.log_name(log_paths.locate(log))).horizon
    return load(log, reading=reading, usual_horizon=usual)
