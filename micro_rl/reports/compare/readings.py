"""How a run read its log: one file read otherwise, with another reward or other rows, is another log."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from micro_rl.data.read_options import SAY_HOW_WRITTEN

FACTS = ("rows", "episodes", "action_low", "action_high")
"""What came of the reading, since no words of it record a time limit or bounds."""


def reading_of(log: Mapping[str, Any]) -> dict[str, Any]:
    """What flags said of a recorded log, and what came of it. A TOML beside a log is part of its SHA-256."""
    words = {word: value for word, value in log.get("reading", {}).items() if word not in SAY_HOW_WRITTEN}
    return words | {fact: log[fact] for fact in FACTS if fact in log}


def key_of(sha256: str, reading: Mapping[str, Any]) -> str:
    """Equal for one file that is read one way."""
    return hashlib.sha256(f"{sha256} {json.dumps(reading, sort_keys=True, default=str)}".encode()).hexdigest()


def differing_words(readings: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is not the same in all of the readings, by name."""
    every = list(readings)
    names = dict.fromkeys(name for reading in every for name in reading)
    return [name for name in names if any(reading.get(name) != every[0].get(name) for reading in every)]
