"""Changes of the physics, checked against what they must do to the model and to its motion."""

from contextlib import closing
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.robustness.parameters import PARAMETERS, Physics, changed, model_of
from micro_rl.simulation.envs import Env, make

mujoco: Any = import_module("mujoco")


@pytest.fixture(scope="module")
def hopper():
    with closing(make("Hopper-v4")) as env:
        yield env


def test_a_scale_multiplies_the_named_rows_of_a_copy(hopper: Env):
    model = changed(hopper, [Physics("mass", 2.0, names=("torso",)), Physics("friction", 0.5, names=("foot_geom",))])
    own = model_of(hopper)
    torso, foot = own.body("torso").id, own.geom("foot_geom").id
    assert model.body_mass[torso] == 2 * own.body_mass[torso]
    assert np.array_equal(np.delete(model.body_mass, torso), np.delete(own.body_mass, torso))
    assert (model.geom_friction[foot, 0], own.geom_friction[foot, 0]) == (1.0, 2.0)
    assert np.array_equal(model.geom_friction[:, 1:], own.geom_friction[:, 1:])


def test_what_follows_from_a_mass_is_computed_anew_as_by_the_compiler(hopper: Env):
    """Everything twice as heavy answers a force half as much: the constants that MuJoCo derives say so."""
    model, own = changed(hopper, [Physics(name, 2.0) for name in ("mass", "inertia", "armature")]), model_of(hopper)
    assert model.body_subtreemass[1] == pytest.approx(2 * own.body_subtreemass[1])
    assert model.dof_invweight0[:3] == pytest.approx(own.dof_invweight0[:3] / 2)
    assert np.array_equal(changed(hopper, [Physics("mass", 1.0)]).dof_invweight0, own.dof_invweight0)


def test_gravity_is_felt_as_an_acceleration(hopper: Env):
    """Thrown into the air with nothing touching, the centre of mass falls with the new g."""
    model = changed(hopper, [Physics("gravity", 3.0)])
    data = mujoco.MjData(model)
    data.qpos[1] = 10.0
    model.opt.timestep = 1e-4
    mujoco.mj_step(model, data, nstep=100)
    assert data.qvel[1] == pytest.approx(-3 * 9.81 * 0.01, rel=1e-3)


def test_amounts_are_set_and_added(hopper: Env):
    joint = model_of(hopper).joint("leg_joint")
    model = changed(
        hopper,
        [
            Physics("stiffness", 30.0, "set", ("leg_joint",)),
            Physics("spring-reference", 2.0, "set", ("leg_joint",)),
            Physics("damping", 0.5, "add", ("leg_joint",)),
            Physics("control-range", 0.85),
        ],
    )
    assert model.jnt_stiffness[joint.id] == 30.0
    assert model.qpos_spring[joint.qposadr[0]] == 2.0
    assert model.dof_damping[joint.dofadr[0]] == 1.5
    assert model.actuator_ctrlrange.tolist() == [[-0.85, 0.85]] * 3
    assert changed(hopper, [Physics("control-range", 0.5, "set")]).actuator_ctrlrange.tolist() == [[-0.5, 0.5]] * 3


def test_every_moment_of_inertia_is_set_and_a_range_grows_to_both_sides(hopper: Env):
    model = changed(hopper, [Physics("inertia", 0.1, "set", ("torso",)), Physics("control-range", 0.5, "add")])
    assert model.body_inertia[model_of(hopper).body("torso").id].tolist() == [0.1] * 3
    assert model.actuator_ctrlrange.tolist() == [[-1.5, 1.5]] * 3


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_can_be_scaled(hopper: Env, name: str):
    model = changed(hopper, [Physics(name, 1.5)])
    values = PARAMETERS[name].values
    assert values(model) == pytest.approx(1.5 * values(model_of(hopper)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: Physics("masss", 1.0), "did you mean 'mass'"),
        (lambda: Physics("mass", float("nan")), "not a finite number"),
        (lambda: Physics("mass", 1.0, "multiply"), "choose scale, set or add"),
    ],
)
def test_a_change_that_there_is_not_is_refused(change, message: str):
    with pytest.raises(UserError, match=message):
        change()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Physics("mass", 1.5, names=("tors",)), r"no body 'tors' \(did you mean 'torso'\?\)"),
        (Physics("mass", -1.0, "set", ("torso",)), "negative mass"),
        (Physics("mass", 0.0, "set", ("torso",)), "without mass"),
        (Physics("mass", 0.0), "without mass"),
        (Physics("mass", 1e308), "too large"),
        (Physics("control-range", -1.0), "no controls"),
        (Physics("gravity", 2.0, names=("torso",)), "whole world"),
    ],
)
def test_a_change_that_this_simulator_cannot_have_is_refused(hopper: Env, change: Physics, message: str):
    with pytest.raises(UserError, match=message):
        changed(hopper, [change])


def test_a_simulator_without_mujoco_says_so():
    with closing(make("Pendulum-v1")) as env, pytest.raises(UserError, match="no MuJoCo model"):
        changed(env, [Physics("mass", 2.0)])
