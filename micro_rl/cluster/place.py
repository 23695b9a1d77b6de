"""Where a task works: in the sweep's own folder where the node sees it, else in one of its own, which is sent home."""

import io
import os
import secrets
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from micro_rl.storage.files import replace_file, saving
from micro_rl.storage.locks import OF_CLUSTER, locked

SIGN = ".cluster"
"""A file in the sweep's folder; whoever reads the right word in it sees that folder."""


class Home(NamedTuple):
    """The sweep's folder on the driver, and the word by which a node knows that it sees the same one."""

    folder: str
    word: str


def make_home(folder: Path, word: str) -> Home:
    """Makes the sweep's folder with its sign."""
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / SIGN, word.encode())
    return Home(str(folder.absolute()), word)


def leave_home(home: Home) -> None:
    """Takes the sign away."""
    (Path(home.folder) / SIGN).unlink(missing_ok=True)


@contextmanager
def sweep_home(folder: Path) -> Iterator[Home]:
    """The sweep's folder with its sign until the block ends; another sweep's driver is kept out meanwhile.

    Args:
        folder: of all runs' folders, on the driver.

    Raises:
        UserError: another sweep is going on there.
        CannotWrite: the disk refuses.
    """
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / OF_CLUSTER, "sweep"):
        home = make_home(folder, secrets.token_hex(8))
        try:
            yield home
        finally:
            leave_home(home)


def sees(home: Home) -> bool:
    """Whether this process sees the sweep's own folder."""
    sign = Path(home.folder) / SIGN
    try:
        return sign.read_text() == home.word
    except OSError:
        return False


@contextmanager
def place_in(home: Home) -> Iterator[tuple[Path, bool]]:
    """The folder that a task works in, and whether it is the sweep's own; another one is taken away at the end."""
    if sees(home):
        yield Path(home.folder), True
        return
    with tempfile.TemporaryDirectory(prefix="micro-rl-") as folder:
        yield Path(folder), False


def packed(folder: Path) -> bytes:
    """A run's folder as one piece; files that are being written are left out."""
    box = io.BytesIO()
    with tarfile.open(fileobj=box, mode="w") as tar:
        for path in _files(folder):
            inner = path.relative_to(folder)
            if not any(part.endswith(".tmp") for part in inner.parts) and path.name != "lock":
                with suppress(FileNotFoundError):  # an older checkpoint, which a task that is at work takes away
                    content, about = path.read_bytes(), tarfile.TarInfo(str(inner))
                    about.size = len(content)
                    tar.addfile(about, io.BytesIO(content))
    return box.getvalue()


def _files(folder: Path) -> list[Path]:
    """All files below a folder; what is taken away while it is listed, is left out, which `Path.rglob` does not do."""
    paths = sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return [path for path in paths if path.is_file()]


def unpack(piece: bytes, folder: Path) -> None:
    """Puts a packed folder where it belongs, each file whole or not at all; files that are gone there go here, too."""
    with tarfile.open(fileobj=io.BytesIO(piece)) as tar:
        members = [member for member in tar.getmembers() if member.isfile()]
        members.sort(key=lambda member: not member.name.endswith(".jsonl"))  # no checkpoint is there before its rows
        for member in members:
            path = folder / member.name
            if ".." in Path(member.name).parts or Path(member.name).is_absolute():
                continue
            content = tar.extractfile(member)
            assert content is not None, "a file"
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content.read())
    kept = {member.name for member in members}
    for path in sorted(folder.glob("**/*"), reverse=True):
        if path.is_file() and str(path.relative_to(folder)) not in kept and path.name != "lock":
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
