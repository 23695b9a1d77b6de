"""Simulators given as objects in Python: an instance, or what makes one; elsewhere they go by a name, as ids do."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gymnasium
from gymnasium.wrappers import TimeLimit

from micro_rl.errors import UserError
from micro_rl.simulation.guarded import OURS, guarded, reason

Env = gymnasium.Env[Any, Any]
EnvLike = str | Env | Callable[[], Env]
"""An id, a simulator, or a function or class that makes one."""

MARK = " (from Python)"
"""Ends the names of simulators that were objects."""
_FACTORIES: dict[str, Callable[[], Env]] = {}


def name_of(env: EnvLike) -> str:
    """Name a simulator; an object is remembered by that name until another one of the same name is given.

    Args:
        env: an id, which is its own name; an instance, of which copies are made, so that it is never stepped itself;
            or a function or class that makes one.

    Raises:
        UserError: where it is none of these, or an instance cannot be copied.
    """
    if isinstance(env, str):
        return env
    if isinstance(env, gymnasium.Env):
        called, factory = env.spec.id if env.spec else type(env.unwrapped).__name__, _copies(env)
    elif callable(env):
        called, factory = _called(env), env
    else:
        raise UserError(f"env: {env!r:.60} is no simulator: give an id, a gymnasium.Env, or a function that makes one")
    _FACTORIES[called + MARK] = factory
    return called + MARK


def is_object(name: str | None) -> bool:
    """Whether that is the name of an object, from which nothing can be made in another process."""
    return name is not None and name.endswith(MARK)


def make_object(name: str, horizon: int | None) -> Env:
    """Make a simulator that was given as an object.

    Args:
        name: as `name_of` gave it.
        horizon: the steps after which an episode is truncated, in place of the simulator's own limit.

    Raises:
        UserError: where none of that name was given in this process, or its maker fails.
    """
    if name not in _FACTORIES:
        raise UserError(
            f"simulator '{name}' was an object in Python: give it there again (env=...), or name one by its id (--env)"
        )
    try:
        env = _FACTORIES[name]()
    except OURS:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(f"simulator '{name}' cannot be made: {reason(error)}; mend it, or name another") from error
    if not isinstance(env, gymnasium.Env):
        raise UserError(f"simulator '{name}': {type(env).__name__} is no gymnasium.Env; let the function return one")
    return guarded(_limited(env, horizon), name)


def time_limit(env: Env) -> int | None:
    """Find the steps after which a simulator truncates its episodes; None where it never does."""
    counter = _counter(env)
    if counter is not None:
        return counter._max_episode_steps
    return env.spec.max_episode_steps if env.spec else None


def factories(names: Iterable[str]) -> dict[str, Callable[[], Env]]:
    """Give the makers of those simulators that are objects, for another process, which `remember`s them."""
    return {name: _FACTORIES[name] for name in names if name in _FACTORIES}


def remember(makers: Mapping[str, Callable[[], Env]]) -> None:
    """Take over the makers of simulators from another process."""
    _FACTORIES.update(makers)


class _Copies:
    """Makes copies of a simulator as it was given."""

    def __init__(self, env: Env):
        self._env = copy.deepcopy(env)

    def __call__(self) -> Env:
        return copy.deepcopy(self._env)


def _copies(env: Env) -> Callable[[], Env]:
    try:
        return _Copies(env)
    except Exception as error:  # whatever its parts raise
        raise UserError(
            f"env: {type(env.unwrapped).__name__} cannot be copied ({reason(error)}): give a function that makes one"
        ) from error


def _called(factory: Any) -> str:
    named = getattr(factory, "func", factory)  # of a partial
    return str(getattr(named, "__qualname__", type(named).__name__)).split(".<locals>.")[-1]


def _counter(env: Any) -> Any:
    """The wrapper that counts an episode's steps, if there is one."""
    while isinstance(env, gymnasium.Wrapper):
        if isinstance(env, TimeLimit):
            return env
        env = env.env
    return None


def _limited(env: Env, horizon: int | None) -> Env:
    if horizon is None:
        return env
    counter = _counter(env)
    if counter is None:
        return TimeLimit(env, horizon)
    counter._max_episode_steps = horizon
    return env
