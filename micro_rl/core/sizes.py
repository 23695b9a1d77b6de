"""Sizes: what compiled programs are built from, and another program for each."""

from typing import NamedTuple


class FitSizes(NamedTuple):
    """What the compiled fit of the dynamics is built from."""

    ensemble_size: int
    hidden_sizes: tuple[int, ...]
    batch_size: int
    lr: float
    weight_decay: tuple[float, ...]
    logvar_weight: float
    holdout_fraction: float
    holdout_rows: int
    patience: int
    max_epochs: int
    standardise_targets: bool
    lr_drops: int = 0
    history: int = 1
    exogenous: tuple[int, ...] = ()
    """Columns that do not count in the holdout error."""
    norm: bool = False
    """Whether what each hidden layer's activation takes is normalised."""


class ModelSizes(NamedTuple):
    """What a method's options may have to fit: layers of the model's networks, members, elites, and the critics."""

    layers: int
    members: int
    elites: int
    critic_norm: bool = False
    critics: int = 2


class Sizes(NamedTuple):
    """What the compiled epoch is built from."""

    hidden_sizes: tuple[int, ...]
    num_critics: int
    num_elites: int
    batch_size: int
    real_rows: int
    updates_per_epoch: int
    rollout_every: int
    rollout_batch_size: int
    rollout_length: int
    rollouts_kept: int
    critic_norm: bool = False
    one_member: bool = False
    """Whether a rollout stays with the elite that makes its first step."""
