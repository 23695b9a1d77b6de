"""A protocol's cells in a few figures, each with the interval that its episodes leave it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from micro_rl.core.tasks import Task, normalised
from micro_rl.reports.stats import cvar, interval, mean
from micro_rl.reports.stats.risk import area_of, worst_cell
from micro_rl.robustness.cells import Group, Protocol

Returns = Float[np.ndarray, "episode cell"]


def summarise(protocol: Protocol, rows: dict[str, dict[str, Any]], task: Task) -> dict[str, Any]:
    """A protocol's results in a few figures, as JSON.

    Args:
        protocol: The cells.
        rows: Finished cells by name, as `Results.finished` gives them.
        task: Whose normalised score is the unit ("unit"), where it has one; else raw returns are.

    Returns:
        Of each group of finished cells its mean, worst cell, CVaR at 10 %, and over one axis the area under it, each as
        [value, low, high] with a 95 % bootstrap interval over the episodes, each drawn in all cells at once, for they
        begin alike there: it speaks for this policy, not for another seed's.
    """
    scored = task.score_min is not None
    groups = {group.name: _of_group(group, rows, task) for group in protocol.groups}
    return {"unit": "normalised score" if scored else "return", "confidence": 0.95, "groups": groups}


def _of_group(group: Group, rows: dict[str, dict[str, Any]], task: Task) -> dict[str, Any]:
    cells = [cell for cell in group.cells if cell.name in rows]
    returns = np.array([rows[cell.name]["returns"] for cell in cells], np.float64).T
    scores = returns if task.score_min is None else np.vectorize(lambda value: normalised(value, task))(returns)
    figures: dict[str, Any] = {
        "cells": len(cells),
        "mean": _over_episodes(mean, scores),
        "worst": _over_episodes(worst_cell, scores),
        "worst_cell": cells[int(np.nanmean(scores, axis=0).argmin())].name,
        "cvar10": _over_episodes(cvar, scores),
    }
    if len(group.axes) == 1 and len(cells) > 1:
        at = np.array([cell.coordinates[group.axes[0].name] for cell in cells])
        order = np.argsort(at)
        figures["area"] = _over_episodes(area_of(at[order]), scores[:, order])
    inert = sorted({rows[cell.name]["inert"] for cell in cells} - {""})
    broken = [cell.name for cell in cells if rows[cell.name].get("unstable")]
    return figures | ({"inert": inert} if inert else {}) | ({"unstable": broken} if broken else {})


def _over_episodes(statistic: Callable[..., Any], scores: Returns) -> list[float]:
    return [float(part) for part in interval(statistic, scores, whole_rows=True)]
