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
    from micro_rl.algorithms.model_based import METHODS
    from micro_rl.algorithms.model_free import BASELINES
    from micro_rl.cli.arguments import parse

    parse("methods", arguments, Methods)
    for title, table in (("with a learned model", METHODS), ("from the log alone", BASELINES)):
        print(title)
        for name, method in table.items():
            print(f"  {name:8}{method.SUMMARY} ({method.PAPER})")
            for line in wrap(options(method.Options()), 110, break_on_hyphens=False):
                print(" " * 10 + line.replace(JOINED, " "))
    print("`micro-rl train --method NAME --help` shows a method's options and settings.")


def options(own: Any) -> str:
    """As the command line takes them; in brackets those that are unset."""
    return " ".join(_option(f"--{name.replace('_', '-')}", value) for name, value in asdict(own).items())


def _option(flag: str, value: Any) -> str:
    if value is None:
        return f"[{flag}]"
    return JOINED.join([flag, *map(str, value if isinstance(value, tuple) else (value,))])
