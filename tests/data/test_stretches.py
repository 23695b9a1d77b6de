"""Windows of one length in a log of three episodes, every figure worked out by hand."""

import numpy as np
import pytest

from micro_rl.data.dataset import Dataset
from micro_rl.data.stretches import all_alike, stretches


def log() -> Dataset:
    """Episodes of 3, 5 and 2 rows: terminal, timeout, terminal; the reward of row i is 2**i, so each sum is its own."""
    observations = np.arange(10.0)[:, None]
    return Dataset.from_arrays(
        observations,
        np.zeros((10, 1)),
        2.0 ** np.arange(10),
        terminals=np.isin(np.arange(10), [2, 9]),
        timeouts=np.arange(10) == 7,
        next_observations=observations + 1 + 100 * np.isin(np.arange(10), [2, 7]).astype(float)[:, None],
    )


@pytest.mark.parametrize(
    ("length", "starts", "returns", "last", "disjoint"),
    [
        (1, range(10), 2 ** np.arange(10), range(10), 10),
        (2, [0, 1, 2, 3, 4, 5, 6, 8, 9], [3, 6, 4, 24, 48, 96, 192, 768, 512], [1, 2, 2, 4, 5, 6, 7, 9, 9], 5),
        (4, [0, 1, 2, 3, 4, 8, 9], [7, 6, 4, 120, 240, 768, 512], [2, 2, 2, 6, 7, 9, 9], 3),
        (6, [0, 1, 2, 8, 9], [7, 6, 4, 768, 512], [2, 2, 2, 9, 9], 2),
    ],
)
def test_every_window(length, starts, returns, last, disjoint):
    windows = stretches(log(), length)
    assert (windows.length, windows.disjoint) == (length, disjoint)
    assert windows.starts.tolist() == list(starts)
    assert windows.returns.tolist() == list(returns)
    assert (windows.stops - 1).tolist() == list(last)
    rows, there = windows.rows()
    assert rows.tolist() == [
        [min(start + step, end) for step in range(length)] for start, end in zip(starts, last, strict=True)
    ]
    assert there.tolist() == [
        [start + step <= end for step in range(length)] for start, end in zip(starts, last, strict=True)
    ]
    assert windows.mean_deviation == pytest.approx(np.std(returns) / np.sqrt(disjoint - 1))


def test_some_of_them():
    windows = stretches(log(), 2)
    assert windows.evenly(3).starts.tolist() == [0, 4, 9]
    assert windows.evenly(3).disjoint == 3  # of five
    assert windows.of(windows.starts < 3).sample(np.arange(3)).disjoint == 2  # neighbours stand for what there is
    assert windows.evenly(100).starts.tolist() == windows.starts.tolist()
    single = windows.of(windows.starts == 3)
    assert (single.length, single.returns.tolist(), single.disjoint) == (2, [24.0], 1)
    assert windows.of(np.arange(2)).mean_deviation == 1.5  # of one that does not overlap, as of two
    nothing = windows.of(np.zeros(9, bool))
    assert (len(nothing.starts), nothing.disjoint, nothing.of(np.zeros(0, bool)).disjoint) == (0, 0, 0)


def test_a_break_inside_an_episode_ends_a_window():
    observations = np.arange(6.0)[:, None]
    after = observations + 1
    after[2] = 50
    whole = Dataset.from_arrays(
        observations, np.zeros((6, 1)), np.ones(6), timeouts=np.arange(6) == 5, next_observations=after
    )
    assert stretches(whole, 3).starts.tolist() == [0, 3]
    assert stretches(whole, 3).disjoint == 2


@pytest.mark.parametrize(
    ("reward", "terminates", "alike"), [(1.0, False, True), (1.0, True, False), (0.0, True, True), (0.0, False, True)]
)
def test_one_reward_for_every_step_is_something_to_learn_from_where_episodes_terminate(reward, terminates, alike):
    ends, steps = np.arange(6) == 5, np.arange(6.0)[:, None]
    whole = Dataset.from_arrays(
        steps, np.zeros((6, 1)), np.full(6, reward), ends & terminates, ends & (not terminates), steps + 1
    )
    assert all_alike(whole) == alike


def test_a_length_is_one_at_least():
    with pytest.raises(ValueError, match=r"^length must be 1 or more, not 0$"):
        stretches(log(), 0)
