"""Parquet files as a stream of Arrow record batches. Needs pyarrow."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as arrow_parquet

from micro_rl.data.description import Description
from micro_rl.data.readers.roles import Kind
from micro_rl.errors import UserError

BATCH_ROWS = 2**16
ONLY_CSV = ("delimiter", "decimal", "encoding", "time_format")


class Table:
    """One Parquet file."""

    findings = ()

    def __init__(self, path: Path, description: Description):
        odd = [name for name in ONLY_CSV if getattr(description.reading, name) is not None]
        odd += ["missing_values"] if description.missing_values else []
        if odd:
            raise UserError(f"{path}: {odd[0]} is for CSV, and this is Parquet, which needs none: leave it out")
        self._path = path
        # Without a buffer: Arrow would fill one as large as a page declares itself, up to 2 GB.
        self._file = arrow_parquet.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)
        self.names = tuple(self._file.schema_arrow.names)
        self.rows = self._file.metadata.num_rows

    def batches(self, kinds: Mapping[str, Kind]) -> Iterator[pa.RecordBatch]:
        """Reads the rows, with the columns that are asked for."""
        left = self.rows
        for batch in self._file.iter_batches(BATCH_ROWS, columns=list(kinds), use_threads=False):
            left -= len(batch)
            yield batch
        if left:
            raise UserError(
                f"{self._path}: declares {self.rows} rows but holds {self.rows - left}: fetch or write it again"
            )


def remedy(description: Description, reason: str) -> str:
    """Says what to do about a file that Arrow could not read, for that reason."""
    return "fetch or write it again"
