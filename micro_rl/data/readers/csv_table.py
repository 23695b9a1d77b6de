"""CSV files as a stream of Arrow record batches. Needs pyarrow."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.csv as arrow_csv

from micro_rl.core.columns import in_one_line, known
from micro_rl.core.wording import plural, with_verb
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.description import Description
from micro_rl.data.readers import csv_text, text_times
from micro_rl.data.readers.arrow_columns import of_words
from micro_rl.data.readers.heading import MOST_LINES, delimiter_of, line_of, rows
from micro_rl.data.readers.roles import JOINT, Kind
from micro_rl.data.readers.vectors import Vectors
from micro_rl.errors import UserError

BLOCK_BYTES = 2**20
HEADER_BYTES = 2**20
ENCODING = "give its encoding (--encoding latin-1, for one)"


class Table:
    """One CSV file: comments perhaps, a line of names, then one line a row."""

    rows = 0
    starts: Sequence[int] = ()
    vectors: Vectors = MappingProxyType({})

    def __init__(self, path: Path, description: Description):
        self._path, self._description, self.files = path, description, (path,)
        reading = description.reading
        self._decimal = reading.decimal or "."
        self._above, first = self._heading()
        self._delimiter = reading.delimiter or delimiter_of(first)
        for name, sign in (("delimiter", self._delimiter), ("decimal", self._decimal)):
            if len(sign) != 1 or not sign.isascii() or sign in '\r\n"':
                raise UserError(f"{path}: {name} must be one plain character, not {sign!r}")
        if self._delimiter == reading.decimal:
            raise UserError(f"{path}: decimal and delimiter are both {self._delimiter!r}: give another delimiter")
        text_times.refuse_names_of_zones(path, reading.time_format)
        self._below, self._quoted = 0, _has_marks(path, HEADER_BYTES)
        self._stored: tuple[str, ...] = ()
        self._stored = self._names()
        csv_text.refuse_numbers(path, self._stored, self._decimal)
        self._below, self.units, remarks = self._text_below()
        self._times = self._stored_names(reading.time) if isinstance(reading.time, tuple) else ()
        self.names = (*self._stored, *([JOINT.join(self._times)] if self._times else []))
        self.findings = remarks + self._unfinished()

    def batches(self, kinds: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
        """Reads the rows, with the columns that are asked for."""
        types = {"number": pa.float64(), "flag": pa.string(), "label": pa.string()}
        joint = JOINT.join(self._times) if self._times else None
        stored = {name: kind for name, kind in kinds.items() if name != joint}
        asked = {name: types[kind] if kind in types else self._time_type(name) for name, kind in stored.items()}
        if joint in kinds:
            asked |= {name: pa.string() for name in self._times if name not in asked}
        row = 0
        try:
            with self._open(self._options(asked)) as reader:
                for batch in reader:
                    yield self._with_times(_with_flags(batch, kinds), kinds, row)
                    row += len(batch)
        except pa.ArrowInvalid as error:
            raise UserError(f"{self._path}: {self._explained(str(error))}") from error

    def _with_times(self, batch: pa.RecordBatch, kinds: Mapping[str, Kind], before: int) -> pa.RecordBatch:
        """The rows with times in the place of texts, where those can be read; so many rows stand before them."""
        time_format, columns = self._description.reading.time_format, []
        for name, kind in kinds.items():
            if name not in batch.schema.names:
                columns.append(text_times.joined(self._path, batch, self._times, time_format, before))
                continue
            column = batch[name]
            if kind == "time" and pa.types.is_string(column.type):
                times, wrong = text_times.read(column, time_format)
                if wrong is None:
                    column = times
                elif wrong or time_format:
                    raise _unread(name, "timestamp", column[wrong].as_py())
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, names=list(kinds))

    def _stored_names(self, names: Sequence[str]) -> tuple[str, ...]:
        """Columns that hold parts of times, as the file calls them; refused where there is none of a name."""
        stored = {in_one_line(name): name for name in self._stored}
        for name in names:
            known(str(self._path), "time", name, tuple(stored))
        return tuple(stored[name] for name in names)

    def _explained(self, reason: str) -> str:
        """What Arrow could not read, with line and column, and what to do."""
        names = tuple(map(in_one_line, self._stored))
        reason = re.sub(r"CSV column #(\d+)", lambda number: f"column '{names[int(number[1])]}'", reason)
        rows = csv_text.lines_below(self._path, self._encoding, self._delimiter, self._above)
        plain = csv_text.explained(self._path, " ".join(reason.split()), rows, names)
        return f"{plain or reason[:200]}: {remedy(self._description, reason)}"

    def _text_below(self) -> tuple[int, dict[str, str], list[Finding]]:
        """How many lines below the heading hold no values, the units that the first of them tells, and what to say."""
        skipped = self._description.reading.skip_after_heading
        rows = csv_text.lines_below(self._path, self._encoding, self._delimiter, self._above)
        below = [row for _, row in islice(rows, 1, 1 + csv_text.BELOW + csv_text.FOLLOWING)]
        count = csv_text.rows_of_text(below, self._decimal) if skipped is None else skipped
        if not count or skipped is not None:
            return count, {}, []
        units = csv_text.units(below[0], tuple(map(in_one_line, self._stored)))
        text = f"{plural(count, 'line')} below the heading {'hold' if count > 1 else 'holds'} no values: the first is "
        text += "taken for units" + (f" ({', '.join(f'{key} in {unit}' for key, unit in list(units.items())[:5])})")
        return count, units, [findings.warning("units-row", text)]

    def _unfinished(self) -> list[Finding]:
        """A warning where the last line has no end: a file without checksums that was cut there looks the same."""
        with self._path.open("rb") as file:
            file.seek(-1, 2)
            end = file.read()
            if end in (b"\n", b"\r") or self._encoding == "utf-16":
                return []
        text = "the last line has no end: if the file was cut short, the last value is wrong"
        return [findings.warning("last-line", text)]

    def _time_type(self, name: str) -> pa.DataType:
        """Of a column of times, as its first block tells, but fine enough for whatever follows."""
        if self._description.reading.time_format:
            return pa.string()
        with self._open(self._options({}, [name])) as reader:
            kind = reader.schema.field(0).type
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return pa.timestamp("ns", getattr(kind, "tz", None))
        return pa.string() if pa.types.is_string(kind) else pa.float64()

    def _options(self, types: Mapping[str, pa.DataType], names: Sequence[str] = ()) -> arrow_csv.ConvertOptions:
        reading = self._description.reading
        return arrow_csv.ConvertOptions(
            include_columns=list(types) or list(names),
            column_types=dict(types),
            null_values=[*arrow_csv.ConvertOptions().null_values, *self._description.missing_values],
            strings_can_be_null=True,
            decimal_point=reading.decimal or ".",
        )

    def _open(self, options: arrow_csv.ConvertOptions) -> arrow_csv.CSVStreamingReader:
        return arrow_csv.open_csv(
            self._path,
            read_options=arrow_csv.ReadOptions(
                block_size=BLOCK_BYTES,
                encoding=self._encoding,
                use_threads=False,
                skip_rows=self._above,
                skip_rows_after_names=self._below,
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=self._quoted),
            convert_options=options,
        )

    def _heading(self) -> tuple[int, str]:
        """How many lines stand above the heading, and the heading."""
        with self._path.open("rb") as file:
            head = file.read(HEADER_BYTES)
        mark, encoding = csv_text.marked(head), self._description.reading.encoding
        self._encoding = "utf-16" if mark == "utf-16" and encoding is None else encoding or "utf-8"
        head = csv_text.as_utf8(head) if self._encoding == "utf-16" else head
        above = self._description.reading.skip_rows
        above = line_of(head) if above is None else above
        for name in ("skip_rows", "skip_after_heading"):
            if (count := getattr(self._description.reading, name) or 0) < 0:
                raise UserError(f"{self._path}: {name} is {count}: give a number of lines, 0 or more")
        if above >= (lines := head.count(b"\n") + 1):
            raise UserError(
                f"{self._path}: skip_rows is {above}, and only {with_verb(lines, 'line', 'is', 'are')} there: "
                "give fewer"
            )
        try:
            coding = "utf-8" if self._encoding == "utf-16" else self._encoding
            return above, _first_row(head.split(b"\n", above + MOST_LINES)[above:][:MOST_LINES], coding)
        except LookupError:
            raise UserError(
                f"{self._path}: there is no encoding {self._encoding[:40]!r}: say utf-8, latin-1 or cp1252, for one"
            ) from None
        except UnicodeDecodeError:
            raise UserError(f"{self._path}: is not written in {self._encoding}: {ENCODING}") from None

    def _names(self) -> tuple[str, ...]:
        """The names as Arrow itself reads them, so that quotes and marks at the start mean the same to both."""
        rows = csv_text.lines_below(self._path, self._encoding, self._delimiter, self._above)
        self._stored = tuple(next(rows, (0, []))[1])
        try:
            with self._open(arrow_csv.ConvertOptions()) as reader:
                return tuple(reader.schema.names)
        except pa.ArrowInvalid as error:
            raise UserError(f"{self._path}: {self._explained(str(error))}") from error


def _with_flags(batch: pa.RecordBatch, kinds: Mapping[str, Kind]) -> pa.RecordBatch:
    """The rows with flags as 1 and 0; refused is a word that means neither."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if kinds.get(name) == "flag":
            column, odd = of_words(column)
            if odd is not None:
                raise _unread(name, "bool", odd)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _unread(name: str, kind: str, text: str) -> pa.ArrowInvalid:
    """What Arrow says of a text in that column that it cannot read."""
    reason = f"CSV conversion error to {kind}: invalid value '{text}'"
    return pa.ArrowInvalid(f"In CSV column '{in_one_line(name)}': {reason}")


def _has_marks(path: Path, block: int) -> bool:
    """Whether a file has quotation marks, within which lines may end."""
    with path.open("rb") as file:
        return any(b'"' in part for part in iter(lambda: file.read(block), b""))


def _first_row(lines: Sequence[bytes], encoding: str) -> str:
    """The first row of a text in so many lines at most; only its own lines must be written in that encoding."""
    first = lines[0].decode(encoding)
    texts = [first, *(line.decode(encoding, "replace") for line in lines[1:])]
    return next((row for _, row in rows(texts) if row.strip()), first)


def explained(path: Path, description: Description, reason: str) -> str:
    """Says what is wrong with a file that could not be read, for that reason, and what to do."""
    return f"cannot be read as CSV ({reason[:200]}): {remedy(description, reason)}"


def remedy(description: Description, reason: str) -> str:
    """Says what to do about a file that Arrow could not read, for that reason."""
    if description.reading.decimal is None and re.search(r"conversion error.*'-?\d+,\d+'", reason):
        return "are these decimal commas? Say decimal = ',' (--decimal ,)"
    if re.search(r"invalid UTF8|can't decode|UTF-16 stream", reason):
        return ENCODING
    written = "(delimiter, decimal, encoding, missing_values, time_format)"
    return f"correct it, use other columns, or say how the file is written {written}"
