"""What every reader of a table gives: named columns, and their rows once from the first to the last."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from micro_rl.data.checks.findings import Finding
from micro_rl.data.readers.roles import Kind
from micro_rl.data.readers.vectors import Vectors


@runtime_checkable
class TableSource(Protocol):
    """A file of named columns, read once from its first row to its last."""

    names: tuple[str, ...]
    rows: int
    """As many as the file says; 0 where it does not."""

    findings: Sequence[Finding]
    """What a person should know of the file itself."""

    files: tuple[Path, ...]
    """All that is read, in order."""

    starts: Sequence[int]
    """Rows with which a further file begins."""

    units: Mapping[str, str]
    """Units of columns, where the file tells them."""

    vectors: Vectors
    """Columns that hold a vector in each row; `names` has their parts."""

    def batches(self, kinds: Mapping[str, Kind]) -> Iterator[Any]:
        """Reads the rows as Arrow record batches, with the columns that are asked for."""
        ...
