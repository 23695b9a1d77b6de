"""Standard output and error that refuse what is printed, on a full disk: the work goes on, and the refusal is told."""

import io
import sys
from typing import Any


class _Lenient(io.RawIOBase):
    """Passes bytes on; what the system refuses is lost, and the first refusal kept. A reader that left still raises."""

    def __init__(self, raw: Any):
        super().__init__()
        self._raw, self.refusal = raw, None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        try:
            return self._raw.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self.refusal = self.refusal or error
            return len(data)

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


class Output:
    """Puts lenient streams in place of the process's own."""

    def __init__(self) -> None:
        self._lenient = {name: self._replace(name) for name in ("stdout", "stderr")}

    def refusal(self) -> str:
        """Why standard output lost something, in a line; empty where it did not."""
        lenient = self._lenient["stdout"]
        if lenient is None or lenient.refusal is None:
            return ""
        return (
            f"standard output: {lenient.refusal.strerror}, so what was printed is lost; files are not: "
            "make room, or print elsewhere"
        )

    @staticmethod
    def _replace(name: str) -> _Lenient | None:
        """None where the stream is closed or no file of the system's."""
        stream: Any = getattr(sys, name)
        buffer: Any = getattr(stream, "buffer", None)
        if buffer is None:
            return None
        stream.flush()
        lenient = _Lenient(getattr(buffer, "raw", buffer))
        below: Any = io.BufferedWriter(lenient) if hasattr(buffer, "raw") else lenient  # python -u: nothing waits
        settings = {"encoding": stream.encoding, "errors": stream.errors, "line_buffering": stream.line_buffering}
        setattr(sys, name, io.TextIOWrapper(below, **settings, write_through=stream.write_through))
        return lenient
