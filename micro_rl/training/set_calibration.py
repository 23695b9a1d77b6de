"""The calibrated set of a run's model, measured on the episodes that its fit kept out."""

import numpy as np

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.data.scaling import to_core
from micro_rl.data.taking import content
from micro_rl.dynamics.calibrated_set import CalibratedSet, calibrate, judged_columns, unit_of
from micro_rl.dynamics.episode_coverage import MOST_ROWS
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.support import reference
from micro_rl.errors import UserError

NEEDS = "candidates: calibrated needs a model that kept episodes out: fit it with --holdout-episodes 0.1"


def calibrated_set(dataset: Dataset, model: FittedModel, settings: Settings, level: float) -> CalibratedSet:
    """What the model's predictions must be widened by to hold this share of true next states.

    Args:
        dataset: the log, in windows of the history.
        model: fitted on all but some of its episodes.
        settings: the run's.
        level: share of the true next states.

    Raises:
        UserError: the model kept no episodes of this log out, or too few rows for the level.
    """
    out, learnable = _held_out(dataset, model), dataset.learnable(settings.keep_timeouts)
    fitted, held_out = np.flatnonzero(learnable & ~out), np.flatnonzero(learnable & out)
    held_out = held_out[np.linspace(0, len(held_out) - 1, min(len(held_out), MOST_ROWS)).round().astype(int)]
    log = to_core(dataset.rows(fitted), model.scaling)
    known = reference(log, np.arange(len(fitted)))
    rows, elites = to_core(dataset.rows(held_out), model.scaling), model.ensemble.best(settings.num_elites)
    measured = calibrate(elites, known, rows, unit_of(elites, log, judged_columns(dataset)), level)
    if not np.isfinite(measured.radius):
        raise UserError(
            f"set_level: {level:g} cannot be told from the {plural(len(held_out), 'row')} held out: "
            "hold out more episodes"
        )
    return measured


def refuse_without_held_out(settings: ModelSettings) -> None:
    """Raise `UserError` where a model is to be fitted that keeps no episode out."""
    if settings.holdout_episodes == 0:
        raise UserError(NEEDS)


def _held_out(dataset: Dataset, model: FittedModel) -> np.ndarray:
    """Whether each row is of an episode that the fit kept out."""
    episodes = model.about.get("episodes_held_out")
    if not episodes or model.about.get("log_sha256") != dataset.sha256:
        raise UserError(f"{NEEDS}, on this log")
    if model.about.get("log_content") not in (None, content(dataset)):  # older models do not tell
        raise UserError(f"{NEEDS}, on this log as it is read now: the model's episodes are those of another reading")
    return np.isin(np.repeat(np.arange(len(dataset.stops)), dataset.lengths), episodes)
