"""From what the user typed to a file: a path, an embedded log, a name in D4RL's folder or in Minari's. No network."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from micro_rl.core import arguments
from micro_rl.errors import UserError

EMBEDDED = {"pendulum-demo": Path(__file__).parent / "pendulum-demo.hdf5"}
SUFFIXES = (".hdf5", ".h5", ".npz", ".csv", ".tsv", ".parquet", ".pq")
METADATA = Path("data", "metadata.json")
"""Where a Minari set's folder has its metadata."""


def log_name(path: Path) -> str:
    """Names a log: the file's stem spelled as datasets are, `hopper-medium-v2` for hopper_medium-v2.

    A Minari set is called by its id, `D4RL-door-human-v2`, when it lies in Minari's folder.
    """
    if os.path.isdir(path):
        inside = path.is_relative_to(minari_folder())
        return "-".join(path.relative_to(minari_folder()).parts) if inside else path.name
    return path.stem.replace("_", "-")


def locate(log: str | Path) -> Path:
    """Finds the log that is meant by a path or a name.

    Args:
        log: a path, `pendulum-demo`, the name of a file in D4RL's folder, or the id of a Minari set.

    Returns:
        The file, or the folder of a Minari set.

    Raises:
        UserError: no such log; the message lists what is there.
    """
    _refuse_what_is_no_path(log)
    if isinstance(log, str) and log in EMBEDDED:
        return EMBEDDED[log]
    path = Path(os.path.expanduser(log))
    # os.path answers False, where pathlib may raise, for names too long or otherwise impossible.
    for candidate in [path, *_in_folder(log)]:
        if os.path.isfile(candidate):
            return _whole_set(candidate)
    for candidate in [path, path.parent, *_minari_places(log)]:
        if os.path.isfile(candidate / METADATA) and (candidate != path.parent or path.name == "data"):
            return Path(os.path.abspath(candidate))
    if os.path.isdir(path):
        if parquet_files(path):
            return Path(os.path.abspath(path))
        raise UserError(
            f"{path}: a folder, and neither a Minari set nor one of Parquet files: name a file in it{_there(path)}"
        )
    if os.path.exists(path):
        raise UserError(f"{path}: not a regular file: give an HDF5, NPZ, CSV or Parquet file")
    raise UserError(_missing(log, path))


def _refuse_what_is_no_path(log: Any) -> None:
    """Say how arrays and DataFrames become a log."""
    if isinstance(log, str | os.PathLike):
        return
    remedy = "give a path, a name, or a loaded log"
    if hasattr(log, "transitions"):
        remedy = "it is loaded already, so use it as it is"
    elif hasattr(log, "columns") or hasattr(log, "column_names"):
        remedy = "make it one first: micro_rl.Dataset.from_frame(frame, observations=[...], actions=[...], reward=...)"
    elif isinstance(log, Mapping | Sequence) or hasattr(log, "ndim"):
        remedy = "make it one first: micro_rl.Dataset.from_arrays(observations, actions, rewards, ...)"
    raise UserError(f"log: {arguments.brief(log)} is no log: {remedy}")


def parquet_files(path: Path) -> list[Path]:
    """Lists the Parquet files in a folder and those below, log_2 before log_10; LeRobot keeps rows in data/."""
    data_folder = path / "data" if (path / "data").is_dir() else path
    return sorted((file for file in data_folder.rglob("*.parquet") if file.is_file()), key=_natural)


def _natural(path: Path) -> tuple[list[list[str | int]], Path]:
    """A key that sorts the digits in names as numbers."""
    parts = [re.split("([0-9]+)", part) for part in path.parts]
    return [[int(text) if place % 2 else text for place, text in enumerate(part)] for part in parts], path


def folder() -> Path:
    """Where named logs lie: `$D4RL_DATASET_DIR`, or the ecosystem's default."""
    return Path(os.environ.get("D4RL_DATASET_DIR") or "~/.d4rl/datasets").expanduser()


def minari_folder() -> Path:
    """Where Minari keeps its sets: `$MINARI_DATASETS_PATH`, or its default."""
    return Path(os.environ.get("MINARI_DATASETS_PATH") or "~/.minari/datasets").expanduser()


def _whole_set(file: Path) -> Path:
    """The folder of the Minari set whose main file this is; any other file itself."""
    part_of_a_set = file.name in ("main_data.hdf5", "metadata.json") and file.parent.name == "data"
    root = file.parent.parent
    return Path(os.path.abspath(root)) if part_of_a_set and os.path.isfile(root / METADATA) else file


def _in_folder(log: str | Path) -> list[Path]:
    """The spellings under which a name may lie in the folder.

    D4RL writes every dash of a name but the one before the version as an underscore.
    """
    if not isinstance(log, str) or Path(log).name != log:
        return []
    task, dash, version = log.rpartition("-v")
    spelled = f"{task.replace('-', '_')}-v{version}" if dash else log.replace("-", "_")
    return [folder() / name for name in (f"{spelled}.hdf5", f"{log}.hdf5", log)]


def _minari_places(log: str | Path) -> list[Path]:
    """Where Minari would look for that id."""
    inside = isinstance(log, str) and log and ".." not in Path(log).parts and not Path(log).is_absolute()
    return [minari_folder() / log] if inside else []


def _missing(log: str | Path, path: Path) -> str:
    """No such log: what is near in the path's folder, D4RL's, Minari's and among the embedded, or what is there."""
    if os.path.islink(path):
        return f"{log}: is a link to {os.readlink(path)[:200]!r}, and no file is there: mend the link"
    nearby = {name: name for name in EMBEDDED}
    for directory in (path.parent, folder()):
        nearby |= {log_name(file): str(file) for file in _logs(directory)}
    nearby |= {name: name for name in _minari_ids()}
    close = difflib.get_close_matches(log_name(path), nearby, n=3, cutoff=0.5)
    close += [name for name in difflib.get_close_matches(str(log), _minari_ids(), n=3, cutoff=0.5) if name not in close]
    there = list(nearby.values())
    listed = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
    hint = f"did you mean {' or '.join(nearby[name] for name in close)}?" if close else f"there is {listed}"
    return f"{log}: no such file, nor a log of that name in {folder()} or {minari_folder()}: {hint}"


def _there(directory: Path) -> str:
    files = [file.name for file in _logs(directory)]
    return f" ({', '.join(files[:8])}{', ...' if len(files) > 8 else ''})" if files else ""


def _logs(directory: Path) -> list[Path]:
    try:
        return sorted(file for file in directory.iterdir() if file.suffix in SUFFIXES)
    except OSError:
        return []


def _minari_ids() -> list[str]:
    """The sets that Minari would list, ids with up to three slashes."""
    root = minari_folder()
    try:
        files = [file for depth in range(1, 5) for file in root.glob("/".join(["*"] * depth + list(METADATA.parts)))]
    except OSError:
        return []
    return sorted(file.parent.parent.relative_to(root).as_posix() for file in files)
