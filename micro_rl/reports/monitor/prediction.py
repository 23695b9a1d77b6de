"""What was predicted of a record's policy: by a judgement, a choice, or the model of the run that it is from."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from micro_rl.core.metric_keys import WINDOW_DIFFERENCE, WINDOW_HIGH, WINDOW_LOW
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.reports.monitor.recorded import Recorded
from micro_rl.storage.json_files import read_json
from micro_rl.storage.run_folder import RunFolder

POLICY = "policy.safetensors"
FALLS_SHORT, CONSISTENT, ABOVE = "falls short", "consistent", "above"


class Prediction(NamedTuple):
    """What a policy was to collect in a window beyond the log, with its interval, raw units.

    `by` is who predicts, and `policy` the digest of the policy's file, empty where that is not told. `baseline` is what
    the log collects in a window, None where it is to be taken from the log; `trial` the plan of a trial and `log` the
    digest of the log, where they are told.
    """

    by: str
    policy: str
    window: int
    mean: float
    low: float
    high: float
    baseline: float | None = None
    trial: Mapping[str, Any] | None = None
    log: str | None = None


class Held(NamedTuple):
    """A prediction held against the windows: the outcome, and what the difference from the log may be.

    `lowest` and `highest` are the confidence sequence's ends after all windows, and `half` its half width after each.
    `decided_after` is the window after which the outcome was shown, None where it is `CONSISTENT` so far.
    """

    outcome: str
    lowest: float
    highest: float
    decided_after: int | None
    half: Float64[np.ndarray, " window"]


class Match(NamedTuple):
    """Whether a prediction is of the policy that acted, whose windows are taken, and what is to be said of it."""

    compared: bool
    policy: str | None = None
    """The digest of the policy whose windows alone are taken; None takes all."""
    note: str = ""


def of_run(run: Path) -> Prediction | None:
    """What a run's own model predicted of its policy at the last evaluation; None where it has no such score."""
    folder = RunFolder.open(run)
    rows = [row for row in folder.metrics() if WINDOW_DIFFERENCE in row]
    ready = rows and (run / "scores.json").exists() and (run / POLICY).exists()
    window = folder.scores().get("log", {}).get("window") if ready else None
    if window is None:
        return None
    ends: list[Any] = [rows[-1].get(key) for key in (WINDOW_DIFFERENCE, WINDOW_LOW, WINDOW_HIGH)]
    mean, low, high = ends
    try:
        _check_numbers(window, low, high, [mean])
    except TypeError:
        raise UserError(f"{run}: its last window estimate is none: give --judgement, or mend metrics.jsonl") from None
    by = "the run's own model (which it learned to please)"
    return Prediction(by, Policy.load(run / POLICY).sha256, window, mean, low, high)


def of_judgement(path: Path, run: Path | None, acted: Sequence[str]) -> Prediction:
    """What a judgement, or the one in a choice's decision.json, predicts of the policy that acted.

    Args:
        path: of the JSON.
        run: whose policy it is, by name, where no digest tells it.
        acted: the digests of the record's policies, the newest first; none where it tells none.

    Raises:
        UserError: it is no judgement, or it judges several policies and which of them acted cannot be told.
    """
    try:
        told = read_json(path)
        by, judged = ("the choice", told["judgement"]) if "judgement" in told else ("the judgement", told)
        own = _own(path, judged["policies"], run, acted)
        mean, low, high = (own["evidence"]["difference"][part] for part in ("mean", "low", "high"))
        trial, window = own["trial"], judged["window"]
        baseline = own["baseline"] if judged["baseline_error"] is None else judged["measured"]
        planned = [trial[part] for part in ("deviation", "alpha", "most_windows")] if trial else []
        _check_numbers(window, low, high, [baseline, mean, *planned])
        return Prediction(by, own.get("sha256", ""), window, mean, low, high, baseline, trial, judged.get("sha256"))
    except (AttributeError, KeyError, TypeError, IndexError):
        raise UserError(f"{path}: is no judgement; write one with micro-rl trust RUN --json > {path}") from None


def _check_numbers(window: Any, low: Any, high: Any, others: list[Any]) -> None:
    """`TypeError` where a window has no whole number of steps, a value is no finite number, or the ends are no ends."""
    finite = all(isinstance(value, int | float) and math.isfinite(value) for value in [low, high, *others])
    if type(window) is not int or window < 1 or not finite or low > high:
        raise TypeError


def _own(path: Path, policies: list[Any], run: Path | None, acted: Sequence[str]) -> Any:
    """The policy that acted among those of a judgement, by its digest, else by the run's name; or its only one."""
    told = {policy.get("sha256", ""): policy for policy in policies}
    for digest in acted:
        if digest in told:
            return told[digest]
    if not policies:
        raise IndexError
    if len(policies) == 1 or (acted and "" not in told):
        return policies[0]
    same = [] if run is None else [policy for policy in policies if _folder(policy["name"]) == _folder(run)]
    if len(same) == 1:
        return same[0]
    which = "which of them acted no --run tells" if run is None else f"which of them {run} is cannot be told"
    raise UserError(
        f"{path}: judges {len(policies)} policies, and {which}; write a judgement of the one run, with "
        f"micro-rl trust {run or 'RUN'} --json > FILE"
    )


def _folder(run: str | Path) -> Path:
    """A run's folder, also where the policy's file in it is named."""
    path = Path(run)
    return (path.parent if path.name == POLICY else path).resolve()


def match(record: Recorded, prediction: Prediction) -> Match:
    """Say whether a prediction is of the policy that acted, by the digest of its file."""
    acted, own = record.acted, prediction.policy
    if not acted:
        note = (
            f"the record does not tell which policy acted: it is taken to be the one that {prediction.by} predicts for"
        )
        return Match(True, None, note)
    if not own:
        return Match(
            True, None, f"{prediction.by} does not tell of which policy it is: it is taken for the one that acted"
        )
    if own not in acted:
        others = " and ".join(digest[:8] for digest in acted)
        than = f"than the one that acted ({others})" if len(acted) == 1 else f"than those that acted ({others})"
        note = f"{prediction.by} predicts for another policy (SHA-256 of its file: {own[:8]}...) {than}: not compared"
        return Match(False, None, note)
    rows = int(record.by(own).sum())
    if rows == len(record):
        return Match(True, own)
    note = f"policy {own[:8]} was in charge of {rows:,} of the {len(record):,} steps: its windows alone are compared"
    return Match(True, own, note)
