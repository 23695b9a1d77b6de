"""The fit of a run's model alone: its folder is left as a run that was stopped behind its fit would leave it."""

from pathlib import Path

from micro_rl.dynamics.saved_model import save_model
from micro_rl.errors import Diverged
from micro_rl.storage.locks import run_lock
from micro_rl.training.callbacks import Callback
from micro_rl.training.evaluator import PolicyEvaluator
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Job
from micro_rl.training.models import given_model, prepare_models
from micro_rl.training.plan import Plan
from micro_rl.training.run_begin import run_folder


def fit_run(plan: Plan, path: Path, callback: Callback, interrupts: Interrupts, command: str) -> None:
    """Fit the model of a run in its folder; one that is there stays.

    Args:
        plan: of the run.
        path: its folder, new or begun.
        callback: is told how the fit goes.
        interrupts: the signals that stop it.
        command: what was typed, for the record.

    Raises:
        UserError: the folder is of another run, or cannot be written.
        Diverged: the fit blew up.
        Interrupted: a signal came, and the fit's state is saved.
    """
    with PolicyEvaluator(plan) as evaluator:  # its remarks stand in every run's record
        folder = run_folder(plan, path, True, evaluator.notes)
    place = plan.model_use.place(folder)
    if place.exists():
        return
    job = Job(plan, folder, callback, given_model(plan, path, True, callback))
    with run_lock(folder, command, callback.note):
        prepare_models([job], interrupts)
        if isinstance(job.error, Diverged):
            raise job.error
        if job.model is not None:
            save_model(place, job.model)
