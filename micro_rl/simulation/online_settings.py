"""`OnlineSettings`: every setting of the online learner, with its default and meaning."""

from dataclasses import dataclass
from typing import Annotated

from micro_rl.core.setting import Setting, check_values
from micro_rl.errors import UserError

_SAC = "rail-berkeley/softlearning: examples/development/variants.py"


@dataclass(frozen=True)
class OnlineSettings:
    """How the learner learns: the usual settings of soft actor-critic (arXiv 1812.05905), by its authors' code."""

    steps: Annotated[int, Setting(minimum=1, unit="steps", source=f"{_SAC}, by task")] = 1_000_000
    """Steps in the simulator, a multiple of those between evaluations: the last policy is evaluated, too."""
    random_steps: Annotated[int, Setting(minimum=1, unit="steps", source=_SAC)] = 1000
    """First steps, with uniformly random actions; updates begin after them, one a step."""
    turn: Annotated[int, Setting(minimum=1, unit="steps", source="ours, for speed (the authors' code: 1)")] = 10
    """Steps between updates, which then come as many at once: compiled together they cost less."""
    reward_scale: Annotated[float, Setting(above=0, unit="raw reward", source="ours: rewards as they are")] = 1.0
    """Rewards are divided by it for learning; the log keeps them raw."""
    batch_size: Annotated[int, Setting(minimum=1, unit="rows", source=_SAC)] = 256
    """Rows of an update."""
    lr: Annotated[float, Setting(above=0, source=_SAC)] = 3e-4
    """Adam's learning rate of actor, critics and temperature."""
    discount: Annotated[float, Setting(minimum=0, maximum=1, source=_SAC)] = 0.99
    """Gamma."""
    tau: Annotated[float, Setting(above=0, maximum=1, source=_SAC)] = 0.005
    """Tau: how far the target critics move at each update."""
    hidden_sizes: Annotated[tuple[int, ...], Setting(minimum=1, source=_SAC)] = (256, 256)
    """Hidden widths of actor and critics."""
    eval_every: Annotated[int, Setting(minimum=1, unit="steps", source="ours")] = 2000
    """Steps between evaluations."""
    eval_episodes: Annotated[int, Setting(minimum=1, unit="episodes", source="ours")] = 10
    """Deterministic episodes of an evaluation."""
    seed: Annotated[int, Setting(minimum=0, below=1 << 32, source="ours")] = 0
    """Of everything random."""


def check(settings: OnlineSettings) -> None:
    """Refuse settings that cannot work, each on its own and beside the others.

    Raises:
        UserError: names the setting, its value and its bound.
    """
    check_values(settings)
    for name, part in (("steps", "turn"), ("eval_every", "turn"), ("steps", "eval_every")):
        whole, of = getattr(settings, name), getattr(settings, part)
        if whole % of:
            raise UserError(f"{name}: {whole} is no multiple of {part} ({of})")
