"""Raw units to core units and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from micro_rl.core.types import Scaling
from micro_rl.data import load
from micro_rl.data.log_parts import RawTransitions
from micro_rl.data.scaling import fit_scaling, to_core
from tests.data import logs


@pytest.fixture
def pendulum(tmp_path):
    arrays = logs.columns((40, 40), (False, False))
    for key in ("observations", "next_observations"):
        arrays[key] = arrays[key] * np.array([3, 1], np.float32) + np.array([5, 1e6], np.float32)
    arrays["actions"] = arrays["actions"] * 2
    return load(logs.write_hdf5(tmp_path / "log.hdf5", arrays, action_low=-2.0, action_high=2.0))


def test_standardised_by_hand(tmp_path):
    arrays = logs.columns((4,), (True,))
    arrays["observations"] = np.array([[0, 7], [2, 7], [4, 7], [6, 7]], np.float32)
    arrays["rewards"] = np.array([3, -3, 3, -3], np.float32)
    dataset = load(logs.write_hdf5(tmp_path / "log.hdf5", arrays), action_low=-1, action_high=3)
    scaling = fit_scaling(dataset, standardise=True, scale_reward=True)
    np.testing.assert_array_equal(scaling.observation_mean, [3, 7])
    np.testing.assert_allclose(scaling.observation_std, [np.sqrt(5), 1], rtol=1e-7)
    np.testing.assert_array_equal([scaling.action_mid, scaling.action_half], [[1], [2]])
    assert scaling.reward_scale == 3


def test_core_rows_are_standardised_even_beside_a_million(pendulum):
    rows = to_core(pendulum.transitions(True), fit_scaling(pendulum, True, True))
    np.testing.assert_allclose(np.mean(rows.observation, 0), 0, atol=0.05)
    np.testing.assert_allclose(np.std(rows.observation, 0), 1, atol=1e-4)
    assert np.sqrt(np.mean(np.square(rows.reward))) == pytest.approx(1, rel=1e-5)
    assert np.abs(rows.action).max() <= 1
    assert {part.dtype for part in rows} == {np.dtype(np.float32)}
    assert all(isinstance(part, np.ndarray) for part in rows)


def test_nothing_scaled_but_the_actions(pendulum):
    scaling = fit_scaling(pendulum, standardise=False, scale_reward=False)
    raw = pendulum.transitions(True)
    rows = to_core(raw, scaling)
    for core, plain in zip((rows.observation, *rows[2:]), (raw.observation, *raw[2:]), strict=True):
        np.testing.assert_array_equal(core, plain)
    np.testing.assert_array_equal(rows.action, raw.action / 2)


def test_rewards_that_are_all_zero(tmp_path):
    arrays = logs.columns() | {"rewards": np.zeros(9, np.float32)}
    dataset = load(logs.write_hdf5(tmp_path / "log.hdf5", arrays))
    assert fit_scaling(dataset, True, True).reward_scale == 1


@pytest.mark.parametrize("value", [0, 0.1, 1e6, 1e-30, -3e38])
def test_a_constant_column_keeps_its_unit(tmp_path, value):
    arrays = logs.columns()
    arrays["observations"][:, 0] = value
    scaling = fit_scaling(load(logs.write_hdf5(tmp_path / "log.hdf5", arrays)), True, True)
    assert scaling.observation_std[0] == 1
    assert scaling.observation_mean[0] == np.float32(value)


def test_a_bound_never_maps_past_one():
    low, high = np.array([-0.1, -1e-3], np.float32), np.array([0.3, 7.7], np.float32)
    scaling = Scaling(np.zeros(1), np.ones(1), np.add(high, low) / 2, np.subtract(high, low) / 2, np.ones(()))
    ones = np.ones((2, 1), np.float32)
    core = to_core(RawTransitions(ones, np.stack([low, high]), ones[:, 0], ones, ones[:, 0]), scaling)
    np.testing.assert_allclose(core.action, [[-1, -1], [1, 1]], atol=1e-6)
    assert np.abs(core.action).max() <= 1


FINITE = st.floats(-1e6, 1e6, width=32)


@given(
    hnp.arrays(np.float32, (5, 3), elements=FINITE),
    hnp.arrays(np.float32, 3, elements=FINITE),
    hnp.arrays(np.float32, 3, elements=st.floats(2**-10, 1024, width=32)),
)
def test_round_trip(observation, mean, std):
    scaling = Scaling(mean, std, np.zeros(2), np.ones(2), np.array(4))
    ones = np.ones(5, np.float32)
    core = to_core(RawTransitions(observation, np.zeros((5, 2), np.float32), ones, observation, ones), scaling)
    back = np.asarray(core.observation, np.float64) * std + mean
    np.testing.assert_allclose(back, observation, rtol=1e-6, atol=1e-6 * (np.abs(mean).max() + 1))
    np.testing.assert_array_equal(core.reward, ones / 4)
