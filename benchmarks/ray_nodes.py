"""Ray nodes on this machine, for tests and measurements: each has one core, a folder and ports of its own."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
MARK = "MICRO_RL_MARK"
RAY = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
COMMAND = "from micro_rl.cli.main import main; main()"


class Machine:
    """All processes that are begun here, with their children, whichever way these were begun; use it in a `with`."""

    def __init__(self, **environment: str):
        self._word = secrets.token_hex(8)
        self.folder = Path(tempfile.mkdtemp(prefix="ray"))  # short: Ray puts sockets into it
        own = {MARK: self._word, "RAY_TMPDIR": str(self.folder), "PYTHONPATH": str(ROOT)}
        quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "PYTHONUNBUFFERED": "1"}
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        self.environment = os.environ | own | quiet | token | environment
        self.client = ""
        """The first node's address for Ray's client, once there is one."""

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill(self.processes())
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(
        self, *words: str, code: str = COMMAND, folder: Path | None = None, environment: Mapping[str, str] = {}
    ) -> "subprocess.Popen[str]":
        """Begins micro-rl, or another program; what it prints is in a file of its number below the folder.

        Args:
            words: of its command line.
            code: the program.
            folder: that it works in.
            environment: what it has otherwise than the others.
        """
        own = self.environment | dict(environment)
        with (self.folder / f"out-{secrets.token_hex(4)}").open("w") as out:
            child = subprocess.Popen(
                [sys.executable, "-c", code, *words], env=own, cwd=folder, stdout=out, stderr=out, text=True
            )
        (self.folder / f"{child.pid}.log").symlink_to(out.name)
        return child

    def printed(self, child: "subprocess.Popen[str]") -> str:
        """What a child has printed up to now."""
        return (self.folder / f"{child.pid}.log").read_text()

    def start_node(self, address: str | None = None, **environment: str) -> set[int]:
        """Begins a node, the first or one that joins.

        Args:
            address: of the first.
            environment: what it has otherwise than the others.

        Returns:
            The processes of this node.
        """
        before = self.processes()
        ports = ["--min-worker-port=0", "--max-worker-port=0", f"--temp-dir={self.folder / secrets.token_hex(2)}"]
        port, client = free_port(), free_port()
        head = ["--head", f"--port={port}", f"--ray-client-server-port={client}", "--include-dashboard=false"]
        words = [f"--address={address}"] if address else head
        child = self.start("start", *words, *ports, "--num-cpus=1", code=RAY, environment=environment)
        child.wait(timeout=240)
        assert child.returncode == 0, self.printed(child)
        if not address:
            self.environment["RAY_ADDRESS"], self.client = f"127.0.0.1:{port}", f"ray://127.0.0.1:{client}"
        return self.processes() - before

    def processes(self) -> set[int]:
        """All processes with this machine's mark that are alive."""
        marked = f"{MARK}={self._word}".encode()
        return {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if marked in _environment(pid)}

    @staticmethod
    def kill(processes: set[int]) -> None:
        """SIGKILL, which leaves no time for anything."""
        for pid in processes:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits for something; whether it came about."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
