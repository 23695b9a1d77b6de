"""Worlds as cells change them: felt, undone, and at nothing changed the simulator's own to the bit."""

import gc
import os
from contextlib import closing
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.robustness.cells import Cell
from micro_rl.robustness.parameters import Physics, model_of
from micro_rl.robustness.protocols import PROTOCOLS, protocol
from micro_rl.robustness.signals import Interface
from micro_rl.robustness.substeps import ActuatorDelay
from micro_rl.robustness.worlds import unfelt, world
from micro_rl.simulation.envs import Env, make

ROBOTS = ("Hopper-v4", "HalfCheetah-v4", "Walker2d-v4")


def steps_of(env: Env, count: int = 20) -> np.ndarray:
    random, observations = np.random.default_rng(0), [env.reset(seed=5)[0]]
    for _ in range(count):
        observations.append(env.step(random.uniform(-1, 1, env.action_space.shape).astype(np.float32))[0])
    return np.array(observations)


def trace(env: Env, *changes) -> np.ndarray:
    with world([env], changes, np.ones(env.observation_space.shape[0]), 0) as simulators:  # pyright: ignore[reportOptionalSubscript]
        return steps_of(simulators.members[0])


def simulators_of(env_id: str) -> list[tuple[str, str]]:
    return [(env_id, name) for name in PROTOCOLS if (name, env_id) != ("rfqi", "Walker2d-v4")]


@pytest.mark.parametrize(("env_id", "name"), [pair for env_id in ROBOTS for pair in simulators_of(env_id)])
def test_the_corners_of_every_protocol_change_a_step_or_are_declared_inert(env_id: str, name: str):
    check(env_id, name, lambda cells: [cells[0], cells[-1]])


@pytest.mark.slow
@pytest.mark.parametrize(("env_id", "name"), [pair for env_id in ROBOTS for pair in simulators_of(env_id)])
def test_every_cell_of_every_protocol_changes_a_step_or_is_declared_inert(env_id: str, name: str):
    check(env_id, name, lambda cells: cells)


def check(env_id: str, name: str, chosen) -> None:
    """Inert are the cells that their source says are, and no others."""
    with closing(make(env_id)) as env:
        size = env.observation_space.shape[0]  # pyright: ignore[reportOptionalSubscript]
        for group in protocol(name, env_id).groups:
            for cell in chosen(list(group.cells)):
                remark = unfelt(env, cell, np.ones(size))
                if name == "rrls" and "friction" in cell.coordinates:
                    feet = {"Hopper-v4": 2.0, "HalfCheetah-v4": 0.4, "Walker2d-v4": 0.9}[env_id]
                    assert ("does nothing" in remark) == (cell.coordinates["friction"] <= feet)
                elif name == "micro-as-released" and group.axes and len(group.axes) == 2:
                    assert ("gravity stays" in remark) == (env_id != "HalfCheetah-v4")
                    assert "does nothing" not in remark
                else:
                    assert remark == ""


def test_nothing_changed_is_the_simulator_itself_to_the_bit():
    neutral = (Physics("mass", 1.0), Interface("observation", "noise", 0.0), ActuatorDelay(0))
    with closing(make("Walker2d-v4")) as env, closing(make("Walker2d-v4")) as untouched:
        assert np.array_equal(trace(env, *neutral), steps_of(untouched))
        trace(env, Physics("mass", 2.0), Interface("action", "delay", 1.0), ActuatorDelay(3))
        assert np.array_equal(trace(env), steps_of(untouched))


def test_changes_compose():
    with closing(make("Hopper-v4")) as env:
        both = trace(env, Physics("gravity", 2.0), Interface("observation", "bias", 0.1))
        alone = trace(env, Physics("gravity", 2.0))
        assert np.abs(both - alone) == pytest.approx(np.full_like(both, 0.1))


def test_a_delay_of_a_whole_step_is_the_same_in_substeps_and_in_steps():
    """Hopper has four substeps. Before the first control the motors rest, which that control, 0, hides here."""
    with closing(make("Hopper-v4")) as env:
        quiet = [np.zeros(3, np.float32), *(np.full(3, 0.3 * (-1) ** step, np.float32) for step in range(5))]

        def observations(*changes) -> list:
            with world([env], changes, np.ones(11), 0) as simulators:
                member = simulators.members[0]
                return [member.reset(seed=1)[0]] + [member.step(action)[0] for action in quiet]

        assert np.array_equal(observations(ActuatorDelay(4)), observations(Interface("action", "delay", 1.0)))
        assert not np.array_equal(observations(ActuatorDelay(2)), observations())
        assert np.array_equal(observations(ActuatorDelay(0)), observations())


@pytest.mark.parametrize("substeps", [-1, 1.5, float("inf"), 1e9])
def test_an_actuator_delay_is_a_whole_number_of_steps(substeps: float):
    with pytest.raises(UserError, match="give a whole number of the simulator's own steps, 0 to 10000"):
        ActuatorDelay(substeps)


def test_an_inert_change_is_an_error_with_its_reason_unless_declared():
    inert = Cell("spring", {}, (Physics("stiffness", 2.0, names=("thigh_joint",)),))
    with closing(make("Hopper-v4")) as env:
        with pytest.raises(UserError, match=r"stiffness of thigh_joint x 2 changes nothing .* may be 0"):
            unfelt(env, inert, np.ones(11))
        declared = Cell("spring", {}, inert.changes, may_be_inert="hopper has no springs")
        assert unfelt(env, declared, np.ones(11)) == "stiffness of thigh_joint x 2 does nothing: hopper has no springs"


def test_what_is_set_to_the_simulators_own_value_is_the_nominal_world():
    """Hopper's floor has a friction of 1; of two surfaces the larger counts, and its foot's is 2."""
    with closing(make("Hopper-v4")) as env:
        mass = float(model_of(env).body("torso").mass[0])
        for change in (Physics("mass", mass, "set", ("torso",)), Physics("friction", 1.0, "set", ("floor",))):
            assert unfelt(env, Cell("own", {}, (change,)), np.ones(11)) == ""
        with pytest.raises(UserError, match=r"friction of floor = 0.5 changes nothing"):
            unfelt(env, Cell("smooth", {}, (Physics("friction", 0.5, "set", ("floor",)),)), np.ones(11))


def test_a_fault_that_is_too_small_to_see_is_an_error():
    late = Cell("late", {}, (Interface("action", "saturation", 0.999),))
    with closing(make("Hopper-v4")) as env:
        assert unfelt(env, late, np.ones(11)) == ""
        with pytest.raises(UserError, match="never touched"):
            unfelt(env, Cell("small", {}, (Interface("observation", "noise", 1e-300),)), np.ones(11))


def test_a_sensor_that_sticks_late_is_felt_where_episodes_last_so_long():
    with closing(make("HalfCheetah-v4")) as env:
        assert unfelt(env, Cell("late", {}, (Interface("observation", "stuck", 3.0),)), np.ones(17)) == ""
        with pytest.raises(
            UserError, match=r"nothing in 1000 steps of HalfCheetah-v4: it begins after 1100; leave it out"
        ):
            unfelt(env, Cell("later", {}, (Interface("observation", "stuck", 11.0),)), np.ones(17))


def test_no_installed_file_is_touched_and_many_worlds_leave_nothing_behind():
    assets = Path(gymnasium.__file__).parent / "envs/mujoco/assets"
    before = {path: path.stat().st_mtime_ns for path in assets.iterdir()}
    with closing(make("HalfCheetah-v4")) as env:
        own = model_of(env)

        def many(count: int) -> int:
            for number in range(count):
                changes = [Physics("mass", 1 + number / 1000), Interface("action", "noise", 0.1)]
                with world([env], changes, np.ones(17), 0):
                    pass
            gc.collect()
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        used, handles = many(100), len(os.listdir("/proc/self/fd"))  # in this order: what others left is collected
        assert many(2000) - used < 20e6
        assert len(os.listdir("/proc/self/fd")) == handles
        assert model_of(env) is own
    assert {path: path.stat().st_mtime_ns for path in assets.iterdir()} == before
