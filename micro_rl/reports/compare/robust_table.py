"""What each method withstands, in figures, and what must be said of them."""

import math
from typing import Any

from micro_rl.core.wording import number, plural
from micro_rl.reports.compare.compared_runs import Run
from micro_rl.reports.compare.comparison import Comparison
from micro_rl.reports.compare.robust_results import UNDISTURBED, Robust
from micro_rl.reports.compare.robust_sweeps import FIGURES, Estimate, Sweep, summary
from micro_rl.reports.compare.score_tables import span
from micro_rl.reports.compare.table import Entry, Table

CAPTION = (
    "Mean over seeds, with the 95 % interval over them; of a single seed it is that of its episodes and speaks for "
    "that policy alone. Mean: of the cells’ means. "
    "CVaR 10 %: the mean of the worst tenth of all episodes. Area under the curve: mean height, where one thing is "
    "varied and no cell is missing. Cells where a part of the disturbance has no effect count like the others."
)


def tables(sweeps: list[Sweep]) -> list[Table]:
    """One for each log, protocol and world: methods within groups."""
    by_key: dict[tuple[Any, ...], list[Sweep]] = {}
    for sweep in sweeps:
        if sweep.name != UNDISTURBED:
            by_key.setdefault((sweep.log, sweep.protocol, sweep.world), []).append(sweep)
    return [_table(own) for own in by_key.values()]


def _table(sweeps: list[Sweep]) -> Table:
    rows = [_row(sweep, method) for sweep in sweeps for method in sweep.methods]
    unit = "normalised scores" if sweeps[0].log.unit == "score" else "returns"
    return Table(f"{heading(sweeps[0])}: {unit}", CAPTION, ["group and method", *FIGURES], rows)


def heading(sweep: Sweep) -> str:
    """Log, protocol, and what tells its world from others."""
    return f"{sweep.log.name}, protocol {sweep.protocol}{sweep.apart}"


def _row(sweep: Sweep, method: str) -> list[Entry]:
    runs = sweep.methods[method]
    cells, size = sum(len(run.results) for run in runs), sum(run.group.size for run in runs)
    notes = [method, plural(len(runs), "seed")] + ([f"{cells} of {size} cells"] if cells < size else [])
    notes += [] if sweep.axes else list(sweep.inert.values())
    figures = summary(sweep, method)
    return [Entry(sweep.name, ", ".join(notes)), *(_entry(figure, len(runs)) for figure in figures.values())]


def _entry(figure: Estimate | None, runs: int) -> Entry:
    if figure is None:
        return Entry("–")
    notes = [span(figure.low, figure.high), f"{plural(figure.runs, 'seed')} only" if figure.runs < runs else ""]
    return Entry(number(figure.mean), ", ".join(filter(None, notes)))


def remarks(comparison: Comparison) -> list[str]:
    """Whose critic attacked, what is not finished, and what does not belong to the policy in the folder."""
    sentences = []
    for run in comparison.runs:
        for result in run.robust:
            sentences += _of_run(run, result)
    critics = {result.critic for run in comparison.runs for result in run.robust if result.critic}
    if critics in ({"own"}, {"its own"}):
        sentences.insert(0, "Attacks were made with each policy’s own critic.")
    elif critics:
        sentences.insert(0, f"The attacking critic was not the same for all: {', '.join(sorted(critics))[:300]}.")
    episodes = sorted({result.episodes for run in comparison.runs for result in run.robust})
    if len(episodes) > 1:
        sentences.append(
            f"The protocols were not carried out with equally many episodes: {episodes[0]} to {episodes[-1]}."
        )
    elif episodes:
        sentences.append(f"{plural(episodes[0], 'episode')} in each cell.")
    seeds = sorted({result.seed for run in comparison.runs for result in run.robust if result.seed is not None})
    if len(seeds) > 1:
        sentences.append(f"The episodes did not all begin from the same starts: seeds {seeds[0]} to {seeds[-1]}.")
    return sentences


def _of_run(run: Run, result: Robust) -> list[str]:
    sentences = []
    if result.missing:
        sentences.append(f"{run.name}: {plural(result.missing, 'cell')} of {result.protocol} still missing.")
    if result.unstable:
        sentences.append(
            f"{run.name}: in {plural(result.unstable, 'cell')} of {result.protocol} the simulation broke down, and the "
            "returns there are of no real episode (docs/guides/robustness.md)."
        )
    policy = run.record.policy
    if policy and result.policy_sha256 and policy.sha256 != result.policy_sha256:
        sentences.append(f"{run.name}: {result.protocol} was carried out on another policy than the one in the folder.")
    return sentences


def inert(sweep: Sweep) -> str:
    """Where a part of the disturbance has no effect, "" if nowhere."""
    if everywhere(sweep):
        return f"In all cells: {next(iter(sweep.inert.values()))}."
    reasons: dict[str, list[str]] = {}
    for place, why in sorted(sweep.inert.items()):
        where = ", ".join(f"{axis.name} {at:g}" for axis, at in zip(sweep.axes, place, strict=True))
        reasons.setdefault(why, []).append(where)
    places_by_reason = [
        f"{'; '.join(places[:6])}{' and more' if len(places) > 6 else ''} ({why})" for why, places in reasons.items()
    ]
    return f"Without full effect (hatched): {'; '.join(places_by_reason)}." if places_by_reason else ""


def everywhere(sweep: Sweep) -> bool:
    """Whether all cells have the same part without effect, so that hatching would tell nothing."""
    return len(set(sweep.inert.values())) == 1 and len(sweep.inert) == math.prod(
        len(axis.values) for axis in sweep.axes
    )
