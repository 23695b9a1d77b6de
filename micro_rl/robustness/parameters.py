"""Changes of a simulator's physics, in memory: a copy of the MuJoCo model with other masses, frictions, springs.

No installed file is touched, and the simulator's own model is left as it is: `changed` gives the copy that takes its
place.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NamedTuple

import numpy as np

from micro_rl.errors import UserError, did_you_mean
from micro_rl.simulation.envs import Env

NO_PHYSICS = ": use a protocol without physics, such as industrial"
Model = Any
"""`mujoco.MjModel`; MuJoCo is imported where it is used, since it takes half a second."""


class Parameter(NamedTuple):
    """Where a quantity stands in a MuJoCo model.

    `values` is a view of it, one row an object; `objects` says whose names the rows have; `derived`: other constants of
    the model follow from it and are computed anew, as MuJoCo's compiler does.
    """

    meaning: str
    values: Callable[[Model], np.ndarray]
    objects: Literal["body", "geom", "joint", "dof", "position", "actuator", "world"]
    derived: bool = False


PARAMETERS = {
    "mass": Parameter("mass of a body, kg", lambda m: m.body_mass, "body", derived=True),
    "inertia": Parameter("moments of inertia of a body, kg m^2", lambda m: m.body_inertia, "body", derived=True),
    "friction": Parameter("sliding friction of a geom", lambda m: m.geom_friction[:, 0], "geom"),
    "torsional-friction": Parameter("torsional friction of a geom, m", lambda m: m.geom_friction[:, 1], "geom"),
    "rolling-friction": Parameter("rolling friction of a geom, m", lambda m: m.geom_friction[:, 2], "geom"),
    "gravity": Parameter("gravity along z, m/s^2", lambda m: m.opt.gravity[2:], "world"),
    "damping": Parameter("viscous damping of a joint", lambda m: m.dof_damping, "dof"),
    "friction-loss": Parameter("dry friction of a joint", lambda m: m.dof_frictionloss, "dof"),
    "armature": Parameter("rotor inertia of a joint", lambda m: m.dof_armature, "dof", derived=True),
    "stiffness": Parameter("spring stiffness of a joint", lambda m: m.jnt_stiffness, "joint"),
    "spring-reference": Parameter("where a joint's spring rests", lambda m: m.qpos_spring, "position"),
    "gain": Parameter("force of an actuator for a control of 1", lambda m: m.actuator_gainprm[:, 0], "actuator"),
    "control-range": Parameter("controls that an actuator obeys", lambda m: m.actuator_ctrlrange, "actuator"),
}
"""By the name that protocols use."""


@dataclass(frozen=True)
class Physics:
    """One change: `amount` times the parameter, in its place, or added to it, for the named objects or for all.

    A control range is set to ± `amount`, and adding to it moves both of its ends outwards.
    """

    parameter: str
    amount: float
    how: str = "scale"
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises `UserError` for an unknown parameter or way, or an amount that is no number."""
        if self.parameter not in PARAMETERS:
            near = did_you_mean(self.parameter, PARAMETERS)
            raise UserError(f"there is no parameter {self.parameter!r}{near}; choose one of {', '.join(PARAMETERS)}")
        if self.how not in ("scale", "set", "add"):
            raise UserError(f"{self.parameter}: how is {self.how!r}; choose scale, set or add")
        if not np.isfinite(self.amount):
            raise UserError(f"{self.parameter}: {self.amount} is not a finite number")

    @property
    def neutral(self) -> bool:
        """Whether it is no change by its own meaning, such as a scale of 1."""
        return (self.how, self.amount) in (("scale", 1.0), ("add", 0.0))

    def __str__(self) -> str:
        of = f" of {', '.join(self.names)}" if self.names else ""
        sign = {"scale": "x ", "set": "= ", "add": "+ "}[self.how]
        return f"{self.parameter}{of} {sign}{self.amount:g}"


def changed(env: Env, changes: Sequence[Physics]) -> Model:
    """A copy of the simulator's model with the changes made, in their order.

    Raises `UserError` where the simulator has no MuJoCo model or no object of a name, or values would be impossible.
    """
    mujoco: Any = import_module("mujoco")  # its functions are unknown to type checkers
    model = copy.copy(model_of(env))
    for change in changes:
        _make(model, change)
    if any(PARAMETERS[change.parameter].derived for change in changes):
        mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def model_of(env: Env, purpose: str = "physics can be changed", remedy: str = NO_PHYSICS) -> Model:
    """The simulator's MuJoCo model; `UserError` where it has none: for what, and with the remedy."""
    model = getattr(env.unwrapped, "model", None)
    if not hasattr(model, "geom_friction"):
        raise UserError(f"{purpose} in simulators on MuJoCo only, and this one has no MuJoCo model{remedy}")
    return model


def sets_own(env: Env, change: Physics) -> bool:
    """Whether it sets what the simulator's own model has already."""
    values = PARAMETERS[change.parameter].values
    return change.how == "set" and np.array_equal(values(model_of(env)), values(changed(env, [change])))


def _make(model: Model, change: Physics) -> None:
    parameter = PARAMETERS[change.parameter]
    values, rows = parameter.values(model), rows_of(model, parameter, change.names)
    is_range = change.parameter == "control-range"
    if is_range and not model.actuator_ctrllimited[rows].all():
        raise UserError("control-range: an actuator has no control range to change; name others")
    before = values[rows]
    amount = np.array([-1.0, 1.0]) * change.amount if is_range else change.amount
    with np.errstate(over="ignore"):
        if change.how == "set":
            values[rows] = amount
        elif change.how == "scale":
            values[rows] *= change.amount
        else:
            values[rows] += amount
    _check_possible(change, before, values[rows])


def _check_possible(change: Physics, before: np.ndarray, values: np.ndarray) -> None:
    """Raises `UserError` for what no system has, and what MuJoCo cannot simulate."""
    if not np.isfinite(values).all():
        raise UserError(f"{change}: makes a {change.parameter} that is too large for any number")
    if change.parameter == "control-range" and (values[:, 0] > values[:, 1]).any():
        raise UserError(f"{change}: leaves an actuator no controls, the lowest would be above the highest")
    never_negative = change.parameter not in ("gravity", "spring-reference", "control-range", "gain")
    if never_negative and (values < 0).any():
        raise UserError(f"{change}: makes a negative {change.parameter}, which no system has")
    if change.parameter == "mass" and ((before > 0) & (values == 0)).any():
        raise UserError(f"{change}: leaves a body without mass, which MuJoCo cannot simulate")


def rows_of(model: Model, parameter: Parameter, names: Sequence[str]) -> np.ndarray:
    """Rows of the parameter that belong to the named objects; all of them where there are no names."""
    if parameter.objects == "world":
        if names:
            raise UserError(f"{parameter.meaning}: belongs to the whole world; leave names out")
        return np.arange(1)
    if not names:
        return np.arange(len(parameter.values(model)))
    return np.concatenate([_rows_of_name(model, parameter, name) for name in names])


def _rows_of_name(model: Model, parameter: Parameter, name: str) -> np.ndarray:
    """A joint has one row or several: as many as it has degrees of freedom or positions."""
    kind = "joint" if parameter.objects in ("dof", "position") else parameter.objects
    count = {"body": "nbody", "geom": "ngeom", "joint": "njnt", "actuator": "nu"}[kind]
    known = [getattr(model, kind)(index).name for index in range(getattr(model, count))]
    if name not in known:
        raise UserError(f"the simulator has no {kind} {name!r}{did_you_mean(name, known)}; it has {', '.join(known)}")
    index = known.index(name)
    if parameter.objects == "dof":
        return np.flatnonzero(model.dof_jntid == index)
    if parameter.objects == "position":
        ends = np.append(model.jnt_qposadr, model.nq)
        return np.arange(ends[index], ends[index + 1])
    return np.array([index])
