"""Answers held against what a server says of itself."""

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from micro_rl.serve.openapi import openapi
from micro_rl.serve.operations import OPERATIONS, Operation

REFUSAL = {"$ref": "#/components/schemas/Refusal"}


def held(method: str, path: str, status: int, media: str, body: bytes | str, secured: bool) -> None:
    """Fail where an answer is none of those that the description has for its request."""
    operation = operation_of(method, path)
    if operation is None:
        assert status in (401, 404, 405, 421, 429), (method, path, status)
        content = {"application/json": {"schema": REFUSAL}}
    else:
        responses = described(secured)["paths"][operation.path][method.lower()]["responses"]
        assert str(status) in responses, (operation.name, status)
        content = responses[str(status)]["content"]
    media = media.partition(";")[0]
    assert media in content, (method, path, status, media)
    if media == "application/json":
        schema: Any = content[media]["schema"]
        validator(schema.get("$ref"), secured).validate(json.loads(body, parse_constant=_no_number))


def operation_of(method: str, path: str) -> Operation | None:
    """The operation that a request asks for."""
    for each in OPERATIONS:
        if each.method == method and re.fullmatch(each.path.replace("{session}", "[^/]+"), path):
            return each
    return None


@cache
def described(secured: bool) -> dict[str, Any]:
    return openapi(secured)


@cache
def validator(place: str | None, secured: bool) -> Draft202012Validator:
    """Of a schema at a place of the description; None is any object."""
    schema = {"$ref": place} if place else {"type": "object"}
    return Draft202012Validator(schema | {"components": described(secured)["components"]})


def _no_number(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")
