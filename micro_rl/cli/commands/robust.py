"""micro-rl robust: trained policies in perturbed worlds and under attack."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.cli.bar import Bar
from micro_rl.cli.commands.console import console, say
from micro_rl.core.wording import plural
from micro_rl.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from micro_rl.robustness.cells import Protocol
    from micro_rl.robustness.running import Job


ENOUGH_FOR_CVAR = 100
"""Episodes of a cell from which on the interval of its CVaR covers about what it says: docs/guides/statistics.md."""


@dataclass(frozen=True)
class Robust:
    """In which worlds, how often, and with whose help."""

    protocol: str = "micro"
    """micro, micro-as-released, rorl, sa-rl, rrls, rfqi or industrial; or the path of a TOML file of your own."""
    critic: tuple[Path, ...] = ()
    """Run folders whose critics attack every policy; by default each policy is attacked with its own."""
    env: str | None = None
    """Another simulator than the one it was trained for; of a policy's file, its simulator."""
    episodes: int | None = None
    """Deterministic episodes a cell, by default the protocol's own number."""
    seed: int = 0
    """Of starts, faults and attacks. Episode i starts from seed + i: seeds next to each other share episodes."""
    horizon: int | None = None
    """An episode's time limit in steps, where the simulator has none."""
    workers: int | None = None
    """Cells evaluated at once, by default one a core."""
    film: bool = True
    """Draw the policy in the nominal world and in its worst cell, as a strip of pictures."""
    out: Path | None = None
    """Folder of the results, below it one for each policy; by default RUN/robust/PROTOCOL."""


EXPLANATION = """Run trained policies in perturbed worlds and under attack.

Every finished cell is kept: the same command goes on where it was stopped."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.robustness.jobs import planned
    from micro_rl.robustness.running import run as run_jobs
    from micro_rl.training.interrupts import leaving_on_sigterm

    kind = shape("RobustRuns", EXPLANATION, ("runs", tuple[Path, ...]), options=Robust)
    inputs: Any = parse("robust", arguments, kind)
    if not inputs.runs:
        raise UserError("name a run folder or a policy's file: micro-rl robust RUN --protocol micro")
    asked: Robust = inputs.options
    chosen = asked.protocol, asked.env, asked.episodes, asked.seed, asked.horizon, asked.critic, asked.out
    protocol, jobs = planned(inputs.runs, *chosen)
    screen = console()
    say(
        screen,
        f"protocol {protocol.name}: {plural(len(protocol.cells), 'cell')} of "
        f"{plural(jobs[0].subject.episodes, 'episode')} in {jobs[0].subject.env}, "
        f"{plural(len(jobs), 'policy', 'policies')}",
    )
    for note in dict.fromkeys(note for job in jobs for note in job.subject.notes):
        say(screen, f"note: {note}")
    with _Progress(screen) as progress, leaving_on_sigterm("finished cells are kept, and the same command goes on"):
        run_jobs(jobs, protocol, inputs.options.workers, progress)
    for job in jobs:
        _show(job, protocol, screen)
        if inputs.options.film:
            _film(job, protocol, screen)


class _Progress(Bar):
    """A bar on a terminal, a line for every tenth of the cells elsewhere."""

    def __init__(self, screen: "Console"):
        super().__init__(screen)
        self._screen, self._tenths = screen, 0

    def __call__(self, finished: Any) -> None:
        from micro_rl.core.wording import clock, figure

        mean = sum(finished.outcome.returns) / len(finished.outcome.returns)
        tenths = finished.number * 10 // finished.cells
        text = (
            f"{finished.number}/{finished.cells} cells   {clock(finished.left)} left   "
            f"return {figure(mean)} in {finished.cell.name}"
        )
        if self.move(finished.number / finished.cells, text):
            return
        if tenths > self._tenths or finished.number == finished.cells:
            self._tenths = tenths
            say(self._screen, text)


def _show(job: "Job", protocol: "Protocol", screen: "Console") -> None:
    """The summary as a table, and what a reader must know to believe it."""
    from rich.markup import escape
    from rich.table import Table

    from micro_rl.storage.json_files import read_json

    summary, about = read_json(job.results.path / "summary.json"), job.subject.trained
    trained = f", trained {about['epochs']:,} of {plural(about['planned'], 'epoch')}" if about.get("planned") else ""
    table = Table(title=escape(f"{_name(job)}{trained}; {summary['unit']}, 95 % interval of the episodes"))
    for column in ("group", "mean", "worst cell", "CVaR 10 %", "area under the curve"):
        table.add_column(column, justify="left" if column == "group" else "right")
    for name, group in summary["groups"].items():
        cells = [_figure(group[key]) if key in group else "" for key in ("mean", "worst", "cvar10", "area")]
        table.add_row(escape(name), *cells)
    screen.print(table)
    if job.subject.episodes < ENOUGH_FOR_CVAR:
        say(
            screen,
            f"note    the CVaR's interval of a single cell means what it says from {ENOUGH_FOR_CVAR} episodes on, and "
            f"these are {job.subject.episodes}: take the number (docs/guides/statistics.md)",
        )
    for name, group in summary["groups"].items():
        for reason in group.get("inert", []):
            say(screen, f"inert   {name}: {reason}")
        for cell in group.get("unstable", []):
            reason = "MuJoCo reset an unstable simulation there, so its returns are of no real episode"
            say(screen, f"broken  {cell}: {reason}")
    if any(cell.attack for cell in protocol.cells):
        say(screen, f"critic  {job.critic}")
    say(screen, f"cells   {job.results.path / 'episodes.csv'}")


def _name(job: "Job") -> str:
    """Of the run's folder, or of the policy's own file."""
    policy = job.subject.policy.resolve()
    return policy.parent.name if policy.name == "policy.safetensors" else policy.name


def _film(job: "Job", protocol: "Protocol", screen: "Console") -> None:
    """A learned attacker would have to learn again, so the worst of the other cells is shown."""
    from micro_rl.robustness.results import worst_cell
    from micro_rl.robustness.trial import Trial

    path, outcomes = job.results.path / "film.svg", job.results.finished()
    others = {
        cell.name: outcomes[cell.name] for cell in protocol.cells if not (cell.attack and cell.attack.aim == "learned")
    }
    try:
        with Trial(job.subject) as trial:
            trial.film([protocol.cells[0], worst_cell(protocol, others)], path)
    except UserError as error:
        say(screen, f"film    none: {error}")
    else:
        say(screen, f"film    {path}")


def _figure(values: list[float]) -> str:
    from micro_rl.core.wording import figure

    value, low, high = values
    return f"{figure(value)} [{figure(low)}, {figure(high)}]"
