"""docs/development/add-a-method.md does what it says: its own code blocks, run."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from micro_rl.algorithms import registry
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.epoch import compiled_epoch, start
from micro_rl.algorithms.model_based import METHODS
from micro_rl.algorithms.sac import Agent
from micro_rl.core.types import Keys, Problem
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.fit_epoch import finish_fit, start_fit
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.training.fitting import problem_of
from micro_rl.training.plan import make_plan
from tests.page_code import block_of, blocks, method_of_the_page, put_into
from tests.probes import TINY, tiny_dataset, tiny_plan

ROOT = Path(__file__).parent.parent


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's method in the table, by the page's own line."""
    line = eval(
        "{" + block_of("micro_rl/algorithms/model_based/__init__.py").code + "}", {"nearest": method_of_the_page()}
    )
    for table in (METHODS, registry.ALL):
        monkeypatch.setitem(table, *next(iter(line.items())))


def test_fewer_than_forty_lines():
    import_in_the_table = 1
    assert sum(block.lines() for block in blocks() if block.file.endswith(".py")) + import_in_the_table < 40


def test_the_pages_own_test_passes():
    method_of_the_page()
    page: dict = {}
    exec(block_of("tests/test_nearest.py").code, page)
    page["test_distance_by_hand"]()


def trained(name: str, problem: Problem, ensemble: Ensemble, **options: Any) -> Agent:
    """One epoch."""
    plan = make_plan(tiny_dataset(), name, **(TINY | options))
    keys, sizes = Keys.of(0), plan.settings.sizes()
    state = start(problem, ensemble, plan.method, sizes, 1.0, keys)  # pyright: ignore[reportArgumentType]
    c = coefficients(plan.settings, act=1)
    return compiled_epoch(state, plan.method, problem, c, keys.epochs, sizes=sizes, ends=ByRule(never))[0].agent


def test_an_epoch_on_the_tiny_log_and_the_neutral_coefficient(added: None):
    plan = tiny_plan()
    problem = problem_of(plan.dataset, plan.settings)
    ensemble = finish_fit(start_fit(problem.log, plan.settings.fit_sizes(), jax.random.key(0)))  # pyright: ignore[reportArgumentType]
    sac, neutral, paying = (
        jax.device_get(trained(name, problem, ensemble, **options))
        for name, options in (("sac", {}), ("nearest", {"penalty": 0.0}), ("nearest", {"penalty": 1.0}))
    )
    jax.tree.map(np.testing.assert_array_equal, neutral, sac)
    assert not np.array_equal(paying.critics.weights[0], sac.critics.weights[0])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(paying))


@pytest.mark.slow
def test_a_copy_of_the_project_with_the_page_put_into_it(tmp_path: Path):
    for name in ("micro_rl", "tests", "README.md", "pyproject.toml", "requirements.lock", "CHANGELOG.md", "docs"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    put_into(tmp_path)
    train = "train pendulum-demo --method nearest --penalty 2 --epochs 1 --max-fit-epochs 1 --out trained"
    small = "--updates-per-epoch 10 --model-hidden-sizes 8 --weight-decay 0 0 --rollout-batch-size 50 --eval-episodes 1"
    preset = "from micro_rl.algorithms.registry import resolve; "
    preset += "assert resolve('nearest', 'hopper-medium', {})[1].penalty == 1.0"
    files = [f"tests/test_{name}.py" for name in ("nearest", "model_based_methods", "presets")]
    for words in (
        ["-m", "pytest", "-p", "no:xdist", "-k", "nearest or preset", *files],
        ["-c", preset],
        ["-c", "from micro_rl.cli.main import main; main()", *train.split(), *small.split()],
    ):
        subprocess.run([sys.executable, *words], cwd=tmp_path, check=True)
