"""`open_run`: a run's folder as an object, with its policy, critics, model, metrics and log."""

from functools import cached_property
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from micro_rl.core import arguments
from micro_rl.core.columns import UNNAMED, Columns
from micro_rl.core.networks import Network, q_values
from micro_rl.core.types import Scaling
from micro_rl.data import Dataset
from micro_rl.data.run_log import log_of
from micro_rl.data.scaling import reward_size
from micro_rl.dynamics.saved_model import load_model
from micro_rl.errors import UserError
from micro_rl.opened.kept_policy import kept_policy, policy_path
from micro_rl.opened.model import RawModel
from micro_rl.opened.rows import core_rows
from micro_rl.policy import Policy
from micro_rl.robustness.critics import critics_in
from micro_rl.storage.run_folder import RunFolder


class OpenedRun:
    """A run on the disk. Everything is in raw units, and read when it is first asked for.

    Raises `UserError`, in one line, for what the run does not have: a policy before its end, a model or critics where
    its method learns none, a log that is no file.
    """

    def __init__(self, path: str | Path):
        """Open the run folder in `path`; `UserError` where there is none, or its files have changed."""
        self._folder = RunFolder.open(arguments.path("open_run", path, "give the run's folder (of a Run: run.path)"))
        if self._folder.sealed:
            self._folder.verify()

    def __repr__(self) -> str:
        return f"OpenedRun({str(self.path)!r}, {self.config.get('method')} on {self._log.get('name')})"

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @cached_property
    def config(self) -> dict[str, Any]:
        """What was to be done: log, task, method, options, settings, columns, versions."""
        return self._folder.config()

    @cached_property
    def scores(self) -> dict[str, Any]:
        """What it reached; `UserError` before the run's end."""
        return self._folder.scores()

    @cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        """The table of the epochs, a column by each key, NaN where a row has none; `pandas.DataFrame` takes it."""
        rows = self._folder.metrics()
        keys = list(dict.fromkeys(key for row in rows for key in row))
        table = {key: np.array([row.get(key, np.nan) for row in rows], np.float64) for key in keys}
        return table | {key: table[key].astype(np.int64) for key in ("epoch", "updates") if key in table}

    @cached_property
    def policy(self) -> Policy:
        """The policy of the last epoch."""
        return Policy.load(policy_path(self._folder))

    def policy_of(self, epoch: int) -> Policy:
        """The policy of an earlier epoch, one of `kept_epochs`, as training would have written it then.

        Raises:
            UserError: its state is not kept, or the run has no policy yet.
        """
        return kept_policy(self._folder, epoch)

    @property
    def kept_epochs(self) -> list[int]:
        """Whose states are kept: the newest two and the best by score of those that were saved."""
        return self._folder.checkpoints.epochs()

    @cached_property
    def columns(self) -> Columns:
        """Names, units and ranges of observations and actions; o0, ..., a0, ... where the run tells none."""
        if "columns" in self.config:
            return Columns.of_json(self.config["columns"])
        actions = len(self._log.get("action_low", ())) or self.policy.action_size
        observations = len(self._log.get("observation_std", ())) or self.policy.observation_size
        return UNNAMED.filled(observations, actions)

    @cached_property
    def model(self) -> RawModel:
        """The model of the system; `UserError` where the method learns none, or it is not fitted yet."""
        if not self._folder.model.exists():
            method = self.config.get("method")
            learns = self.config.get("learns_model", True)
            why = "its model is not fitted yet" if learns else f"its method ({method}) learns no model"
            raise UserError(f"{self.path}: {why}")
        return RawModel(load_model(self._folder.model), self.columns, self._settings["num_elites"], self._history)

    def q(self, observations: Any, actions: Any) -> Float64[np.ndarray, "*row"]:
        """The least of the critics' values, as the training's targets take it; see `critics`."""
        return np.asarray(self.critics(observations, actions).min(0))

    def critics(self, observations: Any, actions: Any) -> Float64[np.ndarray, "critic *row"]:
        """What each critic of the newest checkpoint expects of the discounted rewards from here on.

        Args:
            observations: raw units [obs] or [row, obs], or by the columns' names. With a history the rows are steps of
                one episode from its first on, in order; windows [row, window] are taken as they are.
            actions: what is done there, raw units [act] or [row, act], or by the columns' names.

        Raises:
            UserError: the method has no critics, or there is no checkpoint.
            ValueError: another width or number of rows, other names, or values that are not finite.
        """
        rows = core_rows(observations, actions, self._units, self.columns, self._history)
        state, action = jnp.asarray(rows.observation), jnp.asarray(rows.action)
        values = np.asarray(q_values(self._networks, state, action), np.float64)
        return rows.shaped(values * float(self._units.reward_scale), 1)

    def dataset(self) -> Dataset:
        """The log, read again as it was then; `UserError` where it is gone, another one, or was no file."""
        return log_of(self.path, self.config)

    @property
    def _log(self) -> dict[str, Any]:
        return self.config.get("log", {})

    @property
    def _settings(self) -> dict[str, Any]:
        return self.config.get("settings", {})

    @property
    def _history(self) -> int:
        return self._settings.get("history", 1)

    @cached_property
    def _networks(self) -> Network:
        checkpoint = self._folder.checkpoints.newest()
        if checkpoint is None:
            raise UserError(f"{self.path}: has no checkpoint, so its critics are not known")
        networks = critics_in(checkpoint.arrays)
        if networks is None:
            raise UserError(f"{self.path}: its method ({self.config.get('method')}) has no critics")
        return networks

    @cached_property
    def _units(self) -> Scaling:
        """Those of the networks: the model's, else the policy's with the log's own size of the rewards."""
        if self._folder.model.exists():
            return self.model.fitted.scaling
        policy, size = self.policy, 1.0
        if self._settings.get("scale_reward"):
            size = self.config.get("reward_rms") or reward_size(self.dataset())
        own = policy.observation_mean, policy.observation_std, policy.action_mid, policy.action_half
        return Scaling(*own, np.asarray(size, np.float32))


def open_run(path: str | Path) -> OpenedRun:
    """Open a run's folder, finished or not.

    Args:
        path: the folder, as `train` and `micro-rl train` leave it.

    Returns:
        The run: `policy`, `q`, `model`, `metrics`, `scores`, `config`, `columns`, `dataset()`.

    Raises:
        UserError: there is no run, or its files have changed since it was sealed.
    """
    return OpenedRun(path)
