"""A simulator from its id: the user's module imported, Gymnasium asked, and every refusal one line."""

import importlib
import os
import re
import sys
from typing import Any

import gymnasium

from micro_rl.errors import UserError
from micro_rl.simulation.guarded import OURS, guarded, reason

ANOTHER = "name another with --env"
KEPT_VERSION = "v4"
"""Of the robots on MuJoCo: Gymnasium has no older ones any more, and these are as D4RL's logs were made."""


def make_guarded(env_id: str, horizon: int | None, **options: Any) -> gymnasium.Env[Any, Any]:
    """Make a simulator by Gymnasium, from the registered spec: by id it warns that D4RL's -v4 robots have successors.

    Args:
        env_id: as the user typed it, perhaps with a module.
        horizon: the steps after which an episode is truncated, in place of the simulator's own limit.
        options: of its constructor.

    Raises:
        UserError: whatever the module, Gymnasium or the constructor raises, in one line.
    """
    module, _, name = env_id.rpartition(":")
    if module:
        import_typed(module, env_id)
    try:
        spec = gymnasium.spec(name)
        env = gymnasium.make(spec, max_episode_steps=horizon, disable_env_checker=True, **options)
    except OURS:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(_refusal(env_id, name, error)) from error
    try:
        return guarded(env, env_id)
    except UserError:
        env.close()
        raise


def import_typed(module: str, env_id: str) -> None:
    """Import a module that the user typed, from where Python looks and then from the working folder.

    The working folder stays where Python looks last, for what that module imports when it is used.

    Raises:
        UserError: where there is no such module, or its own code raises something.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    importlib.invalidate_caches()
    try:
        importlib.import_module(module)
    except OURS:
        raise
    except (Exception, SystemExit) as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}.")
        if absent or (isinstance(error, TypeError) and module.startswith(".")):
            raise UserError(
                f"no simulator '{env_id}': there is no module '{module}' in the working folder ({here}) nor where "
                f"Python looks; go to its folder, set PYTHONPATH, or {ANOTHER}"
            ) from None
        raise UserError(
            f"no simulator '{env_id}': importing '{module}' raised {reason(error)}; mend it, or {ANOTHER}"
        ) from error


def _refusal(env_id: str, name: str, error: BaseException) -> str:
    error = _original(error)
    robot = re.fullmatch(r"(\w+)-v[0-3]", name)
    if robot and (kept := f"{robot[1]}-{KEPT_VERSION}") in gymnasium.registry:
        return f"no simulator '{env_id}': Gymnasium has that version no more; use {kept} (--env {kept})"
    if isinstance(error, gymnasium.error.Error):
        text = str(error).strip().split("\n")[0].rstrip(".")
        return f"no simulator '{env_id}': {text}; {ANOTHER}"
    return f"simulator '{env_id}' cannot be made: {reason(error)}; mend it, or {ANOTHER}"


def _original(error: BaseException) -> BaseException:
    """What the constructor raised: Gymnasium raises it again with words of its own."""
    while error.__context__ is not None and " was raised from the environment creator for " in str(error):
        error = error.__context__
    return error
