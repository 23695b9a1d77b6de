"""A sweep on two nodes: the bits of one machine, whatever is killed. Slow: two minutes on two idle cores."""

import sys
from pathlib import Path

import pytest

from benchmarks.ray_nodes import Machine, until
from tests.tiny_runs import options, write_log

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]

LONG = options(epochs=30, checkpoint_every=5)
PATIENCE = 900.0
"""Seconds for what takes a minute on a free machine."""
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Idle processes of a node that look for their parent less often than the others."""


def words(logs: list[Path], out: Path, *more: str) -> list[str]:
    """The sweep's: two methods, two values, two seeds."""
    grid = ["--grid", "method=micro,mobile", "actor_lr=1e-4,3e-4", "--seeds", "2"]
    return ["sweep", *map(str, logs), *grid, "--exact", "--out", str(out), *LONG, *more]


def rows(out: Path) -> int:
    """Epochs of all runs."""
    return sum(path.read_bytes().count(b"\n") for path in out.rglob("metrics.jsonl"))


def policies(out: Path) -> list[Path]:
    """Of every run that is over."""
    return sorted(out.rglob("policy.safetensors"))


def made(out: Path) -> dict[str, bytes | int]:
    """What every run has come to, by file: the bits of its policy and of its model, and how many rows its curve has."""
    weights = [*policies(out), *out.rglob("model/ensemble.safetensors")]
    bits: dict[str, bytes | int] = {str(path.relative_to(out)): path.read_bytes() for path in weights}
    curves = {str(path.relative_to(out)): path.read_bytes().count(b"\n") for path in out.rglob("metrics.jsonl")}
    return bits | curves


def at_work(machine: Machine, node: set[int] | None = None) -> list[str]:
    """The tasks and actors that Ray's workers do, by the titles that Ray gives these processes; of one node alone."""
    titles = [title(pid) for pid in machine.processes() if node is None or parent(pid) in node]
    return [own for own in titles if own.startswith("ray::") and not own.startswith(("ray::IDLE", *AGENTS))]


def parent(pid: int) -> int:
    """Of a process; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def title(pid: int) -> str:
    """Of a process; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().strip("\0")
    except OSError:
        return ""


@pytest.fixture
def machine(tmp_path):
    programs = {"JAX_ENABLE_COMPILATION_CACHE": "true", "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "programs")}
    with Machine(**programs) as own:
        yield own


def test_a_node_and_the_driver_are_killed_and_a_node_joins(tmp_path, machine):
    """Sixteen runs of two logs; the second node killed, a third joined, the driver killed and begun again."""
    logs = [write_log(tmp_path / "one.hdf5"), write_log(tmp_path / "two.hdf5", episodes=8)]
    alone = machine.start(*words(logs, tmp_path / "alone"))
    assert alone.wait(PATIENCE) == 0, machine.printed(alone)
    expected = made(tmp_path / "alone")
    assert len(policies(tmp_path / "alone")) == 16 and len(expected) == 3 * 16

    machine.start_node()
    head = machine.environment["RAY_ADDRESS"]
    second, out = machine.start_node(head), tmp_path / "out"
    driver = machine.start(*words(logs, out, "--on", "auto"))
    assert until(lambda: len(policies(out)) >= 2, PATIENCE), machine.printed(driver)
    machine.kill(second)
    gone, joined = (
        "note: a node is gone: what it did begins again elsewhere; 1 node",
        "note: a node has joined; 2 nodes",
    )
    assert until(lambda: gone in machine.printed(driver), PATIENCE), machine.printed(driver)  # Ray waits for a while
    third = machine.start_node(head)
    assert until(lambda: bool(at_work(machine, third)), PATIENCE), machine.printed(driver)
    assert until(lambda: joined in machine.printed(driver), PATIENCE), machine.printed(driver)
    assert until(lambda: bool(at_work(machine)), PATIENCE), machine.printed(driver)
    driver.kill()
    driver.wait()
    assert until(lambda: not at_work(machine), 60), at_work(machine)
    assert len(policies(out)) < 16, "it was over too soon for this test"

    again = machine.start(*words(logs, out, "--on", "auto", "--resume"))
    assert again.wait(PATIENCE) == 0, machine.printed(again)
    assert made(out) == expected
    assert not list(out.rglob("*.tmp")) and not (out / ".cluster").exists()


def test_a_driver_that_dies_leaves_no_process(tmp_path, machine):
    """Ray on this machine alone, which the driver begins: gone with it, by SIGKILL and by SIGTERM."""
    log, out = write_log(tmp_path / "log.hdf5"), tmp_path / "out"
    command = ["sweep", str(log), "--seeds", "2", "--exact", "--out", str(out), "--on", "ray", *options(epochs=4000)]
    first = machine.start(*command)
    assert until(lambda: any(out.rglob("metrics.jsonl")), PATIENCE), machine.printed(first)
    first.kill()
    first.wait()
    assert until(lambda: len(machine.processes()) <= len(AGENTS), 30), machine.processes()
    assert until(lambda: not machine.processes(), 120), machine.processes()

    before = rows(out)
    second = machine.start(*command, "--resume")
    assert until(lambda: rows(out) > before, PATIENCE), machine.printed(second)
    second.terminate()
    assert second.wait(PATIENCE) == 143, machine.printed(second)
    assert "--resume goes on" in machine.printed(second)
    assert until(lambda: not machine.processes(), 30), machine.processes()
