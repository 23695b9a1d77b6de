"""D4RL's levels (arXiv 2004.07219, section 4.2): which of a learner's policies a log is made with, and how.

random: the untrained policy. medium: the first policy that was evaluated at the medium return or better. expert: the
last one. Each is rolled out, its actions sampled. medium-replay: all that the learner had seen when it was medium, its
first random steps included. medium-expert: the medium log, then the expert one.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from micro_rl.core import tasks
from micro_rl.errors import UserError
from micro_rl.simulation.learner_folder import Keeper, Lesson
from micro_rl.simulation.recorder import Experience, joined, rollout
from micro_rl.storage.files import sha256
from micro_rl.storage.jsonl import Row

Level = Literal["random", "medium", "medium-replay", "expert", "medium-expert"]
LEVELS: tuple[Level, ...] = get_args(Level)

ROLLOUT_SEED = 2_000_000
"""Added to the seed for rollouts, so that none starts where a learning or an evaluated episode did."""

MEASURED: Mapping[str, tuple[float, float]] = MappingProxyType({"Pendulum-v1": (-1200.0, -147.0)})
"""Returns of chance and of an expert, measured by this project (docs/results/pendulum.md), by simulator."""

Told = Callable[[int, int], None]
"""Is told the rows so far and the rows in all."""


@dataclass(frozen=True)
class Order:
    """What a log is to be, beside its level."""

    lesson: Lesson
    rows: int
    """Of a rollout."""
    medium_fraction: float
    """Where medium lies between chance (0) and the expert (1)."""
    medium_return: float | None
    """The medium return itself, in place of that fraction."""

    def check(self) -> None:
        """`UserError` for what cannot be."""
        if self.rows < 1:
            raise UserError(f"rows: {self.rows} is too small; it must be at least 1")
        if not 0 < self.medium_fraction < 1:
            raise UserError(f"medium_fraction: {self.medium_fraction} is not between 0 and 1, where medium lies")


def reference(env: str) -> tuple[float, float, str] | None:
    """Returns of chance and of an expert in a simulator, and who says so; None where no one does."""
    if known := tasks.of_simulator(env):
        low, high = known[1].score_min, known[1].score_max
        assert low is not None and high is not None, "known simulators have known scores"
        return low, high, "the published reference returns"
    return (*MEASURED[env], "returns measured by this project") if env in MEASURED else None


def medium_return(order: Order, rows: list[Row]) -> tuple[float, str] | None:
    """The return from which a policy is medium, and why; None while it cannot be known.

    Given, or that fraction of the way from chance to the expert: by reference returns, or, where there are none, by
    the learner's own first and last evaluations, which needs the learner to be done.
    """
    if order.medium_return is not None:
        return order.medium_return, "given"
    found = reference(order.lesson.env)
    if found is None and rows and rows[-1]["steps"] >= order.lesson.settings.steps:
        found = rows[0]["return"], rows[-1]["return"], "the learner's own first and last evaluations"
    if found is None:
        return None
    low, high, whose = found
    if high <= low:
        raise UserError(
            f"the learner is no better after its last step ({high:.1f}) than before its first ({low:.1f}): "
            "give it more --steps, or another --reward-scale"
        )
    return low + order.medium_fraction * (
        high - low
    ), f"{order.medium_fraction:.3g} of the way from {low:.1f} to {high:.1f}, {whose}"


def medium_row(order: Order, rows: list[Row]) -> Row | None:
    """The first evaluation that is medium, if there is one yet."""
    goal = medium_return(order, rows)
    return next((row for row in rows if row["return"] >= goal[0]), None) if goal else None


def enough(order: Order, levels: Collection[Level]) -> Callable[[list[Row]], bool]:
    """Whether the learner need not go on for the sake of these levels."""

    def is_enough(rows: list[Row]) -> bool:
        if {"expert", "medium-expert"} & set(levels):
            return False
        return set(levels) == {"random"} or medium_row(order, rows) is not None

    return is_enough


def make(level: Level, order: Order, keeper: Keeper, told: Told) -> tuple[Experience, dict[str, Any]]:
    """The rows of a level, and the facts about them; the learner must have gone far enough."""
    rows = keeper.rows()
    if level == "random":
        return _rolled_out("random", order, keeper, rows[0], told)
    if level == "expert":
        return _rolled_out("expert", order, keeper, rows[-1], told)
    medium = _medium(order, rows)
    if level == "medium-replay":
        return _replay(order, keeper, medium)
    made, facts = _rolled_out("medium", order, keeper, medium, told)
    if level == "medium":
        return made, facts
    best, more = _rolled_out("expert", order, keeper, rows[-1], told)
    return joined([made, best]), facts | more | {"recipe": f"{facts['recipe']}; then {more['recipe']}"}


def _medium(order: Order, rows: list[Row]) -> Row:
    """The medium evaluation; `UserError` where the learner never was medium."""
    found = medium_row(order, rows)
    if found and found["steps"]:
        return found
    if found:
        raise UserError(
            f"the untrained policy has {found['return']:.1f} and so is medium already: give a higher --medium-return"
        )
    goal, best = medium_return(order, rows), max(row["return"] for row in rows)
    assert goal is not None, "the learner is done"
    raise UserError(
        f"no evaluation reached the medium return {goal[0]:.1f} ({goal[1]}) in {int(rows[-1]['steps']):,} steps, the "
        f"best has {best:.1f}: give more --steps, or a lower --medium-return"
    )


def _replay(order: Order, keeper: Keeper, medium: Row) -> tuple[Experience, dict[str, Any]]:
    steps = int(medium["steps"])
    recipe = f"all that it saw in its first {steps:,} steps, {_chosen('medium', order, keeper.rows())}"
    return keeper.experience(steps).closed(), {"recipe": recipe} | _facts("medium", keeper, medium)


def _rolled_out(
    which: Literal["random", "medium", "expert"], order: Order, keeper: Keeper, row: Row, told: Told
) -> tuple[Experience, dict[str, Any]]:
    """Rows of one of the learner's policies, and the facts about them."""
    lesson, steps = order.lesson, int(row["steps"])
    seed = lesson.settings.seed + ROLLOUT_SEED + ("random", "medium", "expert").index(which)
    made = rollout(keeper.policy(steps), lesson.env, order.rows, seed, lesson.horizon, told)
    chosen = _chosen(which, order, keeper.rows())
    recipe = f"{order.rows:,} steps of its policy after {steps:,} steps, actions sampled, {chosen}"
    return made.closed(), {"recipe": recipe} | _facts(which, keeper, row)


def _chosen(which: str, order: Order, rows: list[Row]) -> str:
    """Why it was that policy."""
    if which == "random":
        return "untrained"
    if which == "expert":
        return "its last"
    goal = medium_return(order, rows)
    assert goal is not None, "a medium policy was found"
    return f"the first that was evaluated at the medium return {goal[0]:.1f} ({goal[1]}) or better"


def _facts(which: str, keeper: Keeper, row: Row) -> dict[str, Any]:
    steps = int(row["steps"])
    return {
        f"{which}_steps": steps,
        f"{which}_evaluation": row["return"],
        f"{which}_policy_sha256": sha256(keeper.policy_file(steps)),
    }
