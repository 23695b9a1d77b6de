"""Every context of a run, with its default and meaning."""

from dataclasses import dataclass, fields, make_dataclass
from functools import cache
from typing import ClassVar, Literal

from micro_rl.core.sizes import FitSizes, Sizes

SCORED_EVALUATIONS = 10
"""The score of a run is the mean of so many last evaluations."""


@dataclass(frozen=True)
class ModelSettings:
    """How the dynamics ensemble is fitted."""

    ensemble_size: int = 7
    """Networks in the ensemble."""
    model_hidden_sizes: tuple[int, ...] = (200, 200, 200, 200)
    """Hidden widths of each member."""
    model_lr: float = 1e-3
    """Adam's learning rate."""
    model_batch_size: int = 256
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
            ensemble_size=self.ensemble_size,
            hidden_sizes=tuple(self.model_hidden_sizes),
            batch_size=self.model_batch_size,
            lr=self.model_lr,
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
    updates_per_epoch: int = 1000
    """Updates an epoch."""
    num_elites: int = 5
    """Members, best by holdout error, that make rollouts and candidate states."""
    batch_size: int = 256
    """Rows of an update."""
    real_ratio: float = 0.5
    """Share of each batch that comes from the log: int(batch * real_ratio) rows."""
    discount: float = 0.99
    """Gamma."""
    tau: float = 0.005
    """Tau: how far the target critics move at each update."""
    actor_lr: float = 3e-4
    """Adam's learning rate of the actor."""
    actor_schedule: Literal["constant", "cosine"] = "constant"
    """Whether the actor's rate falls to 0 along a cosine over the run, stepped once an epoch."""
    critic_lr: float = 3e-4
    """Adam's learning rate of the critics."""
    temperature_lr: float = 3e-4
    """Adam's learning rate of the temperature."""
    temperature: float = 1.0
    """Where the temperature starts, in (0, 1]."""
    learn_temperature: bool = True
    """Whether the temperature moves towards the target entropy or stays."""
    target_entropy: float | None = None
    """Entropy the temperature aims at, of actions scaled to [-1, 1]; by default minus their number."""
    entropy_in_backup: bool = True
    """Whether the target counts the next action's entropy."""
    min_target: float | None = None
    """Smallest target allowed, in raw units; the authors clamp at 0, which is wrong where rewards are negative."""
    bc_weight: float = 0.0
    """How strongly the actor is held to the log's actions, as TD3+BC balances it (its 2.5 is 0.4); 0: not at all."""
    num_critics: int = 2
    """Critics, of which the smallest value counts."""
    hidden_sizes: tuple[int, ...] = (256, 256)
    """Hidden widths of actor and critics."""
    precision: Literal["float32", "mixed"] = "float32"
    """Of the products in rollouts and in the method's own target; mixed: of bfloat16 numbers, summed in float32."""
    rollout_batch_size: int = 5000
    """Log states from which rollouts branch each time."""
    rollout_length: int = 5
    """Steps of a rollout (h)."""
    rollout_every: int | None = None
    """Updates between rollouts; by default once an epoch."""
    rollouts_kept: int = 5
    """Rollouts that the buffer keeps."""
    eval_every: int = 1
    """Epochs between evaluations in the simulator."""
    eval_episodes: int = 10
    """Episodes of an evaluation."""
    checkpoint_every: int = 5
    """Epochs between checkpoints of the whole training state."""
    seed: int = 0
    """Of everything random in the run."""

    def sizes(self) -> Sizes:
        """The static part of an epoch."""
        return Sizes(
            hidden_sizes=tuple(self.hidden_sizes),
            num_critics=self.num_critics,
            num_elites=self.num_elites,
            batch_size=self.batch_size,
            real_rows=int(self.batch_size * self.real_ratio),
            updates_per_epoch=self.updates_per_epoch,
            rollout_every=self.updates_per_epoch if self.rollout_every is None else self.rollout_every,
            rollout_batch_size=self.rollout_batch_size,
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
