"""Is trust to be trusted? Judge policies whose true value is known, log by log, and compare.

    python -m runs.trust_truth DATA RESULTS ROUNDS   makes the policies and measures them in their simulators
    python -m runs.trust DATA RESULTS [WORLD ...]    judges them by the log alone, and records both (`runs.records`)
    python -m runs.trust_page                        makes docs/results/trust.md of the record

What was estimated of a world's policies is kept in RESULTS/measured/WORLD.pickle: with it there, nothing is fitted
anew, and only the judgement is made of it. No simulator is asked by the judge.
"""

import json
import pickle
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import code
from micro_rl import Policy
from micro_rl.reports.trust.record import Judgement, PolicyJudgement, plain
from micro_rl.storage.files import replace_file
from micro_rl.trust.actors import Judged, judged
from micro_rl.trust.estimates import Estimates
from micro_rl.trust.judging import conclude
from micro_rl.trust.layout import lay_out
from micro_rl.trust.options import Options
from micro_rl.trust.yardstick import Yardstick, measure
from runs.kept_cells import origin, rounded
from runs.records import record
from runs.trust_worlds import World, worlds

STUDY = "trust"


class Measured(NamedTuple):
    """The yardstick, the policies and what was estimated of each, by name; by which code, and how long that took."""

    yardstick: Yardstick
    actors: dict[str, Judged]
    estimates: dict[str, Estimates]
    origin: dict[str, str]
    seconds: float


def policies_of(results: Path, world: str) -> dict[str, Policy]:
    """Those whose truth has been measured, by name."""
    names = sorted(path.stem for path in (results / "truth" / world).glob("*.json"))
    return {name: Policy.load(results / "policies" / world / f"{name}.safetensors") for name in names}


def judge(results: Path, name: str, world: World) -> None:
    """Judge a world's policies, and record what was said beside what is true."""
    policies = policies_of(results, name)
    if not policies:
        return
    measured = measured_of(results / "measured" / f"{name}.pickle", name, world, policies)
    figures = figures_of(results, name, measured) | {"judged_by": code()}
    record(STUDY, name, {"figures": rounded(figures)} | measured.origin | {"seconds": round(measured.seconds, 1)})


def figures_of(results: Path, name: str, measured: Measured) -> dict[str, Any]:
    """What is concluded of a world's policies, beside what is true."""
    judgement = conclude(*measured[:3], Options(), measured.seconds, dict.fromkeys(measured.actors, ""))
    pairs = {own.name: _beside_truth(results, name, own, judgement) for own in judgement.policies}
    return _of_log(judgement) | {"pairs": pairs}


def measured_of(path: Path, name: str, world: World, policies: Mapping[str, Policy]) -> Measured:
    """What was estimated, from the file where it stands of these policies, else made now."""
    if path.exists():
        kept = Measured(*pickle.loads(path.read_bytes()))
        if set(kept.actors) == set(policies) and kept.yardstick.case.effort == Options().effort:
            return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    began, shown, made_by = time.process_time(), "", origin()

    def progress(what: str, share: float) -> None:
        nonlocal shown
        if what.split(",")[0] != shown:
            shown = what.split(",")[0]
            print(f"{name}: {time.process_time() - began:5.0f} s, {100 * share:3.0f} %, {shown}", flush=True)

    options = Options()
    layout = lay_out(world.dataset, max(policy.history for policy in policies.values()), options)
    history = layout.dataset.history
    actors = {each: judged(policy, layout.scaling, history, each) for each, policy in policies.items()}
    yardstick, estimates = measure(layout, actors, options, progress)
    made = Measured(yardstick, actors, estimates, made_by, time.process_time() - began)
    case = yardstick.case._replace(
        ends=None
    )  # nothing is rolled out any more: a rule need not be a function that can be pickled
    replace_file(path, pickle.dumps((yardstick._replace(case=case), *made[1:])))
    return made


def _of_log(judgement: Judgement) -> dict[str, Any]:
    """What was found of the log itself."""
    figures = plain(judgement)
    elsewhere = "policies", "ranking", "sha256", "version", "seconds"
    return {key: figures[key] for key in figures if key not in elsewhere}


def _beside_truth(results: Path, world: str, own: PolicyJudgement, judgement: Judgement) -> dict[str, Any]:
    """A policy's evidence, its true return and difference, and what its critics expected."""
    truth = json.loads((results / "truth" / world / f"{own.name}.json").read_text())
    about = json.loads((results / "policies" / world / f"{own.name}.json").read_text())
    measured = truth["horizons"][str(judgement.window)]
    return {
        "evidence": plain(own.evidence),
        "value": own.value,
        "fqe_value": own.fqe_value,
        "critics": about.get("critics"),
        "truth": measured["difference"],
        "truth_error": measured["difference_se"],
        "true_value": measured["policy"],
    }


def main() -> None:
    """Judge all worlds, or those that are named."""
    data, results, *names = sys.argv[1:]
    every = worlds(Path(data), Path(results))
    for name in names or every:
        judge(Path(results), name, every[name])


if __name__ == "__main__":
    main()
