"""Faults of sensors and actuators, on signals small enough to follow by hand."""

from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.errors import UserError
from micro_rl.robustness.signals import KINDS, Faulty, Interface, Units, alters
from micro_rl.simulation.envs import make

UNITS = Units(np.array([1.0, 10.0]), np.array([-1.0, -10.0]), np.array([1.0, 10.0]))
RAMP = [np.array([float(step), -float(step)]) for step in range(6)]


def played(fault: Interface, signal: list[np.ndarray] = RAMP, seed: int = 0) -> np.ndarray:
    begun = fault.about.begin(fault.amount, UNITS, np.random.default_rng(seed))
    return np.array([begun(value) for value in signal])


def test_a_late_sensor_shows_its_first_value_until_something_has_come_and_a_late_motor_rests():
    signal = [value + 5 for value in RAMP]
    begun = [
        Interface("observation", "delay", 2.0).about.begin(2.0, units, np.random.default_rng(0))
        for units in (UNITS._replace(low=np.full(2, -np.inf)), UNITS)
    ]
    assert [begun[0](value)[0] for value in signal] == [5, 5, 5, 6, 7, 8]
    assert [begun[1](value)[0] for value in signal] == [0, 0, 5, 6, 7, 8]


def test_a_lost_sample_is_the_last_one_again():
    observations = played(Interface("observation", "dropout", 0.5))[:, 0]
    assert all(
        now in (step, before)
        for step, (now, before) in enumerate(zip(observations, [0, *observations[:-1]], strict=True))
    )
    assert len(set(observations)) < 6
    assert played(Interface("observation", "dropout", 1.0))[:, 0].tolist() == [0] * 6


def test_one_channel_sticks():
    observations = played(Interface("observation", "stuck", 0.02))  # from step 2 on
    stuck = [channel for channel in (0, 1) if len(set(observations[2:, channel])) == 1]
    assert len(stuck) == 1
    assert np.array_equal(np.delete(observations, stuck[0], axis=1), np.delete(np.array(RAMP), stuck[0], axis=1))
    assert np.array_equal(observations[:2], np.array(RAMP[:2]))


def test_a_bias_is_of_one_size_and_stays():
    offset = played(Interface("observation", "bias", 0.5)) - np.array(RAMP)
    assert np.abs(offset[0]).tolist() == [0.5, 5.0]
    assert np.array_equal(offset, np.tile(offset[0], (6, 1)))


def test_noise_has_the_spread_it_is_told():
    still = [np.zeros(2)] * 4000
    noise = played(Interface("observation", "noise", 0.3), still)
    assert noise.std(0) == pytest.approx([0.3, 3.0], rel=0.05)


def test_values_are_rounded_to_steps_and_cut_to_the_range():
    signal = [np.array([0.26, -7.6])]
    assert played(Interface("action", "quantisation", 0.1), signal)[0] == pytest.approx([0.3, -8.0])
    assert played(Interface("action", "saturation", 0.5), signal)[0] == pytest.approx([0.26, -5.0])


def test_a_channel_that_the_log_never_saw_vary_is_not_rounded():
    fault = Interface("observation", "quantisation", 0.1)
    begun = fault.about.begin(0.1, UNITS._replace(scale=np.array([0.0, 1.0])), np.random.default_rng(0))
    assert begun(np.array([0.123, 0.123])) == pytest.approx([0.123, 0.1])


def test_random_actions_come_as_often_as_they_should():
    taken = played(Interface("action", "random", 0.25), [np.array([5.0, 5.0])] * 4000)
    drawn = taken[:, 0] != 5.0
    assert drawn.mean() == pytest.approx(0.25, abs=0.03)
    assert (np.abs(taken[drawn]) <= [1.0, 10.0]).all()


EVERY = [(signal, kind) for signal, kinds in KINDS.items() for kind in kinds]


@pytest.mark.parametrize(("signal", "kind"), EVERY)
def test_the_neutral_amount_changes_nothing(signal, kind: str):
    neutral = KINDS[signal][kind].neutral
    if neutral is not None:
        fault = Interface(signal, kind, neutral)
        assert fault.neutral
        inside = [np.clip(value, UNITS.low, UNITS.high) for value in RAMP]
        assert np.array_equal(played(fault, inside), np.array(inside))


@given(st.sampled_from(EVERY), st.integers(0, 1000))
def test_the_same_seed_gives_the_same_fault(which, seed: int):
    fault = Interface(which[0], which[1], 1.0)
    assert np.array_equal(played(fault, seed=seed), played(fault, seed=seed))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("observation", "dely", 1.0), "did you mean 'delay'"),
        (("observation", "delay", 0.5), "whole number"),
        (("action", "random", 1.5), "between 0 and 1"),
        (("observation", "noise", -1.0), "between 0 and inf"),
        (("observation", "noise", float("inf")), "must be a number"),
        (("observation", "delay", float("inf")), "between 0 and 10000"),
        (("reward", "noise", 1.0), "choose observation or action"),
    ],
)
def test_a_fault_that_there_is_not_is_refused(arguments, message: str):
    with pytest.raises(UserError, match=message):
        Interface(*arguments)


def test_an_episode_behind_a_late_sensor_and_a_late_motor():
    """Pendulum: what is seen at a step was true two steps before, and is moved by what was asked one step before."""
    faults = [Interface("observation", "delay", 2.0), Interface("action", "delay", 1.0)]
    with closing(make("Pendulum-v1")) as plain, closing(make("Pendulum-v1")) as other:
        faulty = Faulty(other, faults, np.ones(3), stream=0)
        actions = [np.array([torque], np.float32) for torque in (2.0, -2.0, 1.0, 0.5, 0.0)]
        carried_out = [np.zeros(1, np.float32), *actions[:-1]]
        true = [plain.reset(seed=3)[0]] + [plain.step(action)[0] for action in carried_out]
        observations = [faulty.reset(seed=3)[0]] + [faulty.step(action)[0] for action in actions]
    assert np.array_equal(observations, [true[0], true[0], *true[:-2]])


def test_a_fault_tells_whether_it_alters_a_signal():
    with closing(make("Pendulum-v1")) as env:
        still = np.zeros((5, 3))
        assert not alters(Interface("observation", "delay", 1.0), still, env, np.ones(3))
        assert alters(Interface("observation", "bias", 0.1), still, env, np.ones(3))
        still[:, 2] = np.arange(5)  # any other channel that sticks is not felt
        assert alters(Interface("observation", "stuck", 0.01), still, env, np.ones(3))
