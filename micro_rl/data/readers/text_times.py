"""Times that a table holds as texts, a CSV also in two columns, of dates and of times of day. Needs pyarrow."""

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from micro_rl.errors import UserError

ISO = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y%m%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y/%m/%d %H:%M:%S%z",
)
"""Ways of writing that mean one thing only."""
_DIGITS = {"Y": "[0-9]{4}"} | dict.fromkeys("ymdHIMS", "[0-9]{1,2}")
"""What stands for a directive; text for any other."""


def refuse_names_of_zones(path: Path, time_format: str | None) -> None:
    """Refuse `%Z`: whatever stands there would be passed over, so that an hour is lost where CET becomes CEST.

    Args:
        path: the file, for the message.
        time_format: how times are written, where that is said.

    Raises:
        UserError: names of zones are among it.
    """
    if time_format and "%Z" in time_format.replace("%%", ""):
        raise UserError(
            f"{path}: time_format: names of zones (%Z) are not read: write the name itself where there is one, as in "
            "'%H:%M:%S UTC', and %z for offsets such as +01:00"
        )


def read(texts: pa.Array, time_format: str | None) -> tuple[pa.Array, int | None]:
    """Reads times, with fractions of a second where there are any; of other zones in UTC.

    Args:
        texts: times; nothing where one is empty.
        time_format: how they are written; None tries what means one thing only.

    Returns:
        The times in microseconds, and the first row that is not written so; None where all are.
    """
    texts = pc.call_function("utf8_trim_whitespace", [texts])
    wrong, times = 0, texts
    for form in (time_format,) if time_format else ISO:
        times = _read(texts, form)
        if times.null_count == texts.null_count:
            return times, None
        odd = pc.call_function("and_not", [times.is_null(), texts.is_null()])
        wrong = max(wrong, odd.to_pylist().index(True))
    return times, wrong


def _read(texts: pa.Array, form: str) -> pa.Array:
    """Times written so, and with a fraction of a second, which strptime cannot read; nothing where one is not."""
    mark = re.search(r"(\W?)%f", form)
    form = form.replace("%T", "%H:%M:%S").replace(mark[0] if mark else "%f", "")
    whole = _parsed(texts, form)
    if whole.null_count == texts.null_count or "%S" not in form:
        return whole
    until = re.escape(form[: form.index("%S") + 2])
    until = re.sub("%(.)", lambda directive: _DIGITS.get(directive[1], ".+?"), until)
    pattern = f"^(?P<head>{until})(?:{re.escape(mark[1]) if mark else '[.,:]'}(?P<fraction>[0-9]+))?(?P<tail>.*)$"
    parts = pc.call_function("extract_regex", [texts], pc.ExtractRegexOptions(pattern))
    head, fraction, tail = (pc.call_function("struct_field", [parts], pc.StructFieldOptions([n])) for n in range(3))
    joined = pc.call_function("binary_join_element_wise", [head, tail, pa.scalar("")])
    digits = pc.call_function("utf8_slice_codeunits", [fraction], pc.SliceOptions(0, 6))
    digits = pc.call_function("utf8_rpad", [digits], pc.PadOptions(6, "0"))
    added = pc.call_function("add", [_parsed(joined, form), digits.cast(pa.int64()).cast(pa.duration("us"))])
    return pc.call_function("coalesce", [whole, added])


def _parsed(texts: pa.Array, form: str) -> pa.Array:
    return pc.call_function("strptime", [texts], pc.StrptimeOptions(form, "us", error_is_null=True))


def joined(path: Path, batch: pa.RecordBatch, names: Sequence[str], time_format: str | None, before: int) -> pa.Array:
    """Joins the parts of times and reads them.

    Args:
        path: the file, for messages.
        batch: rows with those columns, as texts.
        names: the columns, the date first.
        time_format: how they are written, with a space between them; None tries what means one thing only.
        before: rows before these.

    Returns:
        The times, in microseconds.

    Raises:
        UserError: a time is empty, or is not written so.
    """
    texts = pc.call_function("binary_join_element_wise", [*(batch[name] for name in names), pa.scalar(" ")])
    if texts.null_count:
        row = before + texts.is_null().to_pylist().index(True)
        raise UserError(f"{path}: the time in {' and '.join(map(repr, names))} is empty in row {row}: fill it")
    times, wrong = read(texts, time_format)
    if wrong is None:
        return times
    row, shown = before + wrong, texts[wrong].as_py().strip()[:40]
    way = f"as {time_format}" if time_format else "in a way known"
    raise UserError(
        f"{path}: the time {shown!r} in row {row} is not written {way}: say "
        "how with time_format (--time-format '%d/%m/%Y %H:%M:%S', for one), a space between date and time"
    )
