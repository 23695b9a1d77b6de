"""How many passes a choice's judge is given."""

import pytest

from micro_rl.selection.judge_effort import thorough


@pytest.mark.parametrize(
    ("minutes", "rows", "passes"),
    [(30.0, 300_000, 180), (60.0, 1_000_000, 300), (5.0, 300_000, 40), (30.0, 900, 300)],
)
def test_the_judge_of_a_choice_is_fitted_for_a_fifth_of_its_time_within_bounds(minutes: float, rows: int, passes: int):
    effort = thorough(minutes, rows)
    assert (effort.fit_epochs, effort.patience) == (passes, 8)
