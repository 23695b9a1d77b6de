"""A method that an installed package offers: trained, resumed and reported by its name, refused once it changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from micro_rl.storage.json_files import read_json
from tests.test_own_methods import FILES
from tests.tiny_runs import options, write_log

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "plant-methods"
version = "1.0"

[project.entry-points."micro_rl.methods"]
hinged = "plant_methods.hinge"
"""
COMMANDS = """
import sys
from micro_rl.cli.main import run

begun = sys.argv[1:]
codes = [run(["methods"]), run([*begun, "--until", "1"]), run([*begun, "--resume"]), run(["report", "run"])]
sys.exit(0 if codes == [0, 0, 0, 0] else str(codes))
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder into which pip has installed the package that docs/guides/own-method.md describes."""
    pytest.importorskip("pip")
    pytest.importorskip("hatchling")
    package = tmp_path / "source" / "plant_methods"
    package.mkdir(parents=True)
    (package.parent / "pyproject.toml").write_text(PROJECT)
    (package / "__init__.py").write_text("")
    (package / "hinge.py").write_text(FILES["hinge.py"])
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    place = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", *offline, "--target", str(place), str(package.parent)]
    subprocess.run(install, check=True, capture_output=True)
    return place


@pytest.mark.slow
def test_an_installed_package_offers_its_method_by_name(site: Path, tmp_path: Path):
    write_log(tmp_path / "swing.hdf5")
    root = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), str(root)])}
    words = ["train", "swing.hdf5", "--method", "hinged", "--hinge", "2", "--out", "run", *options()]

    def carry_out(code: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = carry_out(COMMANDS)
    assert done.returncode == 0, done.stderr
    assert "\n  hinged " in done.stdout and "goes on after epoch 1" in done.stdout
    source = read_json(tmp_path / "run" / "config.json")["method_source"]
    assert source["reference"] == "hinged" and len(source["file_sha256"]) == 64
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "run" / "report.html").exists()
    with (site / "plant_methods" / "hinge.py").open("a") as file:
        file.write("# another\n")
    changed = carry_out("import sys; from micro_rl.cli.main import run; sys.exit(run([*sys.argv[1:], '--resume']))")
    assert changed.returncode == 2 and "begun with another method source" in changed.stderr
