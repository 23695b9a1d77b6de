"""SAC on the model (MBPO's policy step, arXiv 1906.08253): the neutral method."""

from dataclasses import dataclass

from micro_rl.algorithms.slots import Method

SUMMARY = "no conservatism: the log and the model's rows alike"
PAPER = "arXiv 1906.08253"


@dataclass(frozen=True)
class Options:
    """None of its own."""


def build(options: Options) -> Method:
    """Every slot at its neutral value."""
    return Method()
