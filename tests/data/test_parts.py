"""Some rows of a log as a log of their own, and a log in two."""

from dataclasses import replace

import numpy as np
import pytest

from micro_rl import Dataset
from micro_rl.data.conversion import convert
from micro_rl.data.loading import load
from micro_rl.data.parts import alone, judging_rows, part
from micro_rl.data.read_options import ReadOptions
from micro_rl.data.taking import take
from micro_rl.errors import UserError
from tests.trust import line_world


def a_log(rows: int, ends: list[int], following: bool) -> Dataset:
    timeouts = np.zeros(rows, bool)
    timeouts[ends] = True
    values = np.arange(rows, dtype=np.float32)[:, None]
    return Dataset.from_arrays(
        values,
        np.zeros((rows, 1)),
        np.arange(rows) % 5,
        timeouts=timeouts,
        next_observations=values + 1 if following else None,
        name="walk",
    )


def test_a_cut_ends_an_episode_and_keeps_what_is_known_to_follow():
    log = a_log(10, [9], following=True)
    rows = np.isin(np.arange(10), [0, 1, 2, 6, 7])
    some = take(log, rows, "some")
    assert some.observations[:, 0].tolist() == [0, 1, 2, 6, 7]
    assert some.timeouts.tolist() == [False, False, True, False, True]
    assert some.usable.all() and some.next_observations[2, 0] == 3
    assert some.sha256 != log.sha256 and some.name == "some" and some.task.env is None


def test_a_cut_row_without_next_observation_is_not_learned_from():
    log = a_log(10, [9], following=False)
    some = take(log, np.arange(10) < 4, "some")
    assert some.usable.tolist() == [True, True, True, False]
    assert some.next_observations[3, 0] == some.observations[3, 0]


def test_rows_that_nobody_can_learn_from_are_left_out_of_a_file(tmp_path):
    log = line_world.log(episodes=30, length=4)
    usable = np.ones(120, bool)
    usable[[5, 23, 42]] = False  # in the middle of an episode, at the end of one, in the middle
    training = part(replace(log, usable=usable)).training
    assert training.usable.all() and 70 < len(training) <= 80
    convert(training, tmp_path / "part.hdf5", "hdf5", "a test")


def test_shifts_that_take_turns_are_in_both_parts():
    log = line_world.log(episodes=60, length=4)
    parts = part(replace(log, groups=np.repeat(np.tile(["a", "b", "c"], 20), 4)))
    for own in (parts.training, parts.judging):
        assert own.groups is not None and set(own.groups) == {"a", "b", "c"}


@pytest.mark.parametrize("following", [True, False])
def test_a_part_reads_back_from_a_file_as_it_is(tmp_path, following):
    log = a_log(90, list(range(8, 90, 9)), following)
    training = part(log).training
    convert(training, tmp_path / "part.hdf5", "hdf5", "a test")  # compares, and raises where they differ


def test_no_row_is_in_both_parts_and_none_is_lost():
    for log in (line_world.log(), a_log(300, [299], following=True)):
        parts = part(log)
        assert len(parts.training) + len(parts.judging) == len(log)
        assert len(parts.judging) == pytest.approx(len(log) / 3, rel=0.05)
        key = [tuple(row) for half in parts[:2] for row in np.concatenate([half.observations, half.actions], 1)]
        assert len(key) == len(log)
    assert "40 episodes" in part(line_world.log()).made
    assert "10 blocks of rows" in part(a_log(300, [299], following=True)).made


def test_labels_go_with_their_rows_or_episodes():
    log = line_world.log(episodes=12, length=4)
    for labels in (np.repeat(np.arange(12), 4).astype(str), np.arange(12).astype(str)):
        own = take(replace(log, groups=labels), np.repeat(np.arange(12) % 3 == 1, 4), "own")
        assert own.groups is not None and own.groups.tolist() == np.repeat([1, 4, 7, 10], 4).astype(str).tolist()


def test_a_log_that_grew_deals_its_old_episodes_out_as_before():
    few, many = (judging_rows(line_world.log(episodes=count, length=4)) for count in (30, 400))
    assert np.array_equal(few, many[: len(few)])


@pytest.mark.parametrize("suffix", ["hdf5", "csv"])
def test_a_file_is_read_in_part(tmp_path, suffix):
    path, log = tmp_path / f"walk.{suffix}", line_world.log(episodes=30, length=4)
    convert(log, path, suffix, "a test")
    training, judging = (load(path, reading=ReadOptions(part=name)) for name in ("training", "judging"))
    assert len(training) + len(judging) == len(log) and training.name == judging.name == "walk"
    assert np.array_equal(training.rewards, part(log).training.rewards)
    assert "10 episodes, one of every three" in training.notes[-1]
    assert load(path).sha256 != training.sha256 != judging.sha256


def test_a_toml_keeps_nothing_from_the_judge(tmp_path):
    path = tmp_path / "walk.csv"
    convert(line_world.log(episodes=30, length=4), path, "csv", "a test")
    toml = path.with_suffix(".csv.toml")
    (beside := toml if toml.exists() else path.with_suffix(".toml")).write_text('part = "training"\n')
    with pytest.raises(UserError, match=f"{beside.name}: there is no key 'part'"):
        load(path)


def test_a_part_says_whose_it_is_and_an_empty_one_is_refused():
    log = line_world.log(episodes=30, length=4)
    assert alone(log, "training").notes[-1].startswith("policies learn from 67 % of the rows")
    assert alone(log, "judging").notes[-1].startswith("this is the part that is kept for the judge")
    few = a_log(2, [1], following=True)
    assert not judging_rows(few).any()
    with pytest.raises(UserError, match="has 2 rows, and its part for judging would have none to use"):
        alone(few, "judging")
