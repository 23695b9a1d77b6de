"""Every setting of a run, with its default and meaning."""

from dataclasses import dataclass, fields, make_dataclass
from functools import cache
from typing import Annotated, ClassVar, Literal

from micro_rl.core.critic_settings import CriticSettings
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.setting import AUTHORS, Setting, check_values, settings_in
from micro_rl.core.sizes import Sizes
from micro_rl.core.support_settings import SupportSettings
from micro_rl.core.wording import plural
from micro_rl.errors import UserError

SCORED_EVALUATIONS = 10
"""The score of a run is the mean of so many last evaluations."""


OF_A_FIT = frozenset(name for name, (_, setting) in settings_in(ModelSettings).items() if setting.fit)
"""Settings that decide nothing where a model is given."""


@dataclass(frozen=True)
class Settings(SupportSettings, CriticSettings, ModelSettings):
    """How the policy is trained; the defaults suit an unknown log, presets hold the authors' values."""

    epochs: Annotated[int, Setting(minimum=1, unit="epochs", source="ours: short runs (the authors: 3,000)")] = 100
    """Epochs of policy training."""
    updates_per_epoch: Annotated[int, Setting(minimum=1, unit="updates", source=AUTHORS)] = 1000
    """Updates an epoch."""
    num_elites: Annotated[int, Setting(minimum=1, source=AUTHORS)] = 5
    """Members, best by holdout error, that make rollouts and candidate states."""
    batch_size: Annotated[int, Setting(minimum=1, unit="rows", source=AUTHORS)] = 256
    """Rows of an update."""
    real_ratio: Annotated[float, Setting(above=0, below=1, source=f"{AUTHORS}: 0.05 or 0.5 by task")] = 0.5
    """Share of each batch that comes from the log: int(batch * real_ratio) rows."""
    discount: Annotated[float, Setting(minimum=0, maximum=1, free=True, source=AUTHORS)] = 0.99
    """Gamma."""
    tau: Annotated[float, Setting(above=0, maximum=1, free=True, source=AUTHORS)] = 0.005
    """Tau: how far the target critics move at each update."""
    actor_lr: Annotated[float, Setting(above=0, free=True, source="ours: short runs (the authors: 1e-4)")] = 3e-4
    """Adam's learning rate of the actor."""
    actor_schedule: Annotated[
        Literal["constant", "cosine"], Setting(free=True, source="ours: short runs (the authors: cosine)")
    ] = "constant"
    """Whether the actor's rate falls to 0 along a cosine over the run, stepped once an epoch."""
    critic_lr: Annotated[float, Setting(above=0, free=True, source=AUTHORS)] = 3e-4
    """Adam's learning rate of the critics."""
    temperature_lr: Annotated[float, Setting(above=0, free=True, source="ours: short runs (the authors: 1e-4)")] = 3e-4
    """Adam's learning rate of the temperature."""
    temperature: Annotated[
        float,
        Setting(
            above=0, maximum=1, unit="core reward per nat", free=True, source=f"{AUTHORS}: 1, or fixed at 0.1 by task"
        ),
    ] = 1.0
    """Where the temperature starts, in (0, 1]."""
    learn_temperature: Annotated[bool, Setting(free=True, source=f"{AUTHORS}: yes, or no by task")] = True
    """Whether the temperature moves towards the target entropy or stays."""
    target_entropy: Annotated[float | None, Setting(unit="nats", free=True, source=AUTHORS)] = None
    """Entropy the temperature aims at, of actions scaled to [-1, 1]; by default minus their number."""
    entropy_in_backup: Annotated[bool, Setting(free=True, source=f"{AUTHORS}: yes, or no by task")] = True
    """Whether the target counts the next action's entropy."""
    min_target: Annotated[
        float | None, Setting(unit="raw reward", free=True, source="ours: rewards may be negative")
    ] = None
    """Smallest target allowed, in raw units; the authors clamp at 0, which is wrong where rewards are negative."""
    bc_weight: Annotated[
        float, Setting(minimum=0, free=True, source="arXiv 2106.06860; 0 is MICRO as its authors have it")
    ] = 0.0
    """How strongly the actor is held to the log's actions, as TD3+BC balances it (its 2.5 is 0.4); 0: not at all."""
    num_critics: Annotated[int, Setting(minimum=1, source=AUTHORS)] = 2
    """Critics, of which the smallest value counts."""
    hidden_sizes: Annotated[tuple[int, ...], Setting(minimum=1, source=AUTHORS)] = (256, 256)
    """Hidden widths of actor and critics."""
    precision: Annotated[Literal["float32", "mixed"], Setting(source=f"{AUTHORS}; mixed is ours, for speed")] = (
        "float32"
    )
    """Of the products in rollouts and in the method's own target; mixed: of bfloat16 numbers, summed in float32."""
    rollout_batch_size: Annotated[
        int, Setting(minimum=1, unit="log states", source="ours: small logs (the authors: 50,000)")
    ] = 5000
    """Log states from which rollouts branch each time; of fewer than elites some elites never act."""
    rollout_length: Annotated[int, Setting(minimum=1, unit="steps", source=f"{AUTHORS}: 1, 5 or 10 by task")] = 5
    """Steps of a rollout (h)."""
    rollout_member: Annotated[
        Literal["step", "rollout"],
        Setting(source="ours, after arXiv 2512.04341, which has rollout (the authors: step)"),
    ] = "step"
    """Whether every step of a rollout is made by an elite drawn anew, or the whole rollout by one."""
    known_reward: Annotated[str | None, Setting(source="ours: who wrote the reward need not have it guessed")] = None
    """What a step pays, where a formula is known: over the columns, `next_NAME` after the step; of the model's rows."""
    rollout_every: Annotated[int | None, Setting(minimum=1, unit="updates", source=AUTHORS)] = None
    """Updates between rollouts; by default once an epoch."""
    rollouts_kept: Annotated[int, Setting(minimum=1, unit="rollouts", source=AUTHORS)] = 5
    """Rollouts that the buffer keeps."""
    eval_every: Annotated[
        int, Setting(minimum=1, unit="epochs", free=True, source="ours: short runs (the authors: 10)")
    ] = 1
    """Epochs between evaluations in the simulator."""
    eval_episodes: Annotated[int, Setting(minimum=1, unit="episodes", free=True, source=AUTHORS)] = 10
    """Episodes of an evaluation."""
    scoring_model: Annotated[bool, Setting(source="ours: no other figure says what a window brings")] = True
    """Without simulator and `--model`: fit the usual ensemble for scoring alone; the policy stays as it is."""
    checkpoint_every: Annotated[
        int, Setting(minimum=1, unit="epochs", free=True, source="ours: an interruption costs at most five epochs")
    ] = 5
    """Epochs between checkpoints of the whole training state."""
    seed: Annotated[int, Setting(minimum=0, below=1 << 32, free=True, source="ours")] = 0
    """Of everything random in the run."""

    def sizes(self) -> Sizes:
        """The static part of an epoch."""
        return Sizes(
            hidden_sizes=tuple(self.hidden_sizes),
            num_critics=self.num_critics,
            critic_norm=self.critic_norm,
            one_member=self.rollout_member == "rollout",
            num_elites=self.num_elites,
            batch_size=self.batch_size,
            real_rows=int(self.batch_size * self.real_ratio),
            updates_per_epoch=self.updates_per_epoch,
            rollout_every=self.updates_per_epoch if self.rollout_every is None else self.rollout_every,
            rollout_batch_size=self.rollout_batch_size,
            rollout_length=self.rollout_length,
            rollouts_kept=self.rollouts_kept,
        )


FREE = frozenset(name for name, (_, setting) in settings_in(Settings).items() if setting.free)
"""Settings in which runs of one program may differ: they are leaves, or the host's business."""


def check(settings: Settings) -> None:
    """Refuse settings that cannot work, each on its own and beside the others.

    Raises:
        UserError: names the setting, its value and its bound.
    """
    check_values(settings)
    settings.refuse_idle_support()
    settings.refuse_lonely_critics(settings.num_critics)
    _check_together(settings)


def _check_together(settings: Settings) -> None:
    if "ensemble_size" not in {field.name for field in fields(settings)}:
        return  # learns no model, and has none of these
    if settings.num_elites > settings.ensemble_size:
        raise UserError(
            f"num_elites: {settings.num_elites} of {plural(settings.ensemble_size, 'member')}; "
            "at most as many as members"
        )
    if len(settings.weight_decay) != len(settings.model_hidden_sizes) + 1:
        raise UserError(
            f"weight_decay: {plural(len(settings.weight_decay), 'value')} for "
            f"{plural(len(settings.model_hidden_sizes) + 1, 'layer')}; give one per layer of the model"
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


@cache
def restricted(kind: type, names: frozenset[str]) -> type:
    """The dataclass of which only these fields can be given; the others are constants of the class, at their defaults.

    `fields`, `asdict` and the command line see only what can be given.
    """
    constant = [(field.name, ClassVar[field.type], field.default) for field in fields(kind) if field.name not in names]
    return make_dataclass(kind.__name__, constant, bases=(kind,), frozen=True)
