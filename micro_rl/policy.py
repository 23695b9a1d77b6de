"""A trained policy that acts from NumPy alone, in microseconds.

The network is that of soft actor-critic: ReLU layers, then one that gives [mean | log_std] of a Gaussian
squashed by tanh. Observations and actions are in raw units, so its user need know nothing of the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from micro_rl.core import windows
from micro_rl.core.arguments import brief
from micro_rl.core.arguments import path as checked_path
from micro_rl.core.columns import UNNAMED, Columns, title
from micro_rl.core.constants import LOG_STD_MAX, LOG_STD_MIN
from micro_rl.core.named_values import numbers
from micro_rl.core.numpy_network import frozen, frozen_layers, inward, last_layer, standardised
from micro_rl.core.shapes import Bool, Float
from micro_rl.storage import policy_file
from micro_rl.storage.policy_parts import Layer, PolicyParts

Named = Mapping[str, Any]
"""Values by the names of their columns."""


class _Past(NamedTuple):
    """What a policy with a history remembers: the last window, its action, and in which rows the episode is over."""

    window: Float[np.ndarray, "*rows window"]
    action: Float[np.ndarray, "*rows act"]
    over: Bool[np.ndarray, "*rows"]


class Policy:
    """Raw observations to raw actions: `policy(obs)` is the mode, `policy.sample(obs, rng)` a draw.

    Both take one observation [obs] or several [rows, obs] and raise `ValueError` on another width or on
    values that are not finite. A row's action does not depend, to the bit, on the rows beside it.

    Where `history` is more than 1 the policy looks at the last observations and at the actions that it gave for
    them. It remembers these itself: call `reset` whenever an episode begins, and ask once a step, rows in the same
    places.

    Observations may also be given by the names of their columns, `policy({"level [m]": 2.0, "valve": 0.5})`: a dict of
    values or of arrays [rows], a row or a DataFrame, with these names and no others. `columns` are the observations and
    actions by name and unit, with their ranges in the log, where these are known; elsewhere o0, o1, ..., a0, ...
    `mapping` is how the log was described, as TOML.
    """

    def __init__(
        self,
        layers: Sequence[tuple[ArrayLike, ArrayLike]],
        *,
        observation_mean: ArrayLike,
        observation_std: ArrayLike,
        action_mid: ArrayLike,
        action_half: ArrayLike,
        environment: str | None = None,
        history: int = 1,
        columns: Columns = UNNAMED,
        mapping: str = "",
    ):
        """Build a policy from copies of its arrays.

        Args:
            layers: (weight [in, out], bias [out]) in order; the last gives [mean | log_std], 2 * act wide.
            observation_mean: of the observations, raw units; with a history it, the deviation and the first layer
                are as wide as a window (see `core.windows`).
            observation_std: their standard deviation.
            action_mid: middle of the actions' range, raw units [act].
            action_half: half its width.
            environment: the simulator it was trained for, where there is one.
            history: observations that it looks at.
            columns: names, units and ranges in the log of its observations and actions, raw units.
            mapping: how its log was described, as TOML.

        Raises:
            ValueError: where sizes do not chain, a value is not finite, or a std or half range is not positive.
        """
        self.layers: tuple[Layer, ...] = frozen_layers(layers)
        self.observation_mean = frozen(observation_mean, np.float64)
        self.observation_std = frozen(observation_std, np.float64)
        self.action_mid = frozen(action_mid, np.float64)
        self.action_half = frozen(action_half, np.float64)
        self.environment = environment
        self.history = history
        self.columns, self.mapping = columns, mapping
        self._past: _Past | None = None
        self._parts().check()
        self._lowest, self._highest = inward(self.action_low, self.action_high)
        self.columns = UNNAMED.filled(self.observation_size, self.action_size) if columns == UNNAMED else columns

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Forget what came before, for an episode begins: everywhere, or only in the rows [rows] that are true."""
        if rows is None or self._past is None:
            self._past = None
        else:
            self._past = self._past._replace(over=self._past.over | np.asarray(rows, bool))

    @property
    def observation_size(self) -> int:
        """Columns of an observation."""
        return windows.newest(len(self.observation_mean), self.action_size, self.history)

    @property
    def action_size(self) -> int:
        """Columns of an action."""
        return len(self.action_mid)

    @property
    def action_low(self) -> Float[np.ndarray, " act"]:
        """The lowest action the policy can take."""
        return self.action_mid - self.action_half

    @property
    def action_high(self) -> Float[np.ndarray, " act"]:
        """The highest action the policy can take."""
        return self.action_mid + self.action_half

    @property
    def sha256(self) -> str:
        """The digest of the policy's file, as `save` writes it and `sha256sum` prints it: by this it is known again."""
        return policy_file.digest(self._parts())

    def __call__(self, observation: ArrayLike | Named) -> Float[np.ndarray, "*rows act"]:
        """Give the deterministic action, action_mid + action_half * tanh(mean), within the bounds.

        Args:
            observation: [obs] or [rows, obs], raw units, or by its columns' names.

        Returns:
            The action, float32, raw units: [act] or [rows, act].

        Raises:
            ValueError: for another width, other names, or values that are not finite.
        """
        window = self._window(observation)
        return self._act(window, self._output(window)[..., : self.action_size])

    def of_window(self, window: ArrayLike) -> Float[np.ndarray, "*rows act"]:
        """Give the deterministic action for an explicit window, and remember nothing.

        Args:
            window: [window] or [rows, window], raw units: the newest observation, behind it those before and the
                actions between them, as `micro_rl.core.windows` lays them out. Without a history, an observation.

        Returns:
            The action, float32, raw units: [act] or [rows, act].

        Raises:
            ValueError: for another width, or values that are not finite.
        """
        raw = np.asarray(window, np.float64)
        if raw.ndim not in (1, 2) or raw.shape[-1] != len(self.observation_mean):
            raise ValueError(f"window of shape {raw.shape} where the policy takes {len(self.observation_mean)} columns")
        if not np.isfinite(raw).all():
            raise ValueError("window has values that are not finite")
        return self._squashed(self._output(raw)[..., : self.action_size])

    def sample(self, observation: ArrayLike | Named, rng: np.random.Generator) -> Float[np.ndarray, "*rows act"]:
        """Draw an action from the policy; `rng` gives the noise, the rest is as when it is called."""
        if not hasattr(rng, "standard_normal"):
            raise ValueError(f"rng: {brief(rng)} draws nothing: give numpy.random.default_rng(SEED)")
        window = self._window(observation)
        mean, log_std = self._distribution(window)
        return self._act(window, mean + np.exp(log_std) * rng.standard_normal(mean.shape))

    def distribution(
        self, observation: ArrayLike | Named
    ) -> tuple[Float[np.ndarray, "*rows act"], Float[np.ndarray, "*rows act"]]:
        """Give mean and log standard deviation [..., act] of the Gaussian before tanh, in core units.

        Nothing is remembered of it; arguments and errors are as when the policy is called.
        """
        return self._distribution(self._window(observation))

    def _distribution(
        self, window: Float[np.ndarray, "*rows window"]
    ) -> tuple[Float[np.ndarray, "*rows act"], Float[np.ndarray, "*rows act"]]:
        output = self._output(window)
        mean, log_std = output[..., : self.action_size], output[..., self.action_size :]
        return mean, np.clip(log_std, LOG_STD_MIN, LOG_STD_MAX)

    def save(self, path: str | Path) -> None:
        """Write the policy's file, whole or not at all and durably; equal policies give equal bytes.

        Args:
            path: of the file, in an existing folder; by custom it ends in .safetensors.

        Raises:
            CannotWrite: where the disk refuses; what was there before is still there.
        """
        policy_file.write(checked_path("path", path), self._parts())

    def encoded(self) -> bytes:
        """Give the bytes of the policy's file, as `save` writes it."""
        return policy_file.encoded(self._parts())

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read what `save` wrote.

        Raises:
            UserError: naming the file, where it is missing, damaged, of a later version or no policy.
        """
        return cls(**policy_file.read(checked_path("path", path))._asdict())

    def _parts(self) -> PolicyParts:
        return PolicyParts(**{name: getattr(self, name) for name in PolicyParts._fields})

    def _window(self, observation: ArrayLike | Named) -> Float[np.ndarray, "*rows window"]:
        """What the network sees, in raw units: the observation, behind it those that are remembered."""
        raw = self._raw(observation)
        if self.history == 1:
            return raw
        first = np.concatenate(windows.first(raw, self._resting(raw), self.history), axis=-1)
        if self._past is None:
            return first
        if self._past.window.shape != first.shape:
            raise ValueError(
                f"observation of shape {raw.shape} after others that make windows {self._past.window.shape}: "
                "call reset() when an episode begins"
            )
        next_ = np.concatenate(windows.following(raw, self._past.window, self._past.action), axis=-1)
        return np.where(self._past.over[..., None], first, next_)

    def _resting(self, raw: Float[np.ndarray, "*rows obs"]) -> Float[np.ndarray, "*rows act"]:
        """The action that stands before an episode's first."""
        return np.broadcast_to(self.action_mid, (*raw.shape[:-1], self.action_size))

    def _act(
        self, window: Float[np.ndarray, "*rows window"], unsquashed: Float[np.ndarray, "*rows act"]
    ) -> Float[np.ndarray, "*rows act"]:
        """The action [..., act] in raw units, remembered where there is a history."""
        action = self._squashed(unsquashed)
        if self.history > 1:
            self._past = _Past(window, action.astype(np.float64), np.zeros(action.shape[:-1], bool))
        return action

    def _output(self, window: Float[np.ndarray, "*rows window"]) -> Float[np.ndarray, "*rows out"]:
        """The network's last layer, float32."""
        return last_layer(self.layers, standardised(window, self.observation_mean, self.observation_std))

    def _raw(self, observation: ArrayLike | Named) -> Float[np.ndarray, "*rows obs"]:
        raw = numbers(observation, self.columns.observations, "observation")
        if raw.ndim not in (1, 2) or raw.shape[-1] != self.observation_size:
            raise ValueError(
                f"observation of shape {raw.shape} where the policy takes {self.observation_size} columns: "
                f"[{self.observation_size}] or [rows, {self.observation_size}]"
            )
        if not np.isfinite(raw).all():
            column = int(np.argwhere(~np.isfinite(raw))[0, -1])
            raise ValueError(
                f"observation is not finite in {title('column', column, self.columns.observations[column])}"
            )
        return raw

    def _squashed(self, unsquashed: Float[np.ndarray, "*rows act"]) -> Float[np.ndarray, "*rows act"]:
        action = self.action_mid + self.action_half * np.tanh(unsquashed)
        return np.minimum(np.maximum(action, self._lowest), self._highest).astype(np.float32)
