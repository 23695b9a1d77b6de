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
from micro_rl.simulation.learner_folder import LearnerConfig, LearnerFolder
from micro_rl.simulation.recorder import Experience, joined, rollout
from micro_rl.storage.files import sha256
from micro_rl.storage.jsonl import Row

Level = Literal["random", "medium", "medium-replay", "expert", "medium-expert"]
LEVELS: tuple[Level, ...] = get_args(Level)

ROLLOUT_SEED = 2_000_000
"""Added to the seed for rollouts, so that none starts where a learning or an evaluated episode did."""

MEASURED: Mapping[str, tuple[float, float]] = MappingProxyType({"Pendulum-v1": (-1200.0, -147.0)})
"""Returns of chance and of an expert, measured by this project (docs/results/pendulum.md), by simulator."""

OnRows = Callable[[int, int], None]
"""Receives the rows so far and the rows in all."""


@dataclass(frozen=True)
class CollectRequest:
    """What a log is to be, beside its level."""

    learner: LearnerConfig
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
    """Look up the mean returns of chance and of an expert in a simulator, and whose they are; None where unknown."""
    if known := tasks.of_simulator(env):
        low, high = known[1].score_min, known[1].score_max
        assert low is not None and high is not None, "known simulators have known scores"
        return low, high, "the published reference returns"
    return (*MEASURED[env], "returns measured by this project") if env in MEASURED else None


def medium_return(request: CollectRequest, rows: list[Row]) -> tuple[float, str] | None:
    """Decide the return from which a policy is medium.

    It is the request's own, or that fraction of the way from chance to the expert: by reference returns, or, where
    there are none, by the learner's own first and last evaluations, which needs the learner to be done.

    Args:
        request: what is asked for.
        rows: the learner's evaluations so far.

    Returns:
        The return and why it is that; None while it cannot be known.

    Raises:
        UserError: where the learner did not improve.
    """
    if request.medium_return is not None:
        return request.medium_return, "given"
    bounds = reference(request.learner.env)
    if bounds is None and rows and rows[-1]["steps"] >= request.learner.settings.steps:
        bounds = rows[0]["return"], rows[-1]["return"], "the learner's own first and last evaluations"
    if bounds is None:
        return None
    low, high, whose = bounds
    if high <= low:
        raise UserError(
            f"the learner is no better after its last step ({high:.1f}) than before its first ({low:.1f}): "
            "give it more --steps, or another --reward-scale"
        )
    goal = low + request.medium_fraction * (high - low)
    return goal, f"{request.medium_fraction:.3g} of the way from {low:.1f} to {high:.1f}, {whose}"


def medium_row(request: CollectRequest, rows: list[Row]) -> Row | None:
    """Find the first evaluation that is medium, if there is one yet; raises as `medium_return`."""
    goal = medium_return(request, rows)
    return next((row for row in rows if row["return"] >= goal[0]), None) if goal else None


def enough(request: CollectRequest, levels: Collection[Level]) -> Callable[[list[Row]], bool]:
    """Build the test of whether evaluations suffice, so that the learner need not go on for these levels."""

    def is_enough(rows: list[Row]) -> bool:
        if {"expert", "medium-expert"} & set(levels):
            return False
        return set(levels) == {"random"} or medium_row(request, rows) is not None

    return is_enough


def make(
    level: Level, request: CollectRequest, learner: LearnerFolder, on_rows: OnRows
) -> tuple[Experience, dict[str, Any]]:
    """Make the rows of one level.

    Args:
        level: of the log.
        request: what the log is to be.
        learner: one that has gone far enough; see `enough`.
        on_rows: receives how far a rollout is.

    Returns:
        The rows, the last of them an end, and the facts about them for the log's attributes.

    Raises:
        UserError: where no policy of the learner was medium.
    """
    rows = learner.rows()
    if level == "random":
        return _rolled_out("random", request, learner, rows[0], on_rows)
    if level == "expert":
        return _rolled_out("expert", request, learner, rows[-1], on_rows)
    medium = _medium(request, rows)
    if level == "medium-replay":
        return _replay(request, learner, medium)
    experience, facts = _rolled_out("medium", request, learner, medium, on_rows)
    if level == "medium":
        return experience, facts
    expert, more = _rolled_out("expert", request, learner, rows[-1], on_rows)
    return joined([experience, expert]), facts | more | {"recipe": f"{facts['recipe']}; then {more['recipe']}"}


def _medium(request: CollectRequest, rows: list[Row]) -> Row:
    """The medium evaluation; `UserError` where the learner never was medium."""
    medium = medium_row(request, rows)
    if medium and medium["steps"]:
        return medium
    if medium:
        raise UserError(
            f"the untrained policy has {medium['return']:.1f} and so is medium already: give a higher --medium-return"
        )
    goal, best = medium_return(request, rows), max(row["return"] for row in rows)
    assert goal is not None, "the learner is done"
    raise UserError(
        f"no evaluation reached the medium return {goal[0]:.1f} ({goal[1]}) in {int(rows[-1]['steps']):,} steps, the "
        f"best has {best:.1f}: give more --steps, or a lower --medium-return"
    )


def _replay(request: CollectRequest, learner: LearnerFolder, medium: Row) -> tuple[Experience, dict[str, Any]]:
    steps = int(medium["steps"])
    recipe = f"all that it saw in its first {steps:,} steps, {_chosen('medium', request, learner.rows())}"
    return learner.experience(steps).closed(), {"recipe": recipe} | _facts("medium", learner, medium)


def _rolled_out(
    which: Literal["random", "medium", "expert"],
    request: CollectRequest,
    learner: LearnerFolder,
    row: Row,
    on_rows: OnRows,
) -> tuple[Experience, dict[str, Any]]:
    """Rows of one of the learner's policies, and the facts about them."""
    config, steps = request.learner, int(row["steps"])
    seed = config.settings.seed + ROLLOUT_SEED + ("random", "medium", "expert").index(which)
    experience = rollout(learner.policy(steps), config.env, request.rows, seed, config.horizon, on_rows)
    chosen = _chosen(which, request, learner.rows())
    recipe = f"{request.rows:,} steps of its policy after {steps:,} steps, actions sampled, {chosen}"
    return experience.closed(), {"recipe": recipe} | _facts(which, learner, row)


def _chosen(which: str, request: CollectRequest, rows: list[Row]) -> str:
    """Why it was that policy."""
    if which == "random":
        return "untrained"
    if which == "expert":
        return "its last"
    goal = medium_return(request, rows)
    assert goal is not None, "a medium policy was found"
    return f"the first that was evaluated at the medium return {goal[0]:.1f} ({goal[1]}) or better"


def _facts(which: str, learner: LearnerFolder, row: Row) -> dict[str, Any]:
    steps = int(row["steps"])
    return {
        f"{which}_steps": steps,
        f"{which}_evaluation": row["return"],
        f"{which}_policy_sha256": sha256(learner.policy_file(steps)),
    }
