"""What nodes without the shared folder send home and ask for; the driver's folder alone keeps it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from micro_rl.cluster.place import packed, unpack

ANSWERING = 30.0
"""Seconds that the actor is given to answer the driver; where the head is gone, Ray ends the process after 60."""


class Parcels:
    """Two boxes between nodes and driver, who both ask from time to time; an actor of the cluster.

    A piece is here until it is fetched: the newest of a run that was sent, and those that a task asked for.
    """

    def __init__(self) -> None:
        self._sent: dict[str, bytes] = {}
        self._asked: set[tuple[str, str]] = set()
        self._answers: dict[tuple[str, str], bytes | None] = {}

    def put(self, name: str, piece: bytes) -> None:
        """Takes a run's folder from a node, in the place of the one before."""
        self._sent[name] = piece

    def fetch(self) -> tuple[dict[str, bytes], set[tuple[str, str]]]:
        """Gives the driver what was sent, to keep before it answers, and what is asked for: by whom, of which run."""
        sent, self._sent = self._sent, {}
        return sent, set(self._asked)

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


def exchange(ray: Any, parcels: Any, folder: Path) -> None:
    """Keep what nodes sent in the sweep's folder, then answer from there what they ask for.

    Args:
        ray: connected.
        parcels: the actor.
        folder: the sweep's, on the driver.
    """
    sent, asked = ray.get(parcels.fetch.remote(), timeout=ANSWERING)
    for name, piece in sent.items():
        unpack(piece, folder / name)
    for asker, name in sorted(asked):
        piece = packed(folder / name) if (folder / name).exists() else None
        ray.get(parcels.answer.remote(asker, name, piece), timeout=ANSWERING)
