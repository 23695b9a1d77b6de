"""CSV files as a stream of Arrow record batches. Needs pyarrow."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.data.description import Description
from micro_rl.data.readers.heading import DELIMITERS, line_of
from micro_rl.data.readers.roles import Kind
from micro_rl.errors import UserError

BLOCK_BYTES = 2**20
HEADER_BYTES = 2**20


class Table:
    """One CSV file: comments perhaps, a line of names, then one line a row."""

    rows = 0

    def __init__(self, path: Path, description: Description):
        self._path, self._description = path, description
        reading = description.reading
        self._encoding = reading.encoding or "utf-8"
        self._above, first = self._heading()
        self._delimiter = reading.delimiter or max(DELIMITERS, key=first.count)
        for name, sign in (("delimiter", self._delimiter), ("decimal", reading.decimal or ".")):
            if len(sign) != 1 or not sign.isascii() or sign in '\r\n"':
                raise UserError(f"{path}: {name} must be one plain character, not {sign!r}")
        if self._delimiter == reading.decimal:
            raise UserError(f"{path}: decimal and delimiter are both {self._delimiter!r}: give another delimiter")
        self.names = self._names()
        self.findings = self._unfinished()

    def batches(self, kinds: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
        """Reads the rows, with the columns that are asked for."""
        types = {"number": pa.float64(), "flag": pa.bool_(), "label": pa.string()}
        types = {name: types[kind] if kind in types else self._time_type(name) for name, kind in kinds.items()}
        try:
            with self._open(self._options(types)) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            raise pa.ArrowInvalid(re.sub(r"CSV column #(\d+)", self._column, str(error))) from error

    def _column(self, number: re.Match[str]) -> str:
        """A column by its name, of which Arrow knows the number."""
        return f"column {self.names[int(number[1])]!r}"

    def _unfinished(self) -> list[Finding]:
        """A warning where the last line has no end: a file without checksums that was cut there looks the same."""
        with self._path.open("rb") as file:
            file.seek(-1, 2)
            if file.read() in (b"\n", b"\r"):
                return []
        text = "the last line has no end: if the file was cut short, the last value is wrong"
        return [findings.warning("last-line", text)]

    def _time_type(self, name: str) -> pa.DataType:
        """Of a column of times, as its first block tells, but fine enough for whatever follows."""
        if self._description.reading.time_format:
            return pa.timestamp("ns")
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
            true_values=["1", "1.0", "true", "True", "TRUE"],
            false_values=["0", "0.0", "false", "False", "FALSE"],
            strings_can_be_null=True,
            decimal_point=reading.decimal or ".",
            timestamp_parsers=[reading.time_format] if reading.time_format else None,
        )

    def _open(self, options: arrow_csv.ConvertOptions) -> arrow_csv.CSVStreamingReader:
        return arrow_csv.open_csv(
            self._path,
            read_options=arrow_csv.ReadOptions(
                block_size=BLOCK_BYTES, encoding=self._encoding, use_threads=False, skip_rows=self._above
            ),
            parse_options=arrow_csv.ParseOptions(delimiter=self._delimiter),
            convert_options=options,
        )

    def _heading(self) -> tuple[int, str]:
        """How many lines stand above the heading, and the heading."""
        with self._path.open("rb") as file:
            head = file.read(HEADER_BYTES)
        above = line_of(head)
        try:
            return above, head.split(b"\n", above + 1)[above].decode(self._encoding)
        except (UnicodeDecodeError, LookupError):
            raise UserError(
                f"{self._path}: is not written in {self._encoding}: give its encoding (--encoding latin-1, for one)"
            ) from None

    def _names(self) -> tuple[str, ...]:
        """The names as Arrow itself reads them, so that quotes and marks at the start mean the same to both."""
        with self._open(arrow_csv.ConvertOptions()) as reader:
            return tuple(reader.schema.names)


def remedy(description: Description, reason: str) -> str:
    """Says what to do about a file that Arrow could not read, for that reason."""
    if description.reading.decimal is None and re.search(r"conversion error.*'-?\d+,\d+'", reason):
        return "are these decimal commas? Say decimal = ',' (--decimal ,)"
    written = "(delimiter, decimal, missing_values, time_format)"
    return f"correct it, use other columns, or say how the file is written {written}"
