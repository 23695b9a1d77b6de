"""What stays on disk: JSON, folders of arrays, the run folder; written whole or not at all, checked if read.

A folder of arrays holds `NAME.safetensors`, `NAME.json` and `manifest.json`, which gives the format version
and the size and SHA-256 of the other two. Nothing is ever unpickled. A save that fails for want of space or
permission raises `CannotWrite` and leaves what was there before; training may go on and try again.

JSON has no NaN or infinity: such floats are stored as the strings "NaN", "Infinity" and "-Infinity" and read
back as floats, everywhere in these files.
"""

import hashlib
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from micro_rl.errors import UserError

FORMAT = 1
Row = dict[str, float | int]

_MANIFEST = "manifest.json"
_DTYPES = {"b1": "BOOL"} | {
    f"{kind}{size}": f"{letter}{8 * size}"
    for kind, letter, sizes in (("u", "U", (1, 2, 4, 8)), ("i", "I", (1, 2, 4, 8)), ("f", "F", (2, 4, 8)))
    for size in sizes
}
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_CHUNK = 4 << 20  # bytes: hashed and written while still in cache
_JSON_LIMIT = 64 << 20  # bytes
_MANIFEST_LIMIT = 64 << 10  # bytes
_HEADER_LIMIT = 4 << 20  # bytes; the largest training state needs about 0.1 MB


class CannotWrite(UserError):
    """The disk refused a save; what was saved before is still there."""


class NewerFormat(UserError):
    """Written by a later version of this program: not damaged, and not to be thrown away."""


class Checkpoint(NamedTuple):
    """A training state read back, and why any newer ones were passed over."""

    epoch: int
    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    skipped: list[str]


# Bytes


def _hidden(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{suffix}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def _saving(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """Turn the disk's refusal into `CannotWrite`, leaving no partial output."""
    try:
        yield
    except OSError as error:
        if temporary is not None:
            _remove(temporary)
        reason = error.strerror or error
        raise CannotWrite(f"{path}: cannot be written ({reason}); free the disk or choose another folder") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_file(path: Path, chunks: Iterable[Any]) -> dict[str, Any]:
    """Write bytes-like chunks durably in one pass; returns the file's manifest entry."""
    digest, size = hashlib.sha256(), 0
    with open(path, "wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": size, "sha256": digest.hexdigest()}


def replace_file(path: Path, content: bytes) -> None:
    """Give a file new content: readers, now or after a crash, see the old or the new, never a mixture."""
    temporary = _hidden(path, "tmp")
    with _saving(path, temporary):
        _write_file(temporary, [content])
        os.replace(temporary, path)
        _sync_folder(path.parent)


def append_file(path: Path, content: bytes) -> None:
    """Append durably; if the disk refuses, the file is cut back to what it was."""
    with _saving(path), open(path, "ab", buffering=0) as file:
        size = file.tell()
        try:
            if file.write(content) < len(content):
                raise OSError("no space left")
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def _regular_size(path: Path) -> int:
    """Bytes of an ordinary file; a pipe or a device could block or never end."""
    with _reading(path):
        status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: is not an ordinary file; restore it from a copy")
    return status.st_size


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with _reading(path), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# JSON


def plain(value: Any) -> Any:
    """As JSON can hold it: tuples as lists, paths as text, scalars as numbers, NaN and infinity as names."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if getattr(value, "ndim", None) == 0:
        return plain(value.item())
    raise TypeError(f"{type(value).__name__} has no place in JSON; save arrays with write_arrays")


def _restored(value: Any) -> Any:
    """The floats that `plain` had to name."""
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: _restored(item) for key, item in value.items()}
    return [_restored(item) for item in value] if isinstance(value, list) else value


def _parse(text: bytes, where: str) -> dict[str, Any]:
    try:
        value = _restored(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: is not valid JSON; restore it from a copy") from error
    if not isinstance(value, dict):
        raise UserError(f"{where}: holds no JSON object; restore it from a copy")
    return value


def _json_bytes(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(plain(content), indent=2, allow_nan=False) + "\n").encode()


def write_json(path: Path | str, content: Mapping[str, Any]) -> None:
    """Replace a JSON file atomically and durably; raises `CannotWrite`."""
    replace_file(Path(path), _json_bytes(content))


def read_json(path: Path | str, limit: int = _JSON_LIMIT) -> dict[str, Any]:
    """The object in a JSON file of at most `limit` bytes; raises `UserError` if there is none."""
    path = Path(path)
    if _regular_size(path) > limit:
        raise UserError(f"{path}: is larger than {limit} bytes, so it is not one of ours; restore it from a copy")
    with _reading(path):
        return _parse(path.read_bytes(), str(path))


# Folders of arrays


def _files(name: str) -> tuple[str, str]:
    return f"{name}.safetensors", f"{name}.json"


def _code(array: np.ndarray) -> str:
    return f"{array.dtype.kind}{array.dtype.itemsize}"


def _safetensors(arrays: Mapping[str, np.ndarray]) -> Iterator[Any]:
    """The safetensors format, widest items first so that all are aligned, in pieces that copy nothing."""
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header, offset = {}, 0
    for name, array in ordered:
        dtype = _DTYPES.get(_code(array))
        if dtype is None or name == "__metadata__":
            raise TypeError(f"array {name} of {array.dtype} cannot be saved")
        end = offset + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    for _, array in ordered:
        little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        flat = little_endian.reshape(-1).view(np.uint8)
        yield from (flat[start : start + _CHUNK] for start in range(0, flat.size, _CHUNK))


def _check_replaceable(folder: Path, name: str) -> None:
    """Only a folder that holds nothing but our own files is replaced: a mistyped path must not cost any."""
    with _reading(folder):
        present = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    others = sorted(present - {*_files(name), _MANIFEST})
    if others:
        raise UserError(f"{folder}: holds other files ({others[0]}); choose a new or an empty folder")


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename a finished folder to its name; between the two renames readers find the old one under `.old`."""
    previous = _hidden(folder, "old")
    if folder.exists():
        _remove(previous)
        os.rename(folder, previous)
    os.rename(temporary, folder)
    _sync_folder(folder.parent)
    _remove(previous)


def write_arrays(
    folder: Path | str, name: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any] | None = None
) -> None:
    """Write or replace a folder of arrays atomically and durably, without a second copy of them in memory.

    Arrays: booleans, integers and floats of 16 bits or more. Raises `CannotWrite`, and `UserError` if the
    folder holds anything else.
    """
    folder = Path(folder).resolve()
    _check_replaceable(folder, name)
    temporary = _hidden(folder, "tmp")
    with _saving(folder, temporary):
        _remove(temporary)
        temporary.mkdir(parents=True)
        contents = (_safetensors(arrays), [_json_bytes(meta or {})])
        entries = {file: _write_file(temporary / file, data) for file, data in zip(_files(name), contents, strict=True)}
        _write_file(temporary / _MANIFEST, [_json_bytes({"format": FORMAT, "files": entries})])
        _sync_folder(temporary)
        _put_in_place(temporary, folder)


def read_arrays(folder: Path | str, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the meta of a folder, after every file's size and SHA-256 have been checked.

    Raises `UserError` naming the file that is missing, damaged or not ours, `NewerFormat` if a later version
    wrote it.
    """
    folder = Path(folder).resolve()
    with _reading(folder):
        if not folder.exists() and _hidden(folder, "old").exists():
            folder = _hidden(folder, "old")
    for file, entry in _read_manifest(folder, name).items():
        _verify(folder / file, entry)
    tensors, meta = _files(name)
    return _load(folder / tensors), read_json(folder / meta)


def _check_format(found: Any, path: Path) -> None:
    if type(found) is not int or found < 1:
        raise UserError(f"{path}: names no format version; restore it from a copy")
    if found > FORMAT:
        raise NewerFormat(f"{path}: has format {found}, and this version reads up to {FORMAT}; update micro-rl")


def _read_manifest(folder: Path, name: str) -> dict[str, Any]:
    """Size and SHA-256 by file name. Only the expected names pass, so none can lead out of the folder."""
    path = folder / _MANIFEST
    manifest = read_json(path, _MANIFEST_LIMIT)
    _check_format(manifest.get("format"), path)
    files = manifest.get("files")
    if set(manifest) != {"format", "files"} or not isinstance(files, dict) or set(files) != set(_files(name)):
        raise UserError(f"{path}: does not list {' and '.join(_files(name))}; restore it from a copy")
    for entry in files.values():
        if not isinstance(entry, dict) or set(entry) != {"bytes", "sha256"}:
            raise UserError(f"{path}: needs bytes and sha256 of every file; restore it from a copy")
    return files


def _verify(path: Path, entry: dict[str, Any]) -> None:
    size = _regular_size(path)
    if type(entry["bytes"]) is not int or size != entry["bytes"]:
        raise UserError(f"{path}: has {size} bytes where its manifest says otherwise; restore it from a copy")
    if sha256(path) != entry["sha256"]:
        raise UserError(f"{path}: is damaged (SHA-256 differs from its manifest); restore it from a copy")


def _load(path: Path) -> dict[str, np.ndarray]:
    """Parse a safetensors file; bounding the header's length first also turns away pickles and archives."""
    with _reading(path), open(path, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > _HEADER_LIMIT:
        raise UserError(f"{path}: does not begin like a safetensors file; restore it from a copy")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: is no safetensors file ({reason}); restore it from a copy") from error
    for name, array in arrays.items():
        if _code(array) not in _DTYPES:
            raise UserError(f"{path}: {name} is {array.dtype}, which is never saved here; restore it from a copy")
    return arrays


# Rows: one JSON object a line


def numbers(row: Mapping[str, Any]) -> Row:
    """A row as Python numbers; array scalars are fetched, anything that is no number is a `TypeError`."""
    taken = {key: value.item() if getattr(value, "ndim", None) == 0 else value for key, value in row.items()}
    for key, value in taken.items():
        if type(value) not in (int, float):
            raise TypeError(f"{key} is a {type(value).__name__}, not a number")
    return taken


def _row_bytes(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(plain(numbers(row)), allow_nan=False) + "\n").encode()


def _parse_row(line: bytes, where: str) -> Row:
    row = _parse(line, where)
    for key, value in row.items():
        if type(value) not in (int, float):
            raise UserError(f"{where}: {key} is not a number; delete the line")
    return row


def read_rows(path: Path | str) -> list[Row]:
    """The rows of a JSON-lines file, [] if there is none; a last line torn by a crash is left out."""
    path = Path(path)
    if not path.exists():
        return []
    _regular_size(path)
    with _reading(path):
        lines = path.read_bytes().split(b"\n")[:-1]
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(_parse_row(line, f"{path}, line {number}"))
        except UserError:
            if number < len(lines):
                raise
    return rows


def append_row(path: Path | str, row: Mapping[str, Any]) -> None:
    """Append a row of numbers durably; raises `CannotWrite`."""
    append_file(Path(path), _row_bytes(row))


def rewind_rows(path: Path | str, epoch: int) -> None:
    """Keep the rows up to an epoch and drop a torn end, so that appending goes on as if never interrupted."""
    path = Path(path)
    if path.exists():
        replace_file(path, b"".join(_row_bytes(row) for row in read_rows(path) if row.get("epoch", 0) <= epoch))


# The run folder


@dataclass(frozen=True)
class RunFolder:
    """One training run on disk; `keep` is how many checkpoints stay. Make it with `create` or `open`."""

    path: Path
    keep: int = 2

    @classmethod
    def create(cls, path: Path | str, config: Mapping[str, Any], keep: int = 2) -> "RunFolder":
        """Begin a run in a new or empty folder; the configuration is the first thing in it."""
        path = Path(path)
        with _saving(path):
            path.mkdir(parents=True, exist_ok=True)
            taken = [entry for entry in path.iterdir() if not entry.name.endswith(".tmp")]
        if taken:
            raise UserError(f"{path}: is not empty; continue the run there with --resume or choose another folder")
        write_json(path / "config.json", {"format": FORMAT, **config})
        return cls(path, keep)

    @classmethod
    def open(cls, path: Path | str, keep: int = 2) -> "RunFolder":
        """An existing run, unchanged; raises `UserError` if there is none."""
        path = Path(path)
        with _reading(path):
            present = (path / "config.json").exists()
        if not present:
            raise UserError(f"{path}: is not a run folder (it has no config.json); check the path")
        run = cls(path, keep)
        _check_format(run.config().get("format"), path / "config.json")
        return run

    @property
    def model(self) -> Path:
        """Folder of the ensemble: `read_arrays(run.model, "ensemble")`."""
        return self.path / "model"

    @property
    def policy(self) -> Path:
        """Folder of the policy: `read_arrays(run.policy, "policy")`."""
        return self.path / "policy"

    def config(self) -> dict[str, Any]:
        """The configuration given to `create`, and its `format`."""
        return read_json(self.path / "config.json")

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add an epoch's numbers to metrics.jsonl; the row must hold `epoch`."""
        if "epoch" not in row:
            raise ValueError("a row of metrics needs its epoch")
        append_row(self.path / "metrics.jsonl", row)

    def metrics(self) -> list[Row]:
        """The rows of metrics.jsonl."""
        return read_rows(self.path / "metrics.jsonl")

    def append_fit(self, row: Mapping[str, Any]) -> None:
        """Add an epoch of the dynamics fit to fit.jsonl."""
        append_row(self.path / "fit.jsonl", row)

    def fit(self) -> list[Row]:
        """The rows of fit.jsonl."""
        return read_rows(self.path / "fit.jsonl")

    def restart_fit(self) -> None:
        """Forget the epochs of a fit that was cut short."""
        replace_file(self.path / "fit.jsonl", b"")

    def write_scores(self, scores: Mapping[str, Any]) -> None:
        """Replace scores.json."""
        write_json(self.path / "scores.json", scores)

    def scores(self) -> dict[str, Any]:
        """The object in scores.json; raises `UserError` if the run has none yet."""
        return read_json(self.path / "scores.json")

    def seal(self) -> None:
        """List the finished run's files with their SHA-256 in manifest.json."""
        names = ("config.json", "metrics.jsonl", "policy.safetensors", "scores.json", "report.html")
        files = {name: {"sha256": sha256(self.path / name)} for name in names if (self.path / name).exists()}
        write_json(self.path / _MANIFEST, {"format": FORMAT, "files": files})

    def verify(self) -> None:
        """Compare the files that `seal` listed; `UserError` names the first that has changed."""
        for name, entry in read_json(self.path / _MANIFEST).get("files", {}).items():
            if (
                Path(name).name != name
                or not (self.path / name).exists()
                or sha256(self.path / name) != entry.get("sha256")
            ):
                raise UserError(
                    f"{self.path / name}: is not the file this run wrote; restore it from a copy or train again"
                )

    def checkpoint(self, epoch: int) -> Path:
        """Folder of an epoch's training state."""
        return self.path / "checkpoints" / f"epoch-{epoch:06d}"

    def checkpoints(self) -> list[int]:
        """Epochs with a checkpoint, oldest first, valid or not."""
        names = os.listdir(self.path / "checkpoints") if (self.path / "checkpoints").is_dir() else []
        found = (re.fullmatch(r"epoch-([0-9]{6,9})|\.epoch-([0-9]{6,9})\.old", name) for name in names)
        return sorted({int(match[1] or match[2]) for match in found if match})

    def save_checkpoint(self, epoch: int, arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
        """Save the whole training state, then drop all but the newest `keep`; raises `CannotWrite`."""
        write_arrays(self.checkpoint(epoch), "state", arrays, {**meta, "epoch": epoch})
        self._drop_checkpoints(self.checkpoints()[: -self.keep])

    def newest_checkpoint(self) -> Checkpoint | None:
        """The newest valid checkpoint, None if none was ever saved.

        Raises `UserError` if all are damaged, `NewerFormat` if a later version wrote the newest.
        """
        skipped: list[str] = []
        for epoch in reversed(self.checkpoints()):
            try:
                arrays, meta = read_arrays(self.checkpoint(epoch), "state")
                if meta.get("epoch") != epoch:
                    raise UserError(f"{self.checkpoint(epoch)}: holds epoch {meta.get('epoch')}; rename it back")
                return Checkpoint(epoch, arrays, meta, skipped)
            except NewerFormat:
                raise
            except UserError as error:
                skipped.append(str(error))
        if skipped:
            raise UserError(f"{self.path}: no checkpoint can be used ({'; '.join(skipped)}); start a new run")
        return None

    def rewind(self, epoch: int) -> None:
        """Make the folder as it was after an epoch: drop later rows, checkpoints and leftovers.

        To be called before a stopped run goes on; -1 forgets all epochs.
        """
        rewind_rows(self.path / "metrics.jsonl", epoch)
        self._drop_checkpoints([later for later in self.checkpoints() if later > epoch])

    def _drop_checkpoints(self, epochs: list[int]) -> None:
        for epoch in epochs:
            _remove(self.checkpoint(epoch))
            _remove(_hidden(self.checkpoint(epoch), "old"))
        for leftover in (self.path / "checkpoints").glob(".epoch-*.tmp"):
            _remove(leftover)
