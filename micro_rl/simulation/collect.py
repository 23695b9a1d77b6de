"""From a simulator's name to logs in a folder: the learner goes as far as their levels need, then they are made."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from micro_rl._version import __version__
from micro_rl.core import tasks
from micro_rl.data import Dataset, load
from micro_rl.data.writers import hdf5
from micro_rl.errors import UserError
from micro_rl.simulation import d4rl_levels, envs, online_sac
from micro_rl.simulation.d4rl_levels import CollectRequest, Level
from micro_rl.simulation.learner_folder import LearnerFolder
from micro_rl.simulation.online_settings import check
from micro_rl.storage.files import reading
from micro_rl.storage.jsonl import Row


class CollectCallback:
    """Receives the events of a collection; every method may be left as it is."""

    def note(self, text: str) -> None:
        """A remark."""

    def evaluated(self, row: Row) -> None:
        """The learner was evaluated."""

    def rolled_out(self, row: int, rows: int) -> None:
        """A rollout has `row` of its `rows` rows."""

    def written(self, log: Dataset) -> None:
        """A log was written."""


def title(env: str) -> str:
    """Name the logs of a simulator: as published ones are called where those were made in it."""
    known = tasks.of_simulator(env)
    return known[0] if known else env.rpartition(":")[2].replace("/", "-").lower()


def log_file(folder: Path, env: str, level: Level) -> Path:
    """Where a log goes."""
    return folder / f"{title(env)}-{level}.hdf5"


def collect(
    request: CollectRequest,
    levels: Sequence[Level],
    folder: Path,
    command: str,
    callback: CollectCallback | None = None,
    force: bool = False,
) -> list[Path]:
    """Make the logs of some levels in a folder, whose learner goes on from where it was.

    Args:
        request: what the logs are to be.
        levels: of the logs.
        folder: of logs and learner. A log that is there and was requested likewise stays as it is.
        command: to make the logs again; it is written into them.
        callback: receives what happens.
        force: replace logs that were requested otherwise, and make anew those that were not.

    Returns:
        The logs' paths, in the order of `levels`.

    Raises:
        UserError: for a request that cannot be met, and where something else lies in the folder.
        CannotWrite: where the disk refuses.
    """
    request.check()
    check(request.learner.settings)
    callback = callback or CollectCallback()
    facts = _facts(request)
    missing: list[Level] = [
        level for level in levels if force or not _is_there(log_file(folder, request.learner.env, level), request)
    ]
    for level in levels:
        if level not in missing:
            callback.note(f"{log_file(folder, request.learner.env, level)}: is there already")
    if missing:
        learner = LearnerFolder(folder / "learner", request.learner)
        learner.advance(d4rl_levels.enough(request, missing), callback.evaluated, callback.note)
        for level in missing:
            callback.note(f"making {log_file(folder, request.learner.env, level)}")
            _write(level, request, learner, folder, facts | {"command": command}, callback)
    return [log_file(folder, request.learner.env, level) for level in levels]


def _write(
    level: Level,
    request: CollectRequest,
    learner: LearnerFolder,
    folder: Path,
    facts: dict[str, Any],
    callback: CollectCallback,
) -> None:
    rows, about = d4rl_levels.make(level, request, learner, callback.rolled_out)
    about["recipe"] = f"{_learner(request)}: {about['recipe']}"
    path = log_file(folder, request.learner.env, level)
    hdf5.write(path, rows._asdict(), facts | {"level": level, "order": _description(request)} | about)
    callback.written(load(path))


def _learner(request: CollectRequest) -> str:
    settings = request.learner.settings
    return (
        f"online soft actor-critic in {request.learner.env}, seed {settings.seed}, the first {settings.random_steps:,} "
        f"actions uniformly random, then one update a step in turns of {settings.turn}, rewards / "
        f"{settings.reward_scale:g}, evaluated every {settings.eval_every:,} steps by the mean return of "
        f"{settings.eval_episodes} deterministic episodes"
    )


def _description(request: CollectRequest) -> str:
    """All that was asked for, so that the same request is known again."""
    medium = request.medium_fraction if request.medium_return is None else request.medium_return
    parts = {"env": request.learner.env, "horizon": request.learner.horizon, **asdict(request.learner.settings)}
    return ", ".join(f"{name} {value}" for name, value in (parts | {"rows": request.rows, "medium": medium}).items())


def _is_there(path: Path, request: CollectRequest) -> bool:
    """Whether a log of that very request is there; `UserError` where another lies in its place."""
    if not path.exists():
        return False
    with reading(path), h5py.File(path, "r", locking=False) as file:
        if file.attrs.get("order") == _description(request):
            return True
    raise UserError(
        f"{path}: is there already and was requested otherwise; choose another --out, or replace it with --force"
    )


def _facts(request: CollectRequest) -> dict[str, Any]:
    """What a training on the log need not be given again, and what made it."""
    config = request.learner
    with closing(envs.make(config.env, config.horizon)) as env:
        low, high = online_sac.finite_bounds(env, config.env)
        limit = env.spec.max_episode_steps if env.spec else None
    if limit is None:
        raise UserError(
            f"simulator '{config.env}' has no time limit, so an episode may never end: set one with --horizon"
        )
    facts = {"env": config.env, "horizon": limit, "action_low": np.float32(low), "action_high": np.float32(high)}
    if known := tasks.of_simulator(config.env):
        facts["termination"] = known[1].termination
        if limit == known[1].horizon:
            facts |= {"score_min": known[1].score_min, "score_max": known[1].score_max}
    packages = ("gymnasium", "mujoco", "jax", "numpy")
    versions = ", ".join([f"micro-rl {__version__}", *(f"{name} {metadata.version(name)}" for name in packages)])
    facts |= {"seed": config.settings.seed, "versions": versions}
    return {name: value for name, value in facts.items() if value is not None}
