"""Tables whose columns have names of several lines, as spreadsheets write them: read by names in one line."""

from collections.abc import Iterator, Mapping
from typing import Any

from micro_rl.core.columns import in_one_line
from micro_rl.data.readers.roles import Kind
from micro_rl.data.readers.table_source import TableSource
from micro_rl.data.readers.vectors import Vectors


def with_line_names(source: TableSource) -> TableSource:
    """Gives a table whose names stand in one line; the same where they do already."""
    return source if tuple(map(in_one_line, source.names)) == source.names else _LineNames(source)


class _LineNames:
    """A table under other names."""

    def __init__(self, source: TableSource):
        self._source = source
        self.names = tuple(map(in_one_line, source.names))
        self._stored = dict(zip(self.names, source.names, strict=True))
        self.rows, self.findings, self.files = source.rows, source.findings, source.files
        self.starts = source.starts
        self.units: Mapping[str, str] = {in_one_line(name): unit for name, unit in source.units.items()}
        self.vectors: Vectors = {
            in_one_line(name): tuple(map(in_one_line, parts)) for name, parts in source.vectors.items()
        }

    def batches(self, kinds: Mapping[str, Kind]) -> Iterator[Any]:
        """Reads the rows, with the columns that are asked for."""
        for batch in self._source.batches({self._stored[name]: kind for name, kind in kinds.items()}):
            yield type(batch).from_arrays(batch.columns, names=list(map(in_one_line, batch.schema.names)))
