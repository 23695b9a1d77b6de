"""What each setting may be, alone and beside the others."""

from collections.abc import Callable
from dataclasses import fields
from math import isfinite
from typing import Any

from micro_rl.core.settings import Settings
from micro_rl.errors import UserError

_COUNTS = (
    "ensemble_size",
    "num_elites",
    "model_batch_size",
    "patience",
    "max_fit_epochs",
    "holdout_rows",
    "termination_updates",
    "history",
    "epochs",
    "updates_per_epoch",
    "batch_size",
)
_COUNTS += ("num_critics", "rollout_batch_size", "rollout_length", "rollouts_kept", "rollout_every")
_COUNTS += ("eval_every", "eval_episodes", "checkpoint_every")
_WIDTHS = ("hidden_sizes", "model_hidden_sizes")
_POSITIVE = ("model_lr", "actor_lr", "critic_lr", "temperature_lr", "tau", "temperature")
_POSITIVE += ("real_ratio", "holdout_fraction")
_NOT_NEGATIVE = ("bc_weight", "logvar_weight", "weight_decay", "discount")
_AT_MOST_ONE = ("discount", "tau", "temperature")
_BELOW_ONE = ("real_ratio", "holdout_fraction")


def check(settings: Settings) -> None:
    """Refuse settings that cannot work; UserError names the setting, its value and its bound."""
    for field in fields(settings):
        check_value(field.name, getattr(settings, field.name))
    _check_together(settings)


def check_value(name: str, value: Any) -> None:
    """Refuse one setting's value on its own; a tuple's parts each."""
    for part in value if isinstance(value, tuple | list) else (value,):
        if part is None or isinstance(part, bool):
            continue
        for rule, names, holds in _RULES:
            if name in names and not holds(part):
                raise UserError(f"{name}: {part!r} is not {rule}")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value)


_NUMBERS = ("min_target", "target_entropy", *_POSITIVE, *_NOT_NEGATIVE)
_RULES: tuple[tuple[str, tuple[str, ...], Callable[[Any], bool]], ...] = (
    ("a whole number of at least 1", _COUNTS + _WIDTHS, lambda value: isinstance(value, int) and value >= 1),
    ("a finite number", _NUMBERS, _number),
    ("positive", _POSITIVE, lambda value: value > 0),
    ("0 or more", _NOT_NEGATIVE, lambda value: value >= 0),
    ("at most 1", _AT_MOST_ONE, lambda value: value <= 1),
    ("below 1", _BELOW_ONE, lambda value: value < 1),
    ("auto, device or host", ("log_on",), lambda value: value in ("auto", "device", "host")),
    ("float32 or mixed", ("precision",), lambda value: value in ("float32", "mixed")),
    ("constant or cosine", ("actor_schedule",), lambda value: value in ("constant", "cosine")),
    ("in [0, 2^32)", ("seed",), lambda value: isinstance(value, int) and 0 <= value < 2**32),
)


def _check_together(settings: Settings) -> None:
    if "ensemble_size" not in {field.name for field in fields(settings)}:
        return  # learns no model, and has none of these
    if settings.num_elites > settings.ensemble_size:
        raise UserError(
            f"num_elites: {settings.num_elites} of {settings.ensemble_size} members; at most as many as members"
        )
    if len(settings.weight_decay) != len(settings.model_hidden_sizes) + 1:
        raise UserError(
            f"weight_decay: {len(settings.weight_decay)} values for {len(settings.model_hidden_sizes) + 1} layers; "
            "give one per layer of the model"
        )
    if settings.updates_per_epoch % settings.sizes().rollout_every:
        raise UserError(
            f"rollout_every: {settings.rollout_every} does not divide the {settings.updates_per_epoch} updates "
            "of an epoch"
        )
    if not 0 < settings.sizes().real_rows < settings.batch_size:
        raise UserError(
            f"real_ratio: {settings.real_ratio} leaves a batch of {settings.batch_size} without log or model rows; "
            "choose one strictly between 0 and 1"
        )
