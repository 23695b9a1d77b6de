"""A trained policy that acts from NumPy alone, in microseconds; one safetensors file holds it.

The network is that of soft actor-critic: ReLU layers, then one that gives [mean | log_std] of a Gaussian
squashed by tanh. Observations and actions are in raw units, so its user need know nothing of the training.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import Float
from numpy.typing import ArrayLike

from micro_rl.errors import UserError

LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0
"""Bounds the log standard deviation is clamped to, as MICRO's authors clamp it."""

FURTHEST = 1e20
"""Standardised observations are clamped to this size, so that float32 does not overflow on the way to an
action that has long been saturated."""

FORMAT, VERSION = "micro-rl policy", 1
_VECTORS = ("observation_mean", "observation_std", "action_mid", "action_half")

Layer = tuple[Float[np.ndarray, "in out"], Float[np.ndarray, " out"]]


class Policy:
    """Raw observations to raw actions: `policy(obs)` is the mode, `policy.sample(obs, rng)` a draw.

    Both take one observation [obs] or several [rows, obs] and raise `ValueError` on another width or on
    values that are not finite. A row's action does not depend, to the bit, on the rows beside it.
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
    ):
        """`layers`: (weight [in, out], bias [out]) in order, the last 2 * act wide; vectors as in `Scaling`.

        `ValueError` where sizes do not chain, a value is not finite, or a std or half range is not positive.
        """
        self.layers: tuple[Layer, ...] = tuple((_frozen(w, np.float32), _frozen(b, np.float32)) for w, b in layers)
        self.observation_mean = _frozen(observation_mean, np.float64)
        self.observation_std = _frozen(observation_std, np.float64)
        self.action_mid = _frozen(action_mid, np.float64)
        self.action_half = _frozen(action_half, np.float64)
        self.environment = environment
        self._check()

    @property
    def observation_size(self) -> int:
        """Columns of an observation."""
        return len(self.observation_mean)

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
        return self._squashed(self._output(observation)[..., : self.action_size])

    def sample(self, observation: ArrayLike, rng: np.random.Generator) -> Float[np.ndarray, "*rows act"]:
        """An action drawn from the policy."""
        mean, log_std = self.distribution(observation)
        return self._squashed(mean + np.exp(log_std) * rng.standard_normal(mean.shape))

    def distribution(
        self, observation: ArrayLike
    ) -> tuple[Float[np.ndarray, "*rows act"], Float[np.ndarray, "*rows act"]]:
        """Mean and log standard deviation of the Gaussian before tanh, in core units."""
        output = self._output(observation)
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
            )
            if policy._metadata() != metadata:
                raise ValueError("its metadata does not describe its tensors")
        except ValueError as error:
            raise UserError(f"{path}: {error}; the file is damaged: export the policy again") from error
        return policy

    def _output(self, observation: ArrayLike) -> Float[np.ndarray, "*rows out"]:
        """The network's last layer, float32.

        Each row is a matrix of its own, [rows, 1, in] @ [in, out]: NumPy then runs one matrix-vector product
        a row, which rounds alike however many rows there are and wakes no BLAS threads, whose stalls on a
        busy machine cost milliseconds.
        """
        hidden = self._standardised(observation)[..., None, :]
        for weight, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ weight + bias, 0)
        weight, bias = self.layers[-1]
        return (hidden @ weight + bias)[..., 0, :]

    def _standardised(self, observation: ArrayLike) -> Float[np.ndarray, "*rows obs"]:
        """Core units, float32; the mean is subtracted in float64, or a large offset would eat the digits."""
        raw = np.asarray(observation, np.float64)
        if raw.ndim not in (1, 2) or raw.shape[-1] != self.observation_size:
            raise ValueError(
                f"observation of shape {raw.shape} where the policy takes {self.observation_size} columns: "
                f"[{self.observation_size}] or [rows, {self.observation_size}]"
            )
        if not np.isfinite(raw).all():
            raise ValueError(f"observation is not finite in column {int(np.argwhere(~np.isfinite(raw))[0, -1])}")
        with np.errstate(over="ignore"):
            core = (raw - self.observation_mean) / self.observation_std
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
        self._check_layers()

    def _check_layers(self) -> None:
        if not self.layers:
            raise ValueError("a policy needs at least one layer")
        width = self.observation_size
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
            "version": str(VERSION),
            "observation_size": str(self.observation_size),
            "action_size": str(self.action_size),
            "action_low": json.dumps(self.action_low.tolist()),
            "action_high": json.dumps(self.action_high.tolist()),
        }
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
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            _check_format(path, metadata)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; give the path of a policy file") from error
    except (OSError, safetensors.SafetensorError, TypeError) as error:
        raise UserError(f"{path}: not a readable policy file ({error}); export the policy again") from error
    return metadata, tensors


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path}: holds no '{FORMAT}' in its metadata; give a file written by Policy.save")
    if metadata.get("version") != str(VERSION):
        raise UserError(
            f"{path}: policy format version {metadata.get('version')}, this program reads {VERSION}: update micro-rl"
        )


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
