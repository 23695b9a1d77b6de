"""The page of the trust study: `python -m runs.trust_page RESULTS` writes docs/results/trust.md.

Every log's verdicts are those of thresholds that were chosen on the other logs: of the candidates the one with the
fewest truly worse policies called better there, then with the fewest truly better ones not shown. Among equals it is
what the command ships with, which was set before any of these logs was judged.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks import machine
from micro_rl.reports.trust.record import BETTER, WORSE
from micro_rl.storage.files import replace_file
from micro_rl.trust import verdict
from micro_rl.trust.verdict import Thresholds
from runs import trust_faults
from runs.trust_pairs import Log, chosen, filled, read, table, totals

LOOKED_AT = ("pendulum", "two-tanks", "dmsd", "safety", "dryer")
"""Logs whose truth was known while the judge's form, or its ranking, was still being settled."""
CLEAN = ("swimmer", "walker2d")
"""Logs that were made and judged, once, after the last change of the judge."""
PAGE = Path(__file__).parent.parent / "docs" / "results" / "trust.md"


def correlation(values: list[float], truth: list[float]) -> str:
    """Spearman's, to two digits."""
    return f"{spearmanr(values, truth)[0]:.2f}" if len(values) > 2 else "–"


def regret(log: Log, picked: float) -> str:
    """What a choice falls short of the best, the log's own behaviour among them, in per cent of the range."""
    values = [0.0, *(pair.truth for pair in log.pairs)]
    return f"{100 * (max(values) - picked) / (max(values) - min(values)):.0f} %"


def row(log: Log, thresholds: Thresholds) -> list[str]:
    """A log's line of the table."""
    pairs = log.pairs
    truth = [pair.truth for pair in pairs]
    said = [pair.said(thresholds) for pair in pairs]
    worse, better = ([place for place, pair in enumerate(pairs) if pair.truly == sign] for sign in (-1, 1))
    approved = [pair for pair, word in zip(pairs, said, strict=True) if word == BETTER]
    by_trust = max(approved, key=lambda pair: pair.evidence.difference.low).truth if approved else 0.0
    with_critics = [pair for pair in pairs if pair.critics is not None]
    by_critics = max(with_critics, key=lambda pair: pair.critics or 0.0).truth
    clones = [pair.truth for pair in pairs if pair.name.startswith("bc-")]
    return [
        log.name,
        f"{len(pairs)}",
        f"{log.judgement['window']}",
        f"{100 * max(0.0, log.judgement['explained']):.0f} %",
        correlation([pair.evidence.difference.mean for pair in pairs], truth),
        correlation([verdict.standing(pair.evidence.difference, log.judgement["explained"]) for pair in pairs], truth),
        correlation([pair.critics or 0.0 for pair in with_critics], [pair.truth for pair in with_critics]),
        f"{sum(pair.covered for pair in pairs)} of {len(pairs)}",
        f"{sum(said[place] == BETTER for place in worse)} of {len(worse)}",
        f"{sum(said[place] != BETTER for place in better)} of {len(better)}",
        f"{sum(word == WORSE for word in said)}",
        regret(log, by_trust),
        regret(log, by_critics),
        regret(log, float(np.mean(clones))),
    ]


HEAD = [
    "log",
    "pairs",
    "window",
    "self-test explains",
    "rank correlation of the means",
    "of the ranking",
    "of the critics",
    "interval holds the truth",
    "worse, called better",
    "better, not shown",
    "called worse",
    "regret by trust",
    "by the critics",
    "of cloning",
]


def main() -> None:
    """Write the page."""
    results = Path(sys.argv[1])
    names = sorted(path.stem for path in (results / "judged").glob("*.json"))
    logs = [read(results, name) for name in names]
    frozen = {log.name: chosen([other for other in logs if other is not log]) for log in logs}
    replace_file(PAGE, text(logs, frozen).encode())
    print(PAGE)


def text(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """The page."""
    every, clean = logs, [log for log in logs if log.name in CLEAN]
    logs = [log for log in logs if log.name not in CLEAN]
    fresh = [log for log in logs if log.name not in LOOKED_AT]
    looked_at = [log for log in logs if log.name in LOOKED_AT]
    groups = {f"the {len(looked_at)} logs looked at": looked_at, f"the {len(fresh)} others": fresh}
    rows = [row(log, frozen[log.name]) for log in (*clean, *fresh, *looked_at)]
    everything = totals(every, frozen)
    listed = ", ".join(f"{name} {thresholds.support:g}" for name, thresholds in frozen.items())
    supports = (
        f"Each log's threshold of support was chosen on the other logs, the shipped one (0.8) among equals: {listed}."
    )
    overall = everything.sentence()
    return f"""# Trust, tried

**Question.** Is `micro-rl trust` to be trusted? {everything.pairs} pairs of log and policy on {everything.logs} logs,
whose true value was measured in a simulator that the judge never sees: 300 windows from the log's own rows, with the
log's own disturbances.

{filled("**Answer.** " + overall[0].upper() + overall[1:])}

{_by_test(every, frozen)}

{_clean(clean, frozen)}{_fresh(fresh, frozen)}{table(HEAD, rows)}

Rank correlation is Spearman's, of the true difference with the estimated one and with the standing that policies are
listed by; of the critics: with their mean Q on the log's rows, over the policies that have critics, across methods.
"Self-test explains": what the judge, by its test on the log's own parts, can predict; that is known without any truth.
Regret is what a choice falls short of the best in hindsight, in per cent of the range between the best and the worst;
the log's own behaviour may be chosen, too. By trust: the policy called better with the highest lower end, else the
behaviour.

{filled(supports)}

The form of the judge was settled while three logs were looked at (pendulum, two-tanks, dmsd): that set-points are taken
from the log, that the interval spans both estimators, and that unknown steps count beyond the baseline's only. The
ranking by standing was settled when two more (safety, dryer) had been seen. Those rows are not clean of their author.

{trust_faults.mended(logs, groups, frozen)}

{trust_faults.remaining(logs, frozen)}

{_how()}
"""


def _how() -> str:
    """How the page was made."""
    return f"""## How

Logs, policies and truths: `python -m runs.trust_truth ../shared/data RESULTS`. Judgements:
`python -m runs.trust ../shared/data RESULTS`. This page: `python -m runs.trust_page RESULTS`. Since the first count no
judge was fitted anew: today's intervals were computed from the figures that had been kept. hopper-medium was judged
again in full, and agrees to rounding; pendulum was, with 33 policies more. Policies are checkpoints
after 500, 2,000 and 8,000 updates of networks 64 wide, one seed a recipe in the first round, and six made by hand (the
clone negated, halved, shaken, wrecked; a constant action). Every log has BC, TD3+BC, IQL, SAC, MOBILE and MICRO,
anchored and not; walker2d has ReBRAC, EDAC, MOPO and a stronger anchor as well, pendulum every method that ships.
Policies of one recipe at several epochs, and of one seed, are no independent pairs. Machine:
{machine.describe()["processor"]}, two cores.

What it costs: `micro-rl trust` on nine of halfcheetah-replay's policies (110,000 rows) took 2 minutes 33 seconds on two
idle cores, one run, 28 November 2026; a judge that is kept saves the first minute."""


def _by_test(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """Apart by whether the judge passed its own test, which is known without any truth."""
    passed = [log for log in logs if log.judgement["explained"] > 0]
    failed = [log for log in logs if log.judgement["explained"] <= 0]
    return "\n\n".join(
        filled(
            f"Where the judge's test on the log's own parts explained {what} ({', '.join(log.name for log in group)}): "
            f"{totals(group, frozen).sentence()}"
        )
        for what, group in (("something", passed), ("nothing", failed))
        if group
    )


SILENT = """Why nothing better was shown: swimmer's log is two episodes of a beginner, whose parts do not differ, so
that no ranking can be tested, and that gate refuses all 27; walker2d's is a learner's first 12,000 rows, a third of
whose windows the judge knows, and its intervals are some 260 (the model's) and 420 (FQE's) wide where the policies'
differences are about 20. The aim of half at most not shown, which the ten logs before met, is missed with these two."""


def _clean(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """The same of the logs that came after all was settled."""
    if not logs:
        return ""
    names = ", ".join(f"{log.name} ({len(log.pairs)} policies, {log.judgement['windows']} windows)" for log in logs)
    said = f"{names} were collected and judged once when nothing of the judge was left to change:"
    return filled(f"A clean test: {said} {totals(logs, frozen).sentence()} {SILENT}") + "\n\n"


def _fresh(logs: list[Log], frozen: dict[str, Thresholds]) -> str:
    """The same of the logs that nobody had looked at, until the first figures of the page."""
    if not logs:
        return ""
    said = totals(logs, frozen).sentence()
    before = "Before the two faults below were mended, which were found on them, it did in 108."
    return filled(f"On the {len(logs)} logs that were kept aside while the judge was settled: {said} {before}") + "\n\n"


if __name__ == "__main__":
    main()
