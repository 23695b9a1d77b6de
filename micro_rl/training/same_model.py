"""Whether a run goes on with the model that it was begun with: by what the model is, wherever it lies."""

from pathlib import Path

import numpy as np

from micro_rl.errors import UserError
from micro_rl.storage.arrays import read_arrays
from micro_rl.storage.files import hidden
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.plan import Plan


def refuse_other_model(folder: RunFolder, plan: Plan) -> None:
    """Refuse to go on where the plan's model is not the run's: it would be ignored, or taken for the run's own.

    A run that has its copy by now goes on without being given one.

    Args:
        folder: Of the run.
        plan: Under which it is to go on.

    Raises:
        UserError: It was begun with another model, or with none; or a model's file is damaged.
    """
    begun, own = folder.config().get("model"), plan.model_use.place(folder)
    now = None if plan.model is None else str(plan.model)
    if begun == now or _same(begun, plan, own):
        return
    raise UserError(
        f"{folder.path}: was begun with another model ({begun or 'none given'}, now {now or 'none given'}); "
        "resume with the same, or choose another folder with --out"
    )


def _same(begun: object, plan: Plan, own: Path) -> bool:
    """Whether another path, or none, means the model that the run has, or would have had."""
    if plan.model is None:
        return own.exists() and (plan.method.learns_model or plan.scored_apart)
    if own.exists():
        return _holds(own, plan.model)
    return isinstance(begun, str) and _holds(Path(begun), plan.model)


def _holds(folder: Path, other: Path) -> bool:
    """Whether a model's folder has all that another one has; beside it there may be a head that ends its episodes."""
    if not all(place.exists() or hidden(place, "old").exists() for place in (folder, other)):
        return False
    (arrays, _), (others, _) = read_arrays(folder, "ensemble"), read_arrays(other, "ensemble")
    return all(name in arrays and np.array_equal(arrays[name], others[name]) for name in others)
