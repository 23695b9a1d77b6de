"""The methods' table: `python -m runs.methods_page` writes docs/results/methods.md, its figure and the README's table.

It has what `runs.long_runs` recorded of the table's entries: every run that came to the table's last epoch.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from micro_rl.core.wording import plural
from runs import curve_panels, study_pages
from runs.kept_cells import origins
from runs.long_runs import FIT_EPOCHS, LOG_BEST, LOG_SCORES, STUDY, Cell, curve_in
from runs.methods import ENTRIES, EPOCHS, LOGS, LONGER, MATCHED, TRIED_SEEDS, cells
from runs.records import recorded
from runs.study_pages import LAST, answer_on, difference, end_of, mean_and_interval, up_to

PAGE = Path("docs/results/methods.md")
FIGURE = PAGE.with_suffix(".svg")
TITLES = {
    "safety": "SafetyHalfCheetah (NeoRL-2)",
    "dmsd": "DMSD (NeoRL-2)",
    "halfcheetah": "halfcheetah-medium-replay (re-created)",
    "hopper": "hopper-medium-replay (re-created)",
}
PUBLISHED = {
    "safety": {
        "bc": 70.2,
        "cql": 71.2,
        "edac": 53.1,
        "td3_bc": 68.6,
        "mopo": 23.7,
        "combo": 57.8,
        "rambo": -422.4,
        "mobile-matched": 8.7,
    },
    "dmsd": {
        "bc": 65.1,
        "cql": 70.2,
        "edac": 78.7,
        "td3_bc": 60.0,
        "mopo": 68.2,
        "combo": 68.3,
        "rambo": 76.2,
        "mobile-matched": 64.4,
    },
}
"""arXiv 2503.19267, its table of normalised scores: the methods' own settings, at the end of training."""
NAMES = {
    "micro": "**MICRO**",
    "means": "MICRO, members' means",
    "halt-anchor": "MICRO, halting and anchored",
    "mobile-matched": "MOBILE at MICRO's strength",
    "sac": "SAC on the model",
    "td3_bc": "TD3+BC",
    "bc": "cloning",
    "iql": "IQL",
    "mopo": "MOPO",
    "morel": "MOReL",
    "rebrac": "ReBRAC",
    "rambo": "RAMBO",
    "edac": "EDAC",
    "combo": "COMBO",
    "cql": "CQL",
    "anchor": "MICRO, anchor 2",
    "all": "MICRO, all of support",
}
"""In the summary."""
README = Path("README.md")
IN_README = ("micro", "means", "halt-anchor", "mobile-matched", "sac", "td3_bc", "iql", "bc")
BEGIN, END = "<!-- results: python -m runs.methods_page -->\n", "\n<!-- end of results -->"
HEADS = (
    "method",
    "seeds",
    f"score, last {LAST} evaluations",
    "by seed",
    "best evaluation, by seed",
    "MICRO minus it",
    f"score to epoch {LONGER}, by seed",
    "Q at the starts",
    "discounted return there",
    "minutes per million updates",
)


class Run(NamedTuple):
    """One finished cell: its curve up to the table's end, the whole one, and what else is recorded of it."""

    curve: dict[int, float]
    whole: dict[int, float]
    about: dict[str, Any]

    @property
    def score(self) -> float:
        """The mean of its last evaluations."""
        return end_of(self.curve)

    @property
    def later(self) -> str:
        """The same at the end of the longer runs; empty where it was not one."""
        return f"{end_of(up_to(self.whole, LONGER)):,.1f}" if LONGER in self.whole else ""

    def shares_with(self, other: "Run") -> bool:
        """Whether both are of the same ensembles: one processor's; the oldest records name none."""
        return self.about.get("processor") == other.about.get("processor")


Runs = dict[str, dict[int, Run]]
"""By entry and seed."""


def runs_of(log: str) -> Runs:
    """The runs of a log that came to the table's end."""
    known = recorded(STUDY)
    runs: Runs = {entry: {} for entry in ENTRIES}
    for entry, of in runs.items():
        for seed in TRIED_SEEDS:
            about = known.get(Cell(log, entry, seed).name, {"curve": {}})
            whole = curve_in(about)
            if EPOCHS in whole:
                of[seed] = Run(up_to(whole, EPOCHS), whole, about)
    return runs


def table(runs: Runs, log: str) -> str:
    """A line a method that was run, or whose figure was published."""
    published = PUBLISHED.get(log, {})
    rows = []
    for entry, of in runs.items():
        if not of and entry not in published:
            continue
        columns = columns_of(of, runs["micro"], entry) if of else ["none", *[""] * (len(HEADS) - 2)]
        rows.append([entry, *columns, *([f"{published.get(entry, '')}"] if published else [])])
    heads = [*HEADS, *(["published (NeoRL-2)"] if published else [])]
    shown = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    return study_pages.table([heads[place] for place in shown], [[row[place] for place in shown] for row in rows])


def columns_of(of: dict[int, Run], micro: dict[int, Run], entry: str) -> list[str]:
    """What a method's line says after its name."""
    runs = list(of.values())
    scores = [run.score for run in runs]
    shared = [seed for seed in of if entry != "micro" and seed in micro and micro[seed].shares_with(of[seed])]
    gap = difference([micro[seed].score for seed in shared], [of[seed].score for seed in shared], 1) if shared else ""
    return [
        ", ".join(map(str, of)),
        mean_and_interval(scores, 1),
        ", ".join(f"{score:,.1f}" for score in scores),
        ", ".join(f"{max(run.curve.values()):,.1f}" for run in runs),
        gap,
        ", ".join(filter(None, (run.later for run in runs))),
        *(each(runs, key) for key in ("critic_estimate", "discounted_return", "minutes_per_million")),
    ]


def each(runs: Sequence[Run], key: str) -> str:
    """A recorded figure of every run that has it."""
    return ", ".join(f"{run.about[key]:,.0f}" for run in runs if key in run.about)


def summary(runs: dict[str, Runs], names: Sequence[str] = tuple(ENTRIES)) -> str:
    """A line a method, a column a log."""
    entries = [entry for entry in names if any(of_log[entry] for of_log in runs.values())]
    own = ["the log: its mean", *(f"{LOG_SCORES[log]}" for log in runs)]
    best = ["its best episode", *(f"{LOG_BEST[log]}" for log in runs)]
    rows = [[NAMES.get(entry, entry), *(in_short(of_log[entry]) for of_log in runs.values())] for entry in entries]
    return study_pages.table(["", *(TITLES[log].split(" (")[0] for log in runs)], [own, best, *rows])


def in_short(of: dict[int, Run]) -> str:
    """The seeds' mean, and from the least to the greatest; one seed's figure alone; empty where there is none."""
    scores = [run.score for run in of.values()]
    spread = f" ({digits(min(scores))} to {digits(max(scores))}; {len(scores)})" if len(scores) > 1 else ""
    return f"{digits(mean(scores))}{spread}" if scores else ""


def digits(score: float) -> str:
    """To a tenth; far out to a whole."""
    return f"{score:,.1f}" if abs(score) < 100 else f"{score:,.0f}"


def draw(runs: dict[str, Runs]) -> None:
    """Scores over the epochs, a panel a log; a line a run."""
    panels = [
        curve_panels.Panel(
            TITLES[log],
            {entry: [run.curve for run in of.values()] for entry, of in of_log.items() if of},
            LOG_SCORES[log],
        )
        for log, of_log in runs.items()
        if any(of_log.values())
    ]
    curve_panels.draw(panels, list(ENTRIES), FIGURE)


TEXT = """# The methods on one loop

**Question.** What do MICRO and the field's methods reach on the same logs, ensembles and loop?

{answer}

{summary}

The mean over seeds; where there are several, from the least to the greatest, and how many. Halting and anchored is what
`--preset cautious` makes of MICRO on a narrow log, as SafetyHalfCheetah is; on the others the preset takes the members'
means alone, and figures of halting and the anchor are of both set by hand.

Scores are normalised: the mean of the last {last} evaluations up to epoch {epochs} (every second epoch, five
episodes); the best evaluation stands beside it and is not the score. **Fifty epochs of the thousands that these
methods are published with are early training;** what [robustness.md](robustness.md) tries was trained for {longer}, and
has a column of its own. All methods that learn a model share each seed's ensemble and have MICRO's settings for the
log, one draw, and of their own only their options: what differs is the method. Fits end by themselves or, for want of
time, after so many epochs: {capped}. `mobile-matched` has c = {matched} beta, at which its penalty is as strong as
MICRO's; `means`, `anchor`, `halt-anchor` and `all` are MICRO with settings of [support.md](support.md). On the D4RL
tasks MICRO's settings floor the target at 0, which the others' authors do not do. Published figures are of the methods'
own settings, MOBILE's too, at the end of training.

In the tables below a score of several seeds is their mean, in brackets Student's 95 % interval over the seeds. "MICRO
minus it" is the same of the differences seed by seed, with the p of flipping their signs, which n seeds cannot bring
below 2 / 2^n. Q at the starts and the discounted return there are those at the end of each run: epoch {longer} where it
has a score there, else {epochs}. Minutes are from the
median epoch's rate on two cores that other work shared: no benchmark, [cost.md](cost.md) compares costs.

![Learning curves, one line a run]({figure})

{parts}

Not run, or not to epoch {epochs}: {missing}.

Made by `python -m runs.methods DATA OUT` and `python -m runs.methods_page`, from what is recorded in
`docs/results/data/long-runs.json`: {made}
"""


def part(log: str, runs: Runs) -> str:
    """One log's section."""
    words = table(runs, log) if log in PUBLISHED or any(runs.values()) else "Not run."
    own = f"The log's episodes have {LOG_SCORES[log]} on average, its best has {LOG_BEST[log]}."
    return f"## {TITLES[log]}\n\n{own}\n\n{words}"


def made(done: Mapping[Cell, Mapping[str, Any]]) -> str:
    """How many runs there are, and whence."""
    today = [about for about in done.values() if "commit" in about]
    old = study_pages.earlier(list(done), STUDY)
    apart = " No difference is taken between these and the others." if old else ""
    return ", ".join([plural(len(done), "run"), *([origins(today)] if today else [])]) + f".{old}{apart}"


def main() -> None:
    """Write the page, its figure and the README's table; the page's answer, and its remarks, are kept."""
    runs = {log: runs_of(log) for log in LOGS}
    done = {
        Cell(log, entry, seed): run.about
        for log, of_log in runs.items()
        for entry, of in of_log.items()
        for seed, run in of.items()
    }
    draw(runs)
    text = TEXT.format(
        answer=answer_on(PAGE),
        summary=summary(runs),
        last=LAST,
        epochs=EPOCHS,
        longer=LONGER,
        capped=", ".join(f"{log} {epochs}" for log, epochs in FIT_EPOCHS.items()),
        matched=MATCHED,
        figure=FIGURE.name,
        parts="\n\n".join(part(log, of_log) for log, of_log in runs.items()),
        missing=study_pages.not_run(cells(), {cell.name for cell in done}),
        made=made(done),
    )
    study_pages.write(PAGE, text)
    write_readme(summary(runs, IN_README))


def write_readme(short: str) -> None:
    """Put the table between its two marks."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, mark, after = rest.partition(END)
    assert mark, f"{README} has no lines `{BEGIN.strip()}` and `{END.strip()}`"
    README.write_text(f"{before}{BEGIN}{short}{END}{after}")


if __name__ == "__main__":
    main()
