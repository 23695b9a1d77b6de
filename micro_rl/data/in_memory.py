"""Logs that are no files: arrays, and DataFrames, with all the checks that files go through."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from micro_rl.core import arguments, toml_text
from micro_rl.core.columns import listed
from micro_rl.core.wording import plural
from micro_rl.data import action_bounds, assemble, description, toml_file
from micro_rl.data.action_bounds import Limit
from micro_rl.data.assemble import Overrides
from micro_rl.data.checks.findings import Finding
from micro_rl.data.dataset import Dataset
from micro_rl.data.description import Description
from micro_rl.data.raw_log import REQUIRED, Header, RawLog, check_headers, narrowed
from micro_rl.data.read_options import ReadOptions
from micro_rl.data.readers import tables
from micro_rl.data.readers.frames import Frame
from micro_rl.errors import UserError, require_extra

ARRAYS, FRAME = "arrays", "frame"
"""What `Dataset.format` says of these logs."""
ONLY_CSV = ("delimiter", "decimal", "encoding", "time_format", "missing_values")

_REMEDIES = {
    " in the file": "",
    " (--horizon)": "",
    " (--missing drop)": "",
    " (--time-unit)": "",
    "say how it is written with time_format (--time-format)": "convert it to dates before (pandas.to_datetime)",
}
"""Remedies of files, and what they are here ..."""
_OF = {
    ARRAYS: {
        action_bounds.GIVE: "give those of the system that made the log (action_low, action_high)",
        ", or of a table its column of episodes or times (--episode, --time)": ", or timeouts",
    },
    FRAME: {
        action_bounds.GIVE: "give those of the system that made the log (action_bounds, or bounds for each its own)",
        ", or of a table its column of episodes or times (--episode, --time)": ", or the column of episodes or times "
        "(episode, time)",
    },
}
"""... for arrays, and for DataFrames."""


def of_arrays(
    name: str, fields: Mapping[str, ArrayLike | None], bounds: tuple[Limit | None, Limit | None], described: Description
) -> Dataset:
    """Makes a log of arrays; see `Dataset.from_arrays`.

    Args:
        name: what the log is called.
        fields: arrays by the names of `raw_log.REQUIRED` and `OPTIONAL`; None where there is none.
        bounds: the least and the greatest action.
        described: names, units, horizon and whatever else is said of the log.
    """
    path, arrays = _called(name), {}
    for field, values in fields.items():
        if values is not None:
            arrays[field] = _array(path, field, values)
    for field in REQUIRED:
        if field not in arrays and field != "terminals":
            raise UserError(f"{path}: {field} is None: give an array")
    if "terminals" not in arrays:
        arrays["terminals"] = np.zeros(len(arrays["rewards"]) if arrays["rewards"].ndim else 0, bool)
    keys = {field: field for field in arrays}
    headers = {field: Header(array.shape, array.dtype) for field, array in arrays.items()}
    check_headers(path, keys, headers)
    for field, argument in (("observations", "observation_names"), ("actions", "action_names")):
        _check_names(path, argument, getattr(described.reading, field), headers[field].shape[1])
    action_bounds.as_bounds(path, "given", *bounds, headers["actions"].shape[1])
    raw = narrowed(keys, headers, lambda field: [arrays[field]])
    return finished(path, ARRAYS, raw, Overrides(*bounds, described.reading.horizon), described)


def array_description(
    horizon: int | None,
    observation_names: Sequence[str],
    action_names: Sequence[str],
    exogenous: Sequence[str],
    units: Mapping[str, str],
) -> Description:
    """What the arguments of `Dataset.from_arrays` say of the arrays."""
    lists = {"observation_names": observation_names, "action_names": action_names, "exogenous": exogenous}
    named = [arguments.names(what, names) for what, names in lists.items()]
    arguments.names("units", list(arguments.by_name("units", units, "{'level': 'm'}").values()))
    horizon = arguments.optional_whole("horizon", horizon)
    reading = ReadOptions(horizon, observations=named[0], actions=named[1], exogenous=named[2])
    return Description(reading, units=units)


def of_frame(frame: Any, name: str, mapping: str | Path | None, words: Mapping[str, Any]) -> Dataset:
    """Makes a log of a DataFrame; see `Dataset.from_frame`."""
    path = _called(name)
    require_extra("pyarrow", "tables", "reading DataFrames")
    described, source = _described(path, mapping, words), Frame(path, frame)
    for part in ("observations", "actions", "reward"):
        if not getattr(described.reading, part):
            raise UserError(f"{path}: {part} is missing: say which columns; there are {listed(source.names)}")
    if unfit := [word for word in ONLY_CSV if getattr(described, word, None) or getattr(described.reading, word, None)]:
        raise UserError(f"{path}: {unfit[0]} is for CSV: leave it out, and convert the column before")
    try:
        raw = tables.read(path, source, described)
    except UserError as error:
        raise UserError(_said_here(FRAME, str(error))) from None
    except Exception as error:  # the list of Arrow's exceptions is open
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: cannot be read ({reason}): convert the column, or leave it out") from error
    return finished(path, FRAME, raw, Overrides(horizon=described.reading.horizon), described)


def _described(path: Path, mapping: str | Path | None, words: Mapping[str, Any]) -> Description:
    """The words of a file and those of the call, which outrank it."""
    checked = toml_file.checked(path, words)
    text = "".join(f"{line}\n" for line in toml_text.lines(words.items()))
    file = None
    if mapping is not None:
        file = arguments.path("mapping", mapping, "give the path of a TOML; its words may be arguments, too")
        checked = toml_file.read(file) | checked
        above = "".join(f"# by an argument: {line}\n" for line in text.splitlines())
        text = above + toml_file.text_of(file)
    own = {name: checked.pop(name) for name in toml_file.ONLY_IN_TOML if name in checked}
    return description.with_line_names(Description(ReadOptions(**checked), **own, source=file, text=text))


def finished(path: Path, kind: str, raw: RawLog, limits: Overrides, described: Description) -> Dataset:
    """Makes all checks of a log that was read from memory; `UserError` for the first error, with the others counted."""
    raw = description.apply(path, raw, described)
    raw = raw._replace(sha256=_digest(raw, limits))
    dataset, problems, _ = assemble.examine(path, kind, raw, limits, described.reading)
    problems = [replace(problem, text=_said_here(kind, problem.text)) for problem in problems]
    _refuse(path, [problem for problem in problems if problem.level == "error"])
    return replace(dataset, notes=tuple(problem.text for problem in problems))


def _called(name: str) -> Path:
    """The name in a path's place, of which messages and the run's folder are made."""
    arguments.text("name", name, "give a short word")
    if not name.strip() or Path(name).name != name or len(name) > 100:
        raise UserError(f"name: {name!r:.40} cannot be a log's: give a short word without slashes")
    return Path(name)


def _check_names(path: Path, argument: str, names: Sequence[Any], width: int) -> None:
    if not names:
        return
    if len(names) != width or len(set(names)) < width or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: {argument}: {names!r:.80} for {plural(width, 'column')}: give each a name of its own")


def _array(path: Path, field: str, values: Any) -> np.ndarray:
    try:
        if np.ma.isMaskedArray(values):  # what is masked is missing, whatever stands behind the mask
            return np.ma.filled(values.astype(np.float64), np.nan)
        return np.asarray(values)
    except Exception as error:  # whatever a foreign array raises
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path}: {field} is no array of numbers ({reason}): give [row, column] or [row]") from None


def _digest(raw: RawLog, limits: Overrides) -> str:
    """Of all that a training can depend on, so that a run goes on with the same log alone."""
    digest = hashlib.sha256()
    for field, array in sorted(raw.arrays.items()):
        digest.update(f"{field} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    pairs = [limits.action_low, limits.action_high, raw.action_low, raw.action_high]
    bounds = [None if side is None else np.asarray(side, np.float32).tolist() for side in pairs]
    ends = raw.termination.text if raw.termination else None
    known = [bounds, limits.horizon, raw.columns.as_json(), ends, vars(raw.task), list(raw.exogenous)]
    digest.update(json.dumps(known).encode())
    return digest.hexdigest()


def _said_here(kind: str, text: str) -> str:
    for of_files, here in (_OF[kind] | _REMEDIES).items():
        text = text.replace(of_files, here)
    return text


def _refuse(path: Path, errors: list[Finding]) -> None:
    if errors:
        others = "".join(f"; {error.text}" for error in errors[1:])
        raise UserError(f"{path}: {errors[0].text}{others}")
