"""What is answered, as JSON: the models that every answer is made of, so that the description cannot say otherwise."""

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from micro_rl.control.controller import Controller
from micro_rl.control.decision import Decision

MOST_COMPLAINTS = 20
Wrong = list[str]
"""What was wrong, in words; empty where all is well."""


class Answer(BaseModel):
    """What the server answers: all of these keys and no others, and no number that is not finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Refusal(Answer):
    """A request that was not carried out."""

    error: str = Field(description="what was wrong, in one line")


class Health(Answer):
    """The server is there."""

    status: Literal["ok"] = Field(description='"ok"')


class ServedColumn(Answer):
    """A quantity that is measured or set."""

    name: str
    unit: str = Field(description="empty where it is not known")
    low: float | None = Field(description="the least value in the log; null where nobody measured it")
    high: float | None = Field(description="the greatest")


class ServedGuard(Answer):
    """What tells steps that are unlike the log."""

    threshold: float | None = Field(description="a score above it is an alarm")
    rate: float | None = Field(description="the share of healthy steps above it")


class ServedPolicy(Answer):
    """What is served."""

    observations: list[ServedColumn] = Field(description="in their order: name, unit, low, high")
    actions: list[ServedColumn] = Field(description="the same")
    history: int = Field(description="observations that the policy looks at, the newest among them")
    fallback: str = Field(description="what acts in trouble: hold, fixed, policy, function")
    shadow: bool = Field(description="whether it advises alone, and leaves the action as it is")
    guard: ServedGuard | None = Field(description="threshold and rate; null where there is none")


class Begun(Answer):
    """A session that has begun."""

    session: str = Field(description="its name, for the path of its steps")
    wrong: Wrong = Field(description="what was wrong with the past, in words; empty where all is well")


class Decided(Answer):
    """What to do now, and why."""

    action: dict[str, float] = Field(description="by the columns' names, raw units, within all limits")
    source: str = Field(description='what acts: "policy", "fallback: hold" (fixed, policy, function), "shadow"')
    reason: str = Field(description='"healthy", or what was wrong, in words')
    score: float | None = Field(description="how unlike the log the step is; null where the guard cannot judge")
    alarm: bool = Field(description="whether the policy is not to act")
    advised: dict[str, float] | None = Field(description="what the policy would do; null where it cannot tell")


class EpisodeBegun(Answer):
    """The next step begins an episode."""


class Ended(Answer):
    """A session that has ended."""

    wrong: Wrong = Field(description="what was wrong with its record, in words; empty where all is well")


def respond(answer: Answer, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """The response that sends an answer."""
    return Response(answer.model_dump_json(), status, headers, "application/json")


def refuse(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    """A response that says in one line what was wrong."""
    return respond(Refusal(error=why), status, headers)


def decided(decision: Decision, controller: Controller) -> Decided:
    """A decision, actions by the columns' names."""
    plain = decision.as_dict(controller.columns)
    return Decided.model_validate(plain | {"score": number(plain["score"])})


def number(value: Any) -> float | None:
    """A finite number; JSON has no others."""
    return float(value) if value is not None and math.isfinite(value) else None


def complaints(wrong: tuple[str, ...]) -> Wrong:
    """The first of many."""
    rest = len(wrong) - MOST_COMPLAINTS
    return [*wrong[:MOST_COMPLAINTS], *([f"and {rest} more"] if rest > 0 else [])]


def described(controller: Controller) -> ServedPolicy:
    """What a controller takes and gives: columns, units, ranges, the guard's limit."""
    observations, actions = (
        [
            ServedColumn(name=column.name, unit=column.unit, low=number(column.low), high=number(column.high))
            for column in part
        ]
        for part in controller.columns
    )
    guard = controller.guard
    return ServedPolicy(
        observations=observations,
        actions=actions,
        history=controller.policy.history,
        fallback=controller.settings.fallback,
        shadow=controller.settings.shadow,
        guard=None if guard is None else ServedGuard(threshold=number(guard.threshold), rate=number(guard.rate)),
    )
