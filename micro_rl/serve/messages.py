"""What is sent, as JSON: the envelope is checked here, what the values are worth by the controller."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from micro_rl.control.controller import Controller

LONGEST_PAST = 1000
"""Steps of a past; a policy looks back at far fewer."""


class Message(BaseModel):
    """What a client sends: these keys and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Begin(Message):
    """A session begins, with the past of a system that others have run until now, oldest step first."""

    observations: list[Any] = Field(default=[], max_length=LONGEST_PAST, description="each as of a step")
    actions: list[Any] = Field(default=[], max_length=LONGEST_PAST, description="what was applied at each of them")


class Step(Message):
    """A step: what is measured, and what was really applied since the last one."""

    observation: dict[str, Any] | list[Any] | None = Field(
        description="numbers by the columns' names or in their order; null for one that is missing"
    )
    applied_action: dict[str, Any] | list[Any] | None = Field(
        default=None, description="left out where it was the last answer's action"
    )
    reward: Any = Field(default=None, description="what the last step brought, for the record")


class Reset(Message):
    """The next step begins an episode."""

    terminated: bool = Field(default=False, description="whether the last one ended by the task's own rule")
    reward: Any = Field(default=None, description="what its last step brought, for the record")
    applied_action: dict[str, Any] | list[Any] | None = Field(
        default=None,
        description="what was applied at its last step; left out where it was the answer's action",
    )


def why_not(error: ValidationError) -> str:
    """Why a body is no message, by its first mistake."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = str(first["loc"][0])[:80] if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such key"
    if len(first["loc"]) > 1 and key in ("observation", "applied_action"):  # of each kind that it could be
        return f"{key}: must be numbers by the columns' names or a list of them"
    return f"{key}: {first['msg'][:200]}".removeprefix(": ")


def too_many(message: Step | Reset, controller: Controller) -> str | None:
    """Why a message has more values than can be meant."""
    for name, columns in (
        ("observation", controller.columns.observations),
        ("applied_action", controller.columns.actions),
    ):
        values = getattr(message, name, None)
        if values is not None and len(values) > 2 * len(columns) + 16:
            return f"{name}: {len(values)} values for {len(columns)} columns"
    return None
