"""What each setting may be, alone and beside the others."""

from collections.abc import Callable
from dataclasses import fields
from math import isfinite
from typing import Any

from micro_rl.core.settings import Settings
from micro_rl.errors import UserError

_COUNTS = (
    "members",
    "elites",
    "model_batch",
    "patience",
    "max_fit_epochs",
    "holdout_rows",
    "termination_updates",
    "history",
    "epochs",
    "updates",
    "batch",
)
_COUNTS += ("critics", "rollout_starts", "rollout_length", "rollouts_kept", "rollout_every")
_COUNTS += ("evaluate_every", "evaluation_episodes", "checkpoint_every")
_WIDTHS = ("hidden", "model_hidden")
_POSITIVE = ("model_rate", "actor_rate", "critic_rate", "temperature_rate", "target_rate", "temperature")
_POSITIVE += ("real_ratio", "holdout_fraction")
_NOT_NEGATIVE = ("anchor", "logvar_weight", "weight_decay", "discount")
_AT_MOST_ONE = ("discount", "target_rate", "temperature")
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


_NUMBERS = ("minimum_target", "target_entropy", *_POSITIVE, *_NOT_NEGATIVE)
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
    if "members" not in {field.name for field in fields(settings)}:
        return  # learns no model, and has none of these
    if settings.elites > settings.members:
        raise UserError(f"elites: {settings.elites} of {settings.members} members; at most as many as members")
    if len(settings.weight_decay) != len(settings.model_hidden) + 1:
        raise UserError(
            f"weight_decay: {len(settings.weight_decay)} values for {len(settings.model_hidden) + 1} layers; "
            "give one per layer of the model"
        )
    if settings.updates % settings.sizes().rollout_every:
        raise UserError(
            f"rollout_every: {settings.rollout_every} does not divide the {settings.updates} updates of an epoch"
        )
    if not 0 < settings.sizes().real_rows < settings.batch:
        raise UserError(
            f"real_ratio: {settings.real_ratio} leaves a batch of {settings.batch} without log or model rows; "
            "choose one strictly between 0 and 1"
        )
