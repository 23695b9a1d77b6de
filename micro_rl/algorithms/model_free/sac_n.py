"""SAC-N (arXiv 2110.01548): soft actor-critic on the log with the smallest of many critics; EDAC and CQL add to it."""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
from jax import Array
from jaxtyping import Key, Scalar

from micro_rl.algorithms import sac
from micro_rl.algorithms.model_free.base import CRITICS, TEMPERATURE, TRAINING, ModelFreeMethod
from micro_rl.algorithms.sac import Agent, Coefficients, draw_noise, start_agent
from micro_rl.algorithms.slots import Method, NoPenalty, Regularize
from micro_rl.core.sizes import ModelSizes, Sizes
from micro_rl.core.types import Batch, LogRows
from micro_rl.dynamics.ensemble import Models

SUMMARY = "soft actor-critic on the log, with the smallest value of many critics"
PAPER = "arXiv 2110.01548"
USES = TRAINING | CRITICS | TEMPERATURE
DEFAULTS: dict[str, Any] = {"num_critics": 10, "hidden_sizes": (256, 256, 256)}


@dataclass(frozen=True)
class Options:
    """None of its own; how many critics there are is the setting `num_critics`."""


class SacOnLog(ModelFreeMethod):
    """The update of the methods with a model, with no rows of a model."""

    regularize: Regularize
    steps: int = eqx.field(static=True, default=1)

    def start(self, key: Key[Array, ""], obs: int, act: int, sizes: Sizes, temperature: Scalar | float) -> Agent:
        return start_agent(key, obs, act, sizes.hidden_sizes, sizes.num_critics, temperature)

    def update(
        self, agent: Agent, rows: LogRows, key: Key[Array, ""], c: Coefficients
    ) -> tuple[Agent, dict[str, Array]]:
        noise_key, own_key = jax.random.split(key)
        method, models = Method(regularize=self.regularize), Models.none()
        batch = Batch(rows.now, jax.tree.map(lambda column: column[:0], rows.now))
        noise = draw_noise(noise_key, method, batch, models)
        agent, logged = sac.update(agent, method, models, batch, noise, own_key, c)
        return agent, {name: value for name, value in logged.items() if name != "q/model"}

    def refuse(self, sizes: ModelSizes) -> None:
        self.regularize.refuse(sizes)

    @property
    def keeps_apart(self) -> str:
        return self.regularize.keeps_apart


def build(options: Options) -> SacOnLog:
    """The method: soft actor-critic on the log, with nothing added to the critics' loss."""
    return SacOnLog(regularize=NoPenalty())
