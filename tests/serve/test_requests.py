"""What a server answers, in this process."""

import json
import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from micro_rl import Controller
from micro_rl.serve.gate import Bucket
from micro_rl.serve.operations import OPERATIONS
from micro_rl.serve.sessions import Sessions
from tests.control.loops import of_level, proportional, range_guard
from tests.serve.clients import TOKEN, Clock, begun, client_of


@pytest.fixture
def client() -> TestClient:
    return client_of()


def test_a_step_by_name_and_in_order(client: TestClient):
    session = begun(client)
    for observation in ({"level": 1.0, "flow": 0.0}, [1.0, 0.0]):
        answer = client.post(f"{session}/step", json={"observation": observation})
        assert answer.status_code == 200
        assert answer.json()["action"] == {"valve": pytest.approx(of_level(1.0))}
        assert answer.json()["source"] == "policy" and answer.json()["reason"] == "healthy"


def test_trouble_is_answered_with_the_fallback_and_why(client: TestClient):
    session = begun(client)
    missing = {"observation": {"level": None, "flow": 0.0}}
    answers = [client.post(f"{session}/step", json=missing).json() for _ in range(5)]
    assert all("level" in answer["reason"] for answer in answers)
    assert answers[-1]["source"] == "fallback: hold" and answers[-1]["alarm"]
    assert client.post(f"{session}/step", json={"observation": None}).status_code == 200
    assert client.post(f"{session}/step", json={"observation": {"leval": 1}}).json()["reason"].count("level")


@pytest.mark.parametrize("value", [True, False, [1.0], [[1.0]], [], {"level": 1.0}, "1.0"])
def test_what_is_no_number_is_no_measurement(client: TestClient, value: Any):
    session = begun(client)
    for body in ({"level": value, "flow": 0.0}, [value, 0.0]):
        client.post(f"{session}/reset", json={})
        answer = client.post(f"{session}/step", json={"observation": body}).json()
        assert "observation: no number for level" in answer["reason"] and answer["advised"] is None
        past = {"observations": [body], "actions": [[1.0]]}
        assert client.post("/v1/sessions", json=past).json()["wrong"][0] == "observation: no number for level"
    step = {"observation": [1.0, 0.0], "applied_action": [value]}
    assert "action: no number for valve" in client.post(f"{session}/step", json=step).json()["reason"]


def test_the_past_is_taken_over_and_each_session_has_its_own():
    client = client_of(history=3)
    past = {"observations": [[0.1, 0.0], [0.2, 0.0]], "actions": [[1.0], [2.0]]}
    primed, new = begun(client, **past), begun(client)
    controller = Controller(proportional(3), range_guard())
    assert controller.prime(**past) == ()
    ours = controller.step([0.3, 0.0])
    theirs = client.post(f"{primed}/step", json={"observation": [0.3, 0.0]}).json()
    assert theirs["action"]["valve"] == pytest.approx(ours.action[0]) and theirs["score"] == pytest.approx(ours.score)
    assert client.post(f"{new}/step", json={"observation": [0.9, 0.0]}).status_code == 200
    assert client.post("/v1/sessions", json=past | {"actions": [[1.0]]}).json()["wrong"]


def test_sessions_are_few_end_and_do_not_last(tmp_path):
    clock = Clock()
    client = client_of(clock=clock, sessions=2, idle=10.0)
    first, second = begun(client), begun(client)
    assert client.post("/v1/sessions", json={}).status_code == 503
    assert client.delete(first).json() == {"wrong": []}
    assert client.delete(first).status_code == 404
    begun(client)
    clock.now = 8.0
    assert client.post(f"{second}/reset", json={"terminated": True}).status_code == 200
    clock.now = 12.0
    assert client.post(f"{second}/step", json={"observation": [0, 0]}).status_code == 200
    begun(client)
    clock.now = 30.0
    answer = client.post(f"{second}/step", json={"observation": [0, 0]})
    assert answer.status_code == 404 and "begin one with its past" in answer.json()["error"]


def test_every_session_has_a_record(tmp_path):
    client = client_of(records=tmp_path)
    session = begun(client)
    for level in (0.5, 0.6):
        client.post(f"{session}/step", json={"observation": [level, 0.0], "reward": 1.0})
    client.delete(session)
    assert len((tmp_path / f"{session.rpartition('/')[2]}.csv").read_text().splitlines()) >= 3


def test_an_episodes_last_action_may_be_another_one(tmp_path):
    client = client_of(records=tmp_path)
    session = begun(client)
    client.post(f"{session}/step", json={"observation": [0.0, 0.0]})
    assert client.post(f"{session}/reset", json={"applied_action": [20.0] * 99}).status_code == 422
    assert client.post(f"{session}/reset", json={"applied_action": {"valve": 20.0}}).status_code == 200
    client.delete(session)
    (row,) = (tmp_path / f"{session.rpartition('/')[2]}.csv").read_text().splitlines()[1:]
    assert row.split(",")[5] == "20.0"


@pytest.mark.parametrize("stops", [True, False])
def test_what_the_end_of_a_session_lost_is_told_on_the_console(tmp_path, monkeypatch, capsys, stops: bool):
    clock = Clock()
    sessions = Sessions(Controller(proportional()), 2, 10.0, tmp_path, clock)
    name, controller = sessions.begin()
    controller.step([0.0, 0.0])
    with monkeypatch.context() as patch:
        patch.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        clock.now = 11.0
        assert (sessions.close() if stops else len(sessions)) == int(stops)
    line = f"micro-rl: session {name}: record: 1 rows lost (OSError: [Errno 28] No space left on device)\n"
    assert capsys.readouterr().err == line


def test_an_outsider_without_the_token_is_refused():
    client = client_of(TOKEN)
    for operation in OPERATIONS:
        answer = client.request(operation.method, operation.path)
        assert answer.status_code == (200 if operation.name == "health" else 401), operation.name
    for header in ("", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN):
        assert client.get("/v1/policy", headers={"authorization": header}).status_code == 401
    assert client.get("/v1/policy", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert "securitySchemes" in client.get("/openapi.json", headers={"authorization": f"Bearer {TOKEN}"}).text


def test_a_page_from_elsewhere_cannot_use_a_server_without_a_token(client: TestClient):
    for host, status in {"evil.example:8642": 421, "127.0.0.2:8642": 200, "[::1]:8642": 200, "localhost": 200}.items():
        assert client.get("/v1/policy", headers={"host": host}).status_code == status
    answer = client.post("/v1/sessions", content="{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert "access-control-allow-origin" not in answer.headers


def test_size_and_rate():
    client = client_of(largest=100)
    assert client.post("/v1/sessions", json={"observations": [[0.0] * 100]}).status_code == 413
    clock = Clock()
    bucket = Bucket(2.0, clock)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    clock.now = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    assert client_of(rate=1e-6).get("/health").status_code == 200
    poor = client_of(rate=1e-6)
    assert [poor.get("/health").status_code for _ in range(2)] == [200, 429]


def test_strangers_take_nothing_from_the_rate_of_clients():
    client = client_of(rate=1e-6, token=TOKEN)
    known = {"authorization": f"Bearer {TOKEN}"}
    assert [client.get("/health").status_code for _ in range(2)] == [200, 429]
    assert [client.get("/v1/policy", headers=known).status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "observation: Field required"),
        (b"[]", "Input should be an object"),
        (b"{", "Invalid JSON"),
        (b'{"observation": 1}', "observation: must be numbers by the columns' names or a list of them"),
        (b'{"observation": [1], "extra": 2}', "extra: there is no such key"),
        (b"[" * 60_000, "Invalid JSON"),
        (b'{"observation": [1, 1], "observation": [2, 2]}', "observation: is there twice"),
        (b'{"observation": {"level": 1, "flow": 0, "level": 2}}', "level: is there twice"),
        (b'{"observation": [' + b"1," * 100 + b"1]}", "101 values for 2 columns"),
    ],
)
def test_what_is_no_message(client: TestClient, body: bytes, message: str):
    session = begun(client)
    answer = client.post(f"{session}/step", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and message in answer.json()["error"]


@pytest.mark.parametrize("part", ["observations", "actions"])
def test_a_past_of_far_more_values_than_columns_is_refused(client: TestClient, part: str):
    past = {"observations": [[1.0, 0.0]] * 2, "actions": [[0.0]] * 2}
    answer = client.post("/v1/sessions", json=past | {part: [past[part][0], [0.0] * 101]})
    assert answer.status_code == 422 and "101 values for" in answer.json()["error"]
    assert client.post("/v1/sessions", json=past).status_code == 201


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.just("level"), inner),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
def test_whatever_is_measured_there_is_an_answer(observation: Any, applied: Any, reward: Any):
    client = client_of()
    body = json.dumps({"observation": observation, "applied_action": applied, "reward": reward})
    answer = client.post(f"{begun(client)}/step", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        assert np.isfinite(answer.json()["action"]["valve"])


def test_it_describes_itself_and_loads_nothing(client: TestClient):
    described = client.get("/openapi.json").json()
    assert {(path, method.upper()) for path, of in described["paths"].items() for method in of} == {
        (operation.path, operation.method) for operation in OPERATIONS
    }
    page = client.get("/").text
    assert "<script" not in page and "http://" not in page and "https://" not in page
    policy = client.get("/v1/policy").json()
    assert policy["observations"][0] == {"name": "level", "unit": "m", "low": 0.0, "high": 4.0}
    assert policy["guard"] == {"threshold": 0.5, "rate": 0.01}


def test_it_counts(client: TestClient):
    session = begun(client)
    client.post(f"{session}/step", json={"observation": [1.0, 0.0]})
    client.get("/nowhere")
    text = client.get("/metrics").text
    for line in (
        'micro_rl_requests_total{operation="step",status="200"} 1.0',
        'micro_rl_requests_total{operation="none",status="404"} 1.0',
        'micro_rl_decisions_total{source="policy"} 1.0',
        "micro_rl_sessions 1.0",
    ):
        assert line in text.splitlines(), text


def test_what_is_no_operation_is_refused(client: TestClient):
    for method, path, status in (("GET", "/nowhere", 404), ("GET", "/health/", 404), ("PUT", "/health", 405)):
        answer = client.request(method, path)
        assert answer.status_code == status and set(answer.json()) == {"error"}


def test_a_fault_of_ours_is_one_line(client: TestClient, monkeypatch, capsys, caplog):
    session = begun(client)
    monkeypatch.setattr(Controller, "step", lambda *_: 1 / 0)
    answer = client.post(f"{session}/step", json={"observation": [1.0, 0.0]})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed; its console says how"}
    assert capsys.readouterr().err.count("\n") == 1
    assert all(record.levelno < logging.WARNING for record in caplog.records)
