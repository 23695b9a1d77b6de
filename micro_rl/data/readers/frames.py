"""DataFrames (pandas, Polars, PyArrow, whatever gives Arrow's interface) as a stream of Arrow record batches."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from micro_rl.data.checks.findings import Finding
from micro_rl.data.readers.roles import Kind
from micro_rl.data.readers.vectors import Vectors
from micro_rl.errors import UserError

BATCH_ROWS = 2**16
KINDS = "a pandas, Polars or PyArrow DataFrame"


class Frame:
    """One DataFrame, its named index among the columns."""

    findings: Sequence[Finding] = ()
    rows = 0
    starts: Sequence[int] = ()
    files: tuple[Path, ...] = ()
    units: Mapping[str, str] = MappingProxyType({})
    vectors: Vectors = MappingProxyType({})

    def __init__(self, path: Path, frame: Any):
        self._path = path
        index = getattr(frame, "index", None)
        if any(name is not None for name in getattr(index, "names", ())):
            frame = frame.reset_index()
        names = getattr(frame, "column_names", None) or list(getattr(frame, "columns", ()))
        if not all(isinstance(name, str) for name in names):
            raise UserError(f"{path}: the columns must have text for names, not {names[:3]!r:.60}: rename them")
        if not names:
            raise UserError(f"{path}: {type(frame).__name__!r:.40} has no named columns: give {KINDS}")
        self.names, self._frame = tuple(names), frame

    def batches(self, kinds: Mapping[str, Kind]) -> Iterator[Any]:
        """Reads the rows, with the columns that are asked for."""
        yield from self._table(list(kinds)).to_batches(BATCH_ROWS)

    def _table(self, names: list[str]) -> Any:
        import pyarrow as pa
        from pyarrow import interchange

        chosen = self._frame.select(names) if hasattr(self._frame, "select") else self._frame[names]
        if isinstance(chosen, pa.Table):
            return chosen
        if hasattr(chosen, "__arrow_c_stream__"):
            return pa.table(chosen)
        if hasattr(chosen, "__dataframe__"):
            return interchange.from_dataframe(chosen)
        raise UserError(
            f"{self._path}: {type(chosen).__name__!r:.40} is no DataFrame that Arrow can read: give {KINDS}"
        )
