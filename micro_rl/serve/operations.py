"""The table of what a server does: its operations, and which refusals each of them can give."""

from typing import NamedTuple

from micro_rl.serve.answers import Answer, Begun, Decided, Ended, EpisodeBegun, Health, ServedPolicy
from micro_rl.serve.messages import Begin, Message, Reset, Step


class Operation(NamedTuple):
    """A request that is answered: with one of the models, or with a text of a media type."""

    name: str
    method: str
    path: str
    does: str
    answer: type[Answer] | str
    body: type[Message] | None = None
    status: int = 200

    @property
    def of_session(self) -> bool:
        """Whether its path names a session."""
        return "{session}" in self.path


SESSION = "/v1/sessions/{session}"
OPERATIONS = (
    Operation("health", "GET", "/health", "Say that the server is there; the one request that needs no token.", Health),
    Operation("policy", "GET", "/v1/policy", "Columns, units, ranges, history, guard and fallback.", ServedPolicy),
    Operation("begin", "POST", "/v1/sessions", "Begin a session, with or without a past.", Begun, Begin, 201),
    Operation("step", "POST", f"{SESSION}/step", "Decide what to do now.", Decided, Step),
    Operation("reset", "POST", f"{SESSION}/reset", "Begin an episode.", EpisodeBegun, Reset),
    Operation("end", "DELETE", SESSION, "End a session and its record.", Ended),
    Operation("metrics", "GET", "/metrics", "Counters, in Prometheus' text format.", "text/plain"),
    Operation("openapi", "GET", "/openapi.json", "This description, for machines.", "application/json"),
    Operation("page", "GET", "/", "This description, for people.", "text/html"),
)
REFUSALS = {
    400: "the request is no HTTP, or ends before its body does",
    401: "the token is missing or another",
    404: "there is no such session (any longer): begin one with its past",
    408: "the body did not arrive in time",
    413: "the body is too large",
    415: "the body is no application/json",
    421: "the request is not to localhost, and there is no token",
    422: "the body is none of these messages",
    429: "too many requests a second",
    500: "the server failed, and says how on its console",
    503: "there are too many connections; or, where a session begins, too many of them, or no place for its record",
}
"""Why a request is not carried out. What is no operation is answered with 404 too, or 405 where its path is one's."""


def refusals(operation: Operation, secured: bool) -> dict[int, str]:
    """The refusals that an operation can give, and why.

    Args:
        operation: one of the table.
        secured: whether the server has a token.
    """
    never = {421} if secured else {401}
    never |= {401} if operation.name == "health" else set()
    never |= set() if operation.of_session else {404}
    never |= set() if operation.body else {408, 413, 415, 422}
    return {status: why for status, why in REFUSALS.items() if status not in never}
