"""The table of what a server does, and the OpenAPI description and the page that are made from it."""

import json
from html import escape
from typing import Any, NamedTuple

from micro_rl._version import __version__
from micro_rl.serve.messages import Begin, Message, Reset, Step


class Operation(NamedTuple):
    """A request that is answered."""

    name: str
    method: str
    path: str
    does: str
    body: type[Message] | None = None
    status: int = 200


SESSION = "/v1/sessions/{session}"
OPERATIONS = (
    Operation("health", "GET", "/health", "Say that the server is there; the one request that needs no token."),
    Operation("policy", "GET", "/v1/policy", "Columns, units, ranges, history, guard and fallback."),
    Operation("begin", "POST", "/v1/sessions", "Begin a session, with or without a past.", Begin, 201),
    Operation("step", "POST", f"{SESSION}/step", "Decide what to do now.", Step),
    Operation("reset", "POST", f"{SESSION}/reset", "Begin an episode.", Reset),
    Operation("end", "DELETE", SESSION, "End a session and its record."),
    Operation("metrics", "GET", "/metrics", "Counters, in Prometheus' text format."),
    Operation("openapi", "GET", "/openapi.json", "This description, for machines."),
    Operation("page", "GET", "/", "This description, for people."),
)
REFUSALS = {
    "401": "the token is missing or another",
    "404": "there is no such session (any longer): begin one with its past",
    "413": "the body is too large",
    "415": "the body is no application/json",
    "422": "the body is none of these messages",
    "429": "too many requests a second",
    "503": "there is no room for another session",
}


def openapi(secured: bool) -> dict[str, Any]:
    """The description by OpenAPI 3.1."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    schemas = {body.__name__: body.model_json_schema() for body in (Begin, Step, Reset)}
    components: dict[str, Any] = {"schemas": schemas}
    if secured:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    about = {"title": "micro-rl serve", "version": __version__, "description": "A policy in a loop, over HTTP."}
    secure = {"security": [{"token": []}]} if secured else {}
    return {"openapi": "3.1.0", "info": about, "paths": paths, "components": components} | secure


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.does,
        "responses": {str(operation.status): {"description": "done"}}
        | {status: {"description": why} for status, why in REFUSALS.items()},
    }
    if operation.name == "health":
        described |= {"security": [], "responses": {"200": {"description": "done"}}}
    if "{session}" in operation.path:
        described["parameters"] = [{"name": "session", "in": "path", "required": True, "schema": {"type": "string"}}]
    if operation.body:
        schema = {"$ref": f"#/components/schemas/{operation.body.__name__}"}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def page(policy: dict[str, Any]) -> str:
    """The description as one page, which loads nothing."""
    rows = "".join(
        f"<h2><code>{operation.method} {escape(operation.path)}</code></h2><p>{escape(operation.does)}</p>"
        + (f"<pre>{escape(_keys(operation.body))}</pre>" if operation.body else "")
        for operation in OPERATIONS
    )
    refusals = "".join(f"<li>{status}: {escape(why)}</li>" for status, why in REFUSALS.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>micro-rl serve</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
        "pre{background:#f4f4f4;padding:1rem;white-space:pre-wrap;overflow-wrap:anywhere}h2{font-size:1rem;margin-top:2rem}</style></head>"
        f"<body><h1>micro-rl serve {__version__}</h1>{rows}<h2>Refusals</h2><ul>{refusals}</ul>"
        f"<h2>The policy</h2><pre>{escape(json.dumps(policy, indent=1, ensure_ascii=False))}</pre></body></html>"
    )


def _keys(body: type[Message]) -> str:
    lines = [str(body.__doc__)]
    for name, field in body.model_fields.items():
        lines.append(f"{name}: {field.description}{'' if field.is_required() else ' (optional)'}")
    return "\n".join(lines)
