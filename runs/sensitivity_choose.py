"""What `micro-rl choose` takes on a log: every candidate that learns in a model, with the settings that it is given.

Found by the functions that a choice itself begins with: its look at the log, its portfolio, and the plan of each run.
Nothing is trained.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from micro_rl.data import Dataset
from micro_rl.selection.look import look
from micro_rl.selection.portfolio import Candidate, portfolio
from micro_rl.training.plan import make_plan
from runs.kept_cells import kept

STUDY = "sensitivity-choose"
MINUTES = 60.0
"""The time that a choice is given by default; it decides how long candidates train, not how MICRO is set."""
KEPT = ("beta", "num_samples", "rollout_length", "num_elites", "history", "bc_weight", "support", "batch_size")


def taken(name: str, log: Callable[[], Dataset]) -> dict[str, Any]:
    """The log's size and mean return, and the settings of MICRO's candidates on it by their names; recorded.

    Args:
        name: of the log in the record.
        log: reads it, where that is not recorded.
    """
    return kept(STUDY, name, lambda: about(log()) | {"candidates": candidates(log())})


def about(log: Dataset) -> dict[str, Any]:
    """What the log holds."""
    return {"rows": len(log), "episodes": len(log.stops), "mean_return": float(log.returns.mean())}


def candidates(log: Dataset) -> dict[str, Any]:
    """Of every candidate that learns in a model."""
    seen = look(log)
    every = portfolio(MINUTES, seen.history, seen.narrow, seen.negative)
    return {candidate.name: settings(log, candidate) for candidate in every if candidate.learns_model}


def settings(log: Dataset, candidate: Candidate) -> dict[str, Any]:
    """Of one candidate, as far as the study varies them or they set it apart; `share` is the model's in a batch."""
    plan = make_plan(log, candidate.method, **candidate.choices)
    everything = asdict(plan.settings) | asdict(plan.options)
    return {name: everything[name] for name in KEPT} | {"share": 1 - everything["real_ratio"]}
