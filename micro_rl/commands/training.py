"""A plan carried out before the user's eyes."""

from pathlib import Path
from typing import TYPE_CHECKING

from micro_rl.commands.console import console

if TYPE_CHECKING:
    from micro_rl.plan import Plan
    from micro_rl.run import Run


def carry_out(plan: "Plan", out: Path | None, resume: bool, until: int | None, wandb: str) -> "Run":
    """Train as planned, with a live display; what was reached is printed at the end."""
    from micro_rl.api import default_folder
    from micro_rl.display import Display, conclude
    from micro_rl.run import execute
    from micro_rl.wandb_run import WandbSettings

    folder, screen = out or default_folder(plan), console()
    screen.print(
        f"{plan.method_name} on {plan.dataset.name}: {len(plan.dataset)} rows, {len(plan.dataset.starts)} episodes, "
        f"preset {plan.preset}, into {folder}",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    tracking = None if wandb == "off" else WandbSettings(mode=wandb)  # type: ignore[arg-type]
    with Display(min(until or plan.settings.epochs, plan.settings.epochs), screen) as display:
        done = execute(plan, folder, resume=resume, until=until, watcher=display, wandb=tracking)
    conclude(done, screen)
    return done
