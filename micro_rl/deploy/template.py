"""Templates of exported files, with `$name` where a value goes."""

from pathlib import Path
from string import Template
from typing import Any

FOLDER = Path(__file__).parent / "templates"


def filled(name: str, **values: Any) -> str:
    """The text of a template with its values; `KeyError` where one is missing."""
    return Template((FOLDER / f"{name}.txt").read_text(encoding="utf-8")).substitute(values)
