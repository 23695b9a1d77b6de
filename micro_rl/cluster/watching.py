"""Who is told how a sweep on a cluster goes."""

from collections.abc import Mapping
from pathlib import Path

from micro_rl.cluster.tasks import Outcome


class Watcher:
    """Is told how a sweep goes; does nothing unless overridden."""

    def begins(self) -> None:
        """The cluster is there; nothing is written yet."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def ended(self, outcome: Outcome) -> None:
        """A run is over."""

    def look(self, folder: Path, outcomes: Mapping[str, Outcome]) -> None:
        """About once a second: runs write into their folders below this one; those that are over are told."""
