"""The repository's promises about itself: what the lock holds, what the tests check, a page for every method."""

import re
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import micro_rl
from micro_rl.algorithms import registry
from micro_rl.core.types import Scaling

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
PYTHONS = ["3.11", "3.12", "3.13"]


def pins_on(python: str) -> dict[str, list[str]]:
    """Versions by package name that the lock gives an x86-64 Linux machine with this Python."""
    machine = {"python_version": python, "python_full_version": f"{python}.5", "sys_platform": "linux"}
    machine |= {"platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}
    pins: dict[str, list[str]] = {}
    for line in LOCK.splitlines():
        if not line.startswith((" ", "#")) and line.strip():
            pin = Requirement(line.removesuffix("\\"))
            if pin.marker is None or pin.marker.evaluate(machine):
                pins.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    return pins


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_pins_each_dependency_once_within_its_bounds(python: str):
    pins = pins_on(python)
    for text in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]:
        wanted = Requirement(text)
        versions = pins.get(canonicalize_name(wanted.name), [])
        assert len(versions) == 1, f"{wanted.name} on Python {python}: {versions}"
        assert wanted.specifier.contains(versions[0]), f"{wanted} is locked as {versions[0]}"


def test_lock_holds_only_names_versions_markers_and_hashes():
    entry = re.compile(r"^(?:[a-z0-9._-]+==[a-z0-9.]+(?: ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?)$")
    strange = [line for line in LOCK.splitlines() if not entry.match(line)]
    assert strange == []


def test_lock_leaves_out_accelerator_builds():
    assert not re.search(r"^(nvidia|cuda|jax-cuda|torch)", LOCK, re.MULTILINE)


def test_wrong_shapes_are_refused_while_testing():
    scaling = Scaling(np.zeros(3), np.ones(3), np.zeros(1), np.ones(1), np.ones(()))
    assert scaling.raw_observation(jnp.ones((2, 3))).shape == (2, 3)
    with pytest.raises(TypeCheckError):
        scaling.raw_observation(jnp.ones((2, 2, 3)))


def test_ranks_are_not_promoted_while_testing():
    assert jax.default_backend() == "cpu"
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.add(jnp.ones((2, 3)), jnp.ones(3))


def test_version_is_a_released_or_coming_section_of_the_changelog():
    sections = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert micro_rl.__version__ in sections


def test_every_method_has_its_page():
    pages = {name: ROOT / "docs" / "methods" / f"{name}.md" for name in registry.ALL}
    assert [name for name, page in pages.items() if not page.exists()] == []
    assert [name for name, page in pages.items() if f"--method {name}`" not in page.read_text()] == []
    assert [name for name, page in pages.items() if "## Results here" not in page.read_text()] == []
