"""What a server says of itself is what it answers: every operation, every refusal."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from micro_rl.serve.app import Application
from micro_rl.serve.operations import OPERATIONS, Operation, refusals
from tests.serve.clients import TOKEN, begun, client_of
from tests.serve.published import described

OF_CONNECTIONS = (400, 408, 503)
"""What a connection is answered; `test_command` asks a server in a process of its own for these."""
HANDLERS = {"metrics": "metrics_text", "openapi": "description"}
SETTINGS: dict[int, dict[str, Any]] = {413: {"largest": 1}, 429: {"rate": 1e-6}, 503: {"sessions": 1}}


@pytest.mark.parametrize("token", [None, TOKEN], ids=["open", "secured"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_every_answer_that_is_described_is_given(operation: Operation, token: str | None, monkeypatch):
    """And is as described: `client_of` holds each of them against the schema."""
    for status in (operation.status, *refusals(operation, token is not None)):
        if status not in OF_CONNECTIONS or (operation.name, status) == ("begin", 503):
            with monkeypatch.context() as patch:
                assert provoked(operation, status, token, patch) == status


def provoked(operation: Operation, status: int, token: str | None, patch: pytest.MonkeyPatch) -> int:
    """The status of a request that must end with one."""
    if status == 500:
        patch.setattr(Application, HANDLERS.get(operation.name, operation.name), _failing)
    client = client_of(token, **SETTINGS.get(status, {}))
    client.headers["authorization"] = "" if status == 401 else f"Bearer {token}"
    path = _place(client, operation, status)
    body = b"[]" if status == 422 else b'{"observation": [0, 0]}' if operation.name == "step" else b"{}"
    headers = {"content-type": "text/plain" if status == 415 else "application/json"}
    headers |= {"host": "elsewhere.example"} if status == 421 else {}
    return client.request(operation.method, path, content=body, headers=headers).status_code


def _place(client: TestClient, operation: Operation, status: int) -> str:
    """Where a request goes, after those that must come before it."""
    if status == 429:
        client.get("/health")
    elif status == 503:
        begun(client)
    elif operation.of_session and status == operation.status:
        return operation.path.replace("/v1/sessions/{session}", begun(client))
    return operation.path.replace("{session}", "none")


async def _failing(self: Application, request: Any) -> Any:
    raise ArithmeticError("of the test")


def test_an_operation_has_the_refusals_that_it_can_give():
    health, step = (next(each for each in OPERATIONS if each.name == name) for name in ("health", "step"))
    assert set(refusals(health, False)) == {400, 421, 429, 500, 503}
    assert set(refusals(health, True)) == {400, 429, 500, 503}
    assert set(refusals(step, True)) == {400, 401, 404, 408, 413, 415, 422, 429, 500, 503}


@pytest.mark.parametrize("secured", [False, True])
def test_the_description_is_published_and_whole(secured: bool):
    client = client_of(TOKEN if secured else None)
    published = client.get("/openapi.json", headers={"authorization": f"Bearer {TOKEN}"}).json()
    assert published == json.loads(json.dumps(described(secured)))
    schemas = published["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
    named = {word.rpartition("/")[2] for word in _references(published)}
    assert named == set(schemas)


def _references(part: Any) -> set[str]:
    """Every `$ref` in a description."""
    if isinstance(part, dict):
        inner = [_references(value) for value in part.values()]
        return {part["$ref"]} if isinstance(part.get("$ref"), str) else set().union(*inner)
    return set().union(*map(_references, part)) if isinstance(part, list) else set()
