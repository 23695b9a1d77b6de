"""Small run folders to compare, made through the project's own writer, with robustness results where asked for."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from micro_rl.storage.jsonl import append_row
from micro_rl.storage.run_folder import RunFolder

TASK = {"env": "X-v1", "horizon": 1000, "termination": "never", "score_min": 0.0, "score_max": 1000.0}
SETTINGS = {"epochs": 12, "updates_per_epoch": 1000, "num_elites": 2, "discount": 0.99}
LOG = {"return_mean": 400.0, "return_best": 800.0, "normalised_return_mean": 40.0, "normalised_return_best": 80.0}
SWEEPS = [
    {
        "name": "friction by gravity",
        "axes": [{"name": "friction", "values": [0.5, 1.0, 2.0]}, {"name": "gravity", "values": [0.8, 1.0]}],
    },
    {"name": "min Q attack", "axes": [{"name": "epsilon", "values": [0.0, 0.1, 0.2]}]},
    {"name": "nominal", "axes": []},
]


def make_run(
    path: Path,
    method: str = "micro",
    log: str = "hopper",
    seed: int = 0,
    scores: Sequence[float] = (50.0,) * 12,
    finished: bool = True,
    task: dict[str, Any] = TASK,
    **changes: Any,
) -> Path:
    """A run whose evaluations gave these normalised scores, an epoch each; `changes` replace parts of its config."""
    config: dict[str, Any] = {
        "log": {"name": log, "sha256": (log * 64)[:64]},
        "task": task,
        "method": method,
        "options": {},
        "versions": {"micro-rl": "0.1.0"},
    }
    config["settings"] = SETTINGS | {"seed": seed} | changes.pop("settings", {})
    folder = RunFolder.create(path, config | changes)
    for epoch, score in enumerate(scores, start=1):
        metrics = {"eval/return": 10.0 * score} | (
            {} if task["score_min"] is None else {"eval/normalised_score": score}
        )
        folder.append_metrics({"epoch": epoch, **metrics, "time/seconds": 6.0, "time/updates_per_second": 500.0})
    if finished:
        folder.write_scores(_scores(list(scores), task))
    return path


def _scores(values: list[float], task: dict[str, Any]) -> dict[str, Any]:
    def measurement(scale: float) -> dict[str, Any]:
        last = [scale * value for value in values[-10:]]
        best = scale * max(values)
        return {
            "mean_of_last": sum(last) / len(last), "std_of_last": 1.0, "evaluations": len(last), "last": last[-1],
            "best": best,
        }  # fmt: skip

    measured = {"eval/return": measurement(10.0)}
    if task["score_min"] is not None:
        measured["eval/normalised_score"] = measurement(1.0)
    return {"epochs": len(values), "planned_epochs": 12, "log": LOG, **measured}


def add_fit(run: Path, errors: Sequence[float] = (0.5, 0.4)) -> None:
    """A dynamics fit of two epochs."""
    for epoch in (1, 2):
        members = {f"holdout/member{index}": error / epoch for index, error in enumerate(errors)}
        append_row(run / "fit.jsonl", {"epoch": epoch, "loss": 1.0, "holdout/best": min(members.values()), **members})


def add_robust(
    run: Path,
    returns: Callable[[str, dict[str, float]], list[float] | None],
    groups: list[dict[str, Any]] = SWEEPS,
    inert: Callable[[str, dict[str, float]], str] = lambda group, at: "",
    **changes: Any,
) -> None:
    """Results of a protocol: `returns(group, coordinates)` are a cell's episodes, None where it is not finished."""
    folder = run / "robust" / "micro"
    folder.mkdir(parents=True)
    document = {"format": 1, "protocol": "micro", "env": "X-v1", "episodes": 2, "seed": 0, "critic": "own"}
    (folder / "robust.json").write_text(json.dumps(document | {"groups": groups} | changes))
    lines = []
    for group in groups:
        for at in _places(group["axes"]):
            values = returns(group["name"], at)
            if values is not None:
                cell = {"group": group["name"], "coordinates": at, "inert": inert(group["name"], at), "returns": values}
                lines.append(json.dumps(cell | {"lengths": [1000] * len(values)}))
    (folder / "cells.jsonl").write_text("".join(f"{line}\n" for line in lines))


def _places(axes: list[dict[str, Any]]) -> list[dict[str, float]]:
    places: list[dict[str, float]] = [{}]
    for axis in axes:
        places = [point | {axis["name"]: value} for point in places for value in axis["values"]]
    return places
