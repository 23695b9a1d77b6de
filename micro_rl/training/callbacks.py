"""Callbacks for the events of a run: notes, the fit, epochs, the end."""

from pathlib import Path

from micro_rl.policy import Policy
from micro_rl.storage.jsonl import Row


class Callback:
    """Is called as a run goes on; does nothing unless overridden."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def given(self, holdout: float) -> None:
        """A model that was fitted before, by the mean holdout error of its members."""

    def fitted(self, row: Row) -> None:
        """An epoch of the dynamics fit."""

    def measured(self, text: str) -> None:
        """What the fitted model was found to be worth."""

    def trained(self, row: Row, policy: Policy) -> None:
        """An epoch of policy training."""

    def diverged(self, text: str) -> None:
        """The run blew up; others beside it go on."""

    def finished(self, path: Path) -> None:
        """The run in that folder is over, with everything written."""
