"""From what the user typed to a file: a path, an embedded log, or a name in the D4RL folder. No network."""

import difflib
import os
from pathlib import Path

from micro_rl.errors import UserError

EMBEDDED = {"pendulum-demo": Path(__file__).parent / "pendulum-demo.hdf5"}


def title(path: Path) -> str:
    """A log's name: the file's stem spelled as datasets are, `hopper-medium-v2` for hopper_medium-v2."""
    return path.stem.replace("_", "-")


def locate(log: str | Path) -> Path:
    """The file meant by a path or a name; `UserError` with similar names when there is none."""
    if isinstance(log, str) and log in EMBEDDED:
        return EMBEDDED[log]
    path = Path(os.path.expanduser(log))
    # os.path answers False, where pathlib may raise, for names too long or otherwise impossible.
    for candidate in [path, *_in_folder(log)]:
        if os.path.isfile(candidate):
            return candidate
    if os.path.isdir(path):
        raise UserError(f"{path}: a folder, not a log: name an HDF5 or NPZ file in it")
    if os.path.exists(path):
        raise UserError(f"{path}: not a regular file: give an HDF5 or NPZ file")
    raise UserError(_missing(log, path))


def folder() -> Path:
    """Where named logs lie: `$D4RL_DATASET_DIR`, or the ecosystem's default."""
    return Path(os.environ.get("D4RL_DATASET_DIR") or "~/.d4rl/datasets").expanduser()


def _in_folder(log: str | Path) -> list[Path]:
    """The spellings under which a name may lie in the folder.

    D4RL writes every dash of a name but the one before the version as an underscore.
    """
    if not isinstance(log, str) or Path(log).name != log:
        return []
    task, dash, version = log.rpartition("-v")
    spelled = f"{task.replace('-', '_')}-v{version}" if dash else log.replace("-", "_")
    return [folder() / name for name in (f"{spelled}.hdf5", f"{log}.hdf5", log)]


def _missing(log: str | Path, path: Path) -> str:
    """No such log: what is near in the path's folder, the D4RL folder and among the embedded."""
    nearby = {name: name for name in EMBEDDED}
    for place in (path.parent, folder()):
        nearby |= {title(file): str(file) for file in _logs(place)}
    close = difflib.get_close_matches(title(path), nearby, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(nearby[name] for name in close)}?" if close else "give a path to a file"
    return f"{log}: no such file, nor a log of that name in {folder()}: {hint}"


def _logs(place: Path) -> list[Path]:
    try:
        return sorted(file for file in place.iterdir() if file.suffix in (".hdf5", ".h5", ".npz"))
    except OSError:
        return []
