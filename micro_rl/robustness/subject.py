"""Whom a protocol tries: a run's policy, or one of the user's own, and what must be known of it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.tasks import Task
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness.stability import warn_nowhere
from micro_rl.robustness.worlds import fingerprint
from micro_rl.simulation.env_objects import is_object
from micro_rl.simulation.envs import check_matches, make
from micro_rl.storage.files import sha256
from micro_rl.storage.run_folder import RunFolder

MOST_EPISODES = 1000
"""Of a cell, as many as reports read."""


@dataclass(frozen=True)
class Subject:
    """A policy on trial.

    `observation_std` [obs]: the log's, raw units; `critics`: run folders whose critics attack it; `horizon`: the time
    limit of the task's episodes where it is not the simulator's; `trained`: epochs done and planned, of a run; `notes`:
    what a person should see of policy and simulator.
    """

    policy: Path
    env: str
    observation_std: tuple[float, ...]
    critics: tuple[Path, ...] = ()
    horizon: int | None = None
    task: Task = field(default_factory=Task)
    trained: dict[str, int] = field(default_factory=dict)
    episodes: int = 10
    seed: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises `UserError` for a number of episodes or a seed that there is not."""
        if not 1 <= self.episodes <= MOST_EPISODES:
            raise UserError(f"episodes {self.episodes}: give 1 to {MOST_EPISODES:,}, each has a simulator of its own")
        if not 0 <= self.seed < 1 << 31:
            raise UserError(f"seed {self.seed}: give a whole number from 0 on, below 2^31")

    def about(self) -> dict[str, Any]:
        """What decides its returns, and how they are scored, as JSON.

        A critic is told by its run's policy, which changes as it does: other runs may be called alike. A simulator that
        was an object is told by what it answers: others have its name too.
        """
        about = {
            "env": self.env,
            "episodes": self.episodes,
            "seed": self.seed,
            "policy_sha256": sha256(self.policy),
            "critics_sha256": [sha256(run / "policy.safetensors") for run in self.critics],
            "trained": self.trained,
            "task": asdict(self.task),
            "horizon": self.horizon,
            "observation_std": list(self.observation_std),
        }
        return about | ({"env_sha256": _answers(self.env, self.horizon)} if is_object(self.env) else {})


def of_run(path: Path, env: str | None, episodes: int, seed: int, critics: Sequence[Path] = ()) -> Subject:
    """A finished run's policy, to be tried.

    Args:
        path: The run folder.
        env: The simulator; by default that of the run's task.
        episodes: Of each cell.
        seed: Of the episodes.
        critics: Run folders whose critics attack; the run's own where none are named.

    Returns:
        The policy and what must be known of it.

    Raises:
        UserError: The folder is no finished run, its files have changed, its log has no simulator, or the simulator's
            id imports a module and was not named.
    """
    folder = RunFolder.open(path)
    folder.verify()
    task, config = folder.task(), folder.config()
    if task.env and ":" in task.env and env is None:
        raise UserError(
            f"{path}: simulator {task.env!r} imports a module; to allow that, name it with --env {task.env}"
        )
    chosen = env or task.env
    if chosen is None:
        raise UserError(f"{path}: its log has no known simulator; name one with --env")
    policy = Policy.load(folder.path / "policy.safetensors")
    notes = _match(chosen, policy)
    scores = folder.scores()
    return Subject(
        folder.path / "policy.safetensors",
        chosen,
        tuple(_observation_std(folder, config, policy)),
        tuple(critics) or (folder.path,),
        task.horizon,
        task if chosen == task.env else Task(),
        {"epochs": scores.get("epochs", 0), "planned": scores.get("planned_epochs", 0)},
        episodes,
        seed,
        notes,
    )


def of_policy(path: Path, env: str | None, episodes: int, seed: int, critics: Sequence[Path] = ()) -> Subject:
    """A policy's file, to be tried; the log's standard deviations are those that it standardises by.

    Args:
        path: The file.
        env: The simulator.
        episodes: Of each cell.
        seed: Of the episodes.
        critics: Run folders whose critics attack.

    Returns:
        The policy and what must be known of it.

    Raises:
        UserError: No simulator is named, or it has other widths.
    """
    policy = Policy.load(path)
    if env is None:
        raise UserError(
            f"{path}: a policy's file says nothing of its simulator that could be trusted; name it with --env"
        )
    notes = _match(env, policy)
    std = policy.observation_std[: policy.observation_size]
    return Subject(path, env, tuple(std.tolist()), tuple(critics), episodes=episodes, seed=seed, notes=notes)


def _answers(env: str, horizon: int | None) -> str:
    """The simulator's fingerprint; "" where another one that is made alike has another."""
    digests = set()
    for _ in range(2):
        with closing(make(env, horizon)) as simulator:
            warn_nowhere(simulator)
            digests.add(fingerprint(simulator, horizon))
    return digests.pop() if len(digests) == 1 else ""


def _match(env: str, policy: Policy) -> tuple[str, ...]:
    """What a person should see of a policy and its simulator; `UserError` where their widths differ."""
    bounds = policy.action_low, policy.action_high
    return check_matches(env, policy.observation_size, policy.action_size, bounds).notes


def _observation_std(folder: RunFolder, config: dict[str, Any], policy: Policy) -> np.ndarray:
    """From the run's own record; from its policy, if that standardises by it; else from its log."""
    width, log = policy.observation_size, config.get("log", {})
    stds = log.get("observation_std")
    if isinstance(stds, list) and len(stds) == width:
        std = np.array(stds, np.float64)
    elif config.get("settings", {}).get("standardise", True):
        std = np.array(policy.observation_std[:width])
    else:
        std = _of_log(folder, log)
    if not (np.isfinite(std).all() and (std >= 0).all() and len(std) == width):
        raise UserError(
            f"{folder.path}: its log's standard deviations are no {width} sizes; restore config.json from a copy"
        )
    return std


def _of_log(folder: RunFolder, log: dict[str, Any]) -> np.ndarray:
    from micro_rl.data import load

    path = Path(str(log.get("path", "")))
    if not path.exists():
        raise UserError(
            f"{folder.path}: does not say how its log's observations spread, and {path} is gone; bring it back there"
        )
    dataset = load(path)
    if dataset.sha256 != log.get("sha256"):
        raise UserError(f"{path}: is not the log that {folder.path} was trained on; bring that one back")
    return dataset.observation_std()
