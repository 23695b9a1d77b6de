"""One run on Ray for real, on this machine; and the files for other machines as far as a test can read them."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.ray_nodes import Machine, until
from micro_rl.cli.main import run as command
from micro_rl.cluster import connection
from micro_rl.errors import UserError
from tests.tiny_runs import OF_ANY, options, write_log

FILES = Path(__file__).parent.parent.parent / "docs" / "guides" / "cluster"
linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc, and scripts are bash's")


@linux
def test_a_run_on_ray_has_the_bits_of_one_without_and_leaves_no_process(tmp_path):
    pytest.importorskip("ray")
    words = ["sweep", str(write_log(tmp_path / "log.hdf5")), "--method", "bc", "--exact"]
    words += options(only=OF_ANY, epochs=2)
    with Machine() as machine:
        there = machine.start(*words, "--out", str(tmp_path / "there"), "--on", "ray")
        assert command([*words, "--out", str(tmp_path / "here")]) == 0
        assert there.wait(240) == 0, machine.printed(there)
        assert "cluster 1 node" in machine.printed(there) and "done    seed0" in machine.printed(there)
        policies = [(tmp_path / name / "seed0" / "policy.safetensors").read_bytes() for name in ("here", "there")]
        assert policies[0] == policies[1] and (tmp_path / "there" / "seed0" / "report.html").exists()
        assert until(lambda: not machine.processes(), 30)


def test_ray_takes_no_signal_from_the_driver(monkeypatch):
    """Ray's own handler of SIGTERM ends the process, and what runs reach since their last checkpoints with it."""

    def handler(*_: object) -> None:
        pass

    ray: Any = ModuleType("ray")
    ray.init = lambda **_: signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ray.shutdown = lambda: None
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(connection, "_silence", lambda: None)
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with connection.connected("ray"):
            assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("where", "words"),
    [("ray", r"no cluster could be begun on this machine \(timed out\); .* try again"), ("auto", "reached .* TOKEN")],
)
def test_what_helps_where_there_is_no_cluster(monkeypatch: pytest.MonkeyPatch, where: str, words: str):
    def init(**_: object) -> None:
        raise RuntimeError("timed out")

    ray: Any = ModuleType("ray")
    ray.init = init
    monkeypatch.setitem(sys.modules, "ray", ray)
    for name in ("check", "_silence"):
        monkeypatch.setattr(connection, name, lambda *_: None)
    with pytest.raises(UserError, match=f"(?i)^on: {where}: .*{words}"), connection.connected(where):
        pass


@pytest.mark.parametrize(("deaths", "begun"), [(2, 3), (3, 3), (0, 1)])
def test_a_client_whose_server_died_as_it_was_begun_is_connected_again(monkeypatch, deaths, begun):
    ray, calls = ModuleType("ray"), list[int]()

    def init(**_: Any) -> None:
        calls.append(1)
        if len(calls) <= deaths:
            raise ConnectionAbortedError("RuntimeError: Starting Ray client server failed. See ray_client_server.err")

    vars(ray).update(init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(connection, "_silence", lambda: None)
    given_up = pytest.raises(UserError, match="Starting Ray client") if deaths == 3 else nullcontext()
    with given_up, connection.connected("ray"):
        pass
    assert len(calls) == begun


@pytest.mark.parametrize("error", [ConnectionError("Client is shutting down."), BrokenPipeError(), KeyError("ours")])
def test_a_cluster_that_is_lost_is_one_line_and_other_errors_are_themselves(monkeypatch, error):
    ray: Any = ModuleType("ray")
    ray.init, ray.shutdown = lambda **_: None, lambda: None
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(connection, "_silence", lambda: None)
    lost = type(error) is ConnectionError
    with pytest.raises(UserError if lost else type(error)) as caught, connection.connected("ray"):
        raise error
    if lost:
        assert "the cluster is gone (Client is shutting down.)" in str(caught.value) and "--resume" in str(caught.value)


@linux
@pytest.mark.parametrize("name", ["sweep.slurm", "array.slurm"])
def test_scripts_are_bash(name):
    assert subprocess.run(["bash", "-n", FILES / name]).returncode == 0


@linux
def test_a_job_of_an_array_takes_its_line_and_ends_as_it_does(tmp_path):
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    (tmp_path / "commands.txt").write_text("false\nsh -c 'echo \"two words\"; exit 3'\n")
    own = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_ARRAY_TASK_ID": "2"}
    done = subprocess.run(["bash", FILES / "array.slurm"], env=os.environ | own, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "two words\n"), done.stderr


@linux
@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ({"SLURM_MEM_PER_CPU": "500", "SLURM_CPUS_ON_NODE": "4"}, "head at 10.0.0.1:20007 did not answer in 120 tries"),
        ({}, "Slurm does not say what memory the job has"),
    ],
)
def test_a_job_whose_head_does_not_start_ends(tmp_path, memory, message):
    """With programs in the place of Slurm's and Ray's; a site tells the memory of a node, or of a core."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    says = {"ray": "exit 1", "srun": f'echo "$@" > {tmp_path}/begun', "sleep": "", "scontrol": "echo n1"}
    for name, line in (says | {"hostname": "echo 10.0.0.1"}).items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    own = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_NODELIST": "n1", "SLURM_JOB_ID": "7", "SLURM_NNODES": "1"}
    own |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", **memory}
    done = subprocess.run(["bash", FILES / "sweep.slurm"], env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    if memory:
        assert f"--memory={2000 * 2**20 // 4 * 3} " in (tmp_path / "begun").read_text()


@linux
@pytest.mark.parametrize("moment", ["head", "nodes", "sweep"])
def test_a_job_that_is_stopped_at_any_moment_goes_back_into_the_queue(tmp_path, moment):
    """A signal to the script alone, while it waits for its head, for the other nodes, and for the sweep."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    stop = {name: "kill -TERM $PPID" if name == moment else ":" for name in ("head", "nodes", "sweep")}
    wait = "trap 'exit 143' TERM; for i in 1 2 3 4 5 6 7 8 9 10; do /bin/sleep 0.2; done"
    programs = {
        "ray": f'[ "$1" != health-check ] || {{ {stop["head"]}; {"exit 1" if moment == "head" else "exit 0"}; }}',
        "python": f"{stop['nodes']}\n{wait if moment == 'nodes' else ''}",
        "micro-rl": f'echo "$@" >> {tmp_path}/sweep\n{stop["sweep"]}\n{wait if moment == "sweep" else ""}',
        "scontrol": f'echo "$@" >> {tmp_path}/said; echo n1',
        "srun": ":",
        "sleep": ":",
        "hostname": "echo 10.0.0.1",
    }
    for name, line in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    own = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_NODELIST": "n1", "SLURM_JOB_ID": "7", "SLURM_NNODES": "1"}
    own |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_MEM_PER_NODE": "500"}
    done = subprocess.run(["bash", FILES / "sweep.slurm"], env=os.environ | own, capture_output=True, text=True)
    assert (tmp_path / "said").read_text().splitlines() == ["show hostnames n1", "requeue 7"], done.stderr
    assert done.returncode == (143 if moment == "sweep" else 0)
    assert (tmp_path / "sweep").exists() == (moment == "sweep")


def test_the_manifest_is_a_job_whose_pods_share_the_volume():
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((FILES / "rayjob.yaml").read_text())
    cluster = job["spec"]["rayClusterSpec"]
    assert job["kind"] == "RayJob" and cluster["authOptions"] == {"mode": "token"}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        [container] = group["template"]["spec"]["containers"]
        assert container["volumeMounts"] == [{"name": "sweep", "mountPath": "/sweep"}]
        assert container["resources"]["requests"] == container["resources"]["limits"]
