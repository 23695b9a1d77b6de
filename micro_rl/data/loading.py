"""`load`: from a name or a path to a checked `Dataset`, whatever the format."""

import dataclasses
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from micro_rl.core import arguments
from micro_rl.data import assemble, log_paths, parts, toml_file
from micro_rl.data.action_bounds import Limit
from micro_rl.data.assemble import NO_OVERRIDES, Examined, Overrides
from micro_rl.data.checks import findings
from micro_rl.data.dataset import Dataset
from micro_rl.data.description import Description, apply, describe, refuse_for_arrays
from micro_rl.data.likeness import likeness
from micro_rl.data.raw_log import RawLog
from micro_rl.data.read_options import NO_OPTIONS, ReadOptions
from micro_rl.data.readers import csv_text, d4rl, heading, minari_sets, neorl2, tables
from micro_rl.data.toml_file import TABLES
from micro_rl.errors import UserError, require_extra

ARRAYS = (d4rl, neorl2)
PARQUET = b"PAR1"


def load(
    log: str | Path,
    *,
    action_low: Limit | None = None,
    action_high: Limit | None = None,
    horizon: int | None = None,
    reading: ReadOptions = NO_OPTIONS,
    usual_horizon: int | None = None,
    group: str | None = None,
) -> Dataset:
    """Reads and checks a log. The format is known by the content, not by the suffix.

    Args:
        log: a path, `pendulum-demo`, the name of a file in `$D4RL_DATASET_DIR`, or the id of a Minari set.
        action_low: the least action in raw units, one number or one per action; outranks the file's.
        action_high: the greatest, likewise; both or neither.
        horizon: the episodes' time limit in steps. An episode that runs so long without an end is cut there; a file
            that marks no timeouts needs it.
        reading: what a table's columns are, and more; a TOML beside the file may say the same.
        usual_horizon: the time limit where neither caller nor TOML says another.
        group: column of a table, or array of an NPZ or a flat HDF5, that tells who controlled; outranks the TOML's.

    Returns:
        The log in raw units.

    Raises:
        UserError: whatever is wrong with the log, in one line.
    """
    horizon, usual_horizon = (arguments.optional_whole("horizon", steps) for steps in (horizon, usual_horizon))
    dataset, problems, _ = examine(log, reading, usual_horizon, Overrides(action_low, action_high, horizon), group)
    findings.refuse(dataset.path, problems)
    return dataset


def examine(
    log: str | Path,
    reading: ReadOptions = NO_OPTIONS,
    usual_horizon: int | None = None,
    overrides: Overrides = NO_OVERRIDES,
    group: str | None = None,
) -> Examined:
    """Reads a log as `load` does and gives all findings, errors among them, instead of refusing the first.

    Args:
        log: as of `load`, like `reading` and `usual_horizon`.
        reading: what a table's columns are, and more.
        usual_horizon: the time limit where neither caller nor TOML says another.
        overrides: action bounds and time limit; they outrank everything else.
        group: as of `load`.

    Returns:
        The log as far as it can be understood, and the findings.

    Raises:
        UserError: the file cannot be read at all.
    """
    path = log_paths.locate(log)
    toml_file.check_reading(reading)
    limited = reading if overrides.horizon is None else dataclasses.replace(reading, horizon=overrides.horizon)
    description = describe(path, limited)
    description = description if group is None else dataclasses.replace(description, group=group)
    file_format, read = _reader(path, description)
    raw = apply(path, read(), description)
    if file_format == neorl2.FORMAT and raw.keys["observations"] != neorl2.KEYS["observations"]:
        file_format = neorl2.PLAIN
    if reading.action_bounds is not None and overrides.action_low is None and overrides.action_high is None:
        overrides = Overrides(*reading.action_bounds)
    horizon = description.reading.horizon
    overrides = overrides._replace(horizon=usual_horizon if horizon is None else horizon)
    examined = assemble.examine(path, file_format, raw, overrides, reading)
    if reading.part is None or any(problem.level == "error" for problem in examined.findings):
        return examined
    return examined._replace(dataset=parts.alone(examined.dataset, reading.part), standing=None)


def _reader(path: Path, description: Description) -> tuple[str, Callable[[], RawLog]]:
    """The format that the first bytes tell, and the function that reads it."""
    if path.is_dir() and not (path / log_paths.METADATA).is_file():
        return "parquet", lambda: _read_table(path, "Parquet", "micro_rl.data.readers.parquet_table", description)
    if path.is_dir():
        refuse_for_arrays(path, description)
        if description.group is not None:
            raise UserError(f"{path}: group: a Minari set has no such array: give a label for each episode from Python")
        return minari_sets.FORMAT, partial(minari_sets.read, path)
    head = _head(path)
    for reader in ARRAYS:
        if reader.recognises(head):
            refuse_for_arrays(path, description)
            return reader.FORMAT, partial(reader.read, path, description.reading.timeouts, description.group)
    if head.startswith(PARQUET):
        return "parquet", lambda: _read_table(path, "Parquet", "micro_rl.data.readers.parquet_table", description)
    text = csv_text.as_utf8(head)
    kind = likeness(text)
    if heading.is_text(text) and (
        description.reading.skip_rows is not None or (not kind and heading.begins_table(text))
    ):
        return "csv", lambda: _read_table(path, "CSV", "micro_rl.data.readers.csv_table", description)
    like = f" (it looks like {kind})" if kind else ""
    if not kind and path.suffix.lower() in TABLES and heading.is_text(head):
        first = head.splitlines()[0][:60].decode(errors="replace")
        raise UserError(
            f"{path}: its first line, {first!r}, does not name columns: say how many lines stand above their names "
            "(skip_rows, --skip-rows), or begin those lines with #"
        )
    raise UserError(
        f"{path}: neither HDF5 nor NPZ, CSV or Parquet in spite of its name{like}: fetch or convert the file"
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(8192)
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror}): check its permissions") from error
    if not head:
        raise UserError(f"{path}: the file is empty: fetch or write it again")
    return head


def _read_table(path: Path, kind: str, module: str, description: Description) -> RawLog:
    """A table, through the module for its kind; whatever Arrow raises becomes one line with that module's remedy."""
    require_extra("pyarrow", "tables", "reading CSV and Parquet files")
    reader = import_module(module)
    try:
        return tables.read(path, reader.Table(path, description), description)
    except UserError:
        raise
    # The list of Arrow's exceptions is open, as is that of its bindings'.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: {reader.explained(path, description, reason)}") from error
