"""What a trial under watch found, in plain values: against the log, and against what was predicted."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

FALLS_SHORT, CONSISTENT, ABOVE = "falls short", "consistent", "above"


class Watched(NamedTuple):
    """The windows so far: their mean less the baseline, the margin that it must pass, and what follows.

    `decided_after` is the window after which it was decided, None where it is not yet; `verdict` is then `NOT_SHOWN`.
    """

    windows: int
    difference: float
    margin: float
    verdict: str
    decided_after: int | None


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
