"""micro-rl methods: what `train --method` can be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Methods:
    """List the methods: what each does, and where it is from."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.arguments import parse
    from micro_rl.catalogue import ALL, learns_model

    parse("methods", arguments, Methods)
    for model, title in ((True, "with a learned model"), (False, "from the log alone")):
        print(title)
        for name in (name for name in ALL if learns_model(name) is model):
            print(f"  {name:8}{ALL[name].SUMMARY} ({ALL[name].PAPER})")
    print("`micro-rl train --method NAME --help` shows a method's options and settings.")
