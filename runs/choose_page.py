"""The study of choosing as a page: `python -m runs.choose_page` writes docs/results/choose.md.

It has what `runs.choose` recorded.
"""

import sys
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from micro_rl.core.wording import number, plural
from runs.choose import STUDY
from runs.choose_picture import draw
from runs.judge_effort import section
from runs.kept_cells import made_by
from runs.records import recorded
from runs.study_pages import answer_on, save, write

PAGE = Path("docs/results/choose.md")
FIGURE = PAGE.with_suffix(".svg")


class Outcome(NamedTuple):
    """A world's choice beside the truth, policy less what made the log, a window."""

    about: dict[str, Any]

    @property
    def world(self) -> str:
        """Its name."""
        return self.about["world"]

    def truth(self, policy: str | None) -> float:
        """A policy's true difference; 0 of what made the log."""
        return 0.0 if policy is None else self.about["truths"][policy]["difference"]

    @property
    def decided(self) -> float:
        """What the decision brings: the policy's, where it says to try it."""
        return self.truth(self.about["chosen"] if self.about["tried"] else None)

    @property
    def after_trial(self) -> float:
        """What is to be expected after the trial of what was not shown to be better, but for the trial itself."""
        trial = self.about.get("trial")
        if self.about["tried"] or trial is None:
            return self.decided
        return trial["better"] * self.truth(trial["policy"])

    @property
    def founded(self) -> float:
        """What the best founded policy brings, shown to be better or not."""
        return self.truth(self.about["chosen"])

    @property
    def best(self) -> float:
        """The best that there was, in hindsight: of all policies of all rungs, and what made the log."""
        return max(0.0, *map(self.truth, self.about["truths"]))

    @property
    def span(self) -> float:
        """From the worst to the best."""
        return self.best - min(0.0, *map(self.truth, self.about["truths"]))

    def regret(self, value: float) -> float:
        """What a value lacks of the best, as a share of the span."""
        return (self.best - value) / self.span if self.span > 0 else 0.0

    @property
    def right(self) -> bool:
        """Whether to try it was right: it is better by more than two standard errors; or whether to keep was."""
        chosen = self.about["truths"][self.about["chosen"]]
        better = chosen["difference"] > 2 * chosen["difference_se"]
        return better if self.about["tried"] else not better

    def held(self) -> tuple[int, int]:
        """Of how many judged policies the interval holds the truth, but for two standard errors."""
        inside = [
            low - 2 * self.about["truths"][name]["difference_se"]
            <= self.truth(name)
            <= high + 2 * self.about["truths"][name]["difference_se"]
            for name, (low, high) in self.about["intervals"].items()
        ]
        return sum(inside), len(inside)

    def trial(self) -> str:
        """How the trial ends that is planned where the answer is to keep what there is."""
        if self.about["tried"]:
            return ""
        if "trial" not in self.about:
            return "not recorded"
        if (trial := self.about["trial"]) is None:
            return "none"
        outcome = f"`{trial['policy']}`: better {100 * trial['better']:.0f} %, worse {100 * trial['worse']:.0f} %"
        after = f" after {trial['windows']:,.0f}" if trial["windows"] else ""
        return f"{outcome}{after} of {trial['most_windows']:,} windows, {number(trial['collected'])} in all"

    def row(self) -> str:
        """Its line of the first table."""
        inside, judged = self.held()
        cells = [
            self.world,
            str(self.about["window"]),
            f"{100 * max(0.0, self.about['explained']):.0f} %",
            self.about["decision"],
            f"`{self.about['chosen']}`",
            number(self.founded),
            number(self.best),
            f"{100 * self.regret(self.decided):.0f} %",
            f"{100 * self.regret(self.founded):.0f} %",
            self.trial(),
            "yes" if self.right else "no",
            f"{inside} of {judged}",
            f"{self.about['widening']:.2f}",
            f"{self.about['minutes']:g}",
            f"{self.about['seconds'] / 60:.0f}",
        ]
        return "| " + " | ".join(cells) + " |"


COLUMNS = (
    "world",
    "window",
    "its test explains",
    "decision",
    "best founded",
    "true gain",
    "best in hindsight",
    "regret of the decision",
    "regret of the best founded",
    "trials of what is not shown",
    "right",
    "intervals hold",
    "widening",
    "minutes asked",
    "taken",
)
HEAD = """# Choosing, tried

**Question.** Does `micro-rl choose` choose well, from the log alone, where the truth is known?

{answer}

`micro-rl choose` on logs whose policies can be measured in a simulator that it never sees: the worlds of
[the study of trust](trust.md), {minutes} minutes on two cores each. What was measured is the return of windows from 300
rows of the log, policy less what made the log.

"""
PICTURE = f"""
![What the judge said of each candidate, and what is true]({FIGURE.name})

A panel a world, a line for each candidate: the dot is the true gain a window of its best policy by the judge's word,
the bar the judge's interval for it, and grey dots its policies of other rungs and seeds. Orange is the best founded,
hollow where the answer was to keep what there is; the black line is what made the log.
"""
REGRET = """
Regret is what is lacking to the best, in per cent of the range from the worst to the best of all policies of all
rungs and what made the log. Its mean over {count} choices is {decided:.0f} % for the decision (aim: 5 %), and
{founded:.0f} % for whoever takes the best founded policy even where the answer is to keep what there is. "Keep what you
have" was said {kept}, and was right {right}, by two standard errors of the measurement.

Where the answer is to keep what there is, the page plans a trial of what nothing but the width of an interval speaks
against. A thousand such trials, of windows drawn from those measured in the simulator: how many show the policy to be
better and how many worse, after how many windows (the median), and what a trial collects beyond the log, in the mean.
{trials}

## Each method alone

The true gain of each candidate's best policy, by the judge's word; those that fell out early were trained for less.

"""
ONE_SEED = "One seed of the choice a world; its minutes are the last column's."
COMMAND = "python -m runs.choose DATA WORLDS OUT [WORLD...] --minutes MINUTES"


def page(outcomes: list[Outcome]) -> str:
    """The whole page, but for its remarks."""
    kept = [outcome for outcome in outcomes if not outcome.about["tried"]]
    regret = REGRET.format(
        count=len(outcomes),
        decided=100 * mean(outcome.regret(outcome.decided) for outcome in outcomes),
        founded=100 * mean(outcome.regret(outcome.founded) for outcome in outcomes),
        kept=plural(len(kept), "time"),
        right=plural(sum(outcome.right for outcome in kept), "time"),
        trials=after_trials(outcomes),
    )
    minutes = " or ".join(f"{asked:g}" for asked in sorted({outcome.about["minutes"] for outcome in outcomes}))
    head = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    rows = "\n".join([*head, *(outcome.row() for outcome in outcomes)])
    made = f"\n{unjudged()}{ONE_SEED} {made_by(STUDY, COMMAND)}\n{section()}"
    return f"{HEAD.format(minutes=minutes, answer=answer_on(PAGE))}{rows}\n{PICTURE}{regret}{alone(outcomes)}\n{made}"


def after_trials(outcomes: list[Outcome]) -> str:
    """The mean regret after these trials, of the choices that recorded them."""
    own = [outcome for outcome in outcomes if "trial" in outcome.about]
    if not own:
        return "None of these choices recorded one."
    before, after = (
        mean(map(Outcome.regret, own, values)) for values in zip(*map(_before_and_after, own), strict=True)
    )
    return (
        f"{plural(len(own), 'choice')} recorded them: there the mean regret is {100 * before:.0f} % for the decision, "
        f"and {100 * after:.0f} % where it is what the trial says."
    )


def _before_and_after(outcome: Outcome) -> tuple[float, float]:
    return outcome.decided, outcome.after_trial


def unjudged() -> str:
    """A paragraph on the choices that had nothing to judge; empty where there is none."""
    every = [cell["figures"] for cell in recorded(STUDY).values()]
    lost = [f"{each['world']} ({each['reason'].rstrip('.')})" for each in every if not each["chosen"]]
    return f"Without anything to judge, and not in the tables: {'; '.join(lost)}.\n\n" if lost else ""


def alone(outcomes: list[Outcome]) -> str:
    """The table of every candidate's true gain."""
    names = sorted({name for outcome in outcomes for name in outcome.about["candidates"]})
    lines = [f"| world | {' | '.join(f'`{name}`' for name in names)} |", f"|---|{'---:|' * len(names)}"]
    for outcome in outcomes:
        own = outcome.about["candidates"]
        gains = [number(outcome.truth(own[name])) if own.get(name) else "" for name in names]
        lines.append(f"| {outcome.world} | {' | '.join(gains)} |")
    return "\n".join(lines)


def outcomes() -> list[Outcome]:
    """Of every recorded choice that had anything to judge."""
    every = [Outcome(cell["figures"]) for cell in recorded(STUDY).values()]
    return [outcome for outcome in every if outcome.about["chosen"]]


def main() -> None:
    """Write the page anew; the answer and remarks that stand there stay."""
    if not (recorded_choices := outcomes()):
        sys.exit("nothing is recorded yet: run python -m runs.choose first")
    save(draw([outcome.about for outcome in recorded_choices]), FIGURE)
    write(PAGE, page(recorded_choices))
    print(PAGE)


if __name__ == "__main__":
    main()
