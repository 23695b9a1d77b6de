"""Whether a simulation on MuJoCo broke down: it then warns, puts the robot back to its start and goes on."""

from importlib import import_module
from typing import Any

from micro_rl.simulation.envs import Env

BREAKDOWNS = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC")


def unstable(env: Env) -> bool:
    """Whether it did since the last reset; never where the simulator is not on MuJoCo."""
    simulator: Any = env.unwrapped
    if not _on_mujoco(env):
        return False
    mujoco: Any = import_module("mujoco")
    return any(simulator.data.warning[getattr(mujoco.mjtWarning, name)].number > 0 for name in BREAKDOWNS)


def warn_nowhere(env: Env) -> None:
    """Left alone, MuJoCo writes its warnings on the screen and to MUJOCO_LOG.TXT in the current folder."""
    if _on_mujoco(env):
        mujoco: Any = import_module("mujoco")
        mujoco.set_mju_user_warning(lambda text: None)


def _on_mujoco(env: Env) -> bool:
    return hasattr(getattr(env.unwrapped, "model", None), "geom_friction") and hasattr(env.unwrapped, "data")
