"""A termination head for a log and the model that was fitted to it, and what to tell of it."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from micro_rl.core.settings import ModelSettings
from micro_rl.core.types import Keys
from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.data.scaling import to_core
from micro_rl.dynamics import termination_classifier
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.dynamics.termination_classifier import Steps

HEAD_STREAM = 1 << 29
"""Folded into the fit's key, beyond the numbers that `split` uses: the head's draws disturb no others."""


def learn_termination(dataset: Dataset, model: FittedModel, settings: ModelSettings, seed: int) -> FittedModel:
    """The model with a termination head learned from the log's own ends, of which there must be one."""
    rows = to_core(dataset.transitions(keep_timeouts=True), model.scaling)
    episode = np.searchsorted(dataset.stops, np.flatnonzero(dataset.usable), side="right")
    steps = Steps(np.asarray(rows.next_observation), np.asarray(rows.discount) == 0, episode)
    key = jax.random.fold_in(Keys.of(seed).fit, HEAD_STREAM)
    head, measured = termination_classifier.learn(steps, settings.termination_updates, key)
    return model._replace(head=head, about=model.about | {"termination": measured})


def measurement(about: Mapping[str, Any]) -> str:
    """What a fit's `about` says of its head, in a sentence."""
    found = about["termination"]
    learned = f"no rule says when episodes end: learned from {found['terminals']} terminals"
    if found["precision"] is None or found["recall"] is None:
        return f"{learned}, too few to hold some out and measure what was learned"
    held = plural(found["held_out_episodes"], "held-out episode")
    return (
        f"{learned}; on {held} it ends {found['expected_terminals']:.0f} rows "
        f"where {found['held_out_terminals']} ended: precision {100 * found['precision']:.0f} %, "
        f"recall {100 * found['recall']:.0f} %"
    )
