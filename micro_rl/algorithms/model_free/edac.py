"""EDAC (arXiv 2110.01548): SAC-N whose critics are kept from agreeing on which way an action should change."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp
from jax import Array
from jaxtyping import Key, Scalar

from micro_rl.algorithms.critics import diversity
from micro_rl.algorithms.model_free.base import CRITICS, TEMPERATURE, TRAINING
from micro_rl.algorithms.model_free.sac_n import SacOnLog
from micro_rl.algorithms.slots import Regularize
from micro_rl.core.networks import MLP, Network
from micro_rl.core.setting import Setting, check_values
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Batch
from micro_rl.errors import UserError

SUMMARY = "SAC-N whose critics' gradients by the action are kept apart, so that fewer critics do"
PAPER = "arXiv 2110.01548"
USES = TRAINING | CRITICS | TEMPERATURE
DEFAULTS: dict[str, Any] = {"num_critics": 10, "hidden_sizes": (256, 256, 256)}


@dataclass(frozen=True)
class Options:
    """EDAC's own settings."""

    eta: Annotated[float, Setting(minimum=0, source="OfflineRL-Kit: 1 or 5 by task")] = 1.0
    """How strongly the critics' gradients are kept apart (the authors' eta); 0 is SAC-N."""


class Diversity(Regularize):
    """The critics' diversity on the rows of the log."""

    logged: ClassVar[bool] = False
    weight: Scalar

    def __call__(self, critics: Network, actor: MLP, batch: Batch, key: Key[Array, ""]) -> Scalar:
        return diversity(self.weight, critics, batch.real, key)

    def refuse(self, sizes: ModelSizes) -> None:
        if self.keeps_apart and sizes.critics < 2:
            raise UserError(f"eta: {float(self.weight):g} needs num_critics of 2 or more; 0 is SAC-N")

    @property
    def keeps_apart(self) -> str:
        return "eta" if float(self.weight) > 0 else ""


def build(options: Options) -> SacOnLog:
    """The method with this coefficient."""
    check_values(options)
    return SacOnLog(regularize=Diversity(jnp.asarray(options.eta, jnp.float32)))
