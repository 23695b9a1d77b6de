"""The bounds of the action space: given, recorded in the file, or the usual [-1, 1] where the actions fit."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from micro_rl.core.columns import Column, title
from micro_rl.core.wording import with_verb
from micro_rl.data.checks import findings
from micro_rl.data.checks.findings import Finding
from micro_rl.errors import UserError

# One number for all actions, or one per action.
Limit = int | float | Sequence[int | float] | np.ndarray

# Tasks whose actions are known to lie in [-1, 1], by the first word of the log's name.
UNIT_TASKS = frozenset({"halfcheetah", "hopper", "walker2d", "ant", "pen", "hammer", "door", "relocate"})

# Excess, as a share of the half range, that is rounding and not another action space.
ROUNDING = 1e-6

WRONG = 0.5
"""Share of the rows outside their bounds from which on it is the bounds that are wrong."""
GIVE = (
    "give those of the system that made the log (--action-bounds LOW HIGH, or [bounds] in the TOML, for each its own)"
)


class Bounds(NamedTuple):
    """Least and greatest action."""

    low: Float32[np.ndarray, " act"]
    high: Float32[np.ndarray, " act"]


def as_bounds(path: Path, source: str, low: Limit | None, high: Limit | None, width: int) -> Bounds | None:
    """Checks bounds, one number or one per action; None when neither is there."""
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise UserError(f"{path}: {source} has one action bound only: give both action_low and action_high")
    try:
        pair = [np.broadcast_to(np.asarray(side, np.float32), (width,)).copy() for side in (low, high)]
    except (TypeError, ValueError):
        raise UserError(f"{path}: action bounds ({source}) must be one number or {width}, one per action") from None
    if not (np.isfinite(pair).all() and (pair[0] < pair[1]).all()):
        raise UserError(f"{path}: action bounds ({source}) must be finite and low < high in each action")
    return Bounds(*pair)


def unusual(actions: Float32[np.ndarray, "row act"], names: Sequence[str] = ()) -> list[Finding]:
    """Gives an error where the actions do not fit into the usual bounds, so that others must be given."""
    reach = np.nanmax(np.abs(actions), initial=0)
    if reach <= 1 + ROUNDING:
        return []
    past = np.flatnonzero((np.abs(actions) > 1 + ROUNDING).any(1))
    text = f"nothing tells the bounds of the actions, and they reach {reach:.6g} ({_spans(actions, names)}): {GIVE}"
    return [findings.error("no-bounds", text, past)]


def _spans(actions: Float32[np.ndarray, "row act"], names: Sequence[str]) -> str:
    """From where to where the first few actions go."""
    finite = np.where(np.isfinite(actions), actions, 0)
    low, high = finite.min(0), finite.max(0)
    spans = [
        f"{names[place] if names else f'action {place}'} from {low[place]:.6g} to {high[place]:.6g}"
        for place in range(min(actions.shape[1], findings.SHOWN))
    ]
    return ", ".join(spans) + ", ..." * (actions.shape[1] > findings.SHOWN)


def usual(width: int) -> Bounds:
    """Gives the usual bounds, [-1, 1] for each action."""
    return Bounds(np.full(width, -1, np.float32), np.full(width, 1, np.float32))


def reached(actions: Float32[np.ndarray, "row act"]) -> Bounds:
    """Measures what the actions themselves span: bounds to look at them by, not to learn with."""
    finite = np.where(np.isfinite(actions), actions, 0)
    low, high = finite.min(0), finite.max(0)
    return Bounds(low, np.where(high > low, high, low + 1))


def inside(
    actions: Float32[np.ndarray, "row act"], bounds: Bounds, columns: Sequence[Column]
) -> tuple[Float32[np.ndarray, "row act"], list[Finding]]:
    """Cuts actions off that are past the bounds by rounding, with a warning; any that are further out are an error."""
    slack = ROUNDING * (bounds.high.astype(np.float64) - bounds.low) / 2
    past = ((actions < bounds.low) | (actions > bounds.high)) & np.isfinite(actions)
    if not past.any():
        return actions, []
    outside = ((actions < bounds.low - slack) | (actions > bounds.high + slack)) & np.isfinite(actions)
    rows, problems = np.flatnonzero(outside.any(1)), []
    if len(rows):
        row, column = np.argwhere(outside)[0].tolist()
        space = f"[{bounds.low[column]:.6g}, {bounds.high[column]:.6g}]"
        first = (
            f"first row {row}: {title('action', column, columns[column])} is {actions[row, column]:.6g}, not in {space}"
        )
        text, wrong = (
            f"{with_verb(len(rows), 'row', 'has', 'have')} an action outside the bounds",
            len(rows) > WRONG * len(actions),
        )
        if wrong:
            text += f", so many that the bounds must be wrong ({first}): {GIVE}"
        else:
            text += f", {first}: correct the log, or {GIVE}"
        wide = np.flatnonzero(outside.any(0)).tolist()
        problems.append(findings.error("wrong-bounds" if wrong else "out-of-bounds", text, rows, wide))
    if len(rounded := np.flatnonzero((past & ~outside).any(1))):
        have = "has" if len(rounded) == 1 else "have"
        text = f"{findings.listed(rounded)} {have} actions past the bounds by rounding: cut off"
        problems.append(findings.warning("rounded", text, rounded))
    near = np.isfinite(actions) & ~outside
    return np.where(near, np.clip(actions, bounds.low, bounds.high), actions), problems
