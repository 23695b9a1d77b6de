"""The fits of a sweep: what one program has fitted for a seed, the sweep's later programs take over."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from micro_rl.core.settings import ModelSettings
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.errors import UserError
from micro_rl.storage.jsonl import rewind_rows
from micro_rl.storage.locks import locked
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.callbacks import Callback
from micro_rl.training.plan import Plan
from micro_rl.training.runner import run_folder


class SharedFits:
    """Where each fit of a sweep lies: the same seed and settings of the model make the same fit."""

    def __init__(self) -> None:
        self._made: dict[Any, RunFolder] = {}

    def remember(self, plan: Plan, path: Path) -> None:
        """A run whose program is over; one that has no model has none to share."""
        folder = RunFolder(path)
        if plan.learns_model and folder.model.exists():
            self._made.setdefault(_what_is_fitted(plan), folder)

    def begin(self, plan: Plan, path: Path, resume: bool, callback: Callback) -> bool:
        """Make the run's folder with the model in it, where one was made and the folder has none; whether it was done.

        Raises `UserError` as `run_folder` does. A model that cannot be read or written any more is fitted again.
        """
        made = self._made.get(_what_is_fitted(plan))
        if not plan.learns_model or plan.model is not None or made is None or RunFolder(path).model.exists():
            return False
        folder = run_folder(plan, path, resume)
        with locked(folder.lock):
            try:
                model, rows = load_model(made.model), made.fit()
                rewind_rows(path / "fit.jsonl", -1, rows)
                save_model(folder.model, model)
            except UserError as error:
                callback.note(f"the model is fitted again: {error}")
            else:
                callback.note(f"takes over the model of {made.path.name}")
        return True


def _what_is_fitted(plan: Plan) -> Any:
    settings = plan.settings
    return settings.seed, *(getattr(settings, field.name) for field in fields(ModelSettings))
