"""Whether rewards stand beside their own row: the rows looked at, the regression, and what is suspicious."""

from dataclasses import replace

import numpy as np
import pytest

from micro_rl.data import Dataset
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


def controlled(late: int = 0, tried: float = 0.0) -> Dataset:
    """A level held at a set-point that jumps, by a controller that tries a little; actions stand `late` rows below."""
    random, rows, level = np.random.default_rng(0), [], 0.0
    for step in range(2000):
        wanted = random.uniform(-1, 1) if step % 40 == 0 else rows[-1][1]
        action = float(np.clip(wanted - level + tried * random.normal(), -1, 1))
        rows.append((level, wanted, action))
        level = 0.8 * level + 0.5 * action + 0.1 * random.normal()
    observations, actions = np.array(rows)[:, :2], np.roll(np.array(rows)[:, 2:], late, axis=0)
    exogenous = {"observation_names": ("level", "wanted"), "exogenous": ("wanted",)}
    return log(2000, observations=observations, actions=actions, timeouts=np.arange(2000) == 1999, **exogenous)


def test_actions_that_answer_their_own_row_are_not_called_shifted():
    """The next action explains this step, since it answers the observation that the step led to."""
    for tried in (0.0, 0.05):
        assert order.shifted(controlled(tried=tried)) == []


def test_actions_that_come_a_row_late_under_a_set_point():
    """What set-points do is no step of the system, and the column that actions move most is looked at."""
    measured = order.action_order(controlled(late=1, tried=0.4))
    assert measured is not None and measured.best == 1 and measured.suspicious


def test_a_column_that_echoes_actions_late_does_not_outvote_those_that_follow_them():
    own = controlled(tried=0.4)
    echo = np.roll(own.actions, 1, axis=0)
    observations = np.concatenate([own.observations, echo], axis=1)
    measured = order.action_order(
        log(2000, observations=observations, actions=own.actions, timeouts=np.arange(2000) == 1999)
    )
    assert measured is not None and measured.best == 0 and measured.column == "o0"


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
