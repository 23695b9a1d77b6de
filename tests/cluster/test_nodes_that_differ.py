"""Nodes that differ, or that Ray's client reaches, with Ray for real. Slow: a minute on two idle cores."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.ray_nodes import ROOT, Machine
from tests.tiny_runs import OF_ANY, options, write_log

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]

PATIENCE = 300.0
"""Seconds for what takes ten on a free machine."""
OWN = "/proc/self/cwd"
"""A path that each process sees otherwise: the folder that it works in."""
OTHER = """
import micro_rl._version
micro_rl._version.__version__ = "0.0.9"
"""


def ended(machine: Machine, child: "subprocess.Popen[str]") -> tuple[int, str]:
    """A program's code, and what it printed."""
    return child.wait(PATIENCE), machine.printed(child)


def test_by_the_client_beside_nodes_without_the_folder_and_with_another_version(tmp_path):
    """One cluster, one node, which another joins: the same bits by ray://, with and without the folder; refusals."""
    log = write_log(tmp_path / "log.hdf5")
    sweep = ["sweep", str(log), "--method", "bc", "--seeds", "2", "--exact", *options(only=OF_ANY, epochs=2)]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text(OTHER)
    with Machine() as machine:
        assert ended(machine, machine.start(*sweep, "--out", str(tmp_path / "alone")))[0] == 0
        machine.start_node()
        code, printed = ended(machine, machine.start(*sweep, "--out", str(tmp_path / "there"), "--on", machine.client))
        assert code == 0 and "not see" not in printed, printed

        blind = machine.start(*sweep, "--out", f"{OWN}/sent", "--on", machine.client, folder=tmp_path)
        code, printed = ended(machine, blind)
        assert code == 0 and f"note: 1 node does not see {OWN}/sent: runs are sent home" in printed, printed
        expected = policies(tmp_path / "alone")
        assert len(expected) == 2 and policies(tmp_path / "there") == policies(tmp_path / "sent") == expected

        choice = ["choose", str(log), "--on", "auto"]
        code, printed = ended(machine, machine.start(*choice, "--out", f"{OWN}/choice", folder=tmp_path))
        assert code == 2 and printed.count("\n") == 1 and f"does not see {OWN}/choice" in printed, printed

        machine.start_node(machine.environment["RAY_ADDRESS"], PYTHONPATH=f"{tmp_path / 'other'}:{ROOT}")
        for number, verb in enumerate((sweep, choice)):
            code, printed = ended(machine, machine.start(*verb, "--out", str(tmp_path / str(number)), "--on", "auto"))
            assert code == 2 and "has other versions: micro-rl 0.0.9 there and" in printed, printed
            assert "cluster: the node at" in printed and "install the same on all" in printed
        assert not list((tmp_path / "0").rglob("*"))


def policies(out: Path) -> dict[str, bytes]:
    """The bits of every run's policy, by file."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("policy.safetensors"))}
