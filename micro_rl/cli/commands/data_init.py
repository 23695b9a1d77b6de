"""micro-rl data init: a first TOML for a table, with what can be guessed and what cannot."""

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from micro_rl.cli.commands.console import console, say


@dataclass(frozen=True)
class Drafting:
    """Where to write."""

    out: Path | None = None
    """The TOML; by default that of the same name beside the log."""
    force: bool = False
    """Replace a TOML that is there."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.data.guesses.description import draft
    from micro_rl.errors import UserError
    from micro_rl.storage.files import replace_file

    explanation = "Write a first description of a table, to be looked over: a commented TOML beside it."
    kind = shape("DataInit", explanation, ("log", Path), options=Drafting)
    inputs = parse("data init", arguments, kind)
    path = inputs.options.out or inputs.log.with_suffix(".toml")
    if path.is_dir():
        raise UserError(f"{path}: is a folder: name a file with --out")
    if path.exists() and inputs.log.exists() and path.samefile(inputs.log):
        raise UserError(f"{path}: is the log itself: name another file with --out")
    if path.exists() and not inputs.options.force:
        raise UserError(f"{path}: is there already; choose another name with --out, or replace it with --force")
    made, line = draft(inputs.log), partial(say, console())
    replace_file(path, made.text.encode())
    line(f"{path}: look every line over")
    for text in made.open:
        line(f"not guessed: {text}")
    line(f"Next: write the reward there, then micro-rl data check {shlex.quote(str(inputs.log))}")
