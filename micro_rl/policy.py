"""A trained policy that acts from NumPy alone, in microseconds.

The network is that of soft actor-critic: ReLU layers, then one that gives [mean | log_std] of a Gaussian
squashed by tanh. Observations and actions are in raw units, so its user need know nothing of the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from micro_rl.core import windows
from micro_rl.errors import UserError
from micro_rl.storage import policy_file
from micro_rl.storage.policy_file import VECTORS

LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0
"""Bounds the log standard deviation is clamped to, as MICRO's authors clamp it."""

FURTHEST = 1e20
"""Standardised observations are clamped to this size, so that float32 does not overflow on the way to an
action that has long been saturated."""

LONGEST_HISTORY = 1000

Layer = tuple[Float[np.ndarray, "in out"], Float[np.ndarray, " out"]]


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
    ):
        """`layers`: (weight [in, out], bias [out]) in order, the last 2 * act wide; vectors as in `Scaling`.

        With a history the first layer and the observations' vectors are as wide as a window (see `core.windows`).
        `ValueError` where sizes do not chain, a value is not finite, or a std or half range is not positive.
        """
        self.layers: tuple[Layer, ...] = tuple((_frozen(w, np.float32), _frozen(b, np.float32)) for w, b in layers)
        self.observation_mean = _frozen(observation_mean, np.float64)
        self.observation_std = _frozen(observation_std, np.float64)
        self.action_mid = _frozen(action_mid, np.float64)
        self.action_half = _frozen(action_half, np.float64)
        self.environment = environment
        self.history = history
        self._past: _Past | None = None
        self._check()

    def reset(self, rows: ArrayLike | None = None) -> None:
        """An episode begins: forget what came before, everywhere or only in the rows [rows] that are true."""
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

    def __call__(self, observation: ArrayLike) -> Float[np.ndarray, "*rows act"]:
        """The deterministic action: action_mid + action_half * tanh(mean)."""
        window = self._window(observation)
        return self._taken(window, self._output(window)[..., : self.action_size])

    def sample(self, observation: ArrayLike, rng: np.random.Generator) -> Float[np.ndarray, "*rows act"]:
        """An action drawn from the policy."""
        window = self._window(observation)
        mean, log_std = self._distribution(window)
        return self._taken(window, mean + np.exp(log_std) * rng.standard_normal(mean.shape))

    def distribution(
        self, observation: ArrayLike
    ) -> tuple[Float[np.ndarray, "*rows act"], Float[np.ndarray, "*rows act"]]:
        """Mean and log standard deviation of the Gaussian before tanh, in core units; nothing is remembered of it."""
        return self._distribution(self._window(observation))

    def _distribution(
        self, window: Float[np.ndarray, "*rows window"]
    ) -> tuple[Float[np.ndarray, "*rows act"], Float[np.ndarray, "*rows act"]]:
        output = self._output(window)
        mean, log_std = output[..., : self.action_size], output[..., self.action_size :]
        return mean, np.clip(log_std, LOG_STD_MIN, LOG_STD_MAX)

    def save(self, path: str | Path) -> None:
        """Writes the file whole or not at all; `UserError` where it cannot be written."""
        policy_file.write(Path(path), self._tensors(), self._metadata())

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Reads what `save` wrote; `UserError`, naming the file, for anything else."""
        metadata, tensors = policy_file.read(Path(path))
        try:
            policy = cls(
                policy_file.layers_of(tensors),
                **{name: tensors[name] for name in VECTORS},
                environment=metadata.get("environment"),
                history=policy_file.history_of(metadata),
            )
            if policy._metadata() != metadata:
                raise ValueError("its metadata does not describe its tensors")
        except ValueError as error:
            raise UserError(f"{path}: {error}; the file is damaged: export the policy again") from error
        return policy

    def _window(self, observation: ArrayLike) -> Float[np.ndarray, "*rows window"]:
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

    def _taken(
        self, window: Float[np.ndarray, "*rows window"], unsquashed: Float[np.ndarray, "*rows act"]
    ) -> Float[np.ndarray, "*rows act"]:
        """The action, remembered where there is a history."""
        action = self._squashed(unsquashed)
        if self.history > 1:
            self._past = _Past(window, action.astype(np.float64), np.zeros(action.shape[:-1], bool))
        return action

    def _output(self, window: Float[np.ndarray, "*rows window"]) -> Float[np.ndarray, "*rows out"]:
        """The network's last layer, float32.

        Each row is a matrix of its own, [rows, 1, in] @ [in, out]: NumPy then runs one matrix-vector product
        a row, which rounds alike however many rows there are and wakes no BLAS threads, whose stalls on a
        busy machine cost milliseconds.
        """
        hidden = self._standardised(window)[..., None, :]
        for weight, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ weight + bias, 0)
        weight, bias = self.layers[-1]
        return (hidden @ weight + bias)[..., 0, :]

    def _raw(self, observation: ArrayLike) -> Float[np.ndarray, "*rows obs"]:
        raw = np.asarray(observation, np.float64)
        if raw.ndim not in (1, 2) or raw.shape[-1] != self.observation_size:
            raise ValueError(
                f"observation of shape {raw.shape} where the policy takes {self.observation_size} columns: "
                f"[{self.observation_size}] or [rows, {self.observation_size}]"
            )
        if not np.isfinite(raw).all():
            raise ValueError(f"observation is not finite in column {int(np.argwhere(~np.isfinite(raw))[0, -1])}")
        return raw

    def _standardised(self, window: Float[np.ndarray, "*rows window"]) -> Float[np.ndarray, "*rows window"]:
        """Core units, float32; the mean is subtracted in float64, or a large offset would eat the digits."""
        with np.errstate(over="ignore"):
            core = (window - self.observation_mean) / self.observation_std
        return np.minimum(np.maximum(core, -FURTHEST), FURTHEST).astype(np.float32)

    def _squashed(self, unsquashed: Float[np.ndarray, "*rows act"]) -> Float[np.ndarray, "*rows act"]:
        return (self.action_mid + self.action_half * np.tanh(unsquashed)).astype(np.float32)

    def _check(self) -> None:
        for name, array in self._tensors().items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has values that are not finite")
        if not (np.all(self.observation_std > 0) and np.all(self.action_half > 0)):
            raise ValueError("observation_std and action_half must be positive")
        if any(vector.ndim != 1 for vector in self._vectors().values()):
            raise ValueError(f"{', '.join(VECTORS)} must have one dimension")
        if self.observation_mean.shape != self.observation_std.shape or self.action_mid.shape != self.action_half.shape:
            raise ValueError("mean and std, or mid and half, have different lengths")
        if not 1 <= self.history <= LONGEST_HISTORY or self.observation_size < 1:
            raise ValueError(f"history {self.history} does not suit {len(self.observation_mean)} columns")
        self._check_layers()

    def _check_layers(self) -> None:
        if not self.layers:
            raise ValueError("a policy needs at least one layer")
        width = len(self.observation_mean)
        for index, (weight, bias) in enumerate(self.layers):
            if weight.ndim != 2 or weight.shape[0] != width or bias.shape != weight.shape[1:]:
                raise ValueError(
                    f"layer {index} has weight {weight.shape} and bias {bias.shape}: [{width}, out] and [out] needed"
                )
            width = weight.shape[1]
        if width != 2 * self.action_size:
            raise ValueError(f"the last layer gives {width} columns where 2 x {self.action_size} are needed")

    def _vectors(self) -> dict[str, np.ndarray]:
        return {name: getattr(self, name) for name in VECTORS}

    def _tensors(self) -> dict[str, np.ndarray]:
        return policy_file.tensors_of(self.layers, self._vectors())

    def _metadata(self) -> dict[str, str]:
        return policy_file.metadata_of(
            self.action_low, self.action_high, self.observation_size, self.history, self.environment
        )


def _frozen(values: ArrayLike, dtype: Any) -> np.ndarray:
    """A contiguous copy that cannot be written to, so a policy stays what it was when it was checked."""
    copy = np.array(values, dtype, order="C")
    copy.flags.writeable = False
    return copy
