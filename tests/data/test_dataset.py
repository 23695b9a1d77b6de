"""What a `Dataset` says of a log, against answers worked out by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.data import Column, load
from tests.data import logs


@pytest.fixture
def dataset(tmp_path):
    arrays = logs.columns()
    arrays["rewards"] = np.array([1, 2, 3, 10, 20, -1, -1, -1, -1], np.float32)
    return load(logs.write_hdf5(tmp_path / "log.hdf5", arrays))


def test_episodes_returns_and_lengths(dataset):
    assert dataset.episodes == [slice(0, 3), slice(3, 5), slice(5, 9)]
    np.testing.assert_array_equal(dataset.returns, [6, 30, -4])
    np.testing.assert_array_equal(dataset.lengths, [3, 2, 4])


def test_columns_without_names_are_numbered(dataset):
    assert [str(column) for column in dataset.columns.observations + dataset.columns.actions] == ["o0", "o1", "a0"]
    assert str(Column("level", "m")) == "level [m]"
    assert dataset.termination is None


def test_summary(dataset):
    summary = dataset.summary()
    assert (summary.rows, summary.episodes, summary.terminals, summary.timeouts) == (9, 3, 2, 1)
    assert (summary.observation_size, summary.action_size) == (2, 1)
    assert (summary.return_mean, summary.return_worst, summary.return_best) == (32 / 3, -4, 30)
    assert summary.return_std == pytest.approx(np.std([6, 30, -4]))
    assert (summary.length_mean, summary.length_shortest, summary.length_longest) == (3, 2, 4)


def test_published_rows_drop_timeouts_and_the_files_last_row(dataset):
    rows = dataset.transitions(keep_timeouts=False)
    kept = [0, 1, 2, 3, 5, 6, 7]
    np.testing.assert_array_equal(rows.observation, dataset.observations[kept])
    np.testing.assert_array_equal(rows.next_observation, dataset.next_observations[kept])
    np.testing.assert_array_equal(rows.discount, [1, 1, 0, 1, 1, 1, 1])


def test_kept_timeouts_still_bootstrap(dataset):
    rows = dataset.transitions(keep_timeouts=True)
    np.testing.assert_array_equal(rows.reward, dataset.rewards)
    np.testing.assert_array_equal(rows.discount, [1, 1, 0, 1, 1, 1, 1, 1, 0])
    assert {part.dtype for part in rows} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "fraction, kept",
    [(0.1, [3, 4]), (0.5, [0, 1, 2, 3, 4]), (1.0, list(range(9)))],
)
def test_best_rows(dataset, fraction, kept):
    chosen = dataset.best_rows(fraction)
    np.testing.assert_array_equal(np.flatnonzero(chosen), kept)
    assert len(dataset.transitions(True, chosen).reward) == len(kept)


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.1])
def test_best_rows_of_no_fraction(dataset, fraction):
    with pytest.raises(ValueError, match="fraction"):
        dataset.best_rows(fraction)


def test_a_log_cannot_be_changed(dataset):
    with pytest.raises(ValueError, match="read-only"):
        dataset.rewards[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.name = "other"


def test_one_single_step_episode(tmp_path):
    dataset = load(logs.write_hdf5(tmp_path / "log.hdf5", logs.columns((1,), (True,))))
    assert dataset.episodes == [slice(0, 1)]
    assert len(dataset.transitions(True).reward) == 1
    assert len(dataset.transitions(False).reward) == 0


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=8), st.integers(0, 9))
def test_episodes_partition_every_log(tmp_path_factory, episodes, seed):
    lengths, terminal = zip(*episodes, strict=True)
    path = tmp_path_factory.getbasetemp() / "partition.hdf5"
    dataset = load(logs.write_hdf5(path, logs.columns(lengths, terminal, seed)))
    np.testing.assert_array_equal(dataset.lengths, lengths)
    assert [row for episode in dataset.episodes for row in range(len(dataset))[episode]] == list(range(len(dataset)))
    np.testing.assert_allclose(dataset.returns.sum(), dataset.rewards.sum(dtype=np.float64), atol=1e-9)
    assert not (dataset.terminals & dataset.timeouts).any()
    assert len(dataset.transitions(True).reward) == dataset.usable.sum() == len(dataset)
