"""Where episodes end and which rows have a true next observation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.data import load
from tests.data import logs
from tests.data.test_loading import refused


def hopper(tmp_path, arrays, without=(), **options):
    """Loads the columns but those left out, under a name whose bounds are known."""
    rest = {key: values for key, values in arrays.items() if key not in without}
    return load(logs.write_hdf5(tmp_path / "hopper.hdf5", rest), **options)


def test_terminal_wins_over_timeout(tmp_path):
    arrays = logs.columns()
    arrays["timeouts"][2] = True
    dataset = hopper(tmp_path, arrays)
    np.testing.assert_array_equal(dataset.timeouts, logs.columns()["timeouts"])
    assert dataset.terminals[2]
    assert "1 row is marked both" in dataset.notes[0]


def test_an_unfinished_last_episode_is_closed(tmp_path):
    arrays = logs.columns()
    arrays["terminals"][-1] = False
    dataset = hopper(tmp_path, arrays)
    assert dataset.timeouts[-1]
    assert dataset.episodes[-1] == slice(5, 9)
    assert "unfinished" in dataset.notes[0]


def test_no_timeouts_needs_a_horizon(tmp_path):
    arrays = logs.columns((3, 4), (True, True))
    del arrays["timeouts"]
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), "no timeouts", "horizon")
    dataset = hopper(tmp_path, arrays, horizon=2)
    np.testing.assert_array_equal(dataset.lengths, [2, 1, 2, 2])
    np.testing.assert_array_equal(np.flatnonzero(dataset.timeouts), [1, 4])
    assert "2 timeouts record the following row" in dataset.notes[0]


def test_no_end_at_all_needs_a_horizon(tmp_path):
    arrays = logs.columns((6,), (True,))
    arrays["terminals"][:] = False
    refused(logs.write_hdf5(tmp_path / "log.hdf5", arrays), "no row ends", "horizon")
    np.testing.assert_array_equal(hopper(tmp_path, arrays, horizon=3).lengths, [3, 3])
    np.testing.assert_array_equal(hopper(tmp_path, arrays, horizon=100).lengths, [6])


def test_a_horizon_adds_missing_timeouts_and_says_so(tmp_path):
    arrays = logs.columns((4, 2), (True, True))
    dataset = hopper(tmp_path, arrays, horizon=3)
    np.testing.assert_array_equal(dataset.lengths, [3, 1, 2])
    assert dataset.notes[0].startswith("1 timeout added")


@pytest.mark.parametrize("horizon", [0, -5])
def test_horizons_that_are_none(tmp_path, horizon):
    with pytest.raises(Exception, match="at least 1"):
        hopper(tmp_path, logs.columns(), horizon=horizon)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 8))
def test_no_episode_outlasts_the_horizon(tmp_path_factory, terminals, horizon):
    arrays = logs.columns((len(terminals),), (True,))
    arrays["terminals"] = np.array(terminals)
    dataset = hopper(tmp_path_factory.getbasetemp(), arrays, without=("timeouts",), horizon=horizon)
    assert dataset.lengths.max() <= horizon
    assert dataset.lengths.sum() == len(terminals)
    np.testing.assert_array_equal(dataset.terminals, terminals)
    cut = dataset.stops[~dataset.terminals[dataset.stops - 1]]
    lengths = dict(zip(dataset.stops, dataset.lengths, strict=True))
    assert all(lengths[stop] == horizon or stop == len(terminals) for stop in cut)


def test_without_next_observations_the_next_row_stands_in(tmp_path):
    arrays = logs.columns()
    dataset = hopper(tmp_path, arrays, without=("next_observations",))
    inside = [0, 1, 3, 5, 6, 7]
    np.testing.assert_array_equal(np.flatnonzero(dataset.usable), inside)
    np.testing.assert_array_equal(dataset.next_observations[inside], arrays["next_observations"][inside])
    assert np.isfinite(dataset.next_observations).all()
    assert "3 rows" in dataset.notes[0]
    assert "ALL 2 TERMINALS" in dataset.notes[0]
    for keep in (True, False):
        rows = dataset.transitions(keep)
        np.testing.assert_array_equal(rows.next_observation, arrays["next_observations"][inside])
        np.testing.assert_array_equal(rows.discount, np.ones(6))


def test_next_observations_taken_after_the_reset_are_not_learned_from(tmp_path):
    arrays = logs.columns()
    arrays["next_observations"][:-1] = arrays["observations"][1:]
    dataset = hopper(tmp_path, arrays)
    np.testing.assert_array_equal(np.flatnonzero(~dataset.usable), [4])
    assert [note[:10] for note in dataset.notes] == ["1 timeout ", "1 terminal"]


def test_shuffled_rows_are_said(tmp_path):
    order = np.random.default_rng(0).permutation(60)
    arrays = {key: values[order] for key, values in logs.columns((30, 30), (False, False)).items()}
    assert any("shuffled" in note for note in hopper(tmp_path, arrays).notes)
