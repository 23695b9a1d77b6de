"""The command line's page: the text that `--help` prints, verb by verb, as tables."""

import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from unittest import mock

from micro_rl.cli import main
from micro_rl.cli.commands import data

FRAME = "│ "
SPECIAL = re.compile(r"[|*]")
WORDS = {"None": "", "True": "yes", "False": "no"}


def commands() -> str:
    """The page."""
    text = f"# Command line\n\n```text\n{printed([])}```\n\n`micro-rl data` has verbs of its own:\n\n"
    text += f"```text\n{printed(['data'])}```\n\nThe options below are those of MICRO under the generic settings; "
    text += "`--method` and `--preset` show others: `micro-rl train --method iql --help`.\n"
    verbs = [[verb] for verb in main.VERBS if verb != "data"] + [["data", verb] for verb in data.VERBS]
    return text + "".join(section(verb) for verb in verbs)


def printed(words: list[str]) -> str:
    """What a command prints, on a wide terminal without colours."""
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(terminal), mock.patch.dict(os.environ, COLUMNS="1000", NO_COLOR="1", TERM="dumb"):
        main.run(words)
    terminal.seek(0)
    return terminal.read()


def section(verb: list[str]) -> str:
    """One verb: what it does, and a table of its options."""
    lines = printed([*verb, "--help"]).splitlines()[1:]  # the first is tyro's own usage
    takes = (data.VERBS if verb[0] == "data" else main.VERBS)[verb[-1]][0]
    prose = [line for line in lines if line and line[0] not in "│╭╰"]
    rows = list(options(line[1:-1].rstrip() for line in lines if line.startswith(FRAME)))
    text = (
        f"\n## micro-rl {' '.join(verb)}\n\n`micro-rl {' '.join([*verb, takes]).strip()}`\n\n" + "\n".join(prose) + "\n"
    )
    if not rows:
        return text
    head = "\n| option | meaning | default |\n|---|---|---|\n"
    return text + head + "".join(f"| `{name}` | {meaning} | {default} |\n" for name, meaning, default in rows)


def options(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Each option with its meaning and default; a name that takes much room has its meaning on the line below."""
    entries: list[list[str]] = []
    for line in lines:
        words = re.split(r"\s{2,}", line.strip(), maxsplit=1)
        if line.startswith("   "):
            entries[-1].append(words[0])
        else:
            entries.append(words)
    for name, *parts in entries:
        meaning, _, default = " ".join(parts).partition(" (default: ")
        default = default.removesuffix(")").strip()
        if meaning.endswith(" (required)"):
            meaning, default = meaning.removesuffix(" (required)"), "required"
        if not name.startswith("-h"):
            yield plain(name), SPECIAL.sub(r"\\\g<0>", meaning).replace("<", "&lt;"), WORDS.get(default, default)


def plain(name: str) -> str:
    """An option's name and values without what says that they may be left out."""
    name = re.sub(r"\[(\w+) \[\1 \.\.\.\]\]", r"\1 ...", name.replace("{None}|", "").replace("None,", ""))
    return name.strip("[]").replace("|", "\\|")
