"""What a plan must be able to do, looked at before anything is begun."""

from typing import TYPE_CHECKING

from micro_rl.algorithms import registry
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.dynamics.episode_holdout import fitted_rows
from micro_rl.dynamics.saved_model import ModelShape
from micro_rl.errors import UserError
from micro_rl.training.host_log import refuse_on_host, stays_on_host
from micro_rl.training.log_support import refuse_unmeasurable
from micro_rl.training.set_calibration import refuse_without_held_out

if TYPE_CHECKING:
    from micro_rl.training.plan import Plan


def refuse_what_cannot_work(plan: "Plan") -> None:
    """Refuse a plan whose parts do not suit each other; options out of their bounds are refused as its method is built.

    Raises:
        UserError: Names what does not suit, and the remedy.
    """
    refuse_idle_model(plan)
    _refuse_uneven_updates(plan)
    refuse_too_few(plan.dataset, plan.settings, 2 if plan.fits_model else plan.method.least_rows)
    refuse_unmeasurable(plan.dataset, plan.settings)
    if plan.model is None or plan.scored_apart:  # of a model that is given, its own shape counts
        plan.method.refuse(sizes_of(plan.settings, len(plan.settings.weight_decay), plan.settings.ensemble_size))
    if plan.method.needs_held_out and plan.model is None:
        refuse_without_held_out(plan.settings)
    if stays_on_host(plan.settings, plan.dataset):
        refuse_on_host(plan.method, plan.method_name, plan.settings.log_on)
        _refuse_replay(plan)
    _ = plan.known_reward  # refuses a formula that is not the log's
    _refuse_wrong_slots(plan)


def sizes_of(settings: Settings, layers: int, members: int) -> ModelSizes:
    """What a method's options are held against, of a model with so many layers and members."""
    return ModelSizes(layers, members, settings.num_elites, settings.critic_norm, settings.num_critics)


def _refuse_wrong_slots(plan: "Plan") -> None:
    """Of a method from outside: what its own code gives must have the shapes that training takes."""
    log, settings = plan.dataset, plan.settings
    shape = ModelShape(
        log.observations.shape[1],
        log.actions.shape[1],
        settings.ensemble_size,
        tuple(settings.model_hidden_sizes),
        settings.history,
        settings.model_norm,
    )
    rows = int(log.learnable(settings.keep_timeouts).sum())
    registry.check_slots(plan.method_name, plan.method, settings.sizes(), shape, rows)


def _refuse_replay(plan: "Plan") -> None:
    if plan.dataset.exogenous:
        raise UserError(
            f"{plan.dataset.path}: exogenous columns are replayed from a log on the device alone, and this one "
            "stays on the host: leave exogenous out, or take --log-on device"
        )


def refuse_idle_model(plan: "Plan") -> None:
    """`UserError` for a model that is given to a method that learns none, and that would score nothing."""
    if plan.model is not None and plan.task.env is not None and not plan.method.learns_model:
        raise UserError(f"model: {plan.method_name} learns no model, and the simulator scores it; leave it out")


def _refuse_uneven_updates(plan: "Plan") -> None:
    updates, steps = plan.settings.updates_per_epoch, plan.method.steps
    if updates % steps:
        raise UserError(f"policy_delay: {steps} does not divide the {plural(updates, 'update')} of an epoch")


def refuse_too_few(dataset: Dataset, settings: ModelSettings, least: int = 2) -> None:
    """`UserError` unless so many rows can be learned from; of two a model keeps one back to be measured on."""
    count = int(dataset.learnable(settings.keep_timeouts).sum())
    if count < least:
        without = "" if settings.keep_timeouts else " without the rows that end by a time limit (--no-keep-timeouts)"
        raise UserError(
            f"{dataset.path}: {plural(count, 'row')} to learn from{without}, and there must be {least} at the "
            "least: log more"
        )
    if settings.holdout_episodes and int(fitted_rows(dataset, settings).sum()) < least:
        raise UserError(
            f"holdout_episodes: {settings.holdout_episodes:g} leaves fewer than {least} rows of {dataset.name} to fit: "
            "hold out fewer"
        )
