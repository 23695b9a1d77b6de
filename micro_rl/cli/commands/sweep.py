"""micro-rl sweep: logs, seeds and a grid of settings, as many runs in one program as the memory holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from micro_rl.cli.commands.console import console, say, typed
from micro_rl.cli.commands.planning import Task, planned
from micro_rl.core.wording import plural
from micro_rl.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from micro_rl.cluster.capacity import Capacity
    from micro_rl.cluster.graph import Graph
    from micro_rl.errors import Diverged
    from micro_rl.training.grid import Trial
    from micro_rl.training.job import Run
    from micro_rl.training.plan import Plan


PAGE = "compare.html"
"""In the sweep's folder."""


@dataclass(frozen=True)
class Sweep(Task):
    """What to vary, and how it is carried out."""

    seeds: int = 1
    """Runs of every combination, with seeds from --seed on."""
    grid: tuple[str, ...] = ()
    """Values to combine, as in `beta=0,0.25,0.5 actor_lr=1e-4,3e-4`, "hidden_sizes=64 64,256 256",
    or `method=micro,mobile history=1,4`. What a method does not have is left out of its runs."""
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
    on: str | None = None
    """Carry it out on a cluster: `ray` begins one on this machine, `auto` takes the one that runs here, and
    `ray://HOST:PORT` one behind an address (needs the extra micro-rl[cluster])."""
    dry_run: bool = False
    """Begin nothing: say which runs share a program, what memory they take, and by a trial of each how long."""
    commands: bool = False
    """With --dry-run: print instead a command for each run, for job arrays; typed again it goes on."""
    wandb: Literal["off", "offline", "online"] = "off"
    """Send every run's metrics to Weights & Biases as well (needs the extra micro-rl[wandb])."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.sweep_file import with_file

    logs, words = _parted(with_file(arguments))
    every = [planned("sweep", Sweep, _explained, [*log, *words]) for log in logs]
    task, plan, value_of = every[0]
    if task.on is not None:
        _refuse_on_cluster(task)
    if task.commands and not task.dry_run:
        raise UserError("commands: is of a sweep that is not begun; say --dry-run, too")
    _carry_out([own.plan for own in every], task, _values(plan, _texts(task.grid), value_of))


def _refuse_on_cluster(task: Any) -> None:
    """Refuse what no cluster does, and a cluster that is none, before anything is said or written."""
    from micro_rl.cluster import connection

    if task.wandb != "off":
        raise UserError("wandb: is not sent from a cluster; leave it out, or --on")
    if task.commands:
        raise UserError("commands: are typed without Ray; leave --on out, or --commands")
    connection.check(task.on)


def _parted(words: list[str]) -> tuple[list[list[str]], list[str]]:
    """The logs in front, a list for each, and all the other words; one that stands behind options is left there."""
    count = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    return ([[log] for log in words[:count]], words[count:]) if count else ([[]], words)


def _explained(name: str, method: Any) -> str:
    explanation = f"Many runs with {name} in one program, each in its folder: seeds, and a grid of settings.\n\n"
    explanation += "Several logs may be named, before all options. A TOML that holds logs, options and [grid] may take "
    explanation += "their place; options behind it outrank it.\n\n"
    return explanation + "Settings are those of `micro-rl train`; their defaults are those of the log's preset."


def _texts(words: tuple[str, ...]) -> dict[str, list[str]]:
    """Split every NAME=VALUE,VALUE into the setting's name and the texts of its values."""
    texts: dict[str, list[str]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        name = name.replace("-", "_")
        if not equals or not all(value.strip() for value in _apart(values)):
            raise UserError(f"grid: {word!r} is not NAME=VALUE,VALUE,...; write it so")
        if name in texts:
            raise UserError(f"grid: {name} is there twice; write its values side by side")
        texts[name] = _apart(values)
    return texts


def _apart(values: str) -> list[str]:
    """The values between the commas; those within brackets are a formula's own."""
    depth, parts = 0, [""]
    for letter in values:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _values(
    plan: "Plan", texts: dict[str, list[str]], value_of: Callable[[str, list[str], str], Any]
) -> dict[str, list[Any]]:
    """The grid's values as what they are: of each setting by the first of the methods that has it."""
    from micro_rl.algorithms import registry
    from micro_rl.core.renamed import in_our_words, new_name
    from micro_rl.errors import did_you_mean
    from micro_rl.training.grid import method_names

    methods = method_names(texts.get("method", [plan.method_name]))
    names = {name: set.union(*registry.accepted(name)) for name in methods}
    known = set.union(*names.values())
    values: dict[str, list[Any]] = {}
    for name, parts in texts.items():
        if name == "method":
            values[name] = methods
            continue
        if new := new_name(name, known):
            raise UserError(f"grid: {name} is called {new} now")
        if name not in known:
            raise UserError(f"grid: there is no setting {name!r}{did_you_mean(in_our_words(name), sorted(known))}")
        method = next(method for method in methods if name in names[method])
        usual = registry.resolve(method, plan.preset, {})
        switch = isinstance((vars(usual[0]) | vars(usual[1]))[name], bool)
        values[name] = [value_of(method, _words(name, text, switch), name) for text in parts]
    return values


def _words(name: str, text: str, switch: bool) -> list[str]:
    """Write a value as the command line takes it: of a switch, the option or its opposite."""
    from micro_rl.cli.arguments import FORMULAS

    option = f"--{name.replace('_', '-')}"
    if option in FORMULAS:
        return [option, text]
    if not switch:
        return [option, *text.split()]
    if text.lower() not in ("true", "false"):
        raise UserError(f"grid: {name} is true or false, not {text!r}")
    return [option if text.lower() == "true" else f"--no-{option[2:]}"]


def _carry_out(plans: list["Plan"], task: Any, grid: dict[str, list[Any]]) -> None:
    from micro_rl.cli.display import Display
    from micro_rl.cli.outlook import print_commands, print_outlook
    from micro_rl.reports.compare import check_free
    from micro_rl.storage.wandb_log import tracking_in
    from micro_rl.training.grid import methods_of, sweep_folder, trials_of_logs
    from micro_rl.training.interrupts import Interrupts
    from micro_rl.training.sweep import carry_out

    runs, screen = trials_of_logs(plans, task.seeds, grid), console()
    folder = task.out or sweep_folder(plans, grid)
    if task.commands:
        until = [] if task.until is None else ["--until", str(task.until)]
        print_commands(runs, folder, until + (["--wandb", task.wandb] if task.wandb != "off" else []))
        return
    axes = [f"log {len(plans)}"] * (len(plans) > 1) + [f"{name} {len(values)}" for name, values in grid.items()]
    counts, names = " x ".join([*axes, f"seed {task.seeds}"]), ", ".join(plan.dataset.name for plan in plans)
    methods = ", ".join(methods_of(plans[0], grid))
    heading = f"{methods} on {names}: {plural(len(runs), 'run')} ({counts}), into {folder}"
    if task.dry_run:
        cluster = None if task.on is None else _cut_for_cluster(runs, task)
        say(screen, heading)
        print_outlook(runs, screen, task.until, cluster)
        return
    check_free(folder / PAGE, "html")
    if task.on is not None:
        _on_cluster(runs, folder, task, screen, heading)
        return
    say(screen, heading)
    epochs = _epochs(runs, task.until)
    with Display(len(runs), max(epochs.values()), screen, epochs) as display, Interrupts(display.note) as interrupts:
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
    _conclude(outcomes, folder, screen)
    _refuse_diverged(outcomes)


def _epochs(runs: Sequence["Trial"], until: int | None) -> dict[str, int]:
    """How far each run goes, by its name: the grid may have epochs, and another method or log others."""
    planned = {trial.name: trial.plan.settings.epochs for trial in runs}
    return {name: min(until or epochs, epochs) for name, epochs in planned.items()}


def _cut_for_cluster(runs: Sequence["Trial"], task: Any) -> "tuple[Capacity, Graph]":
    """What the cluster offers now, and the sweep cut into tasks for it."""
    from micro_rl.cluster.capacity import capacity_for_work
    from micro_rl.cluster.connection import connected
    from micro_rl.cluster.graph import graph

    with connected(task.on) as ray:
        has = capacity_for_work(ray, task.on)
    return has, graph(runs, task.exact, task.width, has.cores, has.memory)


def _conclude(outcomes: "dict[str, Run | Diverged]", folder: Path, screen: "Console") -> None:
    """Print what the runs came to, and write the page that compares them, or say why there is none."""
    from micro_rl.cli.outcome import print_sweep
    from micro_rl.errors import Diverged
    from micro_rl.reports.compare import write_comparison

    print_sweep(outcomes, screen)
    if not all(isinstance(outcome, Diverged) for outcome in outcomes.values()):
        try:
            say(screen, f"page    {write_comparison([folder], folder / PAGE)}")
        except UserError as error:
            say(screen, f"note    no page: {error}")


def _refuse_diverged(outcomes: "dict[str, Run | Diverged]") -> None:
    """Raise `Diverged` for the runs that did, where the others are done."""
    from micro_rl.errors import Diverged

    errors = [f"{name}: {outcome}" for name, outcome in outcomes.items() if isinstance(outcome, Diverged)]
    if errors:
        raise Diverged(f"{len(errors)} of {plural(len(outcomes), 'run')} diverged; {errors[0]}")


def _on_cluster(runs: Sequence["Trial"], folder: Path, task: Any, screen: "Console", heading: str) -> None:
    from micro_rl.cli.cluster_display import ClusterDisplay
    from micro_rl.cluster.results import refuse_failures, results
    from micro_rl.cluster.sweep import carry_out
    from micro_rl.training.interrupts import Interrupts

    with ClusterDisplay(runs, task.until, screen, heading) as display, Interrupts(display.note) as interrupts:
        outcomes = carry_out(
            runs,
            folder,
            task.on,
            resume=task.resume,
            until=task.until,
            exact=task.exact,
            width=task.width,
            watcher=display,
            interrupts=interrupts,
            command=typed(),
        )
    done = results(folder, outcomes)
    if done:
        _conclude(done, folder, screen)
    refuse_failures(outcomes)
    _refuse_diverged(done)
