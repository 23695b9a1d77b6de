"""The library's front door: from a log to a policy, or to a model that several runs share, in a few lines."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from micro_rl.cluster.results import sweep_on_cluster
from micro_rl.core import arguments
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.setting import check_value
from micro_rl.core.settings import Settings
from micro_rl.data import Dataset
from micro_rl.errors import Diverged, UserError
from micro_rl.policy import Policy
from micro_rl.reports.run import write_page
from micro_rl.storage.jsonl import Row
from micro_rl.storage.wandb_log import Mode, tracking_in
from micro_rl.training.callbacks import Callback
from micro_rl.training.grid import Trial, sweep_folder, trials_of_logs
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Run
from micro_rl.training.model_fit import fit_to_folder
from micro_rl.training.plan import Choices, Plan, make_plan
from micro_rl.training.runner import execute
from micro_rl.training.sweep import SweepCallback, carry_out

OnEpoch = Callable[[Row, Policy], None]


class _Silent(Callback):
    """Passes each epoch on, and writes the page at the end."""

    def __init__(self, on_epoch: OnEpoch | None = None):
        self._on_epoch = on_epoch

    def trained(self, row: Row, policy: Policy) -> None:
        if self._on_epoch is not None:
            self._on_epoch(row, policy)

    def finished(self, path: Path) -> None:
        write_page(path, self.note)


class _SilentSweep(SweepCallback):
    """Passes each run's epochs on with the run's name."""

    def __init__(self, on_epoch: Callable[[str, Row, Policy], None] | None):
        self._on_epoch = on_epoch

    def of(self, trial: Trial) -> Callback:
        return _Silent(self._on_epoch and partial(self._on_epoch, trial.name))


def default_folder(plan: Plan) -> Path:
    """Where a run goes that was given no folder."""
    return Path("trained") / f"{plan.dataset.name}-{plan.method_name}-seed{plan.settings.seed}"


def train(
    log: str | Path | Dataset,
    method: str = "micro",
    *,
    out: str | Path | None = None,
    resume: bool = False,
    branch: str | Path | None = None,
    refit: bool = False,
    until: int | None = None,
    on_epoch: OnEpoch | None = None,
    wandb: Mode = "off",
    **choices: Unpack[Choices],
) -> Run:
    """Learn a policy from a log.

    Args:
        log: A path, a name, or a log that is loaded.
        method: One of those that `micro-rl methods` lists.
        out: The run folder; by default `trained/LOG-METHOD-seedN`.
        resume: Go on in that folder.
        branch: A new folder, in which the run in `out` goes on with other settings, or with a log that has grown.
        refit: The branch's model is fitted anew; its agent goes on.
        until: Stop after this epoch with everything saved.
        on_epoch: Sees each epoch's metrics and a policy that acts from NumPy, as `on_epoch(row, policy)`.
        wandb: Whether the metrics are sent to Weights & Biases too, or kept for it.
        choices: See `micro_rl.training.plan.Choices`: `preset`, `env`, `horizon`, `reading`, `termination`, `model`,
            and every setting and option of the method by its name.

    Returns:
        The finished run.

    Raises:
        UserError: A mistake, in one line with its remedy.
        Diverged: The fit or the training blew up.
    """
    places = arguments.optional_path("out", out), arguments.optional_path("branch", branch)
    _check_calls({"resume": resume, "refit": refit}, until, on_epoch, "show(row, policy)")
    plan = make_plan(log, method, **choices)
    watched = partial(execute, callback=_Silent(on_epoch), wandb=tracking_in(wandb))
    folder = places[0] or default_folder(plan)
    return watched(plan, folder, resume=resume, branch=places[1], refit=refit, until=until)


def _check_calls(flags: Mapping[str, Any], until: Any, on_epoch: Any, example: str) -> None:
    """Refuse before any work what `train` and `sweep` share and cannot take."""
    for name, value in flags.items():
        arguments.flag(name, value)
    arguments.optional_whole("until", until)
    if on_epoch is not None:
        arguments.function("on_epoch", on_epoch, example)


def sweep(
    log: str | Path | Dataset | Sequence[str | Path | Dataset],
    method: str = "micro",
    *,
    seeds: int = 1,
    grid: Mapping[str, Sequence[Any]] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    until: int | None = None,
    exact: bool = False,
    width: int | None = None,
    on: str | None = None,
    on_epoch: Callable[[str, Row, Policy], None] | None = None,
    wandb: Mode = "off",
    **choices: Unpack[Choices],
) -> dict[str, Run | Diverged]:
    """Train every combination of the grid's values and so many seeds. What is not listed here is as of `train`.

    Args:
        log: One log, or several: each then has a folder in `out` for its runs, and its own preset.
        seeds: Runs of every combination, with seeds from the setting `seed` on.
        grid: Values by the name of a setting or option, or methods by `method`. Runs that differ in leaves alone
            (seeds, beta, rates, ...) are made by one compiled program; runs of one seed share a fit wherever their
            model's settings are the same, whatever their method.
        out: The folder of the runs' folders; by default `trained/LOG-METHOD-sweep`.
        exact: One run after another, to the bits of `train`.
        width: At most so many runs in one program; by default what the memory holds.
        on: A cluster, as of `micro-rl sweep --on`: `ray`, `auto` or `ray://HOST:PORT`. `on_epoch` and `wandb` are not
            for it.
        on_epoch: Sees every run's epochs, as `on_epoch(name, row, policy)`.

    Returns:
        Each run, or the error of one that diverged, by the name of its folder.

    Raises:
        UserError: A mistake, in one line with its remedy.
    """
    folder = arguments.optional_path("out", out)
    _check_calls({"resume": resume, "exact": exact}, until, on_epoch, "show(name, row, policy)")
    values = {} if grid is None else arguments.by_name("grid", grid, "{'beta': [0.1, 0.5]}")
    seeds, width = arguments.whole("seeds", seeds), arguments.optional_whole("width", width)
    plans = [make_plan(own, method, for_sweep=True, **choices) for own in _logs(log)]
    combinations, folder = trials_of_logs(plans, seeds, values), folder or sweep_folder(plans, values)
    if on is not None:
        on = arguments.text("on", on, "name a cluster: ray, auto or ray://HOST:PORT")
        if on_epoch is not None or wandb != "off":
            raise UserError("on: neither on_epoch nor wandb follows runs on a cluster; leave them out")
        return sweep_on_cluster(combinations, folder, on, resume=resume, until=until, exact=exact, width=width)
    watched = partial(carry_out, callback=_SilentSweep(on_epoch), wandb=tracking_in(wandb))
    return watched(combinations, folder, resume=resume, until=until, exact=exact, width=width)


def _logs(log: Any) -> list[Any]:
    """One log, or several, as a list; `UserError` for none."""
    several = isinstance(log, list | tuple) and all(isinstance(own, str | Path | Dataset) for own in log)
    logs = list(log) if several else [log]
    if not logs:
        raise UserError("log: name one log or more")
    return logs


def fit(
    dataset: Dataset,
    settings: ModelSettings,
    seed: int = 0,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    callback: Callback | None = None,
    interrupts: Interrupts | None = None,
    command: str = "",
) -> tuple[Path, dict[str, Any]]:
    """Fit a log's dynamics model alone.

    Args:
        dataset: The log.
        settings: The model's, or a whole run's.
        seed: Of the members' first weights, of the split and of the order of the rows.
        out: The model's folder; by default `trained/LOG-model-seedN`. Until the fit is finished, its state is kept
            beside it, under that name with `.fit` added.
        resume: Go on from that state.
        callback: Is told how the fit goes.
        interrupts: The signals that stop it.
        command: What a lock says is going on.

    Returns:
        The folder, for the `model` of `train`, and what is known about the fit.

    Raises:
        UserError: Before anything is computed: the folder is taken or cannot be written, or a setting cannot be.
        Diverged: The fit blew up.
        Interrupted: A signal came, and what was reached is kept.
    """
    _check_fit(dataset, settings, callback)
    seed = arguments.whole("seed", seed, 0)
    check_value("seed", seed, Settings)
    folder = arguments.optional_path("out", out) or Path("trained") / f"{dataset.name}-model-seed{seed}"
    callback = callback or Callback()
    return folder, fit_to_folder(folder, dataset, settings, seed, resume, callback, interrupts, command)


def _check_fit(dataset: Any, settings: Any, callback: Any) -> None:
    if not isinstance(dataset, Dataset):
        raise UserError(f"dataset: {arguments.brief(dataset)} is no loaded log: give micro_rl.load(LOG)")
    if not isinstance(settings, ModelSettings):
        raise UserError(
            f"settings: {arguments.brief(settings)} are no settings: give micro_rl.core.settings.ModelSettings(...)"
        )
    if not isinstance(callback, Callback | None):
        raise UserError(
            f"callback: {arguments.brief(callback)} is no micro_rl.training.callbacks.Callback: subclass it"
        )
