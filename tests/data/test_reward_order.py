"""Whether rewards stand beside their own row: the rows looked at, the regression, and what is suspicious."""

from dataclasses import replace

import numpy as np
import pytest

from micro_rl.data.checks import order, regression
from tests.data.noise import log


def test_rows_whose_neighbours_are_of_their_episode(monkeypatch):
    ends = np.isin(np.arange(16), [6, 9, 15])
    whole = log(16, timeouts=ends)
    usable = np.arange(16) != 4
    assert order._inner_rows(replace(whole, usable=usable)).tolist() == [2, 3, 12, 13]
    monkeypatch.setattr(order, "ROWS", 3)
    some = order._inner_rows(replace(whole, usable=usable)).tolist()
    assert some == np.sort(np.random.default_rng(0).choice([2, 3, 12, 13], 3, replace=False)).tolist()
    monkeypatch.setattr(order, "ROWS", 4)
    assert len(order._inner_rows(replace(whole, usable=usable))) == 4


@pytest.mark.parametrize(("moved", "suspicious"), [(1, True), (-2, False)])
def test_a_reward_of_an_observation_that_two_rows_know(moved, suspicious):
    """Each row has the reward of the observation above, as no log should; or of the one two rows below."""
    rows = 320
    observations = np.random.default_rng(1).uniform(-1, 1, (rows, 1))
    rewards = np.roll(observations[:, 0], moved)
    measured = order.reward_order(
        log(rows, observations=observations, rewards=rewards, timeouts=np.arange(rows) == rows - 1)
    )
    assert measured is not None
    assert (measured.best, measured.suspicious) == (moved, suspicious)
    assert max(measured.explained) > 0.95 and (measured.alone < 0.2) is suspicious


def test_a_ridge_that_bends():
    spread = np.array([[0.0, 7], [2, 7]])
    made = regression.features(spread)
    assert made.shape == (2, 1 + 1 + 1 + 200)
    np.testing.assert_allclose(made[:, :3], [[1, -1, 1], [1, 1, 1]])
    assert (made[:, 3:] >= 0).all() and (made[:, 3:] == 0).any()
    far = regression.features(np.append(np.zeros(99), 1.0)[:, None])
    assert far[:, 1].max() == 5
    assert regression.features(np.random.default_rng(0).normal(size=(40, 25))).shape == (40, 1 + 25 + 300 + 200)
    assert regression.features(np.random.default_rng(0).normal(size=(40, 24))).shape == (40, 1 + 24 + 300 + 200)
    line = np.array([[1.0, 0], [1, 1], [1, 2]])
    guessed = regression.predicted(line, line[:, 1:], np.array([[1.0, 1.5], [1, 5], [1, -5]]))
    np.testing.assert_allclose(guessed[:, 0], [1.5, 2, 0], atol=1e-3)
