"""The OpenAPI description, made of the table of operations and of the models that they read and answer with."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from micro_rl._version import __version__
from micro_rl.serve.answers import Answer, Refusal
from micro_rl.serve.operations import OPERATIONS, Operation, refusals

PLACE = "#/components/schemas/{model}"
HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
"""What a refusal may have beside its body."""
ABOUT = "A policy in a loop, over HTTP. A path that is not here is refused with 404, another method with 405."


def openapi(secured: bool) -> dict[str, Any]:
    """The description by OpenAPI 3.1 of a server with a token or without."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, secured)
    components: dict[str, Any] = {"schemas": _schemas()}
    if secured:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    about = {"title": "micro-rl serve", "version": __version__, "description": ABOUT}
    secure = {"security": [{"token": []}]} if secured else {}
    return {"openapi": "3.1.0", "info": about, "paths": paths, "components": components} | secure


def _schemas() -> dict[str, Any]:
    """All models by name: messages as they are read, answers as they are sent."""
    read: list[type[BaseModel]] = [each.body for each in OPERATIONS if each.body]
    sent: list[type[BaseModel]] = [each.answer for each in OPERATIONS if not isinstance(each.answer, str)]
    modes: dict[type[BaseModel], JsonSchemaMode] = dict.fromkeys(read, "validation")
    modes |= dict.fromkeys([Refusal, *sent], "serialization")
    return models_json_schema(list(modes.items()), ref_template=PLACE)[1]["$defs"]


def _described(operation: Operation, secured: bool) -> dict[str, Any]:
    responses = {str(operation.status): {"description": "done", "content": _content(operation.answer)}}
    responses |= {str(status): _refused(status, why) for status, why in refusals(operation, secured).items()}
    described: dict[str, Any] = {"operationId": operation.name, "summary": operation.does, "responses": responses}
    if operation.name == "health" and secured:
        described["security"] = []
    if operation.of_session:
        described["parameters"] = [{"name": "session", "in": "path", "required": True, "schema": {"type": "string"}}]
    if operation.body:
        needed = any(field.is_required() for field in operation.body.model_fields.values())
        described["requestBody"] = {"required": needed, "content": _json(operation.body.__name__)}
    return described


def _refused(status: int, why: str) -> dict[str, Any]:
    """A refusal, whose body is always the same."""
    described: dict[str, Any] = {"description": why, "content": _content(Refusal)}
    return described | ({"headers": {HEADERS[status]: {"schema": {"type": "string"}}}} if status in HEADERS else {})


def _content(answer: type[Answer] | str) -> dict[str, Any]:
    """What a body holds, by its media type."""
    if isinstance(answer, str):
        return {answer: {"schema": {"type": "object" if answer == "application/json" else "string"}}}
    return _json(answer.__name__)


def _json(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": PLACE.format(model=model)}}}
