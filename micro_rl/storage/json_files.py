"""JSON files of this project: objects, written whole or not at all, with NaN, infinities and a format version.

JSON has no NaN or infinity: such floats stand there as the strings "NaN", "Infinity" and "-Infinity" and are read back
as floats. A text that reads like one of these is stored with "text:" before it, and so stays a text.
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError
from micro_rl.storage.files import reading, regular_size, replace_file

FORMAT = 3
"""Of run folders and folders of arrays; all from 1 on are read. 2 brought processes.jsonl, and rows in checkpoints,
3 the names of settings (`core.renamed`)."""
JSON_LIMIT = 64 << 20  # bytes

_TEXT = "text:"
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LIKE_NOT_FINITE = re.compile(f"(?:{_TEXT})*(?:{'|'.join(_NOT_FINITE)})")


class NewerFormat(UserError):
    """Written by a later version of this program: not damaged, and not to be thrown away."""


def to_jsonable(value: Any) -> Any:
    """Convert a value to what JSON can hold: lists for tuples, text for paths, numbers for array scalars.

    Args:
        value: None, a bool, number, text, path, array scalar, or a mapping, list or tuple of those.

    Returns:
        The value in Python's JSON types, NaN and infinities by name (see the module).

    Raises:
        TypeError: where the value holds anything else, such as an array.
    """
    if isinstance(value, str):
        return _TEXT + value if _LIKE_NOT_FINITE.fullmatch(value) else value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_jsonable(item) for item in value]
    if isinstance(value, Path):
        return to_jsonable(str(value))
    if getattr(value, "ndim", None) == 0:
        return to_jsonable(value.item())
    raise TypeError(f"{type(value).__name__} has no place in JSON; save arrays with write_arrays")


def _from_jsonable(value: Any) -> Any:
    """Give back the floats that `to_jsonable` had to name, and the texts that it had to mark."""
    if isinstance(value, str):
        if _LIKE_NOT_FINITE.fullmatch(value):
            return _NOT_FINITE[value] if value in _NOT_FINITE else value.removeprefix(_TEXT)
        return value
    if isinstance(value, dict):
        return {key: _from_jsonable(item) for key, item in value.items()}
    return [_from_jsonable(item) for item in value] if isinstance(value, list) else value


def json_round_trip(value: Any) -> Any:
    """Return a value as it reads back from one of our JSON files; raises as `to_jsonable`."""
    return _from_jsonable(to_jsonable(value))


def parse_json(text: bytes, source: str) -> dict[str, Any]:
    """Parse the object in a JSON text.

    Args:
        text: UTF-8, of any content.
        source: what the error calls the text, such as its path.

    Raises:
        UserError: where the text holds no JSON object.
    """
    try:
        value = _from_jsonable(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source}: is not valid JSON; restore it from a copy") from error
    if not isinstance(value, dict):
        raise UserError(f"{source}: holds no JSON object; restore it from a copy")
    return value


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Encode an object as it stands in our JSON files; raises as `to_jsonable`."""
    return (json.dumps(to_jsonable(content), indent=2, allow_nan=False) + "\n").encode()


def json_line(content: Mapping[str, Any]) -> bytes:
    """Encode an object as one line of our JSON-lines files; raises as `to_jsonable`."""
    return (json.dumps(to_jsonable(content), allow_nan=False) + "\n").encode()


def write_json(path: Path | str, content: Mapping[str, Any]) -> None:
    """Replace a JSON file atomically and durably; raises `CannotWrite`, and as `to_jsonable`."""
    replace_file(Path(path), json_bytes(content))


def read_json(path: Path | str, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """Read the object in a JSON file.

    Args:
        path: an ordinary file.
        limit: bytes it may have.

    Raises:
        UserError: where there is no such file, it is larger, or it holds no JSON object.
    """
    path = Path(path)
    if regular_size(path) > limit:
        raise UserError(f"{path}: is larger than {limit} bytes, so it is not one of ours; restore it from a copy")
    with reading(path):
        return parse_json(path.read_bytes(), str(path))


def check_format(version: Any, path: Path) -> None:
    """Check the format version that a file names.

    Raises:
        UserError: where it is no version.
        NewerFormat: where a later version of the program wrote the file.
    """
    if type(version) is not int or version < 1:
        raise UserError(f"{path}: names no format version; restore it from a copy")
    if version > FORMAT:
        raise NewerFormat(f"{path}: has format {version}, and this version reads up to {FORMAT}; update micro-rl")
