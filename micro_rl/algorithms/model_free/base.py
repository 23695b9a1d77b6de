"""A model-free method: a pair of start and update on rows of the log, and the general settings that it uses."""

from abc import abstractmethod
from typing import Any, ClassVar

from jax import Array
from jaxtyping import Key, Scalar

from micro_rl.algorithms.method import AnyMethod
from micro_rl.algorithms.sac import Coefficients
from micro_rl.core.settings import Settings
from micro_rl.core.sizes import Sizes
from micro_rl.core.types import LogRows

TRAINING = frozenset(
    {
        "epochs",
        "updates_per_epoch",
        "batch_size",
        "hidden_sizes",
        "actor_lr",
        "actor_schedule",
        "discount",
        "seed",
        "history",
        "log_on",
    }
    | {"standardise", "keep_timeouts", "eval_every", "eval_episodes", "scoring_model", "checkpoint_every"}
)
"""Settings that every model-free method uses; gamma also discounts the returns that evaluations report."""
CRITICS = frozenset({"num_critics", "critic_lr", "tau", "scale_reward"})
"""Those of methods with critics."""
TEMPERATURE = frozenset(
    {"temperature", "temperature_lr", "learn_temperature", "target_entropy", "entropy_in_backup", "min_target"}
)
"""Those of soft actor-critic."""


class ModelFreeMethod(AnyMethod):
    """What learns from a log alone.

    An agent is a NamedTuple with at least `actor`, of the shape that `export` takes, and `critics`, None where there
    are none. `steps` is how many updates of the critics one call of `update` makes, each on its own share of the rows.
    """

    learns_model: ClassVar[bool] = False
    least_rows: ClassVar[int] = 1

    def filled_slots(self) -> tuple[str, ...]:
        return ("update",)

    def rows_kept(self, settings: Settings) -> int:
        return 0

    @property
    def needs_device(self) -> str:
        return "learns from a log on the device alone"

    @abstractmethod
    def start(self, key: Key[Array, ""], obs: int, act: int, sizes: Sizes, temperature: Scalar | float) -> Any:
        """Make a fresh agent.

        Args:
            key: For the networks' first weights.
            obs: Width of an observation, of a window with a history.
            act: Width of an action.
            sizes: Static sizes, among them the hidden layers and the number of critics.
            temperature: The entropy's weight to begin with; of soft actor-critic alone.
        """

    @abstractmethod
    def update(self, agent: Any, rows: LogRows, key: Key[Array, ""], c: Coefficients) -> tuple[Any, dict[str, Array]]:
        """Make `steps` updates, each on its own share of the rows.

        Args:
            agent: As `start` or an earlier call returned it.
            rows: Rows of the log in core units, `steps` batches one after another.
            key: For the method's draws.
            c: The coefficients of this epoch.

        Returns:
            The agent after the updates, and the scalars to log.
        """
