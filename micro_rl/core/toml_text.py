"""Keys and values as lines of TOML."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def lines(items: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Writes keys and their values as lines of TOML; its numbers, lists and quoted texts are written like JSON's."""
    for name, value in items:
        if value not in (None, (), []):
            bare = name.isascii() and name.replace("_", "").isalnum()
            yield f"{name if bare else quoted(name)} = {quoted(value)}"


def quoted(value: Any) -> str:
    """Writes a value as TOML does."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(lines(value.items()))}}}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
