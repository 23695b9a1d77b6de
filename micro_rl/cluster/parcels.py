"""What nodes without the shared folder send home and ask for; the driver's folder alone keeps it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from micro_rl.cluster.place import packed, unpack

ANSWERING = 30.0
"""Seconds that the actor is given to say what it has; where the head is gone, Ray ends the process after 60."""
STEP = 5.0
"""Seconds between words of a folder that is on its way, however long that takes."""
Slow = Callable[[str, float], None]
"""Is told of which run a folder is on its way, and for how many seconds already."""


class Parcels:
    """Two boxes between nodes and driver, who both ask from time to time; an actor of the cluster.

    A piece is here until the driver keeps it: the newest of a run that was sent, known by its mark; and those that a
    task asked for.
    """

    def __init__(self) -> None:
        self._sent: dict[str, tuple[str, bytes]] = {}
        self._kept: dict[str, str] = {}
        self._asked: set[tuple[str, str]] = set()
        self._answers: dict[tuple[str, str], bytes | None] = {}

    def put(self, name: str, mark: str, piece: bytes) -> None:
        """Takes a run's folder from a node, in the place of the one before."""
        self._sent[name] = mark, piece

    def is_kept(self, name: str, mark: str) -> bool | None:
        """Whether the driver has put a piece in its place; None: nothing is known of it, as in an actor begun anew."""
        if self._kept.get(name) == mark:
            return True
        return False if name in self._sent and self._sent[name][0] == mark else None

    def waiting(self) -> tuple[list[str], set[tuple[str, str]]]:
        """Tells the driver of which runs pieces are here, and what is asked for: by whom, of which run."""
        return list(self._sent), set(self._asked)

    def piece(self, name: str) -> tuple[str, bytes] | None:
        """Gives the driver a run's newest piece with its mark; None: an actor that was begun anew has none."""
        return self._sent.get(name)

    def keep(self, name: str, mark: str) -> None:
        """Is told by the driver that a piece lies in its place; one that came since stays here."""
        self._kept[name] = mark
        if name in self._sent and self._sent[name][0] == mark:
            del self._sent[name]

    def answer(self, asker: str, name: str, piece: bytes | None) -> None:
        """Takes a run's folder from the driver; None: there is none."""
        self._asked.discard((asker, name))
        self._answers[asker, name] = piece

    def ask(self, asker: str, names: Iterable[str]) -> dict[str, bytes | None]:
        """Gives a task what is there of the runs that it asks for; the driver is asked for the others."""
        wanted = {(asker, name) for name in names}
        there = wanted & self._answers.keys()
        self._asked |= wanted - there
        return {name: self._answers.pop((asker, name)) for asker, name in there}


def exchange(ray: Any, parcels: Any, folder: Path, slow: Slow) -> None:
    """Keep what nodes sent in the sweep's folder, piece by piece, then answer from there what they ask for.

    Args:
        ray: connected.
        parcels: the actor.
        folder: the sweep's, on the driver.
        slow: is told of a folder that takes long.
    """
    sent, asked = ray.get(parcels.waiting.remote(), timeout=ANSWERING)
    for name in sent:
        came = _patiently(ray, parcels.piece.remote(name), name, slow)
        if came is not None:
            mark, piece = came
            unpack(piece, folder / name)
            ray.get(parcels.keep.remote(name, mark), timeout=ANSWERING)
    for asker, name in sorted(asked):
        piece = packed(folder / name) if (folder / name).exists() else None
        _patiently(ray, parcels.answer.remote(asker, name, piece), name, slow)


def _patiently(ray: Any, ref: Any, name: str, slow: Slow) -> Any:
    """What a reference is of, however large; `slow` may raise where nothing is to be hoped for."""
    waited = 0.0
    while True:
        try:
            return ray.get(ref, timeout=STEP)
        except ray.exceptions.GetTimeoutError:
            waited += STEP
            slow(name, waited)
