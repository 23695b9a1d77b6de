"""A simulator whose every answer is looked at: what goes wrong in it is one line that names it, episode and step."""

import sysconfig
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import gymnasium
import numpy as np

from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.simulation.flat_spaces import FlatSpace, Space, flat_space

LONGEST = 200
"""Characters of a foreign exception's text."""
OURS = (UserError, Diverged, Interrupted)
"""What passes through foreign code as it is."""

RESET = ("observation", "info")
STEP = ("observation", "reward", "terminated", "truncated", "info")

_LIBRARIES = tuple(
    {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(__file__).parents[1])}
)


class SimulatorFault(UserError):
    """A simulator raised something, or answered what no simulator may."""


def reason(error: BaseException) -> str:
    """A foreign exception in one line: its kind, its text, and where in the user's own code it was raised."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    words = ": ".join([type(error).__name__, *([text.rstrip(".")] if text else [])])
    if isinstance(error, SyntaxError) and error.filename:
        return words
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename)]
    return f"{words} ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else words


def _is_own(file: str) -> bool:
    return not file.startswith(("<", *_LIBRARIES)) and "site-packages" not in file


class Guarded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A simulator with flat observations and actions, or `SimulatorFault`.

    Rewards of one element become numbers, observations arrays of their own; those of the last step may be broken,
    for nothing acts on them.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], name: str):
        """Raises `UserError` where observations and actions are no numbers in a row; `name` is for messages."""
        super().__init__(env)
        self._name, self._seed, self._episode, self._step = name, None, 0, 0
        self.flat_observations = _flat(env, "observation", name)
        self.flat_actions = _flat(env, "action", name)
        self.observation_space, self.action_space = self.flat_observations.box, self.flat_actions.box
        self._shape = self.flat_observations.box.shape

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        self._seed, self._episode = (self._seed, self._episode + 1) if seed is None else (seed, 1)
        self._step = 0
        try:
            answer = self.env.reset(seed=seed, options=options)
        except OURS:
            raise
        except (Exception, SystemExit) as error:
            self._refuse(f"reset raised {reason(error)}", error)
        observation, info = self._parts(answer, RESET)
        return self._observation(observation, last=False), _info(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step."""
        self._step += 1
        try:
            answer = self.env.step(self.flat_actions.split(action))
        except OURS:
            raise
        except (Exception, SystemExit) as error:
            self._refuse(f"step raised {reason(error)}", error)
        observation, reward, terminated, truncated, info = self._parts(answer, STEP)
        terminated, truncated = self._flag("terminated", terminated), self._flag("truncated", truncated)
        reward = self._reward(reward)
        row = self._observation(observation, last=terminated or truncated)
        return row, reward, terminated, truncated, _info(info)

    def close(self) -> None:
        """Free the simulator; what it cannot free itself ends with the process, and no result hangs on it."""
        with suppress(Exception):
            self.env.close()

    def _parts(self, answer: Any, names: tuple[str, ...]) -> Any:
        if not isinstance(answer, tuple | list) or len(answer) != len(names):
            what = f"{len(answer)} values" if isinstance(answer, tuple | list) else _kind(answer)
            self._refuse(
                f"{'reset' if names == RESET else 'step'} gave {what} where Gymnasium's interface has {len(names)} "
                f"({', '.join(names)})"
            )
        return answer

    def _observation(self, value: Any, last: bool) -> np.ndarray:
        try:
            row = self.flat_observations.join(value)
            if row.shape != self._shape and row.size == self._shape[0]:
                row = row.reshape(self._shape)
        except Exception as error:
            space = self.flat_observations.space
            self._refuse(f"the observation {_kind(value)} is not of {space}: {reason(error)}", error)
        if row.dtype.kind not in "fiub":
            self._refuse(f"the observation is {_kind(value)}, no numbers")
        if row.shape != self._shape:
            self._refuse(f"the observation has shape {row.shape} where its space has {self._shape}")
        if not last and not np.isfinite(row).all():
            columns = np.flatnonzero(~np.isfinite(row))
            self._refuse(f"the observation is {row[columns[0]]} in column {columns[0]}, and the episode goes on")
        return row

    def _reward(self, value: Any) -> float:
        if value is None:  # NumPy would make NaN of it
            self._refuse("the reward is None where one number is needed")
        try:
            number = float(np.asarray(value, np.float64).item())
        except (TypeError, ValueError) as error:
            self._refuse(f"the reward is {_kind(value)} where one number is needed", error)
        if not np.isfinite(number):
            self._refuse(f"the reward is {number}")
        return number

    def _flag(self, name: str, value: Any) -> bool:
        if isinstance(value, bool | np.bool_):
            return bool(value)
        array = np.asarray(value)
        if array.size != 1 or array.dtype.kind not in "biuf" or array.item() not in (0, 1):
            self._refuse(f"{name} is {_kind(value)} where true or false is needed")
        return bool(array.item())

    def _refuse(self, text: str, cause: BaseException | None = None) -> NoReturn:
        seed = "" if self._seed is None else f" (seed {self._seed})"
        raise SimulatorFault(
            f"simulator '{self._name}', episode {self._episode}{seed}, step {self._step}: {text}; mend the simulator, "
            "or name another with --env"
        ) from cause


def guarded(env: gymnasium.Env[Any, Any], name: str) -> gymnasium.Env[Any, Any]:
    """Put the guard around a simulator, below the wrappers with which Gymnasium's `make` counts its steps.

    These take an answer apart themselves, so whoever looks at it must come first.

    Raises:
        UserError: where its observations and actions cannot be used.
    """
    counting = (gymnasium.wrappers.TimeLimit, gymnasium.wrappers.OrderEnforcing)
    if not isinstance(env, counting):
        return Guarded(env, name)
    lowest: Any = env
    while isinstance(lowest.env, counting):
        lowest = lowest.env
    lowest.env = Guarded(lowest.env, name)
    return env


def guard_of(env: gymnasium.Env[Any, Any]) -> Guarded:
    """Find the guard in a simulator that was made by `envs.make`."""
    while not isinstance(env, Guarded):
        assert isinstance(env, gymnasium.Wrapper), "made by `envs.make`"
        env = env.env
    return env


def _flat(env: gymnasium.Env[Any, Any], kind: str, name: str) -> FlatSpace:
    try:
        space: Space = getattr(env, f"{kind}_space")
    except AttributeError:
        raise UserError(f"simulator '{name}' has no {kind}_space: mend it, or name another with --env") from None
    flat = flat_space(space)
    if flat is None:
        words = " ".join(str(space).split())
        words = words if len(words) <= LONGEST else words[: LONGEST - 3] + "..."
        raise UserError(
            f"simulator '{name}' has {kind}s {words}: only continuous ones in a row (a 1-D Box, or a Dict or Tuple of "
            "such) can be used; name another with --env"
        )
    return flat


def _info(value: Any) -> dict[str, Any]:
    """What else a simulator says, which some leave out."""
    return value if isinstance(value, dict) else {}


def _kind(value: Any) -> str:
    """What something is, for a message."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    text = repr(value)
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__})"
