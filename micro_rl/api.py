"""The library's front door: from a log to a policy, or to a model that several runs share, in a few lines."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from micro_rl.data import Dataset
from micro_rl.data.reading import NOTHING_SAID, Reading
from micro_rl.errors import UserError
from micro_rl.fitting import fit_model, problem_of, save_model
from micro_rl.plan import Plan, known_termination, make_plan
from micro_rl.policy import Policy
from micro_rl.rows import Row
from micro_rl.run import Run, execute
from micro_rl.settings import ModelSettings, Settings, check
from micro_rl.termination import LEARNED, Rule
from micro_rl.termination_fit import learn_termination, measurement
from micro_rl.watcher import Watcher


class _Callback(Watcher):
    """A watcher that passes each epoch on."""

    def __init__(self, on_epoch: Callable[[Row, Policy], None]):
        self._on_epoch = on_epoch

    def trained(self, row: Row, policy: Policy) -> None:
        self._on_epoch(row, policy)


def default_folder(plan: Plan) -> Path:
    """Where a run goes that was given no folder."""
    return Path("trained") / f"{plan.dataset.name}-{plan.method_name}-seed{plan.settings.seed}"


def train(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    out: str | Path | None = None,
    resume: bool = False,
    until: int | None = None,
    on_epoch: Callable[[Row, Policy], None] | None = None,
    preset: str | None = None,
    env: str | None = None,
    horizon: int | None = None,
    reading: Reading = NOTHING_SAID,
    termination: str | Rule | None = None,
    model: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Learn a policy from a log and return the finished run.

    `reading` says how the log is read, where it is a table without a TOML beside it. `on_epoch(row, policy)` sees each
    epoch's metrics and a policy that acts from NumPy. `termination` is the name of a rule, a condition as text,
    `learned`, or a JAX function from raw next observations [rows, obs] to bool [rows]. `settings` are those of
    `micro_rl.settings.Settings` and the method's own options. Raises `UserError` and `Diverged`.
    """
    plan = make_plan(
        log,
        method,
        preset=preset,
        env=env,
        horizon=horizon,
        reading=reading,
        ends=termination,
        model=model,
        overrides=settings,
    )
    watcher = _Callback(on_epoch) if on_epoch else None
    return execute(plan, Path(out) if out else default_folder(plan), resume=resume, until=until, watcher=watcher)


def fit(
    dataset: Dataset, settings: ModelSettings, seed: int = 0, *, out: Path | None = None, watcher: Watcher | None = None
) -> tuple[Path, dict[str, Any]]:
    """Fit a log's dynamics model alone; the folder, for `train`'s `model`, and what is known about the fit.

    Raises `UserError`, before anything is computed, where the folder is taken or cannot be written, and `Diverged`.
    """
    check(Settings(**asdict(settings), elites=1))  # the rest of the settings are none of a fit's
    folder, watcher = out or Path("trained") / f"{dataset.name}-model-seed{seed}", watcher or Watcher()
    _refuse_unless_new(folder)
    for note in dataset.notes:
        watcher.note(note)
    model = fit_model(dataset, problem_of(dataset, settings), settings, seed, watcher.fitted)
    if known_termination(dataset) == LEARNED and (dataset.terminals & dataset.usable).any():
        model = learn_termination(dataset, model, settings, seed)
        watcher.note(measurement(model.about))
    save_model(folder, model)
    return folder, model.about


def _refuse_unless_new(folder: Path) -> None:
    if folder.exists():
        raise UserError(f"{folder}: exists; choose another folder with --out")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent):
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder with --out") from error
