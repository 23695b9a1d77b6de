"""The judge's ensemble on the disk: the dear part, which other policies of the same log and a later start use again."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from micro_rl._version import __version__
from micro_rl.core.types import Scaling
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.saved_model import FittedModel, ModelShape, load_model, save_model
from micro_rl.storage.files import saving


def place(folder: Path, made_of: dict[str, Any]) -> Path:
    """Where a judge that is made of this lies: judges of other logs, folds or settings lie elsewhere.

    Raises:
        CannotWrite: the folder cannot be made; found out before anything is fitted.
    """
    with saving(folder):
        folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(made_of | {"version": __version__}, sort_keys=True)
    return folder / f"judge-{sha256(text.encode()).hexdigest()[:12]}"


def read(path: Path) -> Ensemble | None:
    """The members in the order of the folds; None where there are none.

    Raises:
        UserError: what lies there is damaged.
    """
    return load_model(path).ensemble if path.exists() else None


def keep(path: Path, ensemble: Ensemble, scaling: Scaling, history: int, log: str) -> None:
    """Write the members, whole or not at all.

    Raises:
        CannotWrite: the disk refuses.
    """
    width = len(scaling.observation_mean), len(scaling.action_mid)
    hidden = tuple(weight.shape[-1] for weight in ensemble.members.net.weights[:-1])
    shape = ModelShape(*width, ensemble.size, hidden, history)
    about = {"shape": shape._asdict() | {"hidden": list(hidden)}, "holdout": [0.0] * ensemble.size, "log": log}
    save_model(path, FittedModel(ensemble, scaling, about))
