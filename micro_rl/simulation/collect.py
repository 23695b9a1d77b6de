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
from micro_rl.simulation.d4rl_levels import Level, Order
from micro_rl.simulation.learner_folder import Keeper
from micro_rl.storage.files import reading
from micro_rl.storage.jsonl import Row


class Watcher:
    """Is told how a collection goes; every method may be left as it is."""

    def said(self, text: str) -> None:
        """A remark."""

    def evaluated(self, row: Row) -> None:
        """The learner was evaluated."""

    def rolled_out(self, done: int, rows: int) -> None:
        """So many rows of a rollout there are, so many there will be."""

    def made(self, log: Dataset) -> None:
        """A log is there."""


def title(env: str) -> str:
    """What the logs of a simulator are called: as published ones are where those were made in it."""
    known = tasks.of_simulator(env)
    return known[0] if known else env.rpartition(":")[2].replace("/", "-").lower()


def log_file(folder: Path, env: str, level: Level) -> Path:
    """Where a log goes."""
    return folder / f"{title(env)}-{level}.hdf5"


def collect(
    order: Order,
    wanted: Sequence[Level],
    folder: Path,
    command: str,
    watcher: Watcher | None = None,
    force: bool = False,
) -> list[Path]:
    """Make the logs of those levels in a folder, whose learner goes on from where it was; their paths.

    A log that is there and was ordered likewise stays as it is; another is replaced only with `force`. `command` is
    kept in the files, to make them again. Raises `UserError`.
    """
    order.check()
    online_sac.check(order.lesson.settings)
    watcher = watcher or Watcher()
    facts = _known(order)
    missing: list[Level] = [
        level for level in wanted if force or not _is_there(log_file(folder, order.lesson.env, level), order)
    ]
    for level in wanted:
        if level not in missing:
            watcher.said(f"{log_file(folder, order.lesson.env, level)}: is there already")
    if missing:
        keeper = Keeper(folder / "learner", order.lesson)
        keeper.advance(d4rl_levels.enough(order, missing), watcher.evaluated, watcher.said)
        for level in missing:
            watcher.said(f"making {log_file(folder, order.lesson.env, level)}")
            _write(level, order, keeper, folder, facts | {"command": command}, watcher)
    return [log_file(folder, order.lesson.env, level) for level in wanted]


def _write(level: Level, order: Order, keeper: Keeper, folder: Path, facts: dict[str, Any], watcher: Watcher) -> None:
    rows, about = d4rl_levels.make(level, order, keeper, watcher.rolled_out)
    about["recipe"] = f"{_learner(order)}: {about['recipe']}"
    path = log_file(folder, order.lesson.env, level)
    hdf5.write(path, rows._asdict(), facts | {"level": level, "order": _ordered(order)} | about)
    watcher.made(load(path))


def _learner(order: Order) -> str:
    settings = order.lesson.settings
    return (
        f"online soft actor-critic in {order.lesson.env}, seed {settings.seed}, the first {settings.random_steps:,} "
        f"actions uniformly random, then one update a step in turns of {settings.turn}, rewards / "
        f"{settings.reward_scale:g}, evaluated every {settings.eval_every:,} steps by the mean return of "
        f"{settings.eval_episodes} deterministic episodes"
    )


def _ordered(order: Order) -> str:
    """All that was asked for, so that the same order is known again."""
    medium = order.medium_fraction if order.medium_return is None else order.medium_return
    parts = {"env": order.lesson.env, "horizon": order.lesson.horizon, **asdict(order.lesson.settings)}
    return ", ".join(f"{name} {value}" for name, value in (parts | {"rows": order.rows, "medium": medium}).items())


def _is_there(path: Path, order: Order) -> bool:
    """Whether a log of that very order is there; `UserError` where another lies in its place."""
    if not path.exists():
        return False
    with reading(path), h5py.File(path, "r", locking=False) as file:
        if file.attrs.get("order") == _ordered(order):
            return True
    raise UserError(
        f"{path}: is there already and was ordered otherwise; choose another --out, or replace it with --force"
    )


def _known(order: Order) -> dict[str, Any]:
    """What whoever trains on the log need not be told again, and what made it."""
    lesson = order.lesson
    with closing(envs.make(lesson.env, lesson.horizon)) as env:
        low, high = online_sac.finite_bounds(env, lesson.env)
        limit = env.spec.max_episode_steps if env.spec else None
    if limit is None:
        raise UserError(
            f"simulator '{lesson.env}' has no time limit, so an episode may never end: set one with --horizon"
        )
    facts = {"env": lesson.env, "horizon": limit, "action_low": np.float32(low), "action_high": np.float32(high)}
    if known := tasks.of_simulator(lesson.env):
        facts["termination"] = known[1].termination
        if limit == known[1].horizon:
            facts |= {"score_min": known[1].score_min, "score_max": known[1].score_max}
    packages = ("gymnasium", "mujoco", "jax", "numpy")
    versions = ", ".join([f"micro-rl {__version__}", *(f"{name} {metadata.version(name)}" for name in packages)])
    facts |= {"seed": lesson.settings.seed, "versions": versions}
    return {name: value for name, value in facts.items() if value is not None}
