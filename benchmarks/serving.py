"""What `micro-rl serve` stands: `python -m benchmarks.serving [--seconds 600]`.

Four trials of a server in a process of its own, on one machine with its clients: load, malformed requests, being
killed between requests, and an outsider.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe
from benchmarks.malformed import malformed
from micro_rl import Controller, Policy, load
from micro_rl.control.guard import Guard

HISTORY, HIDDEN = 4, (256, 256)
MALFORMED, KILLS, CONNECTIONS = 10_000, 20, 8
TOKEN = "of-the-benchmark-alone"


def make(folder: Path) -> Controller:
    """A controller for the pendulum, with random weights, a history and a guard."""
    log, random = load("pendulum-demo"), np.random.default_rng(0)
    columns = log.columns
    observations, actions = len(columns.observations), len(columns.actions)
    width = HISTORY * observations + (HISTORY - 1) * actions
    sizes = (width, *HIDDEN, 2 * actions)
    layers = [
        (random.normal(size=(a, b)).astype(np.float32) / np.sqrt(a), np.zeros(b, np.float32))
        for a, b in pairwise(sizes)
    ]
    policy = Policy(
        layers,
        observation_mean=np.zeros(width),
        observation_std=np.ones(width),
        action_mid=np.zeros(actions),
        action_half=np.full(actions, 2.0),
        history=HISTORY,
        columns=columns,
    )
    controller = Controller(policy, Guard.fit(log, 0.01))
    controller.save(folder)
    return controller


class Server:
    """`micro-rl serve` in a process of its own."""

    def __init__(self, folder: Path, *words: str, port: int = 0, token: str | None = None):
        code = "import sys; from micro_rl.cli.main import main; sys.argv[1:1] = ['serve']; main()"
        command = [sys.executable, "-c", code, str(folder), "--port", str(port), "--rate", "1e6", *words]
        own = {"MICRO_RL_TOKEN": token} if token else {}
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the server
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": self.errors}
        self.process = subprocess.Popen(command, text=True, env=os.environ | own, **pipes)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.address = line.split()[1] if line.startswith("serving") else ""
        self.port = int(self.address.rpartition(":")[2] or 0)

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, content, {"content-type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def held(self) -> tuple[float, int]:
        """Megabytes in memory, and open files."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return kilobytes / 1024, len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def said(self) -> str:
        """What it printed as errors."""
        self.errors.seek(0)
        return self.errors.read().decode()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


async def exchange(port: int, content: bytes) -> bytes:
    """What comes back for some bytes on a connection of their own; nothing where the server closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(content)
        with suppress(TimeoutError):
            return await asyncio.wait_for(reader.read(), 0.3)
        writer.write_eof()  # the server waits for the rest of a request that is cut
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def steps(port: int, session: str, until: float, seconds: list[float]) -> None:
    """Steps of one system, one after another on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    random = np.random.default_rng(len(session))
    while time.perf_counter() < until:
        body = json.dumps({"observation": random.normal(size=3).round(4).tolist()}).encode()
        head = f"POST /v1/sessions/{session}/step HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        began = time.perf_counter()
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        seconds.append(time.perf_counter() - began)
    writer.close()


def under_load(folder: Path, seconds: float) -> None:
    """Requests a second and percentiles, with one connection and with several."""
    for connections in (1, CONNECTIONS):
        server, took = Server(folder), []
        names = [server.ask("/v1/sessions", {})[1]["session"] for _ in range(connections)]

        async def all_of_them(server: Server = server, names: list[str] = names, took: list[float] = took) -> None:
            until = time.perf_counter() + seconds / 2
            await asyncio.gather(*(steps(server.port, name, until, took) for name in names))

        before = server.held()
        asyncio.run(all_of_them())
        middle, last = np.percentile(took, [50, 99]) * 1000
        rate, worst = len(took) * 2 / seconds, max(took) * 1000
        print(
            f"load       {connections} connection(s), {seconds / 2:.0f} s: {rate:.0f} requests/s, 50 % within "
            f"{middle:.2f} ms, 99 % within {last:.2f} ms, the worst {worst:.1f} ms; {ended(server, before)}",
            flush=True,
        )


def ended(server: Server, before: tuple[float, int]) -> str:
    """What a server held before and holds now, and how it ends."""
    after = server.held()
    return (
        f"memory {before[0]:.1f} to {after[0]:.1f} MiB, open files {before[1]} to {after[1]}; SIGTERM: exit code "
        f"{server.stop()}; errors {server.said()!r}"
    )


def with_malformed(folder: Path) -> None:
    """Malformed requests: answers by status, tracebacks, memory and files before and after."""
    server, statuses = Server(folder), {}
    session = server.ask("/v1/sessions", {})[1]["session"]
    random = np.random.default_rng(0)

    async def send(count: int) -> None:
        for _ in range(count):
            answer = await exchange(server.port, malformed(random, session))
            status = answer[9:12].decode() or "closed"
            statuses[status] = statuses.get(status, 0) + 1

    async def send_all(count: int) -> None:
        await asyncio.gather(*(send(count // CONNECTIONS) for _ in range(CONNECTIONS)))

    asyncio.run(send_all(MALFORMED // 5))
    before = server.held()
    asyncio.run(send_all(MALFORMED))
    status, answer = server.ask(f"/v1/sessions/{session}/step", {"observation": [1.0, 0.0, 0.0]})
    assert status == 200 and np.isfinite(list(answer["action"].values())).all()
    print(
        f"malformed  {sum(statuses.values()):,} requests: {dict(sorted(statuses.items()))}; {ended(server, before)}",
        flush=True,
    )


def killed_between_requests(folder: Path, controller: Controller) -> None:
    """A client that primes a new session with its past goes on as one controller that was never killed."""
    server, random, past, largest = Server(folder), np.random.default_rng(1), ([], []), 0.0
    port, session = server.port, server.ask("/v1/sessions", {})[1]["session"]
    ours = controller.fresh()
    for number in range(KILLS * 5):
        if number % 5 == 4:
            server.stop(signal.SIGKILL)
            server = Server(folder, port=port)
        observation = random.normal(size=3).tolist()
        status, answer = server.ask(f"/v1/sessions/{session}/step", {"observation": observation})
        if status == 404:
            begin = {"observations": past[0][-50:], "actions": past[1][-50:]}
            session = server.ask("/v1/sessions", begin)[1]["session"]
            status, answer = server.ask(f"/v1/sessions/{session}/step", {"observation": observation})
        action = list(answer["action"].values())
        advised = list((answer["advised"] or answer["action"]).values())
        expected = ours.step(observation).advised
        assert status == 200 and expected is not None
        largest = max(largest, float(np.abs(np.array(advised) - expected).max()))
        past[0].append(observation)
        past[1].append(action)
    print(f"killed     {KILLS} times; what the policy advised differs by at most {largest:.1e}", flush=True)
    server.stop()


def with_outsiders(folder: Path) -> None:
    """Open to others without a token it does not start; with one it answers to nobody without."""
    refused = Server(folder, "--host", "0.0.0.0")
    assert refused.process.wait(30) == 2 and "give a token" in refused.said()
    server = Server(folder, "--host", "0.0.0.0", token=TOKEN)
    wrong = ("", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}")
    statuses = {server.ask("/v1/sessions", {}, authorization=words)[0] for words in wrong}
    ours, _ = server.ask("/v1/sessions", {}, authorization=f"Bearer {TOKEN}")
    print(f"outsider   no token: does not start; wrong tokens: {statuses}; the token: {ours}", flush=True)
    server.stop()


def main() -> None:
    """All four."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="of load, half with one connection")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "controller"
        controller = make(place)
        for name, words in describe().items():
            print(f"{name}: {words}", flush=True)
        with_outsiders(place)
        killed_between_requests(place, controller)
        with_malformed(place)
        under_load(place, asked.seconds)


if __name__ == "__main__":
    main()
