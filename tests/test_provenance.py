"""What a run says of where its bits come from, and what differs in another place."""

import subprocess
from pathlib import Path

import jax

from micro_rl.storage import provenance

ROOT = Path(__file__).parent.parent


def test_the_fingerprint_is_what_bits_depend_on(monkeypatch):
    jax.devices()  # reads the variable once, and ends the process where it has an unknown flag
    monkeypatch.setenv("XLA_FLAGS", "--some_flag")
    fingerprint = provenance.fingerprint()
    assert {"jax", "jaxlib", "numpy", "python", "device", "processor", "cores"} <= fingerprint.keys()
    assert fingerprint["XLA_FLAGS"] == "--some_flag" and fingerprint["device"].startswith("cpu")
    assert all(isinstance(value, str) and value for value in fingerprint.values())
    assert provenance.fingerprint() == fingerprint


def test_what_differs_is_named():
    before = {"jaxlib": "0.9", "cores": "2", "XLA_FLAGS": "-a"}
    now = {"jaxlib": "0.10", "cores": "2", "JAX_ENABLE_X64": "1"}
    assert provenance.changes(before, now) == [
        "jaxlib 0.9, now 0.10",
        "XLA_FLAGS -a, now unset",
        "JAX_ENABLE_X64 unset, now 1",
    ]
    assert provenance.changes(now, now) == []


def test_the_commit_is_that_of_the_packages_own_checkout():
    process = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True)
    commit = provenance.commit()
    if process.returncode:
        assert commit is None
    else:
        assert commit is not None
        assert commit.removesuffix(" with changes") == process.stdout.strip()


def test_an_installed_package_has_no_commit(tmp_path: Path, monkeypatch):
    (tmp_path / "micro_rl").mkdir()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "micro_rl" / "provenance.py"))
    assert provenance.commit() is None


def test_a_process_says_when_what_and_after_which_epoch():
    process = provenance.process("micro-rl train x", 5)
    assert process["command"] == "micro-rl train x" and process["after_epoch"] == 5
    assert process["began"].endswith("+00:00") and process["fingerprint"] == provenance.fingerprint()
