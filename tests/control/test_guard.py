"""The guard: hand-computed parts, the limit, faults that it must see, and its file."""

from dataclasses import replace

import numpy as np
import pytest

from micro_rl import Dataset
from micro_rl.control.guard import PARTS, Before, Guard
from micro_rl.control.guard_file import encoded
from micro_rl.control.guard_fit import conformal, healthy_steps, parts_of
from micro_rl.core.columns import Column, Columns
from micro_rl.errors import TooLittle, UserError

LN2 = np.log(2)


def by_hand(**changes: object) -> Guard:
    """Two columns and an action: the first is to grow by what is done, the second to stay."""
    arrays = {
        "center": np.array([1.0, 0.0]),
        "scale": np.array([2.0, 1.0]),
        "action_center": np.zeros(1),
        "action_scale": np.ones(1),
        "references": np.array([[0.0, 0.0], [1.0, 1.0]]),
        "low": np.array([-1.0, -1.0]),
        "high": np.array([3.0, 1.0]),
        "weights": np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]),
        "residual_scale": np.array([0.5, 0.25]),
        "whitening": np.eye(2),
        "still_cost": np.array([LN2, 0.0]),
        "usual": np.ones(len(PARTS)),
    }
    columns = Columns((Column("x"), Column("y")), (Column("u"),))
    return Guard(**(arrays | {"threshold": 1.0, "rate": 0.01, "columns": columns} | changes))  # pyright: ignore[reportArgumentType]


def walk(rows: int = 4000, episodes: int = 40, seed: int = 0) -> Dataset:
    """A level that an action moves, its noisy reading, and a set-point that stands still mostly."""
    random = np.random.default_rng(seed)
    level, target, observed, acted = 0.0, 1.0, [], []
    for _ in range(rows):
        target = float(random.normal()) if random.random() < 0.02 else target
        action = np.clip(0.5 * (target - level) + 0.3 * random.normal(), -1, 1)
        observed.append([level + 0.01 * random.normal(), target])
        acted.append([action])
        level += 0.3 * action + 0.02 * random.normal()
    over = np.arange(rows) % (rows // episodes) == rows // episodes - 1
    return Dataset.from_arrays(observed, acted, np.zeros(rows), None, over, observation_names=["level", "target"])


def test_the_parts_are_those_computed_by_hand():
    guard = by_hand()
    before = Before(np.array([1.0, 0.5]), np.array([0.5]), np.array([0.0, 2.0, 0.1, 0.0, 1.0, 0.0]))
    reading = guard.read(np.array([4.0, 0.5]), before)
    # Standardised (1.5, 0.5); to (1, 1) it is (0.5, 0.5). Beyond 3 by 1 of 2. It rose by 1.5 where 0.5 was due.
    assert reading.parts[:4] == pytest.approx([0.5, 0.5, 2.0, np.sqrt(2.0)])
    assert reading.parts[4] == 0.0
    assert reading.memory == pytest.approx([0, 3, 0.1 + 0.1 * (2 - 0.1), 0.0, 1.0 + 0.1 * (4 - 1 - 1), -0.1])
    assert reading.parts[5:] == pytest.approx([0.29, 1.2])
    assert reading.score == pytest.approx(2.0)


def test_a_step_whose_action_is_not_known_cannot_surprise_and_what_is_remembered_stays():
    before = Before(np.array([1.0, 0.5]), np.array([0.5]), np.array([0.0, 2.0, 0.1, 0.0, 1.0, 0.0]), predicts=False)
    guard, observation = by_hand(), np.array([4.0, 0.5])
    reading = guard.read(observation, before)
    assert reading.parts == pytest.approx([0.5, 0.5, 0.0, 0.0, 0.0, 0.1, 1.0])
    assert reading.memory == pytest.approx([0.0, 3.0, 0.1, 0.0, 1.0, 0.0])
    assert guard.column(PARTS.index("surprise"), observation, before, reading) is None


def test_the_first_step_of_an_episode_cannot_surprise():
    reading = by_hand().read(np.array([4.0, 0.5]))
    assert reading.parts == pytest.approx([0.5, 0.5, 0, 0, 0, 0, 0])
    assert not reading.memory.any()


def test_a_column_that_stands_still_costs_its_nats_at_every_step():
    guard, observation = by_hand(), np.array([0.0, 0.0])
    memory, scores = guard.blank, []
    for _ in range(3):
        reading = guard.read(observation, Before(observation, np.zeros(1), memory))
        memory = reading.memory
        scores.append(reading.parts[4])
    assert scores == pytest.approx([LN2, 2 * LN2, 3 * LN2])


def test_one_large_surprise_does_not_stay_in_the_running_mean():
    guard = by_hand()
    reading = guard.read(np.array([1e9, 0.0]), Before(np.zeros(2), np.zeros(1), guard.blank))
    assert reading.parts[5] == pytest.approx(0.5)


def test_values_beyond_all_measure_are_an_alarm_and_no_error():
    guard = by_hand()
    reading = guard.read(np.array([1e308, -1e308]), Before(np.array([-1e308, 0]), np.array([1e300]), guard.blank))
    assert np.isfinite(reading.parts).all() and reading.score > 1e5


def test_steps_one_by_one_and_all_at_once_are_judged_alike():
    log = walk(400, 4)
    guard = Guard.fit(walk())
    steps = healthy_steps(log)
    together, memory = parts_of(guard, steps), guard.blank
    for row in range(len(steps.after)):
        memory = memory if steps.continues[row] else guard.blank
        reading = guard.read(steps.after[row], Before(steps.observation[row], steps.action[row], memory))
        memory = reading.memory
        np.testing.assert_allclose(reading.parts, together[row], rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_false_alarms_on_episodes_of_another_recording_are_about_the_rate(rate: float):
    guard, other = Guard.fit(walk(8000, 80), rate), healthy_steps(walk(8000, 80, seed=1))
    assert np.mean(parts_of(guard, other).max(1) > guard.threshold) == pytest.approx(rate, rel=0.6)


def test_a_sensor_that_sticks_or_jumps_is_seen_and_a_set_point_that_rests_is_not():
    log = walk()
    guard, steps = Guard.fit(log), healthy_steps(log)
    assert guard.still_cost[0] > 5 and guard.still_cost[1] == 0
    stuck = steps.observation[5], steps.action[5]
    assert guard.read(steps.observation[5], Before(*stuck, guard.blank)).score > guard.threshold
    jumped = steps.after[5] + [1.0, 0.0]
    assert guard.read(jumped, Before(*stuck, guard.blank)).score > guard.threshold


def test_the_limit_is_the_conformal_quantile():
    assert conformal(np.arange(1, 100), 0.99) == 99
    assert conformal(np.arange(1, 99), 0.99) == np.inf
    assert conformal(np.arange(1, 10), 0.5) == 5


def test_a_log_of_one_episode_is_cut_into_stretches_of_time():
    guard = Guard.fit(walk(2000, 1))
    assert guard.counts["blocks"] == 20


def test_a_guard_learns_from_what_was_recorded_since():
    """Steps as a policy makes them that moves what nobody moved: alarms, until the guard has seen them."""
    wild, more = (replace_readings(walk(4000, 40, seed), 3.0) for seed in (5, 6))
    alone, both = Guard.fit(walk()), Guard.fit(walk(), records=[wild])
    alarms = [np.mean(parts_of(guard, healthy_steps(more)).max(1) > guard.threshold) for guard in (alone, both)]
    assert alarms[0] > 0.2 and alarms[1] < 0.05 and both.counts["blocks"] == 80
    with pytest.raises(UserError, match="its columns are not those"):
        Guard.fit(walk(), records=[Dataset.from_arrays(np.zeros((9, 2)), np.zeros((9, 1)), np.zeros(9), horizon=3)])


def replace_readings(log: Dataset, times: float) -> Dataset:
    return replace(log, observations=times * log.observations, next_observations=times * log.next_observations)


def test_too_little_for_the_rate_is_said():
    with pytest.raises(TooLittle, match="99 are needed to calibrate"):
        Guard.fit(walk(120, 4))
    with pytest.raises(UserError, match="rate: 2"):
        Guard.fit(walk(400, 4), rate=2.0)


def test_a_saved_guard_is_the_same_and_says_where_it_is_from(tmp_path):
    log = walk()
    guard = Guard.fit(log, references=16)
    guard.save(tmp_path / "guard.safetensors")
    again = Guard.load(tmp_path / "guard.safetensors")
    assert encoded(again) == encoded(guard)
    assert (again.log, again.columns.observations[0].name, again.counts["references"]) == (log.sha256, "level", 16)


def test_what_is_no_guard_is_refused(tmp_path):
    path = tmp_path / "guard.safetensors"
    with pytest.raises(UserError, match="no such file"):
        Guard.load(path)
    for guard in (by_hand(threshold=float("nan")), by_hand(usual=np.zeros(7)), by_hand(whitening=np.eye(3))):
        guard.save(path)
        with pytest.raises(UserError, match="the file is damaged"):
            Guard.load(path)
    replace(by_hand(), threshold=2.0).save(path)
    assert Guard.load(path).threshold == 2.0
