"""Who is told how a choice goes."""

from collections.abc import Sequence

from micro_rl.selection.scoring import Scored


class Watcher:
    """Is told how a choice goes; does nothing unless overridden."""

    def looked(self, lines: Sequence[tuple[str, str]]) -> None:
        """What the log is."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def at_work(self, what: str, left: float) -> None:
        """What is being done, and about how many seconds of the whole are left."""

    def ranked(self, rung: int, of: int, best: Sequence[Scored]) -> None:
        """Each candidate's best policy after a rung, the best candidate in front."""
