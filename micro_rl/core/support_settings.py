"""The settings of learning that stays where the log can vouch for it (`micro_rl.algorithms.support`)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from micro_rl.core.setting import Setting
from micro_rl.errors import UserError

LEVEL, PENALTY = 0.99, 1.0
"""Where nothing is chosen."""


@dataclass(frozen=True)
class SupportSettings:
    """What becomes of model rows that are unlike the log's own."""

    support: Annotated[
        Literal["off", "halt", "truncate", "penalty", "auto"],
        Setting(source="ours, after arXiv 2005.05951 and 2512.04341; off is each method as its authors have it"),
    ] = "off"
    """What a model row unlike the log brings: nothing, an end at its least reward, the rollout's end, or a price; auto:
    on a narrow log an end and an anchor (`bc_weight` 2), on a broad one nothing."""
    support_level: Annotated[
        float | None,
        Setting(above=0, maximum=1, free=True, source="ours: one true transition in a hundred counts as unknown"),
    ] = None
    """Share of true transitions, in parts of the log left out in turn, that count as known; by default 0.99; 1: all."""
    support_penalty: Annotated[
        float | None, Setting(minimum=0, unit="core reward", free=True, source="ours: the size of a usual reward")
    ] = None
    """Reward paid for each unit of the score above its limit (with support penalty only); by default 1."""

    @property
    def level(self) -> float:
        """The level that holds."""
        return LEVEL if self.support_level is None else self.support_level

    @property
    def judges_rows(self) -> bool:
        """Whether any row can be unknown; where none can, the program is the one without support."""
        return self.support != "off" and self.level < 1

    def refuse_idle_support(self) -> None:
        """Raise `UserError` for a level or a penalty that would do nothing."""
        if self.support == "off" and self.support_level is not None:
            raise UserError(
                f"support_level: {self.support_level} does nothing without support halt, truncate, penalty or auto"
            )
        if self.support != "penalty" and self.support_penalty is not None:
            raise UserError(f"support_penalty: {self.support_penalty} does nothing without support penalty")
