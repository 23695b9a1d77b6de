"""Delays, noise and proposals on plants that are known, under a PI controller and with noise."""

import numpy as np
import pytest

from micro_rl.reports.log.delays import Delays, delays
from micro_rl.reports.log.steps import Foretold, Proposal, propose
from micro_rl.reports.log.timing import Timing, delay_words, length, proposal_words, step_words
from micro_rl.reports.log.windows_of_rows import Series, longer_steps

ROWS = 6000


def plant(
    delay: int,
    *,
    explore: float = 0.1,
    noise: float = 0.02,
    sensor: float = 0.0,
    controlled: bool = True,
    set_points: bool = True,
) -> Series:
    """A first-order plant whose action arrives late, with coloured noise, a PI controller and moving set-points."""
    random = np.random.default_rng(0)
    state = integral = wanted = drift = 0.0
    observed, done, asked = np.zeros((3, ROWS))
    for row in range(ROWS):
        if set_points and row % 200 == 0:
            wanted = random.normal()
        observed[row], asked[row] = state + sensor * random.normal(), wanted
        error = wanted - observed[row]
        integral += error / 30
        done[row] = np.clip((2 * error + integral) * controlled + explore * random.normal(), -3, 3)
        drift = 0.95 * drift + noise * random.normal()
        state += ((done[row - delay] if row >= delay else 0.0) - state) / 20 + drift
    begins = np.zeros(ROWS, bool)
    begins[0] = True
    columns = np.stack([observed, asked], axis=1)
    scaled = (columns - columns.mean(0)) / np.maximum(columns.std(0), 1e-9)
    outside = np.array([False, True])
    return Series(scaled, (done / done.std())[:, None], begins, ("level", "wanted"), ("valve",), outside)


@pytest.mark.parametrize("delay", [0, 3, 12])
@pytest.mark.parametrize(
    "how",
    [
        {"controlled": False, "explore": 1.0},
        {"noise": 0.0},
        {},
        {"sensor": 0.05},
        {"explore": 0.0},
        {"explore": 0.0, "sensor": 0.05},
    ],
    ids=str,
)
def test_the_delay_is_told_under_a_controller(delay, how):
    answer = delays(plant(delay, **how))
    assert answer is not None
    assert [(pair.action, pair.observation, pair.steps) for pair in answer.effects] == [("valve", "level", delay)]
    assert answer.slowest == delay and not answer.decided and not answer.moved


def test_a_controller_that_nothing_disturbs_tells_nothing():
    answer = delays(plant(3, explore=0.0, set_points=False))
    assert answer is not None
    assert answer.decided == ["valve"] and not answer.effects
    assert "Of valve nothing can be told" in delay_words(Timing(answer, None, None))


def test_an_action_without_effect_has_no_delay():
    log = plant(0)
    idle = log._replace(actions=np.random.default_rng(1).normal(size=(ROWS, 1)))
    answer = delays(idle)
    assert answer is not None and not answer.effects
    assert delay_words(Timing(answer, None, None)) == "No effect of an action stands out."


def test_a_column_that_is_no_outside_matter_is_named():
    log = plant(2)
    answer = delays(log._replace(exogenous=np.array([True, False])))
    assert answer is not None and answer.moved == ["level"] and not answer.effects
    assert "level: exogenous, as was said, but" in delay_words(Timing(answer, None, None))


def test_history_reaches_over_the_delay_and_no_further():
    answer = propose(plant(3, noise=0.0), 3)
    assert answer is not None
    assert (answer.rows_per_step, answer.history) == (1, 4)
    by_history = {window.setting: window.left for window in answer.by_history}
    assert by_history[4] < 5e-3 < 0.1 < by_history[3]


def test_a_long_delay_asks_for_longer_steps():
    answer = propose(plant(12, noise=0.01), 12)
    assert answer is not None
    assert answer.rows_per_step == 3 and answer.history >= 5


def test_noise_in_the_sensor_asks_for_longer_steps():
    answer = propose(plant(0, noise=0.005, sensor=0.2), 0)
    assert answer is not None
    assert answer.by_length[0].left > 0.5 and answer.rows_per_step > 1


def test_few_rows_tell_nothing():
    log = plant(0)
    few = Series(log.observations[:100], log.actions[:100], log.begins[:100], *log[3:])
    pace = Timing(delays(few), propose(few, None), None)
    assert pace == (None, None, None)
    assert (delay_words(pace), step_words(pace), proposal_words(pace)) == (
        "There are too few rows in a row to tell delays.",
        "There are too few rows in a row to tell noise from movement.",
        "none, for want of rows",
    )


def test_longer_steps_are_those_of_resample():
    log = plant(0)
    made = longer_steps(log, 5)
    np.testing.assert_allclose(made.observations[1], log.observations[1:6].mean(0))
    np.testing.assert_allclose(made.actions[1], log.actions[5:10].mean(0))


def test_what_is_proposed_in_words():
    left = [Foretold(1, 0.6, 0.7, "level"), Foretold(5, 0.2, 0.3, "level")]
    pace = Timing(
        Delays([], [], [], [1.0], ROWS, 20), Proposal(5, 3, left, [left[0], Foretold(3, 0.1, 0.2, "level")]), 60.0
    )
    assert proposal_words(pace) == 'resample = "5min", then --history 3'
    assert "At 5 rows to a step a single observation leaves 60 %, 10 % with 3." in step_words(pace)
    worse = pace._replace(proposal=Proposal(1, 1, [Foretold(1, 1.16, 1.65, "level")], left[:1]))
    assert "at most 100 % is noise" in step_words(worse) and "(worst: level, 100 %)" in step_words(worse)
    assert proposal_words(pace._replace(step_seconds=None)) == "5 rows to a step, then --history 3"
    times = [length(seconds) for seconds in (0.5, 90.0, 3600.0, 172800.0, 0.0123)]
    assert times == ["500ms", "90s", "1h", "2d", "0.0123s"]
