"""A trained policy that acts from NumPy alone, in microseconds; one safetensors file holds it.

The network is that of soft actor-critic: ReLU layers, then one that gives [mean | log_std] of a Gaussian
squashed by tanh. Observations and actions are in raw units, so its user need know nothing of the training.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from micro_rl import windows
from micro_rl.arrays import refuse_long_header
from micro_rl.errors import UserError
from micro_rl.files import regular_size

LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0
"""Bounds the log standard deviation is clamped to, as MICRO's authors clamp it."""

FURTHEST = 1e20
"""Standardised observations are clamped to this size, so that float32 does not overflow on the way to an
action that has long been saturated."""

FORMAT, VERSION, VERSION_WITH_HISTORY = "micro-rl policy", 1, 2
"""A reader that knows nothing of histories must refuse a policy that has one, and may take any other."""
LONGEST_HISTORY = 1000
HEADER_LIMIT = 1 << 20
"""Bytes; a policy's header has a few hundred."""
_VECTORS = ("observation_mean", "observation_std", "action_mid", "action_half")

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

        With a history the first layer and the observations' vectors are as wide as a window (see `micro_rl.windows`).
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
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_bytes(_in_order(safetensors.numpy.save(self._tensors(), self._metadata())))
            os.replace(partial, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise UserError(f"{path}: the policy cannot be written ({error.strerror or error})") from error

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Reads what `save` wrote; `UserError`, naming the file, for anything else."""
        metadata, tensors = _read(Path(path))
        try:
            policy = cls(
                _layers(tensors),
                **{name: tensors[name] for name in _VECTORS},
                environment=metadata.get("environment"),
                history=_whole(metadata.get("history", "1")),
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
            raise ValueError(f"{', '.join(_VECTORS)} must have one dimension")
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
        return {name: getattr(self, name) for name in _VECTORS}

    def _tensors(self) -> dict[str, np.ndarray]:
        named = {}
        for index, (weight, bias) in enumerate(self.layers):
            named |= {f"layer{index}.weight": weight, f"layer{index}.bias": bias}
        return named | self._vectors()

    def _metadata(self) -> dict[str, str]:
        known = {
            "format": FORMAT,
            "version": str(VERSION if self.history == 1 else VERSION_WITH_HISTORY),
            "observation_size": str(self.observation_size),
            "action_size": str(self.action_size),
            "action_low": json.dumps(self.action_low.tolist()),
            "action_high": json.dumps(self.action_high.tolist()),
        }
        known |= {} if self.history == 1 else {"history": str(self.history)}
        return known if self.environment is None else known | {"environment": self.environment}


def _frozen(values: ArrayLike, dtype: Any) -> np.ndarray:
    """A contiguous copy that cannot be written to, so a policy stays what it was when it was checked."""
    copy = np.array(values, dtype, order="C")
    copy.flags.writeable = False
    return copy


def _in_order(content: bytes) -> bytes:
    """The same file with its metadata sorted; safetensors writes them in a random order."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + text.ljust(size) + content[8 + size :]


def _read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """Metadata and tensors of a policy file of this version."""
    if not path.exists():
        raise UserError(f"{path}: no such file; give the path of a policy file")
    regular_size(path)
    refuse_long_header(path, HEADER_LIMIT)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_format(path, metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, safetensors.SafetensorError, TypeError) as error:
        raise UserError(f"{path}: not a readable policy file ({error}); export the policy again") from error
    return metadata, tensors


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path}: holds no '{FORMAT}' in its metadata; give a file written by Policy.save")
    if metadata.get("version") not in (str(VERSION), str(VERSION_WITH_HISTORY)):
        raise UserError(
            f"{path}: policy format version {metadata.get('version')}, this program reads {VERSION} and "
            f"{VERSION_WITH_HISTORY}: update micro-rl"
        )


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"history {text!r:.20} is no number")
    return int(text)


def _layers(tensors: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The numbered layers; `ValueError` where the file has other tensors or dtypes than a policy's."""
    count = sum(name.endswith(".weight") for name in tensors)
    names = [(f"layer{index}.weight", f"layer{index}.bias") for index in range(count)]
    expected = {name for pair in names for name in pair} | set(_VECTORS)
    if expected != set(tensors):
        raise ValueError(f"tensors {', '.join(sorted(expected ^ set(tensors)))[:200]} are missing or unknown")
    for name, array in tensors.items():
        if array.dtype != (np.float64 if name in _VECTORS else np.float32):
            raise ValueError(f"tensor {name} is {array.dtype}")
    return [(tensors[weight], tensors[bias]) for weight, bias in names]
