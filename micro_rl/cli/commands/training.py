"""A plan carried out before the user's eyes."""

from pathlib import Path
from typing import TYPE_CHECKING

from micro_rl.cli.commands.console import console, say, typed
from micro_rl.core.wording import plural

if TYPE_CHECKING:
    from micro_rl.storage.wandb_log import Mode
    from micro_rl.training.job import Run
    from micro_rl.training.plan import Plan


def carry_out(
    plan: "Plan",
    out: Path | None,
    resume: bool,
    until: int | None,
    wandb: "Mode",
    branch: Path | None = None,
    refit: bool = False,
) -> "Run":
    """Train as planned, with a live display; what was reached is printed at the end.

    A signal is answered when the epoch is finished and saved, a second one at once.
    """
    from micro_rl.api import default_folder
    from micro_rl.cli.display import Display
    from micro_rl.cli.outcome import print_run
    from micro_rl.storage.wandb_log import tracking_in
    from micro_rl.training.interrupts import Interrupts
    from micro_rl.training.runner import execute

    folder, screen = out or default_folder(plan), console()
    say(
        screen,
        f"{plan.method_name} on {plan.dataset.name}: {plural(len(plan.dataset), 'row')}, "
        f"{plural(len(plan.dataset.starts), 'episode')}, preset {plan.preset}, into {branch or folder}",
    )
    epochs = min(until or plan.settings.epochs, plan.settings.epochs)
    say(screen, f"to do   {work_ahead(plan, folder, epochs, resume, branch is not None and not refit)}")
    with Display(1, epochs, screen) as display, Interrupts(display.note) as interrupts:
        outcome = execute(
            plan,
            folder,
            resume=resume,
            branch=branch,
            refit=refit,
            until=until,
            callback=display.of_run(settings=plan.settings),
            wandb=tracking_in(wandb),
            interrupts=interrupts,
            command=typed(),
        )
    print_run(outcome, screen)
    return outcome


def work_ahead(plan: "Plan", folder: Path, epochs: int, resume: bool, takes_over: bool) -> str:
    """What is known of a run's length before it begins: the epochs of its fit and of its training."""
    from micro_rl.storage.run_folder import RunFolder

    settings = plan.settings
    ready = not plan.fits_model or takes_over or (resume and plan.model_use.place(RunFolder(folder)).exists())
    each = plural(settings.updates_per_epoch, "update")
    training = f"train to epoch {epochs}, {each} each; the time left is told as it goes"
    if ready:
        return training
    drops = f" at {plural(1 + settings.model_lr_drops, 'learning rate')}" if settings.model_lr_drops else ""
    purpose = "" if plan.method.learns_model else " for scoring alone (--no-scoring-model saves it)"
    fewer = f"fewer where {settings.patience} bring no gain{drops}"
    return f"fit a model{purpose} in at most {plural(settings.max_fit_epochs, 'epoch')}, {fewer}; then {training}"
