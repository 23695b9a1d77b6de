"""The settings of a dynamics ensemble and its fit."""

from dataclasses import dataclass
from typing import Annotated, Literal

from micro_rl.core.setting import AUTHORS, Setting
from micro_rl.core.sizes import FitSizes

WEIGHT_DECAY = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
"""The authors' for each layer of a model; OfflineRL-Kit has the same where a model moves."""


@dataclass(frozen=True)
class ModelSettings:
    """How the dynamics ensemble is fitted."""

    ensemble_size: Annotated[int, Setting(minimum=1, fit=True, source=AUTHORS)] = 7
    """Networks in the ensemble."""
    model_hidden_sizes: Annotated[tuple[int, ...], Setting(minimum=1, fit=True, source=AUTHORS)] = (200, 200, 200, 200)
    """Hidden widths of each member."""
    model_norm: Annotated[bool, Setting(fit=True, source="ours, after arXiv 2512.04341 (the authors: no)")] = False
    """Layer norm in every hidden layer of each member, before its activation (the authors: no)."""
    model_lr: Annotated[
        float, Setting(above=0, fit=True, source="ours: with its drops a fit of fewer epochs (the authors: 1e-3)")
    ] = 3e-3
    """Adam's learning rate."""
    model_lr_drops: Annotated[
        int, Setting(minimum=0, unit="times", fit=True, source="ours: the last part of the error (the authors: never)")
    ] = 2
    """Times that the learning rate falls to 0.3 of it where patience runs out, before the fit ends."""
    model_batch_size: Annotated[int, Setting(minimum=1, unit="rows", fit=True, source=AUTHORS)] = 256
    """Rows of each member's batch."""
    weight_decay: Annotated[tuple[float, ...], Setting(minimum=0, fit=True, source=AUTHORS)] = WEIGHT_DECAY
    """Per layer, as 0.5 * rate * |w|^2 in the loss."""
    logvar_weight: Annotated[float, Setting(minimum=0, fit=True, source=AUTHORS)] = 0.01
    """Pull on the learned bounds of the log-variance."""
    holdout_fraction: Annotated[float, Setting(above=0, below=1, fit=True, source=AUTHORS)] = 0.2
    """Share of the rows held out, at most `holdout_rows`."""
    holdout_rows: Annotated[int, Setting(minimum=1, unit="rows", fit=True, source=AUTHORS)] = 1000
    """Most rows held out."""
    holdout_episodes: Annotated[
        float,
        Setting(minimum=0, below=1, fit=True, source="ours: calibrates on episodes nobody fitted (the authors: none)"),
    ] = 0.0
    """Share of the episodes kept out of the fit altogether, on which its report measures; 0: none."""
    patience: Annotated[
        int,
        Setting(
            minimum=1,
            unit="epochs",
            fit=True,
            source=f"{AUTHORS}: 5 to 30 by task",
        ),
    ] = 5
    """Epochs in which no member improves by 1 %, after which the learning rate drops or the fit stops."""
    max_fit_epochs: Annotated[
        int,
        Setting(
            minimum=1,
            unit="epochs",
            fit=True,
            source="ours: a fit must end (the authors: 30 on walker2d-medium, no limit elsewhere)",
        ),
    ] = 1000
    """Stop after so many epochs in any case."""
    history: Annotated[
        int, Setting(minimum=1, unit="observations", source="ours: systems with delays (the authors: 1)")
    ] = 1
    """Observations that actor, critics and model see, with the actions between them: more for systems with delays."""
    standardise: Annotated[bool, Setting(source="ours: a column of 1e6 must not drown the others")] = True
    """Standardise observations for actor, critics and model (the authors: no)."""
    scale_reward: Annotated[
        bool, Setting(source="ours: learning rates and temperature then fit rewards of any size")
    ] = True
    """Divide rewards by their root mean square, never shift them (the authors: no)."""
    standardise_targets: Annotated[
        bool, Setting(fit=True, source="ours: on small logs the error of raw targets stops falling too early")
    ] = True
    """Standardise what the model predicts (the authors: no)."""
    termination_updates: Annotated[
        int, Setting(minimum=1, unit="updates", source="ours: the authors know every task's rule")
    ] = 5000
    """Updates of the termination head, where no rule is known and one is learned."""
    log_on: Annotated[
        Literal["auto", "device", "host"], Setting(source="ours: a log may be larger than the device's memory")
    ] = "auto"
    """Where the log is kept: `host` feeds each epoch what it draws; by default the device, if its memory is enough."""
    keep_timeouts: Annotated[bool, Setting(source="ours: a time limit is no reason to forget a row")] = True
    """Keep rows that end by a time limit where the log has their next observation (the authors drop them)."""
    fit_checkpoint_seconds: Annotated[
        float,
        Setting(
            minimum=0,
            finite=False,
            unit="seconds",
            free=True,
            source="ours: an interruption costs at most a minute",
        ),
    ] = 60.0
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
            lr_drops=self.model_lr_drops,
            standardise_targets=self.standardise_targets,
            history=self.history,
            norm=self.model_norm,
        )
