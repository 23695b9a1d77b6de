"""micro-rl methods: what `train --method` can be."""

from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Any

JOINED = "\N{NO-BREAK SPACE}"
"""Between a flag and its value while lines are broken."""


@dataclass(frozen=True)
class Methods:
    """List the methods: what each does, where it is from, its own options with their defaults."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.algorithms.advice import WHEN
    from micro_rl.algorithms.registry import find, known, learns_model
    from micro_rl.cli.arguments import parse

    parse("methods", arguments, Methods)
    for model, title in ((True, "with a learned model"), (False, "from the log alone")):
        print(title)
        for name in (name for name in known() if learns_model(name) is model):
            method = find(name)
            print(f"  {name:8}{method.SUMMARY} ({method.PAPER})")
            for line in wrap(options(method.Options()), 110, break_on_hyphens=False):
                print(" " * 10 + line.replace(JOINED, " "))
    print("which when")
    for situation, advice in WHEN:
        for line in wrap(f"{situation}: {advice}", 110, subsequent_indent=" " * 8, break_on_hyphens=False):
            print(f"  {line}")
    print("`micro-rl train --method NAME --help` shows a method's options and settings.")
    print("A method of your own: `--method mine.py`, with `Options` and `build` as docs/guides/own-method.md shows.")


def options(own: Any) -> str:
    """As the command line takes them; in brackets those that are unset."""
    return " ".join(_option(f"--{name.replace('_', '-')}", value) for name, value in asdict(own).items())


def _option(flag: str, value: Any) -> str:
    if value is None:
        return f"[{flag}]"
    return JOINED.join([flag, *map(str, value if isinstance(value, tuple) else (value,))])
