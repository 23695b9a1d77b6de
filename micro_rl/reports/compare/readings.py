"""How a run read its log: one file read otherwise, with another reward or other rows, is another log."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any


def reading_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the TOML beside the log said, and over it the flags; empty for a file that describes itself."""
    mapping = str(config.get("mapping") or "")
    try:
        words: dict[str, Any] = tomllib.loads(mapping)
    except tomllib.TOMLDecodeError:
        words = {"mapping": mapping}
    return words | config.get("log", {}).get("reading", {})


def key_of(sha256: str, reading: Mapping[str, Any]) -> str:
    """Equal for one file that is read one way: its SHA-256, and with a reading a digest of both."""
    if not reading:
        return sha256
    return hashlib.sha256(f"{sha256} {json.dumps(reading, sort_keys=True, default=str)}".encode()).hexdigest()


def differing_words(readings: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is not the same in all of the readings, by name."""
    every = list(readings)
    names = dict.fromkeys(name for reading in every for name in reading)
    return [name for name in names if any(reading.get(name) != every[0].get(name) for reading in every)]
