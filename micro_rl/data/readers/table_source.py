"""What a table must offer: its columns' names, and its rows in batches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from micro_rl.data.checks.findings import Finding

Kind = Literal["number", "flag", "label", "time"]


@runtime_checkable
class TableSource(Protocol):
    """A file of named columns, read once from its first row to its last."""

    names: tuple[str, ...]
    rows: int
    """As many as the file says; 0 where it does not."""

    findings: Sequence[Finding]
    """What a person should know of the file itself."""

    def batches(self, kinds: Mapping[str, Kind]) -> Iterator[Any]:
        """The rows as Arrow record batches, with the columns that are asked for."""
        ...
