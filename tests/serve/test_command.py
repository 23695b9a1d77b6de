"""The command: what it refuses, and a server's life from start to SIGTERM."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from micro_rl import Controller
from micro_rl.cli.main import run
from micro_rl.deploy.python_file import python_text
from micro_rl.deploy.source import Source
from micro_rl.errors import UserError
from micro_rl.serve.connection import CONNECTIONS
from micro_rl.serve.operations import OPERATIONS, Operation
from micro_rl.serve.settings import ServeSettings, check, is_loopback
from tests.control.loops import of_level, proportional, range_guard
from tests.serve.published import held

ROOT = Path(__file__).parent.parent.parent
SERVER = "import sys; from micro_rl.cli.main import main; sys.argv[1:1] = ['serve']; main()"


@pytest.mark.parametrize(
    ("changes", "token", "message"),
    [
        ({"host": "0.0.0.0"}, None, "can be reached by others: give a token"),
        ({"host": "::"}, None, "can be reached by others"),
        ({"host": "plant.example"}, None, "can be reached by others"),
        ({}, "short", "16 or more printable"),
        ({}, "a token\nof two lines", "16 or more printable"),
        ({"port": 70_000}, None, "port: 70000 is none"),
        ({"rate": 0.0}, None, "rate: 0.0 is not positive"),
        ({"idle": float("nan")}, None, "idle: nan is not positive"),
        ({"sessions": -1}, None, "sessions: -1 is not positive"),
    ],
)
def test_what_is_refused(changes, token, message):
    with pytest.raises(UserError, match=message):
        check(ServeSettings(**changes), token)


def test_addresses_of_this_machine_alone():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.1.2.3", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "", "localhost.example")))
    check(ServeSettings(host="0.0.0.0"), "a-token-of-enough-letters")


def test_the_command_refuses_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MICRO_RL_TOKEN", raising=False)
    (tmp_path / "pump.c").write_text("/* Written by micro-rl export */\n")
    for words, message in (
        (
            [str(tmp_path / "pump.c")],
            "pump.c: does not begin like a safetensors file; give a policy's .safetensors, the .py or .onnx that",
        ),
        ([str(tmp_path)], "is no controller's folder"),
        ([str(tmp_path / "none")], "none: no such file or folder"),
        ([str(tmp_path), "--host", "0.0.0.0"], "give a token"),
        ([str(tmp_path), "--token-file", str(tmp_path / "none")], "cannot be read"),
    ):
        assert run(["serve", *words]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("host", ["a..b", ".plant", "x" * 70])
def test_what_no_machine_is_called_is_refused_in_one_line(tmp_path: Path, host: str, capsys, monkeypatch):
    monkeypatch.setenv("MICRO_RL_TOKEN", "a-token-of-enough-letters")
    proportional().save(tmp_path / "policy.safetensors")
    assert run(["serve", str(tmp_path / "policy.safetensors"), "--host", host]) == 2
    error = capsys.readouterr().err
    assert f"host: '{host}' is no name of a machine" in error and error.count("\n") == 1


def test_a_folder_in_which_no_record_can_be_kept_is_told_before_it_serves(tmp_path: Path, monkeypatch, capsys):
    Controller(proportional(), range_guard()).save(tmp_path / "plant")
    monkeypatch.setattr("tempfile.TemporaryFile", _refused)
    monkeypatch.setattr("micro_rl.serve.server.serve", lambda *_: pytest.fail("it serves"))
    assert run(["serve", str(tmp_path / "plant"), "--port", "0", "--records", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path}: cannot be written (Permission denied)" in error and error.count("\n") == 1


def _refused(dir: Path) -> None:
    raise PermissionError(13, "Permission denied", str(dir))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Controller]:
    """What would be served; `ready` is told at once."""
    controllers: list[Controller] = []

    def serve(controller: Controller, asked: Any, token: Any, records: Any, ready: Any) -> int:
        controllers.append(controller)
        ready("http://here")
        return 0

    monkeypatch.setattr("micro_rl.serve.server.serve", serve)
    return controllers


def test_an_export_has_the_limits_of_the_settings(tmp_path: Path, served: list[Controller], capsys):
    export, settings = tmp_path / "pump.py", tmp_path / "controller.toml"
    export.write_text(python_text(Source(proportional()).guarded(range_guard()), "pump"), encoding="utf-8")
    settings.write_text("[limits]\nvalve = [10, 20]\n")
    assert run(["serve", str(export), "--settings", str(settings)]) == 0
    assert "note" not in capsys.readouterr().out
    assert served[0].fresh().step([1.0, 0.0]).action[0] == 20 and served[0].guard is not None
    assert run(["serve", str(export)]) == 0
    told = "note    no --settings: the limits are the policy's bounds, no rate is kept, and the fallback is hold\n"
    assert capsys.readouterr().out.startswith(told)
    assert served[1].step([1.0, 0.0]).action[0] == pytest.approx(of_level(1.0))
    proportional().save(tmp_path / "policy.safetensors")
    assert run(["serve", str(tmp_path / "policy.safetensors"), "--settings", str(settings)]) == 0
    assert served[2].step([1.0, 0.0]).action[0] == 20


def test_settings_that_do_not_fit_are_refused(tmp_path: Path, served: list[Controller], capsys):
    policy, folder, settings = tmp_path / "policy.safetensors", tmp_path / "plant", tmp_path / "controller.toml"
    proportional().save(policy)
    Controller(proportional(), range_guard()).save(folder)
    assert run(["serve", str(folder)]) == 0 and "note" not in capsys.readouterr().out
    settings.write_text("[limits]\nvalv = [10, 20]\n")
    for export, message in (
        (policy, f"{settings}: limits: there is no column 'valv'"),
        (folder, f"--settings {settings}: {folder} has its own"),
    ):
        assert run(["serve", str(export), "--settings", str(settings)]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert len(served) == 1


def test_served_until_sigterm(tmp_path: Path):
    Controller(proportional(), range_guard()).save(tmp_path / "controller")
    words = [str(tmp_path / "controller"), "--port", "0", "--records", str(tmp_path / "records"), "--patience", "0.2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[1]

        def ask(path: str, body: object) -> dict:
            content = json.dumps(body).encode()
            request = urllib.request.Request(address + path, content, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)

        session = ask("/v1/sessions", {})["session"]
        answer = ask(f"/v1/sessions/{session}/step", {"observation": {"level": 0.5, "flow": 0.0}})
        assert answer["action"]["valve"] == pytest.approx(of_level(0.5))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask("/v1/sessions/0/step", {"observation": None})
        port = int(address.rpartition(":")[2])
        assert run(["serve", words[0], "--port", str(port)]) == 2
        refused_by_connections(port)
        server.send_signal(signal.SIGTERM)
        output, errors = server.communicate(timeout=20)
        assert (server.returncode, errors) == (0, "") and output == "stopped; 1 open session ended\n"
        assert (tmp_path / "records" / f"{session}.csv").exists()


def refused_by_connections(port: int) -> None:
    """What is no HTTP, what does not arrive and what is too much is refused as the description says, everywhere."""
    bodies = [each for each in OPERATIONS if each.body]
    with ExitStack() as open_ones:
        slow = [asked(open_ones, port, each, "content-length: 9") for each in bodies]
        for operation, connection in zip(bodies, slow, strict=True):
            answered(operation, connection, 408)
        for operation in OPERATIONS:
            answered(operation, asked(open_ones, port, operation, "content-length: none"), 400)
    with ExitStack() as open_ones:
        first = connected(open_ones, port)
        for _ in range(CONNECTIONS - 1):
            connected(open_ones, port)
        for operation in OPERATIONS:
            answered(operation, asked(open_ones, port, operation), 503)
        first.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answered(OPERATIONS[0], first, 200)


def connected(open_ones: ExitStack, port: int) -> socket.socket:
    """A connection."""
    return open_ones.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))


def asked(open_ones: ExitStack, port: int, operation: Operation, *headers: str) -> socket.socket:
    """A connection on which an operation was asked for."""
    connection = connected(open_ones, port)
    head = [f"{operation.method} {operation.path.replace('{session}', '0')} HTTP/1.1", "host: localhost"]
    lines = [*head, "content-type: application/json", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())
    return connection


def answered(operation: Operation, connection: socket.socket, status: int) -> None:
    """Fail where the answer is another, or not as the description says."""
    answer = http.client.HTTPResponse(connection, method=operation.method)
    answer.begin()
    assert answer.status == status, operation.name
    media, path = answer.headers["content-type"], operation.path.replace("{session}", "0")
    held(operation.method, path, answer.status, media, answer.read(), False)
