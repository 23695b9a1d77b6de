"""The file of a policy: one of safetensors, its layers and vectors by name and metadata that describes them."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.columns import UNNAMED, Columns
from micro_rl.errors import UserError
from micro_rl.storage.arrays import read_safetensors, safetensors_chunks
from micro_rl.storage.files import regular_size, replace_file
from micro_rl.storage.policy_parts import VECTORS, PolicyParts

FORMAT, VERSION, VERSION_WITH_HISTORY, VERSION_WITH_COLUMNS = "micro-rl policy", 1, 2, 3
"""A reader that knows nothing of histories or columns must refuse a policy that has them, and may take any other."""
HEADER_LIMIT = 8 << 20
"""Bytes; a policy's header has a few thousand, and as many more as the description of its log."""


def write(path: Path, parts: PolicyParts) -> None:
    """Write a policy's file, whole or not at all and durably; equal policies give equal bytes.

    Raises:
        CannotWrite: where the disk refuses; what was there before is still there.
    """
    replace_file(path, encoded(parts))


def encoded(parts: PolicyParts) -> bytes:
    """Give the bytes of a policy's file."""
    return b"".join(safetensors_chunks(parts.tensors(), _metadata(parts)))


def digest(parts: PolicyParts) -> str:
    """The SHA-256, in hexadecimal, of the file that `write` writes: what `sha256sum` prints for it."""
    whole = hashlib.sha256()
    for chunk in safetensors_chunks(parts.tensors(), _metadata(parts)):
        whole.update(chunk)
    return whole.hexdigest()


def read(path: Path) -> PolicyParts:
    """Read what `write` wrote.

    Raises:
        UserError: naming the file, where it is missing, damaged, of a later version or no policy.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; give the path of a policy file")
    regular_size(path)
    tensors, metadata = read_safetensors(path, HEADER_LIMIT)
    _check_format(path, metadata)
    try:
        layers = _layers(tensors)
        vectors: Any = {name: tensors[name] for name in VECTORS}
        vectors |= {"columns": _columns(metadata), "mapping": metadata.get("mapping", "")}
        parts = PolicyParts(layers, **vectors, environment=metadata.get("environment"), history=_history(metadata))
        parts.check()
        if _metadata(parts) != metadata:
            raise ValueError("its metadata does not describe its tensors")
    except ValueError as error:
        raise UserError(f"{path}: {error}; the file is damaged: export the policy again") from error
    return parts


def _layers(tensors: Mapping[str, np.ndarray]) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The numbered layers; `ValueError` where the file has other tensors or dtypes than a policy's."""
    count = sum(name.endswith(".weight") for name in tensors)
    names = [(f"layer{index}.weight", f"layer{index}.bias") for index in range(count)]
    expected = {name for pair in names for name in pair} | set(VECTORS)
    if expected != set(tensors):
        raise ValueError(f"tensors {', '.join(sorted(expected ^ set(tensors)))[:200]} are missing or unknown")
    for name, array in tensors.items():
        if array.dtype != (np.float64 if name in VECTORS else np.float32):
            raise ValueError(f"tensor {name} is {array.dtype}")
    return tuple((tensors[weight], tensors[bias]) for weight, bias in names)


def _history(metadata: Mapping[str, str]) -> int:
    """How many observations the policy looks at; `ValueError` where that is no number."""
    text = metadata.get("history", "1")
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(f"history {text!r:.20} is no number")
    return int(text)


def _columns(metadata: Mapping[str, str]) -> Columns:
    """Names, units and ranges of its columns; `ValueError` where they are none."""
    if "columns" not in metadata:
        return UNNAMED
    try:
        return Columns.of_json(json.loads(metadata["columns"]))
    except RecursionError:
        raise ValueError("its columns are no JSON") from None


def _of_log(parts: PolicyParts) -> dict[str, str]:
    """What the file says of its policy's log; nothing where nothing is known."""
    unnamed = UNNAMED.filled(parts.observation_size, len(parts.action_mid))
    known = {"mapping": parts.mapping} if parts.mapping else {}
    if parts.columns not in (UNNAMED, unnamed):
        known["columns"] = json.dumps(parts.columns.as_json(), ensure_ascii=False)
    return known


def _metadata(parts: PolicyParts) -> dict[str, str]:
    """What the file says of its policy."""
    of_log, plain = _of_log(parts), VERSION if parts.history == 1 else VERSION_WITH_HISTORY
    metadata = of_log | {
        "format": FORMAT,
        "version": str(VERSION_WITH_COLUMNS if of_log else plain),
        "observation_size": str(parts.observation_size),
        "action_size": str(len(parts.action_mid)),
        "action_low": json.dumps((parts.action_mid - parts.action_half).tolist()),
        "action_high": json.dumps((parts.action_mid + parts.action_half).tolist()),
    }
    metadata |= {} if parts.history == 1 else {"history": str(parts.history)}
    return metadata if parts.environment is None else metadata | {"environment": parts.environment}


def _check_format(path: Path, metadata: Mapping[str, str]) -> None:
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path}: holds no '{FORMAT}' in its metadata; give a file written by Policy.save")
    if metadata.get("version", "") not in map(str, range(VERSION, VERSION_WITH_COLUMNS + 1)):
        raise UserError(
            f"{path}: policy format version {metadata.get('version')}, this program reads {VERSION} to "
            f"{VERSION_WITH_COLUMNS}: update micro-rl"
        )
