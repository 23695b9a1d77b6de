"""The protocols that people use, complete and under their names; their sources: `docs/guides/robustness.md`."""

from collections.abc import Callable

import numpy as np

from micro_rl.errors import UserError, did_you_mean
from micro_rl.robustness import rfqi as of_rfqi
from micro_rl.robustness.cells import Axis, Change, Group, Protocol, attacks, grid, line, nominal
from micro_rl.robustness.parameters import Physics
from micro_rl.robustness.signals import Interface

MICRO_EPSILONS = np.linspace(0, 0.2, 10)
RORL_EPSILONS = np.linspace(0, 0.3, 7)
SA_RL_EPSILONS = {"hopper": 0.075, "walker2d": 0.05, "halfcheetah": 0.15}
BY_FRICTION = Axis("friction", tuple(np.linspace(0.5, 1.5, 10).tolist()))
BY_GRAVITY = Axis("gravity", tuple(np.linspace(0.5, 5, 10).tolist()))
ROBOTS = {"Hopper": "hopper", "HalfCheetah": "halfcheetah", "SafetyHalfCheetah": "halfcheetah", "Walker2d": "walker2d"}


def robot_of(env_id: str) -> str | None:
    """Which of the three robots a simulator's id means, whatever its version."""
    return ROBOTS.get(env_id.rpartition(":")[2].partition("-v")[0])


def protocol(name: str, env_id: str) -> Protocol:
    """The named protocol for a simulator.

    Args:
        name: One of `PROTOCOLS`.
        env_id: The simulator's id.

    Returns:
        The protocol, the nominal world first.

    Raises:
        UserError: There is none of that name, or none for this simulator.
    """
    if name not in PROTOCOLS:
        raise UserError(
            f"there is no protocol {name!r}{did_you_mean(name, PROTOCOLS)}; choose one of {', '.join(PROTOCOLS)}, "
            "or give the path of a TOML file"
        )
    return PROTOCOLS[name](env_id)


def _needs_robot(name: str, env_id: str, robots: tuple[str, ...] = ("hopper", "halfcheetah", "walker2d")) -> str:
    robot = robot_of(env_id)
    if robot not in robots:
        raise UserError(
            f"protocol {name} is defined for {', '.join(robots)}, not for '{env_id}': use micro or a TOML file"
        )
    return robot


def micro(env_id: str) -> Protocol:
    """MICRO's as its paper describes it (arXiv 2312.03991): friction of every geom by gravity, and attacks."""

    def world(friction: float, gravity: float) -> list[Change]:
        return [Physics("friction", friction), Physics("gravity", gravity)]

    return Protocol(
        "micro",
        "arXiv 2312.03991",
        (nominal(), grid("friction by gravity", (BY_FRICTION, BY_GRAVITY), world), *_micro_attacks()),
    )


def _micro_attacks() -> tuple[Group, ...]:
    return tuple(attacks(aim, MICRO_EPSILONS) for aim in ("random", "action difference", "min Q"))


def micro_as_released(env_id: str) -> Protocol:
    """What MICRO's released scripts changed in effect: only what the robot's XML spells out.

    The XML of hopper and walker2d names no gravity, so theirs stayed; hopper's names no friction for the floor, whose 1
    then counts where the foot's 2 k is less.
    """
    robot = _needs_robot("micro-as-released", env_id)
    written = {"hopper": ("torso_geom", "thigh_geom", "leg_geom", "foot_geom")}.get(robot, ())
    still = (
        "" if robot == "halfcheetah" else "gravity stays: the XML has none that the released script could have changed"
    )

    def world(friction: float, gravity: float) -> list[Change]:
        changes: list[Change] = [Physics("friction", friction, names=written)]
        return changes + ([] if still else [Physics("gravity", gravity)])

    return Protocol(
        "micro-as-released",
        "arXiv 2312.03991, released code",
        (nominal(), grid("friction by gravity", (BY_FRICTION, BY_GRAVITY), world, left_out=still), *_micro_attacks()),
    )


def rorl(env_id: str) -> Protocol:
    """RORL's attacks (arXiv 2206.02829): three aims, found by draws, by gradient, and by both."""
    forms = [attacks(aim, RORL_EPSILONS, form) for aim in ("action difference", "min Q") for form in _FORMS]
    return Protocol("rorl", "arXiv 2206.02829", (nominal(), attacks("random", RORL_EPSILONS), *forms))


_FORMS = ("zero-order", "gradient", "mixed")


def rrls(env_id: str) -> Protocol:
    """RRLS's grids (arXiv 2406.08406): floor friction, torso mass and thigh mass, set to ten values each.

    The floor alone is changed; below the feet's own friction that is not felt.
    """
    robot = _needs_robot("rrls", env_id)
    friction, torso, thigh, thigh_name, feet = {
        "hopper": (3.0, 3.0, 4.0, "thigh", 2.0),
        "halfcheetah": (4.0, 7.0, 3.0, "bthigh", 0.4),
        "walker2d": (4.0, 5.0, 6.0, "thigh", 0.9),
    }[robot]

    def values(most: float) -> tuple[float, ...]:
        return tuple(np.linspace(0.1, most, 10).tolist())

    def floor(value: float) -> list[Change]:
        return [Physics("friction", value, "set", ("floor",))]

    def weighed(body: str) -> Callable[[float], list[Change]]:
        return lambda value: [Physics("mass", value, "set", (body,))]

    def inert(value: float) -> str:
        return "floor friction below the feet's own is not felt" if value <= feet else ""

    return Protocol(
        "rrls",
        "arXiv 2406.08406",
        (
            nominal(),
            grid("floor friction", (Axis("friction", values(friction)),), floor, inert),
            grid("torso mass", (Axis("kg", values(torso)),), weighed("torso")),
            grid("thigh mass", (Axis("kg", values(thigh)),), weighed(thigh_name)),
            grid(
                "floor friction by torso mass",
                (Axis("friction", values(friction)), Axis("kg", values(torso))),
                lambda rough, kg: floor(rough) + weighed("torso")(kg),
                lambda rough, kg: inert(rough),
            ),
        ),
    )


def rfqi(env_id: str) -> Protocol:
    """RFQI's perturbations (arXiv 2208.05129) of hopper and halfcheetah, 20 episodes a cell."""
    robot = _needs_robot("rfqi", env_id, tuple(of_rfqi.GROUPS))
    return Protocol("rfqi", "arXiv 2208.05129", (nominal(), *of_rfqi.GROUPS[robot]()), episodes=20)


def industrial(env_id: str) -> Protocol:
    """What machines do to any policy: late, lost, wrong and coarse sensors; weak and late actuators."""

    def of(signal: str, kind: str, axis: str, *values: float) -> Group:
        def change(value: float) -> list[Change]:
            return [Interface(signal, kind, value)]

        return line(f"{signal} {kind}", axis, values, change)

    return Protocol(
        "industrial",
        "this project",
        (
            nominal(),
            of("observation", "delay", "steps", 1.0, 2.0, 3.0, 5.0),
            of("observation", "dropout", "probability", 0.05, 0.1, 0.2, 0.4),
            of("observation", "stuck", "hundreds of steps", 0.0, 0.5, 1.0),
            of("observation", "noise", "log's std", 0.01, 0.03, 0.1, 0.3),
            of("observation", "bias", "log's std", 0.03, 0.1, 0.3, 0.5),
            of("observation", "quantisation", "log's std", 0.03, 0.1, 0.3, 1.0),
            of("action", "delay", "steps", 1.0, 2.0, 3.0),
            of("action", "saturation", "range", 0.95, 0.9, 0.8, 0.6),
            of("action", "noise", "half range", 0.03, 0.1, 0.3),
        ),
    )


def sa_rl(env_id: str) -> Protocol:
    """SA-RL's attacks within an L-infinity ball of its epsilon on standardised observations (arXiv 2003.08938)."""
    epsilon = SA_RL_EPSILONS[_needs_robot("sa-rl", env_id)]
    return Protocol(
        "sa-rl",
        "arXiv 2003.08938, arXiv 2101.08452",
        (
            nominal(),
            attacks("random", [epsilon]),
            attacks("action difference", [epsilon], "gradient"),
            attacks("min Q", [epsilon], "gradient"),
            attacks("learned", [epsilon]),
        ),
    )


PROTOCOLS: dict[str, Callable[[str], Protocol]] = {
    "micro": micro,
    "micro-as-released": micro_as_released,
    "rorl": rorl,
    "sa-rl": sa_rl,
    "rrls": rrls,
    "rfqi": rfqi,
    "industrial": industrial,
}
"""By name; each is made for a simulator."""
