"""Long runs that several studies share: methods and recipes on the same logs, ensembles and evaluations.

A cell is an entry (a method with its changes, `runs.methods`, or a recipe of MICRO's, `runs.support`) on a log with a
seed. Its run folder is OUT/LOG-ENTRY-seedN. The cells of a log's seed share one ensemble (OUT/LOG-seedN-model), those
with the calibrated set one of their own, which keeps episodes out of its fit (OUT/LOG-held-out-seedN-model). What was
evaluated is recorded in docs/results/data/long-runs.json (`runs.records`); a cell that is recorded to its end is not
run again, one that was stopped goes on.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from micro_rl import api
from micro_rl.algorithms.model_based import METHODS
from micro_rl.algorithms.registry import resolve
from micro_rl.core import tasks
from micro_rl.data import load
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.runner import execute
from runs.dmsd import DMSD
from runs.kept_cells import origin
from runs.progress import Lines
from runs.records import record, recorded

STUDY = "long-runs"
LOGS = {
    "safety": "neorl2/SafetyHalfCheetah-high-100000-train.npz",
    "dmsd": "neorl2/DMSD-high-100000-train.npz",
    "halfcheetah": "halfcheetah-medium-replay.hdf5",
    "hopper": "hopper-medium-replay.hdf5",
    "pendulum": "pendulum-demo",
}
LOG_SCORES = {"safety": 73.6, "dmsd": 56.6, "halfcheetah": 23.6, "hopper": 14.8}
"""What the logs themselves have: the mean return of their episodes, normalised."""
LOG_BEST = {"safety": 79.2, "dmsd": 72.7, "halfcheetah": 43.5, "hopper": 99.4}
"""And their best episode's."""
FIT_EPOCHS = {"halfcheetah": 40, "hopper": 20}
"""Of the ensembles that would take an hour and more to their own end; the others end by themselves."""
EVALUATED: dict[str, Any] = {"eval_every": 2, "eval_episodes": 5}
"""Of every cell."""
DRAWING = ("micro", "mobile")
"""The methods that draw candidates; here one a row."""
LONGEST = 100
"""Epochs of 1,000 updates that a cell can be trained for; a study says after how many it stops."""
SCORES = ("eval/normalised_score", "eval/return")
DMSD_TASK = tasks.find("DMSD")


class Entry(NamedTuple):
    """A method and what departs from the log's preset."""

    method: str
    changes: dict[str, Any]
    fit: Mapping[str, Any] = MappingProxyType({})
    """What its ensemble's fit has of its own."""
    per_beta: Mapping[str, float] = MappingProxyType({})
    """Settings in units of the beta that the log's preset has for MICRO."""


class Cell(NamedTuple):
    """One run."""

    log: str
    entry: str
    seed: int

    @property
    def name(self) -> str:
        """Its run folder, and its name in the record."""
        return f"{self.log}-{self.entry}-seed{self.seed}"


def log_of(name: str, data: Path) -> str | Path:
    """The log, in the folder with the logs or embedded."""
    return LOGS[name] if name == "pendulum" else data / LOGS[name]


def shared_model(name: str, log: Path | str, seed: int, out: Path, preset: str | None = None, **fit: Any) -> Path:
    """The ensemble of a log's seed, with the settings that a preset has for MICRO or these; fitted, or its rest."""
    folder = out / f"{name}-seed{seed}-model"
    if not folder.exists():
        dataset = load(log)
        settings, _ = resolve("micro", preset or make_plan(dataset).preset, fit)
        api.fit(dataset, settings, seed, out=folder, resume=True, callback=Lines())
    return folder


def plan_of(cell: Cell, entry: Entry, data: Path, out: Path) -> Plan:
    """Every method that learns a model has MICRO's settings for that log, and of its own only its options.

    MICRO under another preset than the log's has an ensemble of that preset's.
    """
    log, preset = log_of(cell.log, data), entry.changes.get("preset")
    like = make_plan(log, "micro", preset=preset)
    own: dict[str, Any] = EVALUATED | {"seed": cell.seed, "epochs": max(LONGEST, like.settings.epochs)}
    own |= {"env": DMSD} if cell.log == "dmsd" else {}
    if entry.method not in METHODS:
        return make_plan(log, entry.method, **own, **entry.changes)
    own |= {"num_samples": 1} if entry.method in DRAWING else {}
    own |= entry.changes | {name: times * like.options.beta for name, times in entry.per_beta.items()}
    cap = {"max_fit_epochs": FIT_EPOCHS[cell.log]} if cell.log in FIT_EPOCHS else {}
    name = "-".join([cell.log, *(["held-out"] if entry.fit else []), *([preset] if preset else [])])
    model = shared_model(name, log, cell.seed, out, preset, **cap, **entry.fit)
    others = asdict(make_plan(log, entry.method, preset=preset).settings)
    differing = {name: value for name, value in asdict(like.settings).items() if value != others[name]}
    return make_plan(log, entry.method, model=model, **(differing | own))


def curve_of(rows: Iterable[dict[str, Any]], log: str) -> dict[int, float]:
    """The score, or where there is none the return, at each evaluated epoch."""
    curve = {int(row["epoch"]): row[key] for row in rows if (key := next((key for key in SCORES if key in row), None))}
    if log != "dmsd":
        return curve
    scores = {epoch: tasks.normalised(value, DMSD_TASK) for epoch, value in curve.items()}
    return {epoch: score for epoch, score in scores.items() if score is not None}


def curves() -> dict[str, dict[int, float]]:
    """Of every cell that is recorded, here or by another machine."""
    return {name: curve_in(cell) for name, cell in recorded(STUDY).items()}


def curve_in(cell: dict[str, Any]) -> dict[int, float]:
    """A recorded cell's curve, {epoch: score}."""
    return {int(epoch): score for epoch, score in cell["curve"].items()}


def train(cell: Cell, entry: Entry, data: Path, out: Path, until: int) -> None:
    """Train the cell, or its rest, and record its curve; nothing where that is recorded to the end."""
    if max(curves().get(cell.name, ()), default=0) >= until:
        return
    execute(plan_of(cell, entry, data, out), out / cell.name, resume=True, until=until, callback=Lines())
    rows = RunFolder.open(out / cell.name).metrics()
    curve = {epoch: round(score, 2) for epoch, score in curve_of(rows, cell.log).items()}
    if max(curves().get(cell.name, ()), default=0) <= max(curve, default=0):  # nobody went further in the meantime
        record(STUDY, cell.name, {"curve": curve} | about(rows))
    print(cell.name, *(f"{epoch}: {score:.1f}" for epoch, score in curve.items()), flush=True)


def about(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What else is recorded: Q and return from the starts at the end, the median epoch's cost, where it was run."""
    figures = {key: last(rows, f"eval/{key}") for key in ("critic_estimate", "discounted_return")}
    rates = [row["time/updates_per_second"] for row in rows if "time/updates_per_second" in row]
    figures["minutes_per_million"] = 1e6 / 60 / float(np.median(rates))
    kept = {key: round(value, 1) for key, value in figures.items() if value is not None}
    return kept | origin()


def last(rows: list[dict[str, Any]], key: str) -> float | None:
    """The newest value of a key, if there is one."""
    return next((row[key] for row in reversed(rows) if key in row), None)


def command(text: str, cells: list[Cell], main: Callable[[Path, Path, list[str], int], None], epochs: int) -> None:
    """Carry out a study's command line: the cells that it names, or all; without arguments they are listed.

    Args:
        text: What the command says of itself.
        cells: All of the study's.
        main: Runs those of some names in a folder with the logs and one for the runs, until an epoch.
        epochs: After how many each stops, unless `--until` says earlier.
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("cells", nargs="*")
    parser.add_argument("--until", type=int, default=epochs)
    words = parser.parse_args()
    if words.out is None:
        print(text, *(cell.name for cell in cells), sep="\n")
    else:
        main(words.data, words.out, words.cells, words.until)


def chosen_of(cells: list[Cell], names: list[str]) -> list[Cell]:
    """Those of these names in the order of the names, or all."""
    by_name = {cell.name: cell for cell in cells}
    if unknown := set(names) - by_name.keys():
        sys.exit(f"no such cell: {', '.join(sorted(unknown))}")
    return [by_name[name] for name in names or by_name]
