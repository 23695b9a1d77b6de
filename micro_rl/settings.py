"""Every setting of a run, with its meaning; the static sizes the compiled core is built from."""

from collections.abc import Callable
from dataclasses import dataclass, fields, make_dataclass
from functools import cache
from math import isfinite
from typing import Any, ClassVar, Literal, NamedTuple

from micro_rl.errors import UserError

SCORED_EVALUATIONS = 10
"""The score of a run is the mean of so many last evaluations."""


class FitSizes(NamedTuple):
    """What the compiled fit of the dynamics is built from."""

    members: int
    hidden: tuple[int, ...]
    batch: int
    rate: float
    weight_decay: tuple[float, ...]
    logvar_weight: float
    holdout_fraction: float
    holdout_rows: int
    patience: int
    max_epochs: int
    standardise_targets: bool
    history: int = 1


class Sizes(NamedTuple):
    """What the compiled epoch is built from."""

    hidden: tuple[int, ...]
    critics: int
    elites: int
    batch: int
    real_rows: int
    updates: int
    rollout_every: int
    rollout_starts: int
    rollout_length: int
    rollouts_kept: int


@dataclass(frozen=True)
class ModelSettings:
    """How the dynamics ensemble is fitted."""

    members: int = 7
    """Networks in the ensemble."""
    model_hidden: tuple[int, ...] = (200, 200, 200, 200)
    """Hidden widths of each member."""
    model_rate: float = 1e-3
    """Adam's learning rate."""
    model_batch: int = 256
    """Rows of each member's batch."""
    weight_decay: tuple[float, ...] = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
    """Per layer, as 0.5 * rate * |w|^2 in the loss."""
    logvar_weight: float = 0.01
    """Pull on the learned bounds of the log-variance."""
    holdout_fraction: float = 0.2
    """Share of the rows held out, at most `holdout_rows`."""
    holdout_rows: int = 1000
    """Most rows held out."""
    patience: int = 20
    """Stop after so many epochs in which no member improves by 1 %."""
    max_fit_epochs: int = 1000
    """Stop after so many epochs in any case."""
    history: int = 1
    """Observations that actor, critics and model see, with the actions between them: more for systems with delays."""
    standardise: bool = True
    """Standardise observations for actor, critics and model (the authors: no)."""
    scale_reward: bool = True
    """Divide rewards by their root mean square, never shift them (the authors: no)."""
    standardise_targets: bool = True
    """Standardise what the model predicts (the authors: no)."""
    termination_updates: int = 5000
    """Updates of the termination head, where no rule is known and one is learned."""
    log_on: Literal["auto", "device", "host"] = "auto"
    """Where the log is kept: `host` feeds each epoch what it draws; by default the device, if its memory is enough."""
    keep_timeouts: bool = True
    """Keep rows that end by a time limit where the log has their next observation (the authors drop them)."""
    fit_checkpoint_seconds: float = 60.0
    """Seconds between checkpoints of the fit's state."""

    def fit_sizes(self) -> FitSizes:
        """The static part of the fit."""
        return FitSizes(
            members=self.members,
            hidden=tuple(self.model_hidden),
            batch=self.model_batch,
            rate=self.model_rate,
            weight_decay=tuple(self.weight_decay),
            logvar_weight=self.logvar_weight,
            holdout_fraction=self.holdout_fraction,
            holdout_rows=self.holdout_rows,
            patience=self.patience,
            max_epochs=self.max_fit_epochs,
            standardise_targets=self.standardise_targets,
            history=self.history,
        )


OF_A_FIT = frozenset(field.name for field in fields(ModelSettings)) - {
    "history",
    "standardise",
    "scale_reward",
    "termination_updates",
    "log_on",
    "keep_timeouts",
    "fit_checkpoint_seconds",
}
"""Settings that decide nothing where a model is given."""


@dataclass(frozen=True)
class Settings(ModelSettings):
    """How the policy is trained; the defaults suit an unknown log, presets hold the authors' values."""

    epochs: int = 100
    """Epochs of policy training."""
    updates: int = 1000
    """Updates an epoch."""
    elites: int = 5
    """Members, best by holdout error, that make rollouts and candidate states."""
    batch: int = 256
    """Rows of an update."""
    real_ratio: float = 0.5
    """Share of each batch that comes from the log: int(batch * real_ratio) rows."""
    discount: float = 0.99
    """Gamma."""
    target_rate: float = 0.005
    """Tau: how far the target critics move at each update."""
    actor_rate: float = 3e-4
    """Adam's learning rate of the actor."""
    actor_schedule: Literal["constant", "cosine"] = "constant"
    """Whether the actor's rate falls to 0 along a cosine over the run, stepped once an epoch."""
    critic_rate: float = 3e-4
    """Adam's learning rate of the critics."""
    temperature_rate: float = 3e-4
    """Adam's learning rate of the temperature."""
    temperature: float = 1.0
    """Where the temperature starts, in (0, 1]."""
    learn_temperature: bool = True
    """Whether the temperature moves towards the target entropy or stays."""
    target_entropy: float | None = None
    """Entropy the temperature aims at, of actions scaled to [-1, 1]; by default minus their number."""
    entropy_in_backup: bool = True
    """Whether the target counts the next action's entropy."""
    minimum_target: float | None = None
    """Smallest target allowed, in raw units; the authors clamp at 0, which is wrong where rewards are negative."""
    anchor: float = 0.0
    """How strongly the actor is held to the log's actions, as TD3+BC balances it (its 2.5 is 0.4); 0: not at all."""
    critics: int = 2
    """Critics, of which the smallest value counts."""
    hidden: tuple[int, ...] = (256, 256)
    """Hidden widths of actor and critics."""
    precision: Literal["float32", "mixed"] = "float32"
    """Of the products in rollouts and in the method's own target; mixed: of bfloat16 numbers, summed in float32."""
    rollout_starts: int = 5000
    """Log states from which rollouts branch each time."""
    rollout_length: int = 5
    """Steps of a rollout (h)."""
    rollout_every: int | None = None
    """Updates between rollouts; by default once an epoch."""
    rollouts_kept: int = 5
    """Rollouts that the buffer keeps."""
    evaluate_every: int = 1
    """Epochs between evaluations in the simulator."""
    evaluation_episodes: int = 10
    """Episodes of an evaluation."""
    checkpoint_every: int = 5
    """Epochs between checkpoints of the whole training state."""
    seed: int = 0
    """Of everything random in the run."""

    def sizes(self) -> Sizes:
        """The static part of an epoch."""
        return Sizes(
            hidden=tuple(self.hidden),
            critics=self.critics,
            elites=self.elites,
            batch=self.batch,
            real_rows=int(self.batch * self.real_ratio),
            updates=self.updates,
            rollout_every=self.updates if self.rollout_every is None else self.rollout_every,
            rollout_starts=self.rollout_starts,
            rollout_length=self.rollout_length,
            rollouts_kept=self.rollouts_kept,
        )


@cache
def restricted(kind: type, names: frozenset[str]) -> type:
    """The dataclass of which only these fields can be given; the others are constants of the class, at their defaults.

    `fields`, `asdict` and the command line see only what can be given.
    """
    constant = [(field.name, ClassVar[field.type], field.default) for field in fields(kind) if field.name not in names]
    return make_dataclass(kind.__name__, constant, bases=(kind,), frozen=True)


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
