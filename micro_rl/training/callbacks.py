"""Who is told how a run goes: the display, a callback, nobody."""

from micro_rl.policy import Policy
from micro_rl.storage.jsonl import Row


class Watcher:
    """Is told how a run goes; does nothing unless overridden."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def given(self, holdout: float) -> None:
        """A model that was fitted before, by the mean holdout error of its members."""

    def fitted(self, row: Row) -> None:
        """An epoch of the dynamics fit."""

    def measured(self, text: str) -> None:
        """What the fitted model was found to be worth."""

    def diverged(self, text: str) -> None:
        """The run blew up, and others beside it go on."""

    def finished(self) -> None:
        """The run is over, with everything written."""

    def trained(self, row: Row, policy: Policy) -> None:
        """An epoch of policy training."""
