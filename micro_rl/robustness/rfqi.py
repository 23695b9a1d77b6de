"""What RFQI's evaluation script changes (arXiv 2208.05129, `eval_rfqi.py`), one thing at a time."""

from collections.abc import Callable

import numpy as np

from micro_rl.robustness.cells import Change, Group, line
from micro_rl.robustness.parameters import Physics
from micro_rl.robustness.signals import Interface

Changes = Callable[[float], list[Change]]
FRONT, BACK = ("fthigh", "fshin", "ffoot"), ("bthigh", "bshin", "bfoot")
LEG = ("thigh_joint", "leg_joint", "foot_joint")
DRY_FRICTION = (0.0, 1.0, 2.0, 3.0, 4.0)


def hopper() -> list[Group]:
    """Its springs rest at 2 rad, as in the authors' evaluation; at stiffness 0 that is not felt."""

    def spring(joint: str) -> Changes:
        def changes(value: float) -> list[Change]:
            if value == 0:
                return []
            return [Physics("stiffness", value, "set", (joint,)), Physics("spring-reference", 2.0, "set", (joint,))]

        return changes

    return [
        line("gravity", "change", np.arange(-0.5, -0.04, 0.05), _more("gravity")),
        line("thigh joint stiffness", "stiffness", np.arange(0, 30.1, 2.5), spring("thigh_joint")),
        line("leg joint stiffness", "stiffness", np.arange(0, 55.1, 5), spring("leg_joint")),
        line("foot joint stiffness", "stiffness", np.arange(0, 22.6, 2.5), spring("foot_joint")),
        line("control range", "range", np.arange(0.85, 1.01, 0.025), _range()),
        line("joint damping", "change", np.arange(0, 1.01, 0.1), _more("damping", LEG)),
        line("joint friction", "friction loss", DRY_FRICTION, _dry(LEG)),
        line("random actions", "probability", np.arange(0, 0.41, 0.05), _random),
    ]


def halfcheetah() -> list[Group]:
    """The back range is varied as the script means to; what it does is to vary the front one twice."""
    return [
        line("gravity", "change", np.arange(-0.99, -0.08, 0.1), _more("gravity")),
        line("front joint stiffness", "change", np.arange(0, 0.76, 0.05), _more("stiffness", FRONT)),
        line("back joint stiffness", "change", np.arange(0, 0.76, 0.05), _more("stiffness", BACK)),
        line("front control range", "range", np.arange(0.3, 1.01, 0.1), _range(FRONT)),
        line("back control range", "range", np.arange(0.3, 1.01, 0.1), _range(BACK)),
        line("joint damping", "change", np.arange(-0.5, 0.51, 0.05), _more("damping", FRONT + BACK)),
        line("joint friction", "friction loss", DRY_FRICTION, _dry(FRONT + BACK)),
        line("random actions", "probability", np.arange(0, 1.01, 0.1), _random),
    ]


def _more(parameter: str, names: tuple[str, ...] = ()) -> Changes:
    """By that fraction of itself."""
    return lambda fraction: [Physics(parameter, 1 + fraction, names=names)]


def _range(names: tuple[str, ...] = ()) -> Changes:
    """All of these robots' ranges are ± 1."""
    return lambda most: [Physics("control-range", most, names=names)]


def _dry(joints: tuple[str, ...]) -> Changes:
    """These robots' joints have none."""
    return lambda loss: [Physics("friction-loss", loss, "set", joints)] if loss else []


def _random(probability: float) -> list[Change]:
    return [Interface("action", "random", probability)]


GROUPS = {"hopper": hopper, "halfcheetah": halfcheetah}
"""By robot."""
