"""The settings of a critic ensemble beyond its size (`micro_rl.algorithms.critics`)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from micro_rl.core.setting import Setting
from micro_rl.errors import UserError


@dataclass(frozen=True)
class CriticSettings:
    """How critics are built, which of them make the target, and what keeps them apart."""

    critic_norm: Annotated[bool, Setting(source="ours, after arXiv 2305.09836 (the authors: no)")] = False
    """Layer norm after every hidden layer of the critics (the authors: no)."""
    target_critics: Annotated[
        Literal["all", "pair"], Setting(source="ours, after arXiv 2101.05982 (the authors: all)")
    ] = "all"
    """Target critics of which the smallest value counts: all, or two that are drawn anew at every update."""
    critic_diversity: Annotated[
        float, Setting(minimum=0, source="ours, after arXiv 2402.12527, which has 1 (the authors: 0)")
    ] = 0.0
    """EDAC's eta on the log's rows and the model's: how strongly the critics' action gradients are kept apart."""

    def refuse_lonely_critics(self, num_critics: int) -> None:
        """Raise `UserError` for what needs several critics where there is one."""
        if num_critics > 1:
            return
        if self.target_critics == "pair":
            raise UserError("target_critics: pair needs num_critics of 2 or more")
        if self.critic_diversity:
            raise UserError(f"critic_diversity: {self.critic_diversity:g} needs num_critics of 2 or more")
