"""What is sent, as JSON: the envelope is checked here, what the values are worth by the controller."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from micro_rl.control.controller import Controller

LONGEST_PAST = 1000
"""Steps of a past; a policy looks back at far fewer."""


def _flat(values: Any) -> Any:
    """Give a step's values, with NaN for one that is a list: it is no number, though Python's arrays of one are."""
    if isinstance(values, dict):
        return {name: _flat([value])[0] for name, value in values.items()}
    return [math.nan if isinstance(value, list) else value for value in values] if isinstance(values, list) else values


Values = Annotated[dict[str, Any] | list[Any] | None, AfterValidator(_flat)]
Past = Annotated[list[Any], AfterValidator(lambda steps: [_flat(step) for step in steps])]


class Message(BaseModel):
    """What a client sends: these keys and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Begin(Message):
    """A session begins, with the past of a system that others have run until now, oldest step first."""

    observations: Past = Field(default=[], max_length=LONGEST_PAST, description="each as of a step")
    actions: Past = Field(default=[], max_length=LONGEST_PAST, description="what was applied at each of them")


class Step(Message):
    """A step: what is measured, and what was really applied since the last one."""

    observation: Values = Field(
        description="numbers by the columns' names or in their order; null for one that is missing"
    )
    applied_action: Values = Field(default=None, description="left out where it was the last answer's action")
    reward: Any = Field(default=None, description="what the last step brought, for the record")


class Reset(Message):
    """The next step begins an episode."""

    terminated: bool = Field(default=False, description="whether the last one ended by the task's own rule")
    reward: Any = Field(default=None, description="what its last step brought, for the record")
    applied_action: Values = Field(
        default=None,
        description="what was applied at its last step; left out where it was the answer's action",
    )


class _Twice(Exception):
    """A key that an object has twice."""


def twice(content: bytes) -> str | None:
    """A key that an object of a JSON text has twice, of which readers take either value; None where there is none."""

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        taken = dict(pairs)
        if len(taken) < len(pairs):
            raise _Twice(Counter(name for name, _ in pairs).most_common(1)[0][0])
        return taken

    try:
        json.loads(content, object_pairs_hook=once)
    except _Twice as error:
        return str(error)
    except (ValueError, RecursionError):
        return None
    return None


def why_not(error: ValidationError) -> str:
    """Why a body is no message, by its first mistake."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = str(first["loc"][0])[:80] if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return f"{key}: there is no such key"
    if len(first["loc"]) > 1 and key in ("observation", "applied_action"):  # of each kind that it could be
        return f"{key}: must be numbers by the columns' names or a list of them"
    return f"{key}: {first['msg'][:200]}".removeprefix(": ")


def too_many(message: Begin | Step | Reset, controller: Controller) -> str | None:
    """Why a message has more values than can be meant."""
    observed, applied = controller.columns
    parts = {"observations": observed, "actions": applied} if isinstance(message, Begin) else {}
    rows = [(name, columns, values) for name, columns in parts.items() for values in getattr(message, name)]
    for name, columns in (("observation", observed), ("applied_action", applied)):
        rows.append((name, columns, getattr(message, name, None)))
    for name, columns, values in rows:
        if isinstance(values, list | dict) and len(values) > 2 * len(columns) + 16:
            return f"{name}: {len(values)} values for {len(columns)} columns"
    return None
