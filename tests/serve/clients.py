"""Clients of a server in this process; every answer that they get is held against the server's own description."""

from typing import Any

from starlette.testclient import TestClient

from micro_rl import Controller
from micro_rl.serve.app import application
from micro_rl.serve.sessions import Sessions
from micro_rl.serve.settings import ServeSettings
from tests.control.loops import proportional, range_guard
from tests.serve.published import held

TOKEN = "a-token-of-enough-letters"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def client_of(
    token: str | None = None, clock: Clock | None = None, history: int = 1, records: Any = None, **changes: Any
) -> TestClient:
    settings = ServeSettings(**changes)
    controller = Controller(proportional(history), range_guard())
    sessions = Sessions(controller, settings.sessions, settings.idle, records, clock or Clock())
    client = TestClient(application(controller, sessions, settings, token), base_url="http://localhost")

    def hold(answer: Any) -> None:
        request, media = answer.request, answer.headers["content-type"]
        held(request.method, request.url.path, answer.status_code, media, answer.read(), token is not None)

    client.event_hooks = {"response": [hold]}
    return client


def begun(client: TestClient, **past: Any) -> str:
    """The path of a session that has begun."""
    answer = client.post("/v1/sessions", json=past)
    assert answer.status_code == 201 and answer.json()["wrong"] == []
    return f"/v1/sessions/{answer.json()['session']}"
