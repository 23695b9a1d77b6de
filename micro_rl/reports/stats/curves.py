"""Sample efficiency: a statistic over the course of training."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from micro_rl.reports.stats.aggregates import iqm
from micro_rl.reports.stats.bootstrap import Interval, interval
from micro_rl.reports.stats.scores import Figures, Listed, array


def efficiency_curve(
    scores: Float[np.ndarray, "run task moment"] | Listed, statistic: Callable[..., Figures] = iqm, **options: Any
) -> Interval:
    """The statistic and its interval at each moment (epoch, step): three arrays [moment].

    Where no run is missing, the same runs are drawn at all moments, as in rliable. The band holds at each moment by
    itself, not for the curve as a whole. `options` and errors are those of `interval`.
    """
    scores = array(scores)
    moments = [interval(statistic, scores[..., moment], **options) for moment in range(scores.shape[-1])]
    return Interval(*(np.array(column) for column in zip(*moments, strict=True)))
