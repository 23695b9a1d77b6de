"""micro-rl data collect: make a log in a simulator, as D4RL made its own."""

import shlex
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from micro_rl.cli.commands.console import console, say
from micro_rl.core.wording import plural

if TYPE_CHECKING:
    from micro_rl.simulation.collect import CollectCallback
    from micro_rl.simulation.online_settings import OnlineSettings


@dataclass(frozen=True)
class Collecting:
    """Which logs to make, and where to put them."""

    level: tuple[Literal["random", "medium", "medium-replay", "expert", "medium-expert"], ...] = ("medium-replay",)
    """One or more: rollouts of the untrained, the medium, the last policy; all that was seen until medium; or both."""
    out: Path | None = None
    """The folder of logs and learner; by default collected/ENV-seedN. The same command goes on there."""
    rows: int = 1_000_000
    """Steps of a rollout, as in D4RL; medium-expert has twice as many."""
    medium_fraction: float = 1 / 3
    """Medium is so far from chance to the expert: by reference returns where there are any, else by the learner's own
    first and last evaluation, for which it must go all its steps."""
    medium_return: float | None = None
    """Medium is the first evaluation at this mean return or better, whatever the fraction."""
    horizon: int | None = None
    """An episode's time limit in steps, where the simulator has none."""
    force: bool = False
    """Replace logs that are there."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.simulation.collect import collect, title
    from micro_rl.simulation.d4rl_levels import CollectRequest
    from micro_rl.simulation.learner_folder import LearnerConfig
    from micro_rl.simulation.online_settings import OnlineSettings

    explanation = "Make logs in a simulator as D4RL made its own: an online learner's rollouts, or all that it saw."
    kind = shape("Collect", explanation, ("env", str), options=Collecting, learner=OnlineSettings)
    inputs = parse("data collect", arguments, kind)
    options: Collecting = inputs.options
    config = LearnerConfig(inputs.env, inputs.learner, options.horizon)
    request = CollectRequest(config, options.rows, options.medium_fraction, options.medium_return)
    folder = options.out or Path("collected") / f"{title(inputs.env)}-seed{inputs.learner.seed}"
    repeatable = [word for word in arguments if word != "--force"]
    command = shlex.join(["micro-rl", "data", "collect", *repeatable])
    collect(request, options.level, folder, command, _lines(inputs.learner), options.force)


def _lines(settings: "OnlineSettings") -> "CollectCallback":
    """One line for everything that happens."""
    from micro_rl.core.wording import clock
    from micro_rl.data import Dataset
    from micro_rl.simulation.collect import CollectCallback
    from micro_rl.storage.jsonl import Row

    line = partial(say, console())

    class Lines(CollectCallback):
        def __init__(self) -> None:
            self.spent, self.went, self.began = 0.0, 0, time.monotonic()

        def note(self, text: str) -> None:
            line(text)
            self.began = time.monotonic()

        def evaluated(self, row: Row) -> None:
            if row["steps"]:
                self.spent, self.went = self.spent + row["seconds"], self.went + settings.eval_every
            left = clock(self.spent / self.went * (settings.steps - row["steps"])) if self.went else "?"
            line(
                f"learner  step {row['steps']:>9,}/{settings.steps:,}   return {row['return']:.1f} ± "
                f"{row['return_std']:.1f}   length {row['length']:.0f}   at most {left} left"
            )

        def rolled_out(self, row: int, rows: int) -> None:
            if row % max(1000, rows // 10 // 1000 * 1000) == 0:
                left = clock((time.monotonic() - self.began) / row * (rows - row))
                line(f"rollout  row {row:>10,}/{rows:,}   {left} left")

        def written(self, log: Dataset) -> None:
            about = log.summary()
            line(
                f"{log.path}: {plural(about.rows, 'row')}, {plural(about.episodes, 'episode')}, "
                f"{plural(about.terminals, 'terminal')}, return "
                f"{about.return_mean:.1f} ± {about.return_std:.1f}, worst {about.return_worst:.1f}, best "
                f"{about.return_best:.1f}"
            )
            for note in log.notes:
                line(f"note: {note}")

    return Lines()
