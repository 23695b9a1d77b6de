"""micro-rl demo: the main job on the embedded log."""

from dataclasses import dataclass
from pathlib import Path

from micro_rl.cli.commands.training import carry_out

LOG = "pendulum-demo"


@dataclass(frozen=True)
class Demo:
    """Learn to swing up a pendulum from a log in which nobody ever did."""

    out: Path = Path("trained/demo")
    """The run folder; a demo that was stopped there goes on."""
    seed: int = 0
    """Of everything random in the run."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse
    from micro_rl.training.plan import make_plan

    inputs = parse("demo", arguments, Demo)
    carry_out(make_plan(LOG, seed=inputs.seed), inputs.out, True, None, "off")
