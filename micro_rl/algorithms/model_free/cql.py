"""CQL (arXiv 2006.04779): soft actor-critic on the log, its critics pushed down on drawn actions, up on the log's."""

from dataclasses import dataclass
from typing import Annotated, Any

import jax.numpy as jnp

from micro_rl.algorithms.conservative import PushDown
from micro_rl.algorithms.model_free.base import CRITICS, TEMPERATURE, TRAINING
from micro_rl.algorithms.model_free.sac_n import SacOnLog
from micro_rl.core.setting import Setting, check_values

SUMMARY = "soft actor-critic on the log, its critics pushed down on drawn actions and up on the log's"
PAPER = "arXiv 2006.04779"
USES = TRAINING | CRITICS | TEMPERATURE
DEFAULTS: dict[str, Any] = {"hidden_sizes": (256, 256, 256), "actor_lr": 1e-4, "entropy_in_backup": False}


@dataclass(frozen=True)
class Options:
    """CQL's own settings."""

    cql_weight: Annotated[float, Setting(minimum=0, source="OfflineRL-Kit")] = 5.0
    """How strongly the critics are pushed (the authors' alpha); 0 is soft actor-critic on the log."""
    drawn_actions: Annotated[int, Setting(minimum=1, source="OfflineRL-Kit")] = 10
    """Actions drawn at each state from each of three sources: uniform, pi(s), pi(s')."""


def build(options: Options) -> SacOnLog:
    """The method with these coefficients."""
    check_values(options)
    penalty = PushDown(jnp.asarray(options.cql_weight, jnp.float32), options.drawn_actions)
    return SacOnLog(regularize=penalty)
