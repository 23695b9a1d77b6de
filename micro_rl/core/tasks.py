"""What a log's name tells: the simulator behind it, its time limit, when episodes end, the range of scores.

Names are matched whole, token by token: 'antmaze-umaze-v0' or 'hopperish-medium' tell nothing rather than
something wrong.

Sources of the reference returns: D4RL (arXiv 2004.07219) and NeoRL-2 (arXiv 2503.19267). The simulators are
Gymnasium's -v4 environments, whose dynamics are those of D4RL's v2 logs (-v5 changed Walker2d's friction and
Hopper's last reward).
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True)
class Task:
    """What is known of a task; None where it is not known.

    env: id for `envs.make`; horizon: steps to an episode's time limit; termination: the rule for model rows;
    score_min, score_max: returns that count as 0 and as 100, both known or both None.
    """

    env: str | None = None
    horizon: int | None = None
    termination: str | None = None
    score_min: float | None = None
    score_max: float | None = None


UNKNOWN = Task()
SAFETY_HALFCHEETAH = "SafetyHalfCheetah"
"""The id of NeoRL-2's simulator, which `simulation.envs` makes itself."""

_GYM = {
    "halfcheetah": Task("HalfCheetah-v4", 1000, "halfcheetah-guarded", -280.178953, 12135.0),
    "hopper": Task("Hopper-v4", 1000, "hopper", -20.272305, 3234.3),
    "walker2d": Task("Walker2d-v4", 1000, "walker2d-guarded", 1.629008, 4592.3),
    "ant": Task(score_min=-325.6, score_max=3879.7),
}
_GYM_POLICIES = ("random", "medium", "medium-replay", "medium-expert", "expert", "full-replay")

_ADROIT = {
    "pen": Task(score_min=96.262799, score_max=3076.8331017826877),
    "hammer": Task(score_min=-274.856578, score_max=12794.134825156867),
    "door": Task(score_min=-56.512833, score_max=2880.5693087298737),
    "relocate": Task(score_min=-6.425911, score_max=4233.877797728884),
}
_ADROIT_POLICIES = ("human", "cloned", "expert")

# SafetyHalfCheetah observes its x position, which passes 100 in a good episode: no guard |s| < 100 there.
_NEORL2 = {
    "DMSD": Task(None, 100, "never", 30.60, 849.51),
    "SafetyHalfCheetah": Task("SafetyHalfCheetah", 1000, "never", -283.0, 2507.0),
    "Fusion": Task(None, 100, "never", -107.601, 98.05),
}

TASKS: Mapping[str, Task] = MappingProxyType(
    {f"{robot}-{policy}": task for robot, task in _GYM.items() for policy in _GYM_POLICIES}
    | {f"{hand}-{policy}": task for hand, task in _ADROIT.items() for policy in _ADROIT_POLICIES}
    | {"pendulum-demo": Task("Pendulum-v1", 200, "never")}
)
"""Tasks by the log's name without its version."""


def find(name: str) -> Task:
    """Looks up the task of a log's name or its file's stem ('hopper_medium-v2'); `UNKNOWN` where it tells nothing.

    NeoRL-2 names go on with the policy, the rows and the split; only their first token is looked at.
    """
    tokens = re.split("[-_]", name)
    if tokens[0] in _NEORL2:
        return _NEORL2[tokens[0]]
    if len(tokens) > 1 and re.fullmatch(r"v\d+", tokens[-1]):
        tokens = tokens[:-1]
    return TASKS.get("-".join(tokens), UNKNOWN)


def over(by_name: Task, by_file: Task) -> Task:
    """Puts what a log's file tells over what its name tells; a name that means another simulator is silent."""
    if by_file.env is not None and by_name.env not in (None, by_file.env):
        return by_file
    recorded = {field: value for field, value in asdict(by_file).items() if value is not None}
    return replace(at_limit(by_name, by_file.horizon), **recorded)


def at_limit(task: Task, horizon: int | None) -> Task:
    """Sets a time limit, where one is given; episodes of another length than the task's have no known scores."""
    if horizon is None or horizon == task.horizon:
        return task
    known = replace(task, horizon=horizon)
    return known if task.horizon is None else replace(known, score_min=None, score_max=None)


def of_simulator(env: str) -> tuple[str, Task] | None:
    """Finds the robot or system whose published logs were made in that simulator, and what is known of it."""
    known = _GYM | _NEORL2
    return next(((name, task) for name, task in known.items() if task.env == env), None)


def normalised(episode_return: float, task: Task) -> float | None:
    """Computes a normalised score, 100 (return - min) / (max - min); None where the task's range is not known."""
    if task.score_min is None or task.score_max is None:
        return None
    return 100.0 * (episode_return - task.score_min) / (task.score_max - task.score_min)


def normalised_std(std: float, task: Task) -> float | None:
    """Normalises a standard deviation, 100 std / (max - min); None where the range is not known."""
    if task.score_min is None or task.score_max is None:
        return None
    return 100.0 * std / (task.score_max - task.score_min)
