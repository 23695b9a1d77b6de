"""The code blocks of docs/development/add-a-method.md: which file each belongs to, and the method that they add."""

import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

PAGE = Path(__file__).parent.parent / "docs" / "development" / "add-a-method.md"
BLOCK = re.compile(r"^\*\*`([^`]+)`\*\*(?:, in `([^`]+)`)?\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A whole file, or lines that go into the named place of one."""

    file: str
    place: str | None
    code: str

    def lines(self) -> int:
        """How many, blank ones aside."""
        return sum(bool(line.strip()) for line in self.code.splitlines())


def blocks() -> list[Block]:
    """All of them, in the page's order."""
    return [Block(file, place or None, code) for file, place, code in BLOCK.findall(PAGE.read_text())]


def block_of(file: str) -> Block:
    """The one for this file."""
    return next(block for block in blocks() if block.file == file)


@cache
def method_of_the_page() -> ModuleType:
    """The page's method, as a module of its own name."""
    module = ModuleType("micro_rl.algorithms.model_based.nearest")
    sys.modules[module.__name__] = module  # dataclasses look their module up by name
    exec(compile(block_of("micro_rl/algorithms/model_based/nearest.py").code, str(PAGE), "exec"), vars(module))
    return module


def put_into(root: Path) -> None:
    """Do with a copy of the project what the page says."""
    for block in blocks():
        file = root / block.file
        if block.place is None:
            file.write_text(block.code)
            continue
        lines = file.read_text().splitlines(keepends=True)
        start = next(number for number, line in enumerate(lines) if line.startswith(block.place))
        file.write_text("".join([*lines[: start + 1], block.code, *lines[start + 1 :]]))
    table = root / "micro_rl/algorithms/model_based/__init__.py"
    table.write_text(
        re.sub(r"^(from micro_rl.algorithms.model_based import .*)$", r"\1, nearest", table.read_text(), flags=re.M)
    )
