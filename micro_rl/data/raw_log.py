"""What a file says it holds, checked before anything is read: keys, types, shapes, lengths, sizes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Shaped

from micro_rl.core.columns import UNNAMED, Columns
from micro_rl.core.expression import Expression
from micro_rl.core.tasks import UNKNOWN, Task
from micro_rl.core.wording import plural
from micro_rl.data.action_bounds import Limit
from micro_rl.data.checks.findings import Finding
from micro_rl.data.narrowing import Narrowing
from micro_rl.errors import UserError

REQUIRED = ("observations", "actions", "rewards", "terminals")
OPTIONAL = ("next_observations", "timeouts")
MATRICES = ("observations", "actions", "next_observations")
MEASURED = (*MATRICES, "rewards")

# A flag column of zeros compresses a thousandfold, measurements never a hundredfold: what goes past both
# was made to exhaust the memory.
FREE_BYTES = 64 * 2**20
GREATEST_RATIO = 100


class Header(NamedTuple):
    """An array's shape and type as the file declares them."""

    shape: tuple[int, ...]
    dtype: np.dtype


class RawLog(NamedTuple):
    """What a reader hands over: arrays under the names of `REQUIRED` and `OPTIONAL`, not yet judged.

    What was measured is float32, NaN and infinity included; flags are as stored. `keys` gives the file's own name of
    each, for messages. The bounds, the names of the columns, the rule that ends an episode and the task are those
    that the file tells, if any. `overflow` lists the rows that float32 cannot hold, `blurred` the columns of which it
    keeps too few digits, `findings` what the reader saw,
    `files` all that was read, where it is more than the path itself, `mapping` what was said of it in TOML's words,
    `sha256` the digest of what is no file,
    `remedy` what to do about values that are no numbers, `exogenous` the places of observations that no action
    moves, and `step_seconds` the usual time from row to row, where the file has times. `groups` tell who controlled, a
    text for each row or each episode, where that was asked for, `standing` the rows at which time stands still.
    `unread` are arrays with one value a row that have no meaning here: those of 0 and 1 as flags, which may mark where
    episodes end, None for any other.
    """

    arrays: Mapping[str, Shaped[np.ndarray, "row ..."]]
    keys: Mapping[str, str]
    action_low: Limit | None
    action_high: Limit | None
    columns: Columns = UNNAMED
    termination: Expression | None = None
    task: Task = UNKNOWN
    overflow: Mapping[str, Sequence[int]] = MappingProxyType({})
    blurred: Mapping[str, Sequence[int]] = MappingProxyType({})
    findings: tuple[Finding, ...] = ()
    files: tuple[Path, ...] = ()
    mapping: str = ""
    sha256: str = ""
    remedy: str = "remove or repair them"
    unread: Mapping[str, np.ndarray | None] = MappingProxyType({})
    exogenous: tuple[int, ...] = ()
    step_seconds: float | None = None
    groups: Shaped[np.ndarray, " label"] | None = None
    standing: Bool[np.ndarray, " row"] | None = None


@contextmanager
def damage_refused(path: Path, kind: str) -> Iterator[None]:
    """Turns whatever a parser raises on hostile or broken bytes into one line; our own refusals pass through.

    The parsers document no closed list of exceptions, so all are caught: keep to reading inside.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(
            f"{path}: damaged or cut short, cannot be read as {kind} ({reason}): fetch or write it again"
        ) from error


def refuse_missing(path: Path, required: Iterable[str], present: Iterable[str]) -> None:
    """Refuses a file that lacks a required key, and lists the keys it has."""
    present = sorted(present)
    missing = [key for key in required if key not in present]
    if missing:
        shown = ", ".join(repr(key) for key in present[:12]) or "none"
        more = f" and {len(present) - 12} more" if len(present) > 12 else ""
        raise UserError(f"{path}: no {' nor '.join(missing)}; keys found: {shown}{more}: rename or add the missing")


def refuse_oversize(path: Path, key: str, declared: int, stored: int) -> None:
    """Refuses an array that declares far more bytes than those stored for it can hold."""
    if declared > FREE_BYTES + GREATEST_RATIO * stored:
        raise UserError(
            f"{path}: {key} declares {declared:,} bytes but only {stored:,} are stored for it: "
            "not a log to trust, write the file again"
        )


def check_headers(path: Path, keys: Mapping[str, str], headers: Mapping[str, Header]) -> None:
    """Refuses types that are no numbers, shapes that are no rows and columns, and unequal or zero lengths."""
    for field, header in headers.items():
        _check_type(path, keys[field], header.dtype)
        _check_shape(path, keys[field], header.shape, matrix=field in MATRICES)
    lengths = {keys[field]: header.shape[0] for field, header in headers.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise UserError(f"{path}: the columns differ in length ({listed}): cut or complete them to equal lengths")
    if not next(iter(lengths.values())):
        raise UserError(f"{path}: holds no rows: write the log again")
    _check_widths(path, keys, headers)


def narrowed(
    keys: Mapping[str, str], headers: Mapping[str, Header], blocks: Callable[[str], Iterable[np.ndarray]]
) -> RawLog:
    """Reads the log behind checked headers; `blocks(field)` gives a field's rows in as many pieces as it likes."""
    arrays, overflow, blurred = {}, {}, {}
    for field, header in headers.items():
        rows, *width = header.shape
        if field not in MEASURED:
            arrays[field] = np.concatenate(list(blocks(field)))
            continue
        column = Narrowing(rows, *(width if field in MATRICES else ()))
        column.add_all(blocks(field))  # in a call of its own: no block outlives its field
        arrays[field] = column.values()
        overflow[field] = column.overflow
        blurred[field] = column.blurred()
    return RawLog(arrays, keys, None, None, overflow=overflow, blurred=blurred)


def _check_type(path: Path, key: str, dtype: np.dtype) -> None:
    if dtype.kind not in "fiub":
        raise UserError(f"{path}: {key} holds no plain numbers (type {dtype}): store it as float32")


def _check_shape(path: Path, key: str, shape: tuple[int, ...], matrix: bool) -> None:
    if matrix and (len(shape) != 2 or not shape[1]):
        raise UserError(f"{path}: {key} has shape {shape}: store it as [row, column] with at least one column")
    if not matrix and (not shape or shape[1:] not in ((), (1,))):
        raise UserError(f"{path}: {key} has shape {shape}: store one value per row")


def _check_widths(path: Path, keys: Mapping[str, str], headers: Mapping[str, Header]) -> None:
    after = headers.get("next_observations")
    width = headers["observations"].shape[1]
    if after and after.shape[1] != width:
        raise UserError(
            f"{path}: {keys['next_observations']} has {plural(after.shape[1], 'column')} but {keys['observations']} "
            f"has {width}: they must be the same quantities"
        )
