"""The file of a policy: one of safetensors, its layers and vectors by name and metadata that describes them."""

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from jaxtyping import Float

from micro_rl.errors import UserError
from micro_rl.storage.arrays import refuse_long_header
from micro_rl.storage.files import regular_size

FORMAT, VERSION, VERSION_WITH_HISTORY = "micro-rl policy", 1, 2
"""A reader that knows nothing of histories must refuse a policy that has one, and may take any other."""
HEADER_LIMIT = 1 << 20
"""Bytes; a policy's header has a few hundred."""
VECTORS = ("observation_mean", "observation_std", "action_mid", "action_half")


def tensors_of(
    layers: Sequence[tuple[np.ndarray, np.ndarray]], vectors: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What the file holds, by name."""
    named = {}
    for index, (weight, bias) in enumerate(layers):
        named |= {f"layer{index}.weight": weight, f"layer{index}.bias": bias}
    return {**named, **vectors}


def layers_of(tensors: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The numbered layers; `ValueError` where the file has other tensors or dtypes than a policy's."""
    count = sum(name.endswith(".weight") for name in tensors)
    names = [(f"layer{index}.weight", f"layer{index}.bias") for index in range(count)]
    expected = {name for pair in names for name in pair} | set(VECTORS)
    if expected != set(tensors):
        raise ValueError(f"tensors {', '.join(sorted(expected ^ set(tensors)))[:200]} are missing or unknown")
    for name, array in tensors.items():
        if array.dtype != (np.float64 if name in VECTORS else np.float32):
            raise ValueError(f"tensor {name} is {array.dtype}")
    return [(tensors[weight], tensors[bias]) for weight, bias in names]


def metadata_of(
    action_low: Float[np.ndarray, " act"],
    action_high: Float[np.ndarray, " act"],
    observation_size: int,
    history: int,
    environment: str | None,
) -> dict[str, str]:
    """What the file says of its policy."""
    known = {
        "format": FORMAT,
        "version": str(VERSION if history == 1 else VERSION_WITH_HISTORY),
        "observation_size": str(observation_size),
        "action_size": str(len(action_low)),
        "action_low": json.dumps(action_low.tolist()),
        "action_high": json.dumps(action_high.tolist()),
    }
    known |= {} if history == 1 else {"history": str(history)}
    return known if environment is None else known | {"environment": environment}


def history_of(metadata: Mapping[str, str]) -> int:
    """How many observations the policy looks at; `ValueError` where that is no number."""
    text = metadata.get("history", "1")
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"history {text!r:.20} is no number")
    return int(text)


def write(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """The file whole or not at all; `UserError` where it cannot be written."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(_in_order(safetensors.numpy.save(tensors, metadata)))
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise UserError(f"{path}: the policy cannot be written ({error.strerror or error})") from error


def _in_order(content: bytes) -> bytes:
    """The same file with its metadata sorted; safetensors writes them in a random order."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return content[:8] + text.ljust(size) + content[8 + size :]


def read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
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
