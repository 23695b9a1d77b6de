"""Requests as no client should send them: in the bytes, the head, the JSON, or the values."""

import json
from typing import Any

import numpy as np

Random = np.random.Generator


def malformed(random: Random, session: str) -> bytes:
    """One request, of a kind that is drawn."""
    kinds = (noise, cut, other_head, other_json, other_values, other_length, other_bytes, too_large)
    return kinds[random.integers(len(kinds))](random, session)


def request(path: str, body: bytes, method: str = "POST", length: Any = None, kind: str = "application/json") -> bytes:
    """A request, well-formed as far as its parts are."""
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {kind}\r\n"
    return f"{head}content-length: {len(body) if length is None else length}\r\n\r\n".encode("utf-8", "replace") + body


def step(session: str, body: bytes, **changes: Any) -> bytes:
    """A step."""
    return request(f"/v1/sessions/{session}/step", body, **changes)


def value(random: Random, depth: int = 3) -> Any:
    """Anything that JSON, or what Python takes for it, can say."""
    plain = (None, True, -1, 10**400, 1e308, float("nan"), float("-inf"), "", "level", "\x00", "\U0001f600", 0.5)
    kind = random.integers(4) if depth else 0
    if kind == 2:
        return [value(random, depth - 1) for _ in range(random.integers(6))]
    if kind == 3:
        return {str(value(random, 0)): value(random, depth - 1) for _ in range(random.integers(6))}
    return plain[random.integers(len(plain))]


def noise(random: Random, session: str) -> bytes:
    """Bytes that are no request."""
    return random.bytes(int(random.integers(1, 2000)))


def cut(random: Random, session: str) -> bytes:
    """A request that ends too early."""
    whole = step(session, b'{"observation": [1, 0, 0]}')
    return whole[: random.integers(1, len(whole))]


def other_head(random: Random, session: str) -> bytes:
    """Another method, path or kind of content."""
    methods = ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post", "STEP")
    paths = (
        "/",
        "/v1/sessions/../../etc/passwd",
        "/v1/sessions//step",
        "/%00",
        "/v1/%2e%2e/step",
        "*",
        "/" + "a" * 9000,
    )
    kinds = ("text/plain", "", "application/x-python-pickle", "application/json; charset=utf-7")
    method, path, kind = (str(random.choice(options)) for options in (methods, paths, kinds))
    return request(path, b'{"observation": [1, 0, 0]}', method, kind=kind)


def other_json(random: Random, session: str) -> bytes:
    """JSON that is none, or is no message."""
    long = (b"[" * 50_000, b'{"a":' * 9000, b"1" * 5000)
    bodies = (b"", b"{", b"\xff\xfe", b"null", b'"', b"1e9999", b'{"observation":[1,0,0],}', *long)
    return step(session, bodies[random.integers(len(bodies))])


def other_values(random: Random, session: str) -> bytes:
    """A message whose values may be anything."""
    names = ("observation", "applied_action", "reward", "observations", "actions", "terminated", "x")
    content = json.dumps({name: value(random) for name in names if random.integers(2)}).encode()
    paths = (f"/v1/sessions/{session}/step", "/v1/sessions", f"/v1/sessions/{session}/reset")
    return request(paths[random.integers(3)], content)


def other_length(random: Random, session: str) -> bytes:
    """A length that is not the body's."""
    lengths = (-1, 0, 5, 10**12, "x", "1, 2", 2**64)
    return step(session, b'{"observation": [1, 0, 0]}', length=lengths[random.integers(len(lengths))])


def other_bytes(random: Random, session: str) -> bytes:
    """A request with some bytes changed."""
    content = bytearray(step(session, b'{"observation": {"o0": 1, "o1": 0, "o2": 0}, "reward": 1}'))
    for place in random.integers(len(content), size=random.integers(1, 9)):
        content[place] = random.integers(256)
    return bytes(content)


def too_large(random: Random, session: str) -> bytes:
    """A body beyond the limit, or more values than there can be."""
    count = int(random.integers(20, 40_000))
    return step(session, json.dumps({"observation": [0] * count}).encode())
