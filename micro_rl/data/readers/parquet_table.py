"""Parquet files, one or a folder of them, as a stream of Arrow record batches. Needs pyarrow."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet

from micro_rl.core.wording import plural
from micro_rl.data import log_paths
from micro_rl.data.description import Description
from micro_rl.data.readers import text_times, vectors
from micro_rl.data.readers.arrow_columns import numbers, plain
from micro_rl.data.readers.roles import Kind
from micro_rl.errors import UserError

BATCH_ROWS = 2**16
ONLY_CSV = ("delimiter", "decimal", "encoding", "skip_rows", "skip_after_heading")
WIDEST = 2**12
"""Numbers of one vector; more are an image."""


class Table:
    """One Parquet file, or all of a folder in order of their names; vectors become columns."""

    findings = ()
    units: Mapping[str, str] = MappingProxyType({})

    def __init__(self, path: Path, description: Description):
        odd = [name for name in ONLY_CSV if getattr(description.reading, name) is not None]
        odd += ["missing_values"] if description.missing_values else []
        odd += ["a list as time"] if isinstance(description.reading.time, tuple) else []
        if odd:
            raise UserError(f"{path}: {odd[0]} is for CSV, and this is Parquet, which needs none: leave it out")
        text_times.refuse_names_of_zones(path, description.reading.time_format)
        self._path, self._time_format = path, description.reading.time_format
        self.files = tuple(log_paths.parquet_files(path)) if path.is_dir() else (path,)
        opened = [self._open(file) for file in self.files]
        schema = opened[0].schema_arrow
        *self.starts, self.rows = itertools.accumulate(file.metadata.num_rows for file in opened)
        for file, other in zip(self.files[1:], opened[1:], strict=True):
            if other.schema_arrow.names != schema.names:
                raise UserError(f"{file}: has other columns than {self.files[0].name}: keep files of one log together")
        self.vectors = {
            field.name: vectors.parts(field.name, width)
            for field in schema
            if _is_vector(field.type) and 0 < (width := self._width(opened[0], field)) <= WIDEST
        }
        self.names = tuple(part for name in schema.names for part in self.vectors.get(name, (name,)))

    def batches(self, kinds: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
        """Reads the rows, with the columns that are asked for."""
        whole = {part: name for name, own in self.vectors.items() for part in own}
        wanted = list(dict.fromkeys(whole.get(name, name) for name in kinds))
        left = self.rows
        for path in self.files:
            file, rows = self._open(path), 0
            for batch in file.iter_batches(BATCH_ROWS, columns=wanted, use_threads=False):
                columns = dict(self._columns(path, batch, wanted, rows))
                for name in (name for name, kind in kinds.items() if kind == "time"):
                    columns[name] = _times(path, name, columns[name], self._time_format, rows)
                rows += len(batch)
                yield pa.RecordBatch.from_arrays([columns[name] for name in kinds], names=list(kinds))
            left -= rows
        if left:
            raise UserError(
                f"{self._path}: declares {plural(self.rows, 'row')} but holds {self.rows - left}: "
                "fetch or write it again"
            )

    def _columns(
        self, path: Path, batch: pa.RecordBatch, wanted: list[str], before: int
    ) -> Iterator[tuple[str, pa.Array]]:
        """The columns of a batch, vectors by their parts."""
        for name in wanted:
            column = batch.column(batch.schema.get_field_index(name))
            if name not in self.vectors:
                yield name, column
                continue
            width = len(self.vectors[name])
            lengths = pc.call_function("list_value_length", [column]).fill_null(-1).to_numpy(zero_copy_only=False)
            if len(odd := np.flatnonzero(lengths != width)):
                count = lengths[odd[0]]
                holds = "nothing" if count < 0 else f"{count} numbers"
                raise UserError(
                    f"{path}: {name!r} holds {holds} in row {before + odd[0]} and {width} in the first: vectors must "
                    "be of one length"
                )
            values = column.flatten()
            for place, part in enumerate(self.vectors[name]):
                yield part, values.take(pa.array(np.arange(place, len(values), width)))

    def _width(self, file: arrow_parquet.ParquetFile, field: pa.Field) -> int:
        """Numbers of a vector: as declared, or as in the first row."""
        if pa.types.is_fixed_size_list(field.type):
            return field.type.list_size
        for batch in file.iter_batches(1, columns=[field.name], use_threads=False):
            return len(batch.column(0)[0].as_py() or ())
        return 0

    def _open(self, path: Path) -> arrow_parquet.ParquetFile:
        # Without a buffer: Arrow would fill one as large as a page declares itself, up to 2 GB.
        return arrow_parquet.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)


def _times(path: Path, name: str, column: pa.Array, time_format: str | None, before: int) -> pa.Array:
    """A column of times, texts among them read; with a format numbers are texts. So many rows stand before them."""
    column = plain(column)
    kind = column.type
    if time_format and pa.types.is_integer(kind):
        column = column.cast(pa.string())
    elif time_format and (pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        digits = [np.format_float_positional(number, trim="-") for number in numbers(path, name, column)]
        column = pa.array(digits, mask=column.is_null().to_numpy(zero_copy_only=False))
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        if time_format:
            raise UserError(f"{path}: the time column {name!r} holds {kind}, no text: leave time_format out")
        return column
    times, wrong = text_times.read(column.cast(pa.string()), time_format)
    if wrong is None:
        return times
    if wrong or time_format:
        raise UserError(
            f"{path}: the time column {name!r} holds {column[wrong].as_py()[:40]!r} in row {before + wrong}, which is "
            "no such time: repair it, or say how it is written with time_format (--time-format)"
        )
    return column  # whoever takes the steps says what to do


def _is_vector(kind: pa.DataType) -> bool:
    """Whether a column holds a list of numbers in each row."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list:
        return False
    inner = kind.value_type
    return pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_boolean(inner)


def explained(path: Path, description: Description, reason: str) -> str:
    """Says what is wrong with a file that Arrow could not read, for that reason, and what to do."""
    return f"cannot be read as Parquet ({reason[:200]}): fetch or write it again"
