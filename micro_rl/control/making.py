"""Where a controller comes from, and where it is kept: a run and its log, or a folder of its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro_rl.control.export_facts import OWN
from micro_rl.control.guard import Guard
from micro_rl.control.guard_file import encoded
from micro_rl.control.settings import ControlSettings
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.storage.files import remove, replace_files, saving, sha256
from micro_rl.storage.json_files import json_bytes, read_json

if TYPE_CHECKING:
    from micro_rl.data import Dataset

POLICY, GUARD, SETTINGS, OTHER = "policy.safetensors", "guard.safetensors", "controller.toml", "fallback.safetensors"
DECISION, TRAINING, CONFIG = "decision.json", "training.hdf5", "config.json"
"""Of a choice's folder: what was decided, and the part of the log that its candidates learned from. Of a run's."""
PARTS = "parts.json"
"""Names the files that the folder was written with, so that none is lost or of another writing without a word."""
DIGESTS = "sha256"
"""In it, the digest of each file but the settings, which users change."""
ORIGIN = "origin"
"""In it, what is known of where the policy comes from."""


def of_run(path: Path, rate: float, log: Any, references: int, records: Sequence[Any] = ()) -> tuple[Policy, Guard]:
    """Read a policy, and fit its guard; see `Controller.from_run`."""
    since = [_log(path, record) for record in records]
    return policy_of(path), Guard.fit(_log(path, log), rate, references, records=since)


def policy_of(path: Path) -> Policy:
    """Read the policy of a run, of a choice, of a file or of an export; `UserError` where there is none."""
    if is_export(path):
        return of_export(path)[0]
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; check the path")
    if path.is_dir() and not (path / POLICY).exists():
        if (path / DECISION).exists():
            raise left_none(path)
        raise UserError(f"{path}: has no {POLICY} in it; name the folder of a run or a choice, or a policy's file")
    try:
        return Policy.load(path / POLICY if path.is_dir() else path)
    except UserError as error:
        if path.is_dir() or path.suffix == Path(POLICY).suffix:
            raise
        raise UserError(
            f"{str(error).partition(';')[0]}; give a policy's .safetensors, the .py or .onnx that micro-rl export "
            "wrote, or the folder of a run, a choice or a controller"
        ) from error


def left_none(choice: Path) -> UserError:
    """The refusal of a choice's folder that has no policy, with the reason."""
    reason = str(read_json(choice / DECISION).get("reason", "nothing was judged"))
    others = any((choice / "policies").glob("*.safetensors"))
    remedy = "name one of policies/*.safetensors there to take one" if others else "name a run's folder, or a policy"
    return UserError(f"{choice}: the choice left no policy ({reason}): {remedy}")


def is_export(path: Path) -> bool:
    """Whether a path is called as a file of `micro-rl export` that a controller can be made of."""
    return path.suffix in (".py", ".onnx") and not path.is_dir()


def of_export(path: Path) -> tuple[Policy, Guard | None]:
    """Read policy and guard of an exported file, of Python or ONNX; see `Controller.from_export`."""
    if not is_export(path):
        raise UserError(f"{path}: is no export that a controller is made of; give its .py or .onnx")
    if path.suffix == ".onnx":
        from micro_rl.control import exported_onnx as exported
    else:
        from micro_rl.control import exported_python as exported
    return exported.read(path)


def in_folder(folder: Path) -> tuple[Policy, Guard | None, ControlSettings]:
    """Read what `write` wrote; there is no guard where none was written.

    Raises:
        UserError: there is no policy, there are no settings, a part is lost, or a file is damaged.
    """
    if not folder.exists():
        raise UserError(f"{folder}: no such file or folder; check the path")
    for name in (POLICY, SETTINGS):
        if not (folder / name).exists():
            raise UserError(f"{folder}: is no controller's folder (no {name} in it); make one with micro-rl controller")
    parts, settings = _complete(folder), ControlSettings.from_toml(folder / SETTINGS)
    return Policy.load(folder / POLICY), Guard.load(folder / GUARD) if GUARD in parts else None, settings


def write(
    folder: Path,
    policy: Policy,
    guard: Guard | None,
    settings: ControlSettings,
    other: Policy | None,
    known: Sequence[tuple[str, str]] = (),
) -> None:
    """Write a controller's parts, and what is `known` of where its policy comes from (`micro_rl.control.origin`).

    Raises:
        CannotWrite: the disk refuses; what was there before is still there, all of it.
        UserError: the folder is a run's, a choice's, or has a policy that is no controller's.
    """
    check_free(folder)
    settings = settings if other is None else replace(settings, fallback_policy=OTHER)
    arrays = {POLICY: policy.encoded()}
    arrays |= {} if guard is None else {GUARD: encoded(guard)}
    arrays |= {} if other is None else {OTHER: other.encoded()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in arrays.items()}
    about: dict[str, Any] = {"parts": [SETTINGS, *arrays], DIGESTS: digests}
    about |= {ORIGIN: {OWN: policy.sha256, **dict(known)}} if known else {}
    # in this order, so that after a kill between two of them a digest tells
    contents = {PARTS: json_bytes(about), SETTINGS: settings.as_toml().encode(), **arrays}
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    replace_files({folder / name: content for name, content in contents.items()})
    if guard is None:
        remove(folder / GUARD)


def check_free(folder: Path) -> None:
    """Refuse a folder in which a controller's parts would take the place of another's."""
    there = [name for name in (CONFIG, DECISION, POLICY, PARTS, SETTINGS) if (folder / name).exists()]
    if there and (there[0] in (CONFIG, DECISION) or there == [POLICY]):
        raise UserError(f"{folder}: has a {there[0]} that is no controller's; choose another folder for the controller")


def _complete(folder: Path) -> list[str]:
    """The parts of a folder; refused where one is lost or another's, the guard above all: it tells what is alarming."""
    about = read_json(folder / PARTS) if (folder / PARTS).exists() else {"parts": [GUARD]}
    named, digests = about.get("parts"), about.get(DIGESTS, {})  # before, folders told none
    if not isinstance(named, list) or not all(name in (POLICY, GUARD, SETTINGS, OTHER) for name in named):
        raise UserError(f"{folder / PARTS}: names no parts of a controller; make the folder anew")
    if not isinstance(digests, dict) or not set(digests) <= set(named):
        raise UserError(f"{folder / PARTS}: names no parts of a controller; make the folder anew")
    if lost := [name for name in named if not (folder / name).exists()]:
        raise UserError(
            f"{folder}: {', '.join(lost)} is lost: bring it back, or make the folder anew with micro-rl controller"
        )
    if other := [name for name, digest in digests.items() if sha256(folder / name) != digest]:
        raise UserError(
            f"{folder}: {', '.join(other)} is not what the folder was written with (by its {PARTS}): "
            "make the folder anew with micro-rl controller"
        )
    return named


def _log(path: Path, log: Any) -> Dataset:
    from micro_rl.data import Dataset, load

    if isinstance(log, Dataset):
        return log
    if log is not None:
        return load(log)
    if (path / DECISION).exists() and (path / TRAINING).exists():
        return load(path / TRAINING)
    if not (path / CONFIG).exists():
        raise UserError(f"{path}: names no log to fit the guard on: give one, with --log LOG or log=...")
    from micro_rl.data.run_log import log_of
    from micro_rl.storage.run_folder import RunFolder

    return log_of(path, RunFolder.open(path).config())
