"""What each method withstands, in figures, and what must be said of them."""

import math

from micro_rl.reports.compare.comparison import Comparison
from micro_rl.reports.compare.robust import Robust
from micro_rl.reports.compare.runs import Run
from micro_rl.reports.compare.scores import span
from micro_rl.reports.compare.sweeps import FIGURES, Sweep, Told, summary
from micro_rl.reports.compare.tables import Entry, Table
from micro_rl.reports.run.story import number, plural

CAPTION = (
    "Mean over seeds, with the 95 % interval over them; of a single seed it is that of its episodes and speaks for "
    "that policy alone. Mean: of the cells’ means. "
    "CVaR 10 %: the mean of the worst tenth of all episodes. Area under the curve: mean height, where one thing is "
    "varied and no cell is missing. Cells where a part of the disturbance has no effect count like the others."
)


def tables(found: list[Sweep]) -> list[Table]:
    """One for each log and protocol: methods within groups."""
    keys = dict.fromkeys((sweep.log.name, sweep.protocol) for sweep in found if sweep.axes)
    return [_table([one for one in found if (one.log.name, one.protocol) == key and one.axes], *key) for key in keys]


def _table(found: list[Sweep], log: str, protocol: str) -> Table:
    rows = [_row(sweep, method) for sweep in found for method in sweep.methods]
    unit = "normalised scores" if found[0].log.unit == "score" else "returns"
    return Table(f"{log}, protocol {protocol}: {unit}", CAPTION, ["group and method", *FIGURES], rows)


def _row(sweep: Sweep, method: str) -> list[Entry]:
    runs = sweep.methods[method]
    done, size = sum(len(run.results) for run in runs), sum(run.group.size for run in runs)
    notes = [method, plural(len(runs), "seed")] + ([f"{done} of {size} cells"] if done < size else [])
    told = summary(sweep, method)
    return [Entry(sweep.name, ", ".join(notes)), *(_entry(one, len(runs)) for one in told.values())]


def _entry(told: Told | None, runs: int) -> Entry:
    if told is None:
        return Entry("–")
    notes = [span(told.low, told.high), f"{plural(told.runs, 'seed')} only" if told.runs < runs else ""]
    return Entry(number(told.mean), ", ".join(filter(None, notes)))


def remarks(found: Comparison) -> list[str]:
    """Whose critic attacked, what is not finished, and what does not belong to the policy in the folder."""
    said = []
    for run in found.runs:
        for one in run.robust:
            said += _of_run(run, one)
    critics = {one.critic for run in found.runs for one in run.robust if one.critic}
    if critics in ({"own"}, {"its own"}):
        said.insert(0, "Attacks were made with each policy’s own critic.")
    elif critics:
        said.insert(0, f"The attacking critic was not the same for all: {', '.join(sorted(critics))[:300]}.")
    episodes = sorted({one.episodes for run in found.runs for one in run.robust})
    if len(episodes) > 1:
        said.append(f"The protocols were not carried out with equally many episodes: {episodes[0]} to {episodes[-1]}.")
    elif episodes:
        said.append(f"{plural(episodes[0], 'episode')} in each cell.")
    return said


def _of_run(run: Run, told: Robust) -> list[str]:
    said = []
    if told.missing:
        said.append(f"{run.name}: {plural(told.missing, 'cell')} of {told.protocol} still missing.")
    if told.unstable:
        said.append(
            f"{run.name}: in {plural(told.unstable, 'cell')} of {told.protocol} the simulation broke down, and the "
            "returns there are of no real episode (docs/guides/robustness.md)."
        )
    policy = run.record.policy
    if policy and told.policy_sha256 and policy.sha256 != told.policy_sha256:
        said.append(f"{run.name}: {told.protocol} was carried out on another policy than the one in the folder.")
    return said


def inert(sweep: Sweep) -> str:
    """Where a part of the disturbance has no effect, "" if nowhere."""
    if everywhere(sweep):
        return f"In all cells: {next(iter(sweep.inert.values()))}."
    reasons: dict[str, list[str]] = {}
    for place, why in sorted(sweep.inert.items()):
        where = ", ".join(f"{axis.name} {at:g}" for axis, at in zip(sweep.axes, place, strict=True))
        reasons.setdefault(why, []).append(where)
    told = [
        f"{'; '.join(places[:6])}{' and more' if len(places) > 6 else ''} ({why})" for why, places in reasons.items()
    ]
    return f"Without full effect (hatched): {'; '.join(told)}." if told else ""


def everywhere(sweep: Sweep) -> bool:
    """Whether all cells have the same part without effect, so that hatching would tell nothing."""
    return len(set(sweep.inert.values())) == 1 and len(sweep.inert) == math.prod(
        len(axis.values) for axis in sweep.axes
    )
