"""Compiled programs on disk: where, when not, and that a torn one does no harm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from micro_rl.cli import compile_cache

CHILD = """
from micro_rl.cli.compile_cache import keep_compiled
keep_compiled()
import jax, jax.numpy as jnp
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
print(float(jax.jit(lambda x: jnp.sum(PROGRAM))(jnp.ones((5, 5)))))
"""


def value(home: Path, program: str = "jnp.sin(x) @ jnp.cos(x).T", most_bytes: int | None = None) -> str:
    unset = {name: text for name, text in os.environ.items() if not name.startswith("JAX_")}
    environment = unset | {"XDG_CACHE_HOME": str(home), "JAX_PLATFORMS": "cpu"}
    if most_bytes is not None:
        environment["JAX_COMPILATION_CACHE_MAX_SIZE"] = str(most_bytes)
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD.replace("PROGRAM", program)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where one program is kept, and what it gave; a test takes a copy."""
    home = tmp_path_factory.mktemp("home")
    return home, value(home)


def test_the_next_process_finds_the_program_and_a_torn_one_does_no_harm(kept: tuple[Path, str], tmp_path: Path):
    home, first = kept
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    entries = [path for path in tmp_path.rglob("*") if path.is_file() and path.name.endswith("-cache")]
    assert entries and all("micro-rl/programs" in str(path) for path in entries)
    assert value(tmp_path) == first
    for path in entries:
        path.write_bytes(path.read_bytes()[:20])
    assert value(tmp_path) == first


@pytest.mark.parametrize("name", compile_cache.SET_BY_USER)
def test_what_the_user_has_said_stands(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(name, "mine")
    compile_cache.keep_compiled()
    assert os.environ[name] == "mine" and not any(tmp_path.iterdir())


def test_without_a_folder_that_can_be_made_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in compile_cache.SET_BY_USER:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    compile_cache.keep_compiled()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


def test_the_folder_is_the_processors_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = compile_cache.folder()
    monkeypatch.setattr(compile_cache, "processor", lambda: "another")
    assert compile_cache.folder() != here and here.is_relative_to(tmp_path / "micro-rl")


def test_the_programs_used_longest_ago_make_room(kept: tuple[Path, str], tmp_path: Path):
    def sizes() -> dict[str, int]:
        return {path.name: path.stat().st_size for path in tmp_path.rglob("*-cache")}

    shutil.copytree(kept[0], tmp_path, dirs_exist_ok=True)
    before = sizes()
    limit = sum(before.values()) + max(before.values()) // 2
    value(tmp_path, program="jnp.tanh(x) @ x", most_bytes=limit)
    after = sizes()
    assert after.keys() - before.keys() and before.keys() - after.keys()
    assert sum(after.values()) <= limit
