"""The models of several runs: each its own from before, one that was given, or one fitted together with the others'."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from micro_rl.core.types import Problem
from micro_rl.dynamics import quality_report
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.errors import Diverged
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.jsonl import rewind_rows
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.callbacks import Watcher
from micro_rl.training.fit_keeping import KeptFit
from micro_rl.training.fitting import problem_of
from micro_rl.training.fitting_together import Fit, fit_models
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.models import with_end
from micro_rl.training.plan import Plan


@dataclass(eq=False)
class Owner:
    """A run that is to have a model: the one it was given, else one fitted for it, or the error of that fit."""

    plan: Plan
    folder: RunFolder
    watcher: Watcher
    model: FittedModel | None
    error: Diverged | None = None

    def __post_init__(self) -> None:
        self.fit_rows = self.folder.fit_rows()

    def fitted(self, model: FittedModel | Diverged) -> None:
        """Take what was fitted."""
        if isinstance(model, Diverged):
            self._diverged(model)
            return
        if report := quality_report.of(model.about):
            self.watcher.measured(report.sentence())
        self.model = with_end(model, self.plan, self.watcher)

    def fitted_with(self, other: "Owner") -> None:
        """Take what another's fit has made, which was this one's as well; rows that the disk refuses wait."""
        if other.error is not None:
            self._diverged(other.error)
        self.model = other.model
        rows = [*other.folder.fit(), *other.fit_rows.waiting]
        try:
            rewind_rows(self.folder.path / "fit.jsonl", -1, rows)
        except CannotWrite as error:
            self.watcher.note(f"not saved, training goes on: {error}")
            self.fit_rows.waiting.extend(rows)

    def _diverged(self, error: Diverged) -> None:
        self.error = error
        self.watcher.diverged(str(error))


def models_for(owners: Sequence[Owner], interrupts: Interrupts) -> Problem:
    """Give every owner its model or its fit's error; the log in the units of the models."""
    plan = owners[0].plan
    brought = next((owner.model.scaling for owner in owners if owner.model), None)
    problem = problem_of(plan.dataset, plan.settings, brought)
    for owner in owners:
        if owner.model is not None:
            owner.model = with_end(owner.model, owner.plan, owner.watcher)
    firsts = {owner.plan.settings.seed: owner for owner in reversed(owners)}
    firsts |= {owner.plan.settings.seed: owner for owner in owners if owner.model is not None}
    if fresh := [owner for owner in owners if owner.model is None and owner in firsts.values()]:
        for owner, model in zip(fresh, _fitted(fresh, problem, interrupts), strict=True):
            owner.fitted(model)
    for owner in owners:  # runs of the same seed have the same fit
        if owner.model is None and owner.error is None:
            owner.fitted_with(firsts[owner.plan.settings.seed])
    return problem


def _fitted(owners: Sequence[Owner], problem: Problem, interrupts: Interrupts) -> list[FittedModel | Diverged]:
    """One model for each, the state of its fit kept in the owner's folder."""
    plan, fits = owners[0].plan, []
    with ExitStack() as opened:
        for owner in owners:
            keeper = KeptFit(owner.folder, owner.fit_rows, owner.plan.settings, problem, owner.watcher.note, interrupts)
            fits.append(Fit(owner.plan.settings.seed, opened.enter_context(keeper), owner.watcher.fitted))
        return fit_models(plan.dataset, problem, plan.settings, fits)
