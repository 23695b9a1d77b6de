"""What was predicted of a record's policy: by a judgement, a choice, or the model of the run that it is from."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl.core.metric_keys import WINDOW_DIFFERENCE, WINDOW_HIGH, WINDOW_LOW
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.reports.monitor.recorded import Recorded
from micro_rl.storage.json_files import read_json
from micro_rl.storage.run_folder import RunFolder

POLICY = "policy.safetensors"


class Prediction(NamedTuple):
    """What a policy was to collect in a window beyond the log, with its interval, raw units.

    `by` is who predicts, and `policy` the digest of the policy's file, empty where that is not told. `baseline` is what
    the log collects in a window, None where it is to be taken from the log; `trial` the plan of a trial and `log` the
    digest of the log, where they are told. `measured` is how many windows the baseline was measured in, where that is
    told; `others` are the digests of further policies that are judged, and `caution` is said with the prediction.
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
    measured: int | None = None
    others: tuple[str, ...] = ()
    caution: str = ""


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
    caution = " (too hopeful, often: the policy learned to please that model)"
    return Prediction("the run's own model", Policy.load(run / POLICY).sha256, window, mean, low, high, caution=caution)


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
        file = read_json(path)
        by, judged = ("the choice", file["judgement"]) if "judgement" in file else ("the judgement", file)
        own = _own(path, judged["policies"], run, acted)
        return _of_policy(by, judged, own)
    except (AttributeError, KeyError, TypeError, IndexError):
        raise UserError(f"{path}: is no judgement; write one with micro-rl trust RUN --json > {path}") from None


def _of_policy(by: str, judged: Mapping[str, Any], own: Mapping[str, Any]) -> Prediction:
    """What a judgement says of one of its policies; it is no judgement where something fails."""
    mean, low, high = (own["evidence"]["difference"][part] for part in ("mean", "low", "high"))
    trial, window, measured = own["trial"], judged["window"], judged.get("windows")
    baseline = own["baseline"] if judged["baseline_error"] is None else judged["measured"]
    planned = [trial[part] for part in ("deviation", "alpha", "most_windows")] if trial else []
    planned.append((trial or {}).get("baseline_deviation", 0.0))
    _check_numbers(window, low, high, [baseline, mean, measured or 0, *planned])
    digests = [policy.get("sha256", "") for policy in judged["policies"]]
    digest = own.get("sha256", "")
    others = tuple(other for other in digests if other not in (digest, ""))
    log = judged.get("sha256")
    return Prediction(by, digest, window, mean, low, high, baseline, trial, log, measured, others)


def _check_numbers(window: Any, low: Any, high: Any, others: list[Any]) -> None:
    """`TypeError` where a window has no whole number of steps, a value is no finite number, or the ends are no ends."""
    finite = all(isinstance(value, int | float) and math.isfinite(value) for value in [low, high, *others])
    if type(window) is not int or window < 1 or not finite or low > high:
        raise TypeError


def _own(path: Path, policies: list[Any], run: Path | None, acted: Sequence[str]) -> Any:
    """The policy that acted among those of a judgement, by its digest, else by the run's name; or its only one."""
    by_digest = {policy.get("sha256", ""): policy for policy in policies}
    for digest in acted:
        if digest in by_digest:
            return by_digest[digest]
    if not policies:
        raise IndexError
    if len(policies) == 1 or (acted and "" not in by_digest):
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
        note = f"the record does not tell which policy acted: {prediction.by} is taken to predict for that one"
        return Match(True, None, note)
    if not own:
        return Match(
            True, None, f"{prediction.by} does not tell of which policy it is: it is taken for the one that acted"
        )
    if own not in acted:
        others = " and ".join(digest[:8] for digest in acted)
        than = f"than the one that acted ({others})" if len(acted) == 1 else f"than those that acted ({others})"
        foretold = [f"{digest[:8]}..." for digest in (own, *prediction.others)]
        other = f"another policy (SHA-256 of its file: {foretold[0]})"
        if len(foretold) > 1:
            other = f"other policies (SHA-256 of their files: {' and '.join(foretold)})"
        return Match(False, None, f"{prediction.by} predicts for {other} {than}: not compared")
    rows = int(record.by(own).sum())
    if rows == len(record):
        return Match(True, own)
    note = f"policy {own[:8]} was in charge of {rows:,} of the {len(record):,} steps: its windows alone are compared"
    return Match(True, own, note)
