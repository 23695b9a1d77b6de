"""How thoroughly the judge of a choice is fitted: the longer, the smaller the gains that it can show.

On halfcheetah-medium-replay 120 passes in place of 40 bring the deviation of its errors, over 36 policies, from 39 to
17 a window; the log collects 271 (docs/results/choose.md).
"""

from micro_rl.trust.judge import MOST_ROWS
from micro_rl.trust.options import Effort

SHARE = 0.2
"""Of a choice's time that the fit of its judge may take."""
PASS_SECONDS_OF_A_ROW = 2e-5
"""What a pass costs for each row that is judged by on one core, about."""
JUDGED_BY = 3
"""The judge is given one row of so many."""
FEWEST_PASSES, MOST_PASSES = 40, 300


def thorough(minutes: float, rows: int) -> Effort:
    """What the judge's fit may take.

    Args:
        minutes: of the choice.
        rows: of the whole log.

    Returns:
        As many passes as the time allows, within bounds.
    """
    own = min(rows // JUDGED_BY + 1, MOST_ROWS)
    passes = int(60 * minutes * SHARE / (PASS_SECONDS_OF_A_ROW * own))
    return Effort(fit_epochs=min(max(passes, FEWEST_PASSES), MOST_PASSES), fit_updates=0)
