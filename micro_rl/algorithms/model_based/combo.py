"""COMBO (arXiv 2102.08363): the critics are pushed down on actions of the policy, up on the log's rows."""

from dataclasses import dataclass
from typing import Annotated

import jax.numpy as jnp

from micro_rl.algorithms.conservative import PushDown
from micro_rl.algorithms.slots import Method
from micro_rl.core.setting import Setting, check_values

SUMMARY = "critics pushed down on the policy's actions and up on the log's, on log and model rows"
PAPER = "arXiv 2102.08363"


@dataclass(frozen=True)
class Options:
    """COMBO's own settings."""

    cql_weight: Annotated[float, Setting(minimum=0, source="OfflineRL-Kit: 0.5 or 5 by task")] = 0.5
    """How strongly the critics are pushed; 0 is SAC on the model."""
    drawn_actions: Annotated[int, Setting(minimum=1, source="OfflineRL-Kit")] = 10
    """Actions drawn at each state from each of three sources: uniform, pi(s), pi(s')."""


def build(options: Options) -> Method:
    """The method with these coefficients."""
    check_values(options)
    return Method(regularize=PushDown(jnp.asarray(options.cql_weight, jnp.float32), options.drawn_actions))
