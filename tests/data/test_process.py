"""Process data: rows chosen by what they say, short holes filled, rows put together to longer steps."""

import numpy as np
import pytest

from micro_rl.data import ReadOptions, load
from micro_rl.data.process_words import ResampleKind
from micro_rl.data.readers.resample import resampled
from micro_rl.errors import UserError
from tests.data.test_loading import refused

HEADER = "time,level,valve,mode"
BASE = 'observations = ["level"]\nactions = ["valve"]\nreward = "-level"\ntime = "time"\naction_bounds = [0, 100]\n'


def tank(tmp_path, lines, words="", base=BASE):
    path = tmp_path / "tank.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    path.with_suffix(".toml").write_text(base + words)
    return path


def minutes(levels, valves, modes=None, times=None):
    times, modes = times or range(0, 60 * len(levels), 60), modes or ["AUTO"] * len(levels)
    return [f"{t},{level},{v},{m}" for t, level, v, m in zip(times, levels, valves, modes, strict=True)]


def test_rows_of_one_mode_and_no_step_across_the_others(tmp_path):
    modes = ["AUTO", "AUTO", "MAN", "AUTO", "AUTO", "AUTO"]
    path = tank(tmp_path, minutes([1, 2, 3, 4, 5, 6], range(6), modes), "where = \"mode == 'AUTO' and level < 6\"\n")
    log = load(path)
    np.testing.assert_array_equal(log.observations[:, 0], [1, 2, 4, 5])
    np.testing.assert_array_equal(log.lengths, [2, 2])
    text = "where: 4 of 6 rows are used, the others in 2 stretches left out, and an episode begins after each "
    assert text + "(other row numbers count only the rows that are used)" in log.notes
    path.with_suffix(".toml").write_text(BASE)
    by_flag = load(path, reading=ReadOptions(where="not mode == 'MAN' and level < 6"))
    np.testing.assert_array_equal(by_flag.observations, log.observations)


def test_an_error_behind_rows_left_out_says_which_rows_it_counts(tmp_path):
    path = tank(tmp_path, minutes([1, 2, 3, 4, "", 6], range(6)), 'where = "valve > 1"\n')
    words = "in 1 row (2): repair them, or say missing = 'drop' or 'previous' (--missing drop)"
    refused(path, words, "(row numbers count only the rows that are used)")


@pytest.mark.parametrize(
    "words, message",
    [
        ("where = \"mode == 'OFF'\"", "where: no row fulfils \"mode == 'OFF'\""),
        ("where = \"mood == 'AUTO'\"", "names 'mood', no column (did you mean 'mode'?)"),
        ("where = \"mode > 'AUTO'\"", "is a text, of which only == and != can be asked"),
        ('where = "1 > 0"', "where: '1 > 0' names no column"),
        ('where = "level"', "where: 'level' is a number: compare it"),
        ("where = \"level == 'high'\"", "'level' is read as numbers or times"),
        ("where = \"mode == 'AUTO' and mode > 3\"", "takes 'mode' for a number and for a text"),
        ('fill = {level = "linear"}', "say how many rows a hole may have at most"),
        ('fill = {level = "liner", limit = 3}', "level is 'liner' (did you mean 'linear'?): choose linear or previous"),
        ('fill = {lvl = "linear", limit = 3}', "fill: there is no column 'lvl'"),
        ("fill = {limit = 3}", "fill: names no column"),
        ("fill = 3", "fill must be a table"),
        ("resample = 5", 'resample must be text, as in "5min"'),
        ('resample = "5 minutes"', "resample: '5 minutes' is no length of a step: write it as 30s, 5min or 1h"),
        ('resample = {step = "5min", level = "median"}', "level is 'median'"),
        ('resample = {step = "5min", reward = "last"}', "the mean or the sum of its rows', not the last"),
        ('fill = {"le\\nvel" = "liner", limit = 3}', "fill: le vel is 'liner'"),
        ('resample = "5 minutes"', "'5 minutes' is no length of a step"),
        (f'resample = "{"0" * 3000}5min"', "is no length of a step: write it as"),
        ('resample = "30s"', "30s is shorter than the log's own step of 60 s"),
    ],
)
def test_refused(tmp_path, words, message):
    refused(tank(tmp_path, minutes([1, 2, 3, 4], range(4)), words + "\n"), message)


def test_a_limit_of_five_thousand_digits_is_no_limit(tmp_path):
    path = tank(tmp_path, minutes([1, 2, 3, 4], range(4)))
    with pytest.raises(UserError, match="fill: say how many rows a hole may have at most"):
        load(path, reading=ReadOptions(fill=("level=linear", "limit=" + "1" * 5000)))


def test_a_jump_of_the_clock_is_not_filled_with_steps(tmp_path):
    """100,000 minutes in one step, which a largest gap of years lets through."""
    lines = minutes([1, 2, 3, 4], range(4), times=[0, 60, 120, 6_000_120])
    path = tank(tmp_path, lines, 'largest_gap = 1e9\nresample = "60s"\n')
    refused(path, "resample: 4 rows would become 100,002 steps of 60s", "largest_gap = 3600 (--largest-gap)")
    log = load(tank(tmp_path, lines, 'largest_gap = 1e9\nresample = "1h"\n'))
    assert len(log) == 1667  # every hour from 0 to 5,997,600 s


def test_steps_need_times(tmp_path):
    base = BASE.replace('time = "time"\n', "horizon = 2\n")
    refused(tank(tmp_path, minutes([1, 2], [0, 1]), 'resample = "5min"\n', base), "resample needs the column of times")


def test_short_holes_are_filled_and_counted(tmp_path):
    levels = [1, "", 3, "", "", 6, 7, "", "", "", 11]
    lines = minutes(levels, [0, 0, "", *range(3, 11)])
    path = tank(tmp_path, lines, 'fill = {level = "linear", valve = "previous", limit = 2}\nmissing = "drop"\n')
    log = load(path)
    np.testing.assert_array_equal(log.observations[:, 0], [1, 2, 3, 4, 5, 6, 7, 11])
    np.testing.assert_array_equal(log.actions[:, 0], [0, 0, 0, 3, 4, 5, 6, 10])
    np.testing.assert_array_equal(log.rewards, -log.observations[:, 0])
    np.testing.assert_array_equal(log.lengths, [7, 1])
    assert "fill: 3 cells of 'level' filled (linear), in holes of at most 2 rows" in log.notes
    assert "fill: 3 cells of 'level' left empty: longer holes, or no value beside them" in log.notes


def test_values_that_are_held_are_told_and_no_others(tmp_path):
    log = load(tank(tmp_path, minutes([1, 2, 3, 4], [5, "", 7, 8]), 'missing = "previous"\n'))
    np.testing.assert_array_equal(log.actions[:, 0], [5, 5, 7, 8])
    [note] = [note for note in log.notes if "held" in note]
    assert note == "1 row (1) lacked values: the previous ones of the episode are held"


def test_a_line_is_drawn_over_time_and_not_into_another_episode(tmp_path):
    lines = minutes([0, "", 10, "", 4], range(5), times=[0, 60, 100, 5000, 5010])
    log = load(tank(tmp_path, lines, 'fill = {level = "linear", limit = 3}\nmissing = "drop"\n'))
    np.testing.assert_allclose(log.observations[:, 0], [0, 6, 10, 4])


def test_a_step_of_the_logs_own_length_changes_nothing(tmp_path):
    values = np.random.default_rng(0).normal(size=20).round(3)
    path = tank(tmp_path, minutes(values, np.arange(20) % 7))
    before = load(path)
    after = load(path, reading=ReadOptions(resample=("60s",)))
    for name in ("observations", "actions", "rewards", "timeouts", "next_observations"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_five_minutes_look_back_for_observations_and_ahead_for_actions(tmp_path):
    path = tank(tmp_path, minutes(range(11), range(0, 110, 10)), 'resample = {step = "5min", reward = "sum"}\n')
    log = load(path)
    np.testing.assert_array_equal(log.observations[:, 0], [0, 3, 8])  # the first row; rows 1 to 5; rows 6 to 10
    np.testing.assert_array_equal(log.actions[:, 0], [20, 70, 100])  # rows 0 to 4; 5 to 9; 10
    np.testing.assert_array_equal(log.rewards, [-10, -35, -10])
    assert "resample: 11 rows became 3 steps of 5min" in log.notes
    last = load(path, reading=ReadOptions(resample=("5min", "level=last", "val*=sum"), action_bounds=(0.0, 999.0)))
    np.testing.assert_array_equal(last.observations[:, 0], [0, 5, 10])
    np.testing.assert_array_equal(last.actions[:, 0], [100, 350, 100])
    np.testing.assert_array_equal(last.rewards, [-2, -7, -10])


def test_a_hole_of_one_step_is_bridged_and_a_longer_one_cuts(tmp_path):
    times = [0, 60, 120, 600, 660, 3000, 3060]
    log = load(tank(tmp_path, minutes(range(7), range(7), times=times), 'resample = "10min"\n'))
    np.testing.assert_array_equal(log.lengths, [2, 1])
    np.testing.assert_array_equal(log.observations[:, 0], [0, 2, 5])


def test_steps_without_a_row_take_over_what_was_last_recorded():
    columns = {
        "observations": np.array([[1.0], [2.0], [np.nan], [4.0]], np.float32),
        "actions": np.array([[1.0], [2.0], [3.0], [4.0]], np.float32),
        "rewards": np.array([1, 2, 3, 4], np.float32),
        "terminals": np.array([False, False, False, True]),
    }
    begins, steps = np.array([True, False, False, False]), np.array([0.0, 1, 3, 1])
    kinds: dict[str, list[ResampleKind]] = {"observations": ["mean"], "actions": ["sum"], "rewards": ["mean"]}
    made, starts, idle = resampled(columns, begins, steps, 1.0, kinds)
    np.testing.assert_array_equal(made["observations"][:, 0], [1, 2, 2, 2, np.nan, 4])
    np.testing.assert_array_equal(made["actions"][:, 0], [1, 2, 0, 0, 3, 4])
    np.testing.assert_array_equal(made["rewards"], [1, 2, 2, 2, 3, 4])
    np.testing.assert_array_equal(made["terminals"], [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(starts, [1, 0, 0, 0, 0, 0])
    assert idle == 2


def ended(tmp_path, words: str, base: str = BASE.replace('time = "time"\n', "")):
    """Two episodes of three rows, the first of which lacks its last level, the second its first."""
    path = tmp_path / "tank.csv"
    rows = ["1,0,0,0", "2,0,0,0", ",0,1,0", ",0,0,0", "100,0,0,0", "101,0,0,1"]
    path.write_text("\n".join(["level,valve,terminal,timeout", *rows]) + "\n")
    path.with_suffix(".toml").write_text(base + words)
    return path


@pytest.mark.parametrize(
    "words", ['fill = {level = "linear", limit = 3}\nmissing = "drop"\n', 'missing = "previous"\n']
)
def test_no_value_crosses_the_end_that_a_flag_marks(words, tmp_path):
    log = load(ended(tmp_path, words + 'terminal = "terminal"\ntimeout = "timeout"\n'))
    assert (
        not set(log.observations[:, 0].tolist()) & {51.0, 34.0, 67.0} and (np.diff(log.observations[:, 0]) >= 0).all()
    )
    assert 2 <= log.starts[1] <= 3 and log.observations[log.starts[1], 0] == 100


def test_a_terminal_that_is_dropped_is_told(tmp_path):
    log = load(ended(tmp_path, 'missing = "drop"\nterminal = "terminal"\ntimeout = "timeout"\n'))
    assert any("1 TERMINAL AMONG THEM" in note for note in log.notes) and not log.terminals.any()


@pytest.mark.parametrize("gone", ["where = \"mode == 'AUTO'\"\n", 'missing = "drop"\n'])
def test_a_horizon_counts_rows_that_are_left_out(gone, tmp_path):
    lines = [f"{number},0,AUTO" for number in range(9)]
    lines[1] = ",0,HAND"
    path = tmp_path / "tank.csv"
    path.write_text("\n".join(["level,valve,mode", *lines]) + "\n")
    path.with_suffix(".toml").write_text(BASE.replace('time = "time"\n', "") + gone + "horizon = 3\n")
    log = load(path)
    assert log.observations[:, 0].tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert log.starts.tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize("offset", [0.0, 0.001, -0.05])
def test_a_clock_that_is_off_a_little_delays_no_observation(offset, tmp_path):
    times = [0.0, *(60 * number + offset for number in range(1, 20))]
    path = tank(tmp_path, minutes(range(20), range(20), times=times))
    log = load(path, reading=ReadOptions(resample=("60s",)))
    np.testing.assert_array_equal(log.observations[:, 0], log.actions[:, 0])
    assert len(log) == 20
