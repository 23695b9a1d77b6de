"""micro-rl sweep: seeds and a grid of settings, as many runs in one program as the memory holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from micro_rl.cli.commands.console import console, say, typed
from micro_rl.cli.commands.planning import Task, planned
from micro_rl.errors import UserError

if TYPE_CHECKING:
    from micro_rl.training.plan import Plan


@dataclass(frozen=True)
class Sweep(Task):
    """What to vary, and how it is carried out."""

    seeds: int = 1
    """Runs of every combination, with seeds from --seed on."""
    grid: tuple[str, ...] = ()
    """Values to combine, as in `beta=0,0.25,0.5 actor_lr=1e-4,3e-4`, or "hidden_sizes=64 64,256 256"."""
    exact: bool = False
    """One run after another, each with the same bits as `micro-rl train` gives it."""
    width: int | None = None
    """At most so many runs in one program; by default what the memory holds."""
    out: Path | None = None
    """The folder of the runs' folders; by default trained/LOG-METHOD-sweep."""
    resume: bool = False
    """Go on from the newest valid checkpoints of the runs that are there."""
    until: int | None = None
    """Stop after this epoch with everything saved; --resume goes on later."""
    wandb: Literal["off", "offline", "online"] = "off"
    """Send every run's metrics to Weights & Biases as well (needs the extra micro-rl[wandb])."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    task, plan, values_with = planned("sweep", Sweep, _explained, arguments)
    usual = vars(plan.settings) | vars(plan.options)

    def value(name: str, text: str) -> Any:
        return values_with(_words(name, text, isinstance(usual[name], bool)))[name]

    _carry_out(
        plan, task, {name: [value(name, text) for text in texts] for name, texts in _grid(task.grid, set(usual))}
    )


def _explained(name: str, method: Any) -> str:
    explanation = f"Many runs with {name} in one program, each in its folder: seeds, and a grid of settings.\n\n"
    return explanation + "Settings are those of `micro-rl train`; their defaults are those of the log's preset."


def _grid(words: tuple[str, ...], known: set[str]) -> list[tuple[str, list[str]]]:
    """Split every NAME=VALUE,VALUE into the setting's name and the texts of its values."""
    from micro_rl.core.renamed import new_name
    from micro_rl.errors import did_you_mean

    grid: dict[str, list[str]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        name = name.replace("-", "_")
        if not equals or not all(value.strip() for value in values.split(",")):
            raise UserError(f"grid: {word!r} is not NAME=VALUE,VALUE,...; write it so")
        if new := new_name(name, known):
            raise UserError(f"grid: {name} is called {new} now")
        if name not in known:
            raise UserError(f"grid: there is no setting {name!r}{did_you_mean(name, known)}")
        if name in grid:
            raise UserError(f"grid: {name} is there twice; write its values side by side")
        grid[name] = values.split(",")
    return list(grid.items())


def _words(name: str, text: str, switch: bool) -> list[str]:
    """Write a value as the command line takes it: of a switch, the option or its opposite."""
    option = name.replace("_", "-")
    if not switch:
        return [f"--{option}", *text.split()]
    if text.lower() not in ("true", "false"):
        raise UserError(f"grid: {name} is true or false, not {text!r}")
    return [f"--{option}" if text.lower() == "true" else f"--no-{option}"]


def _carry_out(plan: "Plan", task: Any, grid: dict[str, list[Any]]) -> None:
    from micro_rl.cli.display import Display
    from micro_rl.cli.outcome import print_sweep
    from micro_rl.errors import Diverged
    from micro_rl.reports.compare import write_comparison
    from micro_rl.storage.wandb_log import tracking_in
    from micro_rl.training.grid import sweep_folder, trials
    from micro_rl.training.interrupts import Interrupts
    from micro_rl.training.sweep import carry_out

    runs, screen = trials(plan, task.seeds, grid), console()
    folder = task.out or sweep_folder(plan)
    counts = " x ".join([*(f"{name} {len(values)}" for name, values in grid.items()), f"seed {task.seeds}"])
    say(screen, f"{plan.method_name} on {plan.dataset.name}: {len(runs)} runs ({counts}), into {folder}")
    epochs = min(task.until or plan.settings.epochs, plan.settings.epochs)
    with Display(len(runs), epochs, screen) as display, Interrupts(display.note) as interrupts:
        outcomes = carry_out(
            runs,
            folder,
            resume=task.resume,
            until=task.until,
            exact=task.exact,
            width=task.width,
            callback=display,
            wandb=tracking_in(task.wandb),
            interrupts=interrupts,
            command=typed(),
        )
    print_sweep(outcomes, screen)
    errors = [f"{name}: {outcome}" for name, outcome in outcomes.items() if isinstance(outcome, Diverged)]
    if len(outcomes) > len(errors):
        say(screen, f"page    {write_comparison([folder], folder / 'compare.html')}")
    if errors:
        raise Diverged(f"{len(errors)} of {len(outcomes)} runs diverged; {errors[0]}")
