"""The page of the trust study: `python -m runs.trust_page` writes docs/results/trust.md of what `runs.trust` recorded.

Verdicts are those of the thresholds that the command ships with.
"""

from pathlib import Path

from micro_rl.reports.trust.record import NOT_SHOWN
from micro_rl.trust.verdict import Thresholds
from runs import trust_wrong
from runs.kept_cells import origins
from runs.records import recorded
from runs.study_pages import save, write
from runs.trust import STUDY
from runs.trust_groups import ANEW_FIGURE, NAMED_FIGURE, Groups, grouped, sections, sentence, shipped
from runs.trust_pairs import Log, chosen, filled, judged_logs, totals
from runs.trust_picture import draw

PAGE = Path("docs/results/trust.md")
COMMAND = "python -m runs.trust DATA RESULTS"
COLUMNS = """\
"Self-test explains": what the judge, by its test on the log's own parts, can predict; that is known without any truth.
Rank correlation is Spearman's, of the true difference with the estimated one and with the standing that policies are
listed by; of the critics: with their mean Q on the log's rows, over the policies that have critics, across methods.
Regret is what a choice falls short of the best in hindsight, in per cent of the range between the best and the worst;
the log's own behaviour may be chosen, too. By trust: the policy called better with the highest lower end, else the
behaviour. "Explains", in the other tables, is by each estimator's own test. The clones' columns are their estimated
return of a window less what was measured; those of the policies are the median distance of their estimates from their
own true returns.
"""
RULE = """\
A member of the judge's model predicts a mean and a deviation. The deviation holds the system's own noise and the
member's own error; drawn anew at every step, the latter shakes what would stand still. Clones of what made the log
collect 6.1 less a window in the model than was measured on the pusher, 7.8 on the balanced pendulum. So for a while the
parts of the log chose how much of the noise rollouts took: all of it, half or none, whichever predicted them best. It
was settled on the four logs that were named beforehand, and then counted on all twelve.

It did not pay. On seven of twelve logs all of the noise was chosen, and nothing changed. With it 99 of 157 better
policies were shown, without it 96; the median error of a policy grew on two logs and shrank on three; and it brought
the only worse policy of 125 that was called better: a clone on the reactor that collects 2 % less was put 0.05 to 1.25
above the log, for without noise the members agree more closely than the test on parts can check. (Both records:
`docs/results/data/trust.json` and `trust-noise.json` at commit e2ad978.) To take it out was decided in view of these
counts.
"""
SILENT = """\
Each policy counts once, with the first reason that holds. "Estimated no better": its estimate is at most 0. "Another
gate": the estimators contradict each other, its worst windows are worse, or the judge does not rank the log's parts.

Width is half of it, and no common factor mends that. Intervals half as wide would still hold nine tenths of all truths
and show eleven policies more, with one worse policy called better; but on the logs that were named beforehand those
that the log vouches for hold 61 of 70 as they are, and on the older ones all. What is too wide on one log is too narrow
on another, and the test on a log's own parts does not tell which.
"""
KNOWN = """\
No count of the twelve older logs is a clean test: their truths have been on the table while the judge was changed. Its
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
better policies were shown, 43 were called worse (this record at commit 06b53b3). With a constant rate, on the same
policies, by the same clones and the same FQE, 296 held, 72 were shown, 45 were called worse (commit 35594e9). The
constant rate stayed because it is simpler.
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
Mandel).
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
    groups = grouped(judged_logs())
    write(PAGE, text(groups))
    for logs, figure in ((groups.named, NAMED_FIGURE), (groups.anew, ANEW_FIGURE)):
        save(draw(logs, shipped(logs)), figure)
    print(PAGE)


def text(groups: Groups) -> str:
    """The page."""
    named, anew, earlier = groups
    every, now = [*named, *anew, *earlier], [*named, *anew]
    question = (
        f"**Question.** Is `micro-rl trust` to be trusted? {sum(len(log.pairs) for log in every)} pairs of log and "
        f"policy on {len(every)} logs, whose true value was measured in a simulator that the judge never sees: 300 "
        "windows from the log's own rows, with the log's own disturbances."
    )
    before = f" On {len(earlier)} logs by an earlier judge: {sentence(earlier)}" if earlier else ""
    answer = (
        f"**Answer.** On {len(named)} logs that were named before anything of them was made: {sentence(named)} On "
        f"{len(anew)} older logs with new policies: {sentence(anew)}{before}"
    )
    return f"""# Trust, tried

{filled(question)}

{filled(answer)}

{sections(groups)}

{COLUMNS}
{filled(_supports(every))}

## A rule that was taken out

{RULE}
## What decides

{trust_wrong.ways(now, shipped(now))}

Half width: of the intervals, their median, in per cent of the range of the true differences, mean over the logs that
the present judge judged. As it is: the model's interval decides where it leaves at most 0.8 of what FQE leaves
unexplained of parts of the log, else the interval spans both; either estimator's holds the difference from the clones
and from what was measured.

## Why better policies are not shown

{trust_wrong.silent(now, shipped(now))}

{SILENT}
## What was known before

{KNOWN}
## What a review found

{REVIEWED}
## Where it still goes wrong

{trust_wrong.kinds(every, shipped(every))}

{TRUE_WRONG}
{filled(_withheld(now, shipped(now)))}

{trust_wrong.misses(every, shipped(every))}

"Too high": the policy's return by the model, and by FQE, less its true one.

## How

{_how(every)}
"""


def _supports(logs: list[Log]) -> str:
    """What a choice of the threshold of support on the other logs would have been."""
    others: dict[float, list[str]] = {}
    for log in logs:
        others.setdefault(chosen([other for other in logs if other is not log]).support, []).append(log.name)
    usual, *rest = sorted(others, key=lambda support: -len(others[support]))
    apart = "".join(f", for {', '.join(others[support])} {support:g}" for support in rest)
    return (
        "The threshold of support is the one that ships, 0.8, set before any of these logs was judged. Chosen for each "
        "log on all others (the fewest worse policies called better, then the fewest better ones not shown) it would "
        f"be {usual:g}{apart}."
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
    kept = (
        f" What later changes of the judge left as it was, FQE's estimates and for commit 1cac0ba the members, is of "
        f"earlier judgements (commit {by_fqe}), and so are the minutes."
        if by_fqe
        else ""
    )
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
