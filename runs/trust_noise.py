"""Does it pay that the judge's rollouts take but a part of the noise? `python -m runs.trust_noise DATA RESULTS`.

For every world that `runs.trust` has judged (RESULTS/measured), the same policies are judged again by the same
members, clones and fitted Q evaluation, with all of the noise; what is counted of that is recorded.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.wording import number
from micro_rl.trust.case import ends_of
from micro_rl.trust.estimates import collect, test_on_folds
from micro_rl.trust.evidence import baseline_error, decides_alone
from micro_rl.trust.options import Options
from micro_rl.trust.verdict import Thresholds
from runs.kept_cells import kept
from runs.trust import Measured, figures_of, measured_of, policies_of
from runs.trust_pairs import Log, log_of, table, totals
from runs.trust_worlds import worlds

STUDY = "trust-noise"
ALL = (1.0,)


def shaken(measured: Measured) -> Measured:
    """The same with rollouts that take all of the noise."""
    yardstick, actors, estimates = measured[:3]
    case, standard = yardstick.case, yardstick.standard
    layout = case.layout
    ends = ends_of(layout.dataset, case.judge.ensemble, layout.scaling, Options())
    noise, test = test_on_folds(case._replace(ends=ends), lambda *_: None, ALL)
    case = case._replace(ends=ends).shaken(noise)
    own = standard.baseline._replace(model=collect(case, yardstick.baseline.actor, yardstick.starts))
    others = {
        name: each._replace(model=collect(case, actors[name], yardstick.starts)) for name, each in estimates.items()
    }
    alone = layout.folds.whole(layout.dataset) and decides_alone(test.explained, standard.fqe_test.explained)
    standard = standard._replace(baseline=own, error=baseline_error(case, own), test=test, alone=alone)
    return measured._replace(yardstick=yardstick._replace(case=case, standard=standard), estimates=others)


def counted(log: Log) -> dict[str, Any]:
    """What the page shows of a log."""
    thresholds = {log.name: Thresholds()}
    wrong = float(np.median([abs(pair.evidence.model.mean - pair.truth) for pair in log.pairs]))
    return totals([log], thresholds)._asdict() | {
        "noise": log.judgement["noise"],
        "explained": log.judgement["explained"],
        "clones": log.error.model,
        "half_width": log.half_width,
        "wrong": wrong,
    }


def judged_with_all(data: Path, results: Path, name: str) -> dict[str, Any]:
    """What is counted of a world's policies with all of the noise."""
    world = worlds(data, results)[name]
    measured = measured_of(results / "measured" / f"{name}.pickle", name, world, policies_of(results, name))
    return counted(log_of(name, figures_of(results, name, shaken(measured))))


def section(logs: list[Log], again: dict[str, Any]) -> str:
    """With all of the noise and with the share that was settled on, log by log."""
    rows = []
    for log in logs:
        if log.name not in again:
            continue
        before, now = again[log.name]["figures"], counted(log)
        both = [_cells(own) for own in (before, now)]
        pairs = [f"{first}; {second}" for first, second in zip(*both, strict=True)]
        rows.append([log.name, f"{100 * now['noise']:.0f} %", *pairs])
    head = ["log", "noise", "test explains", "clones", "policies", "vouched for, holds", "better shown", "half width"]
    return table(head, rows)


def _cells(own: dict[str, Any]) -> list[str]:
    return [
        f"{100 * max(0.0, own['explained']):.0f} %",
        number(own["clones"]),
        number(own["wrong"]),
        f"{own['vouched_and_covered']} of {own['vouched_for']}",
        f"{own['better'] - own['silent']} of {own['better']}",
        f"{100 * own['half_width']:.0f} %",
    ]


def main() -> None:
    """Judge what was judged with all of the noise."""
    data, results = map(Path, sys.argv[1:])
    for path in sorted((results / "measured").glob("*.pickle")):
        print(
            path.stem, kept(STUDY, path.stem, lambda name=path.stem: judged_with_all(data, results, name)), flush=True
        )


if __name__ == "__main__":
    main()
