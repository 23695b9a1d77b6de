"""What episodes in perturbed systems tell: how bad the worst are, and how a curve fares over its whole width."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from micro_rl.errors import UserError
from micro_rl.reports.stats.scores import Figures, Listed, array, checked, pooled, present, takes_batches


@takes_batches
def cvar(returns: Float[np.ndarray, "*batch cell"] | Listed, share: float = 0.1) -> Figures:
    """Conditional value at risk: the mean of the worst `share` of all returns.

    Where share * n is no whole number the boundary value has the weight that is left (Rockafellar & Uryasev, 2002).

    Args:
        returns: Array or lists [..., episode, cell], cells pooled, or [episode] of one cell; NaN where one is missing.
        share: In (0, 1]; 1 is the mean of all.

    Returns:
        The mean [...], in the unit of the returns.

    Raises:
        UserError: A share that is not in (0, 1], or returns that `scores.checked` refuses.
    """
    if not 0 < share <= 1:
        raise UserError(f"share {share}: above 0 and at most 1 needed")
    returns = array(returns, "returns")
    returns = pooled(checked(returns[:, None] if returns.ndim == 1 else returns))
    wanted = share * present(returns).sum(-1, keepdims=True)
    weights = np.clip(wanted - np.arange(returns.shape[-1]), 0, 1)
    return np.sum(weights * returns, axis=-1, where=weights > 0) / wanted[..., 0]


@takes_batches
def worst_cell(returns: Float[np.ndarray, "*batch episode cell"]) -> Figures:
    """The least of the cells' means over the episodes that are there, in the unit of the returns."""
    return np.nanmean(returns, axis=-2).min(-1)


def area_of(x: Float[np.ndarray, " cell"]) -> Callable[[np.ndarray], Figures]:
    """The statistic of returns [..., episode, cell] that is the area under the cells' means, which stand at x."""
    return takes_batches(lambda returns: area_under_curve(x, np.nanmean(returns, axis=-2)))


def area_under_curve(
    x: Float[np.ndarray, " point"] | Listed, y: Float[np.ndarray, "*batch points"] | Listed
) -> Figures:
    """Mean height of a curve: its trapezoids' area over its width.

    Args:
        x: Places [point], rising.
        y: Heights [..., point].

    Returns:
        The mean height [...], in the unit of y.

    Raises:
        UserError: x has fewer than two points or does not rise, or y has another number of points.
    """
    x, y = array(x, "x"), array(y, "y")
    if x.ndim != 1 or len(x) < 2 or not (np.diff(x) > 0).all():
        raise UserError(f"x with {x.size} points: two or more, each above the one before, needed")
    if y.shape[-1:] != x.shape:
        raise UserError(f"y {y.shape}: as many heights as x has points, {len(x)}, needed in its last axis")
    return np.trapezoid(y, x, axis=-1) / (x[-1] - x[0])
