"""Times that a CSV holds in two columns, one of dates and one of times of day. Needs pyarrow."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from micro_rl.errors import UserError

ISO = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y%m%d %H:%M:%S")
"""Ways of writing that mean one thing only."""


def joined(path: Path, batch: pa.RecordBatch, names: Sequence[str], time_format: str | None, before: int) -> pa.Array:
    """Joins the parts of times and reads them.

    Args:
        path: the file, for messages.
        batch: rows with those columns, as texts.
        names: the columns, the date first.
        time_format: how they are written, with a space between them; None tries what means one thing only.
        before: rows before these.

    Returns:
        The times, in whole seconds or parts of them.

    Raises:
        UserError: a time is empty, or is not written so.
    """
    texts = pc.call_function("binary_join_element_wise", [*(batch[name] for name in names), pa.scalar(" ")])
    if texts.null_count:
        row = before + texts.is_null().to_pylist().index(True)
        raise UserError(f"{path}: the time in {' and '.join(map(repr, names))} is empty in row {row}: fill it")
    texts = pc.call_function("utf8_trim_whitespace", [texts])
    wrong = 0
    for form in (time_format,) if time_format else ISO:
        options = pc.StrptimeOptions(form, "us", error_is_null=True)
        times = pc.call_function("strptime", [texts], options)
        if not times.null_count:
            return times
        wrong = max(wrong, times.is_null().to_pylist().index(True))
    row, shown = before + wrong, texts[wrong].as_py()[:40]
    way = f"as {time_format}" if time_format else "in a way known"
    raise UserError(
        f"{path}: the time {shown!r} in row {row} is not written {way}: say "
        "how with time_format (--time-format '%d/%m/%Y %H:%M:%S', for one), a space between date and time"
    )
