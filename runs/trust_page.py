"""The page of the trust study: `python -m runs.trust_page` writes docs/results/trust.md of what `runs.trust` recorded.

Every log's verdicts are those of thresholds that were chosen on the other logs: of the candidates the one with the
fewest truly worse policies called better there, then with the fewest truly better ones not shown. Among equals it is
what the command ships with, which was set before any of these logs was judged.
"""

from pathlib import Path

from micro_rl.reports.trust.record import NOT_SHOWN
from micro_rl.trust.verdict import Thresholds
from runs import trust_clean, trust_corrected, trust_table, trust_wrong
from runs.kept_cells import origins
from runs.records import recorded
from runs.study_pages import save, write
from runs.trust import STUDY
from runs.trust_pairs import Log, by_test, chosen, filled, judged_logs, totals
from runs.trust_picture import draw
from runs.trust_worlds import CLEAN

PAGE = Path("docs/results/trust.md")
FIGURE = PAGE.with_suffix(".svg")
COMMAND = "python -m runs.trust DATA RESULTS"
KNOWN = """\
No count of these twelve logs is a clean test: their truths have been on the table while the judge was changed. Its
first form was settled on pendulum, two-tanks and dmsd, its ranking when safety and dryer had been seen; that the
interval holds the difference from what was measured as well came of halfcheetah-replay, that no slope is fitted to
noise of hopper-medium. A study of this form on other policies of these recipes, 375 pairs, was then counted: 97 of 153
better policies were not shown, 0 of 156 worse ones were called better, 354 of 375 intervals held the truth. New since:

* Longer fits and a clone for each part came of the errors of the judges of `micro-rl choose` on halfcheetah-replay and
  hopper-replay ([choosing](choose.md)), and so did FQE's test and whose interval decides.
* Unknown steps as those of the log's worst window (its worst single reward, before), and the noise of the worst
  windows, came of what kept two-tanks' better policies from being shown; swimmer and pendulum were looked at with it.
* That "worse" asks for estimators that do not contradict each other, and that the model must leave at most 0.8 of what
  FQE leaves unexplained to decide alone, was settled without a look at truths.

The seven other logs were then counted. On dmsd the judge's test explained 64 % of what the parts differ by, FQE's
nothing, so the model alone decided, and called 5 of 18 worse policies better. But those parts return 481 to 507, as
nearly alike as chance makes them: that test was passed by noise. So a test explains something only where parts differ
by more than twice their noise, which the gate on ranking had asked for already; in that count it took the word from
the model on dmsd, dryer and hopper-medium. With that all was counted again. That the model decides alone only where
the parts are whole episodes changes none of it, and came of a choice on a third of safety: blocks of rows differ by
where in an episode they are, the test was passed, and the model alone put a policy that collects 13.9 less than the
log 1 to 44 above it; too few of its steps were vouched for. That an interval promises nothing where too few steps are
vouched for was written, and counted apart, when safety's had been seen to miss.

That count had a learning rate of the judge's fit that dropped twice: 302 of 324 intervals held the truth, 71 of 124
better policies were shown, 43 were called worse (this record at commit 06b53b3). The count above has a constant rate,
on the same policies, by the same clones and the same FQE: 296 intervals hold, 72 better policies are shown, 45 are
called worse. The median error of a policy's return is smaller on eight logs, greater on three and the same on one.
The constant rate stayed because it is simpler. It costs intervals: five on dryer, each of a policy whose steps the
log does not vouch for, since without the drop dryer's parts differ by just more than twice their noise and the
model's interval decides alone; two on dmsd and one on walker2d of policies that are vouched for, and the latter is
called worse, though its truth is -0.64 ± 1.16.
"""
REVIEWED = """\
A review of the judge's code, without a run, found these faults after the twelve logs had been counted:

* The noise that parts must differ by held what the judge itself gets wrong of them. A judge that cannot rank parts so
  made them alike, and the gate on ranking could never fail. (On these twelve logs nothing hangs on it.)
* Windows that overlap counted as if each told something of its own: on a log with 20 windows a part a part's noise was
  √5 times what was claimed. What was missing was taken for the judge's error and widened every interval.
* Members ended their fit by rows of the parts that they are tested on, and FQE drew other networks for every policy, so
  that a figure hung on which others were judged.
* (A second review.) The mend of the second took a sample of windows for less than it is: where neighbours share one
  row, for half of it. It counts as many now as do not overlap in all that it is a sample of.

They are mended. What residuals vary by beyond their noise is now found part by part (the estimator of Paule and
Mandel): on double-pendulum some parts have no noise at all, and what the mean over all parts leaves would make every
interval many times too wide.
"""
TRUE_WRONG = """\
On dmsd the model follows the masses rightly and pays them wrongly. Whatever stood far from its target in this log was
being pushed there: of 5,684 rows that end more than 0.5 away none is idle. They were paid 1.29; put to rest, without an
action, a model of the judge's kind pays them 6.39, as if they had arrived. It reads the reward off action and speed,
and its members agree (`python -m runs.trust_rewards DATA RESULTS by-hand-seed0-mean-action`, run once).

On safety the simulator gives -100 above a speed that the log never reached. On both logs many of these policies truly
collect less a step than the log's worst window does: a step that the log cannot vouch for counts as one of that window,
which is far too good. No figure of such a log can tell; `--limits` can.
"""


def main() -> None:
    """Write the page."""
    every = judged_logs()
    logs, clean = ([log for log in every if (log.name in CLEAN) == once] for once in (False, True))
    frozen = {log.name: chosen([other for other in logs if other is not log]) for log in logs}
    write(PAGE, text(logs, frozen, clean))
    save(draw(logs, frozen), FIGURE)
    save(draw(clean, trust_clean.shipped(clean)), trust_clean.FIGURE)
    print(PAGE)


def text(logs: list[Log], frozen: dict[str, Thresholds], clean: list[Log]) -> str:
    """The page, without the remarks that are written by hand."""
    once, made_with = trust_clean.sums(clean), totals(logs, frozen)
    question = filled(
        f"**Question.** Is `micro-rl trust` to be trusted? {once.pairs + made_with.pairs} pairs of log and policy on "
        f"{len(clean) + len(logs)} logs, whose true value was measured in a simulator that the judge never sees: 300 "
        "windows from the log's own rows, with the log's own disturbances."
    )
    answer = filled(
        f"**Answer.** On {len(clean)} logs that nobody had looked at: {once.sentence()} On the {len(logs)} logs that "
        f"the judge was made with, by the judge before its last corrections: {made_with.sentence()}"
    )
    listed = ", ".join(f"{name} {thresholds.support:g}" for name, thresholds in frozen.items())
    supports = (
        f"Each log's threshold of support was chosen on the other logs, the shipped one (0.8) among equals: {listed}."
    )
    return f"""# Trust, tried

{question}

{answer}

{trust_clean.section(clean)}

## Logs that the judge was made with

From here on everything is of the judge before its [last corrections](#what-a-review-found), but for what is said there.

![Every pair's interval beside the truth](trust.svg)

Drawn as above.

{by_test(logs, frozen)}

{trust_table.of_logs(logs, frozen)}

Rank correlation is Spearman's, of the true difference with the estimated one and with the standing that policies are
listed by; of the critics: with their mean Q on the log's rows, over the policies that have critics, across methods.
"Self-test explains": what the judge, by its test on the log's own parts, can predict; that is known without any truth.
Regret is what a choice falls short of the best in hindsight, in per cent of the range between the best and the worst;
the log's own behaviour may be chosen, too. By trust: the policy called better with the highest lower end, else the
behaviour.

{filled(supports)}

## What decides

{trust_wrong.ways(logs, frozen)}

Half width: of the intervals, their median, in per cent of the range of the true differences, mean over the logs. As it
is: the model's interval decides where it leaves at most 0.8 of what FQE leaves unexplained of parts of the log, else
the interval spans both; either estimator's holds the difference from the clones and from what was measured.

{trust_wrong.estimators(logs)}

"Explains": of what parts of the log differ by, by each estimator's own test. The clones' columns are their estimated
return of a window less what was measured; those of the policies are the median distance of their estimates from their
own true returns.

## What was known before

{KNOWN}
## What a review found

{REVIEWED}
{filled(_again(logs))}

## Where it still goes wrong

{trust_wrong.kinds(logs, frozen)}

{TRUE_WRONG}
{filled(_withheld(logs, frozen))}

{trust_wrong.misses(logs, frozen)}

"Too high": the policy's return by the model, and by FQE, less its true one.

## How

{_how(logs)}
"""


def _again(logs: list[Log]) -> str:
    """What the record tells of a count by the corrected test."""
    anew = [trust_corrected.corrected(log) for log in logs]
    return (
        "The policies of the twelve logs are no more, so their estimates are those of the judge before. What its "
        "record keeps was judged again by the corrected test of the model, with all noise taken to be that of the "
        "windows; FQE's intervals, which count where both are spanned, and the noise of worst windows are as they were "
        f"(`runs/trust_corrected.py`): {totals(anew, trust_clean.shipped(anew)).sentence()} Dryer's parts no longer "
        "differ by twice their noise, so that its interval spans both estimators and its five misses go; walker2d has "
        "two more."
    )


def _how(logs: list[Log]) -> str:
    """How the page was made."""
    counts = " and ".join(map(str, sorted({len(log.pairs) for log in logs})))
    return (
        filled(
            "Logs, policies, truths: `python -m runs.trust_truth DATA RESULTS 1`. Policies are checkpoints after 500, "
            "2,000 and 8,000 updates of networks 64 wide, one seed a recipe, and six made by hand (the clone negated, "
            "halved, shaken, wrecked; two constant actions): BC, TD3+BC, IQL, SAC, MOBILE and MICRO, anchored and not; "
            f"{counts} policies a log. Policies of one recipe, at several epochs, are no independent pairs."
        )
        + "\n\n"
        + filled(_made())
    )


def _made() -> str:
    """By what the record was made."""
    cells = list(recorded(STUDY).values())
    judged_by = " and ".join(sorted({cell["figures"]["judged_by"] for cell in cells}))
    minutes = sum(cell["seconds"] for cell in cells) / 60
    by_fqe = ", ".join(sorted({cell["fqe_by"] for cell in cells if "fqe_by" in cell}))
    kept = f" FQE's estimates, and the minutes, are those of earlier judgements, of commit {by_fqe}." if by_fqe else ""
    return (
        f"Judgements: `{COMMAND}`, {origins(cells)}; at most {minutes:.0f} minutes of "
        f"processor time. The verdicts on what was estimated are those of commit {judged_by}.{kept} This page: "
        "`python -m runs.trust_page`. Raw figures: `docs/results/data/trust.json`."
    )


def _withheld(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """What would come of giving no interval where nothing supports one."""
    passed = [log for log in logs if log.judgement["explained"] > 0]
    failed = [log for log in logs if log.judgement["explained"] <= 0]
    sums = totals(passed, frozen)
    lost = sum(pair.said(frozen[log.name]) != NOT_SHOWN for log in failed for pair in log.pairs)
    return (
        "One could give no interval where the test explained nothing. Of those that remain "
        f"{sums.covered} of {sums.pairs} would hold the truth, and of the "
        f"{sum(len(log.pairs) for log in failed)} policies on the other logs {lost} would lose a verdict other than "
        '"not shown". The intervals stay, and the page of such a log says that they can promise nothing.'
    )


if __name__ == "__main__":
    main()
