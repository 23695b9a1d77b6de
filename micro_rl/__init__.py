"""A log in, a robust policy out: MICRO (arXiv 2312.03991), model-based offline RL in JAX."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from micro_rl._version import __version__ as __version__

__all__ = [
    "ControlSettings",
    "Controller",
    "Dataset",
    "Decision",
    "Diverged",
    "Guard",
    "OpenedRun",
    "Policy",
    "Run",
    "UserError",
    "choose",
    "curves",
    "evaluate",
    "fit",
    "load",
    "open_run",
    "register",
    "robust",
    "sweep",
    "train",
    "trust",
]

if TYPE_CHECKING:
    from micro_rl.algorithms.registry import register
    from micro_rl.api import fit, sweep, train
    from micro_rl.control.controller import Controller
    from micro_rl.control.decision import Decision
    from micro_rl.control.guard import Guard
    from micro_rl.control.settings import ControlSettings
    from micro_rl.data import Dataset, load
    from micro_rl.errors import Diverged, UserError
    from micro_rl.opened.run import OpenedRun, open_run
    from micro_rl.policy import Policy
    from micro_rl.reports.compare.metric_curves import curves
    from micro_rl.robustness.jobs import robust
    from micro_rl.selection.front import choose
    from micro_rl.simulation.evaluation import evaluate
    from micro_rl.training.job import Run
    from micro_rl.trust.front import trust

_HOMES = {
    "curves": "micro_rl.reports.compare.metric_curves",
    "ControlSettings": "micro_rl.control.settings",
    "Controller": "micro_rl.control.controller",
    "Dataset": "micro_rl.data",
    "Decision": "micro_rl.control.decision",
    "Diverged": "micro_rl.errors",
    "Guard": "micro_rl.control.guard",
    "OpenedRun": "micro_rl.opened.run",
    "Policy": "micro_rl.policy",
    "Run": "micro_rl.training.job",
    "UserError": "micro_rl.errors",
    "choose": "micro_rl.selection.front",
    "evaluate": "micro_rl.simulation.evaluation",
    "fit": "micro_rl.api",
    "load": "micro_rl.data",
    "open_run": "micro_rl.opened.run",
    "register": "micro_rl.algorithms.registry",
    "robust": "micro_rl.robustness.jobs",
    "sweep": "micro_rl.api",
    "train": "micro_rl.api",
    "trust": "micro_rl.trust.front",
}


def __getattr__(name: str) -> Any:
    """Imported when first used, so that `import micro_rl` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'micro_rl' has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        from micro_rl.errors import without_training

        if (words := without_training(error, f"micro_rl.{name}")) is None:
            raise
        raise ModuleNotFoundError(words, name=error.name) from error


def __dir__() -> list[str]:
    """The public names, whether or not they have been used."""
    return sorted([*__all__, "__version__"])
