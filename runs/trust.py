"""Is trust to be trusted? Judge policies whose true value is known, log by log, and compare.

    python -m runs.trust_truth DATA RESULTS        makes the policies and measures them in their simulators
    python -m runs.trust DATA RESULTS [WORLD ...]  judges them by the log alone, and compares

A world's judgement is kept in RESULTS/judged/WORLD.json; with it there, the world is not judged again. No simulator is
asked by the judge. `runs/trust_page.py` makes the page.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from micro_rl import Policy
from micro_rl.reports.trust.record import plain
from micro_rl.storage.files import replace_file
from micro_rl.trust.judging import judge_policies
from micro_rl.trust.options import Options
from runs.trust_worlds import worlds


def policies_of(results: Path, world: str) -> dict[str, Policy]:
    """Those whose truth has been measured, by name."""
    names = sorted(path.stem for path in (results / "truth" / world).glob("*.json"))
    return {name: Policy.load(results / "policies" / world / f"{name}.safetensors") for name in names}


def judge(results: Path, name: str, world: Any) -> None:
    """Judge a world's policies, and keep what was said."""
    path = results / "judged" / f"{name}.json"
    policies = policies_of(results, name)
    if not policies or (path.exists() and set(policies) <= judged_names(path)):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    began, shown = time.monotonic(), ""

    def progress(what: str, share: float) -> None:
        nonlocal shown
        if what.split(",")[0] != shown:
            shown = what.split(",")[0]
            print(f"{name}: {time.monotonic() - began:5.0f} s, {100 * share:3.0f} %, {shown}", flush=True)

    judgement = judge_policies(world.dataset, policies, Options(), progress)
    replace_file(path, json.dumps(plain(judgement), indent=1).encode())


def judged_names(path: Path) -> set[str]:
    """The policies that a kept judgement is about."""
    return {policy["name"] for policy in json.loads(path.read_text())["policies"]}


def main() -> None:
    """Judge all worlds, or those that are named."""
    data, results, *names = sys.argv[1:]
    every = worlds(Path(data), Path(results))
    for name in names or every:
        judge(Path(results), name, every[name])


if __name__ == "__main__":
    main()
