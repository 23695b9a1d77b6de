"""micro-rl data convert: a log in another format."""

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from micro_rl.cli.commands.console import console, say
from micro_rl.core.wording import plural


@dataclass(frozen=True)
class Converting:
    """Where to, and how."""

    to: Literal["hdf5", "npz", "csv", "parquet", "minari"] | None = None
    """The format, where the suffix of DST does not tell; a Minari set is a folder."""
    join: tuple[str, ...] = ()
    """Logs of the same columns, as controllers' records, to be put behind SRC; each is read by the TOML beside it."""
    force: bool = False
    """Replace what is there."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.data.conversion import convert, form_of, left_behind
    from micro_rl.data.joining import join, read_otherwise
    from micro_rl.data.read_options import ReadOptions
    from micro_rl.training.log_reading import read_log

    explanation = (
        "Write a log, or several as one, in a format, read it back and compare. The other options say how to read SRC."
    )
    kind = shape("Convert", explanation, ("src", str), ("dst", Path), options=Converting, reading=ReadOptions)
    inputs = parse("data convert", arguments, kind)
    form = form_of(inputs.dst, inputs.options.to)
    sources = [read_log(inputs.src, inputs.reading), *map(read_log, inputs.options.join)]
    log, line = join(sources[0], sources[1:]) if inputs.options.join else sources[0], partial(say, console())
    for note in (*log.notes, *read_otherwise(sources[0], sources[1:])):
        line(f"note: {note}")
    command = shlex.join(["micro-rl", "data", "convert", *arguments])
    back, lost = convert(log, inputs.dst, form, command, inputs.options.force, sources)
    if log.groups is None and any(own.groups is not None for own in sources):
        lost.append("who controlled (group), which not all of the logs tell")
    for text in (*(text for own in sources for text in left_behind(own)), *lost):
        line(f"not kept: {text}")
    read = f"the {inputs.reading.part} part" if inputs.reading.part and not inputs.options.join else "what was read"
    line(
        f"{back.path}: {plural(len(back), 'row')}, {plural(len(back.starts), 'episode')}, "
        f"read back and equal to {read} of {' and '.join(str(own.path) for own in sources)}"
    )
