"""How a run's folder is begun, and when a run goes on in one that is there."""

from collections.abc import Sequence
from pathlib import Path

from micro_rl.errors import UserError
from micro_rl.storage import config_diff
from micro_rl.storage.locks import begun
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.branch import refuse_half_made
from micro_rl.training.plan import Plan
from micro_rl.training.plan_record import default_config, plan_to_config
from micro_rl.training.same_model import refuse_other_model


def run_folder(
    plan: Plan, path: Path, resume: bool, notes: Sequence[str] = (), way: str = config_diff.BRANCH
) -> RunFolder:
    """Give a new run folder, or the one to go on with, whose plan must be this one.

    Args:
        plan: Of the run.
        path: Its folder.
        resume: Go on where one is begun there.
        notes: Stand in a new folder's record, beside the plan's own.
        way: What to do where the plan is meant to be another one.

    Raises:
        UserError: The folder is taken, or its run cannot go on under this plan.
        CannotWrite: The disk refuses.
    """
    if not (resume and (path / "config.json").exists()):
        config = plan_to_config(plan)
        return begun(path, config | {"notes": [*config["notes"], *notes]})
    folder = RunFolder.open(path)
    refuse_half_made(folder)
    _refuse_without_checkpoint(folder)
    config_diff.require_same_config(folder.config(), plan_to_config(plan), default_config(plan), path, way)
    refuse_other_model(folder, plan)
    return folder


def _refuse_without_checkpoint(folder: RunFolder) -> None:
    """`UserError` where a finished run would begin anew, over its own policy and scores."""
    if folder.sealed and not folder.checkpoints.epochs():
        raise UserError(f"{folder.path}: is finished and has no checkpoint to go on from; choose another folder")
