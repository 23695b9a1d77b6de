"""The static sizes that the compiled core is built from: another one is another program."""

from typing import NamedTuple


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
