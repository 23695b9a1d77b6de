"""What is printed of a sweep that is not begun: programs, memory, hours; or a command for each of its runs."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from micro_rl.cli.bar import Bar
from micro_rl.cli.commands.console import print_for_machines, say
from micro_rl.cli.outcome import plain_table
from micro_rl.cluster.capacity import Capacity
from micro_rl.cluster.forecast import at_once, seconds_of
from micro_rl.cluster.graph import Graph
from micro_rl.core.wording import duration, plural
from micro_rl.errors import UserError
from micro_rl.training.grid import Trial
from micro_rl.training.outlook import Outlook, outlook, tried
from micro_rl.training.plan_record import plan_to_command


def print_commands(trials: Sequence[Trial], folder: Path, more: Sequence[str] = ()) -> None:
    """Print a command for each run, to the bits of `--exact`; the same command goes on with one that was stopped.

    Raises:
        UserError: a run cannot be typed.
    """
    for trial in trials:
        command = plan_to_command(trial.plan)
        if not command:
            raise UserError(f"{trial.name}: no command line can say its log or simulator")
        print_for_machines(f"{command} {shlex.join(['--out', str(folder / trial.name), '--resume', *more])}")


def print_outlook(
    trials: Sequence[Trial], screen: Console, until: int | None = None, cluster: tuple[Capacity, Graph] | None = None
) -> None:
    """Try every program of a sweep, and print what it would take on this machine, or on a cluster by its times.

    Args:
        trials: the sweep's runs.
        screen: to print on.
        until: the last epoch.
        cluster: what it offers, and the sweep cut into its tasks; None: this machine alone.
    """
    with Bar(screen) as bar:

        def watch(done: int, of: int) -> None:
            bar.move(done / of, f"{done} of {plural(of, 'program')} tried")

        ahead = tried(outlook(trials, until), watch)
    table = plain_table("", "runs", "memory a run", "an epoch", "all epochs")
    for program in ahead.programs:
        first, count = program.trials[0].name, len(program.trials)
        name = first if count == 1 else f"{first} and {count - 1} more"
        size = f"{program.memory / 2**20:,.0f} MiB"
        table.add_row(Text(name), str(count), size, duration(program.epoch or 0.0), duration(program.seconds))
    screen.print(table)
    _print_sums(ahead, screen)
    if cluster is not None:
        _print_cluster(ahead, *cluster, screen)
    say(screen, "Times are of this machine, one run alone, without evaluations; nothing was kept.")


def _print_sums(ahead: Outlook, screen: Console) -> None:
    training, (least, most) = sum(program.seconds for program in ahead.programs), ahead.fitting()
    runs = sum(len(program.trials) for program in ahead.programs)
    say(screen, f"runs    {runs} in {plural(len(ahead.programs), 'program')}, about {duration(training)} of training")
    if ahead.fits:
        fits = f"{plural(ahead.fits, 'fit')} that runs share, {duration(least)} to {duration(most)} by their patience"
        say(screen, f"fits    {fits}")


def _print_cluster(ahead: Outlook, has: Capacity, tasks: Graph, screen: Console) -> None:
    slots = at_once(has, tasks)
    each = {own.name: program.seconds / len(program.trials) for program in ahead.programs for own in program.trials}
    say(
        screen,
        f"cluster {plural(has.nodes, 'node')}, {plural(has.cores, 'core')}, {plural(has.cards, 'card')}, at most "
        f"{has.memory / 2**30:,.1f} GiB a node, as Ray reports: {plural(len(tasks.chunks), 'task')}, {slots} at once, "
        f"about {duration(seconds_of(tasks, each, slots))} of training if a task there takes the time of this machine",
    )
