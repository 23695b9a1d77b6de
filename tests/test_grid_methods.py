"""Sweeps over methods and histories: which runs there are, what they share, and what is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl import api
from micro_rl.algorithms import registry
from micro_rl.cli.commands.planning import planned
from micro_rl.cli.commands.sweep import Sweep
from micro_rl.cli.commands.train import Training
from micro_rl.cli.main import run
from micro_rl.dynamics.saved_model import load_model
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.grid import Trial, method_names, sweep_folder, trials
from micro_rl.training.job import Run
from tests.probes import TINY, tiny_dataset, tiny_plan

pytestmark = pytest.mark.usefixtures("no_page")


def test_a_combination_lacks_what_its_method_does_not_have():
    grid = {"method": ["micro", "mobile", "bc"], "beta": [0.0, 0.5], "penalty": [2.0]}
    names = [trial.name for trial in trials(tiny_plan(), 1, grid)]
    assert names == [
        "method=micro-beta=0-seed0",
        "method=micro-beta=0.5-seed0",
        "method=mobile-penalty=2-seed0",
        "method=bc-seed0",
    ]
    assert sweep_folder([tiny_plan()], grid) == Path("trained/tiny-micro-mobile-bc-sweep")


def test_what_departs_from_the_preset_departs_for_every_method_that_has_it():
    plans = {trial.plan.method_name: trial.plan for trial in trials(tiny_plan(), 1, {"method": ["micro", "td3_bc"]})}
    assert plans["micro"].settings == tiny_plan().settings
    assert plans["td3_bc"].settings.hidden_sizes == TINY["hidden_sizes"]
    assert plans["td3_bc"].ends.of(None, None) is None


def test_a_history_makes_windows_of_the_log():
    short, long = (trial.plan for trial in trials(tiny_plan(), 1, {"history": [1, 3]}))
    assert short.dataset.observations.shape[1] == 3
    assert long.dataset.observations.shape[1] == 3 + 2 * (3 + 1)
    assert long.varied({"history": 1}).dataset is short.dataset


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"method": ["micro", "micor"]}, r"there is no 'micor' \(did you mean 'micro'\?\)"),
        ({"method": ["bc"], "beta": [0.5]}, "beta"),
        ({"method": ["micro", "micro"]}, "needs one value or more, each once"),
        ({"log_on": ["host"]}, "cannot be in it"),
    ],
)
def test_what_cannot_be_varied_is_refused(grid: dict, message: str):
    with pytest.raises(UserError, match=message):
        trials(tiny_plan(), 1, grid)


def test_methods_share_the_fit_of_their_seed(tmp_path: Path):
    """The same bits as each method trained alone, with one fit for both that have a model."""
    small: dict[str, Any] = TINY | {"epochs": 1}
    grid = {"method": ["sac", "micro", "bc"], "scoring_model": [False]}
    runs = api.sweep(tiny_dataset(), grid=grid, out=tmp_path / "sweep", exact=True, **small)
    tails = {"sac": "", "micro": "", "bc": "-scoring_model=False"}
    folders = {name: RunFolder(tmp_path / "sweep" / f"method={name}{tail}-seed0") for name, tail in tails.items()}
    assert not folders["bc"].model.exists()
    models = [load_model(folders[name].model) for name in ("sac", "micro")]
    first, second = (model.ensemble.members.net.weights[0] for model in models)
    np.testing.assert_array_equal(first, second)
    alone = api.train(tiny_dataset(), "micro", out=tmp_path / "alone", **small)
    together = runs["method=micro-seed0"]
    assert isinstance(together, Run)
    np.testing.assert_array_equal(alone.policy.layers[0][0], together.policy.layers[0][0])


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    small = "--epochs 1 --updates-per-epoch 6 --eval-episodes 1 --hidden-sizes 8"
    grid = f"--grid method=td3_bc,bc history=1,2 alpha=2 --out {tmp_path}/sweep"
    assert run(f"sweep pendulum-demo {grid} {small}".split()) == 0
    out = capsys.readouterr().out
    assert "td3_bc, bc on pendulum-demo: 4 runs" in out
    names = [f"method=td3_bc-history={h}-alpha=2-seed0" for h in (1, 2)]
    names += [f"method=bc-history={h}-seed0" for h in (1, 2)]
    assert all((tmp_path / "sweep" / name / "policy.safetensors").exists() for name in names)
    assert RunFolder.open(tmp_path / "sweep" / names[3]).config()["settings"]["history"] == 2


@pytest.mark.parametrize("grid", [{"method": "micro"}, {"beta": 0.5}])
def test_what_is_no_list_of_values_is_refused(grid: dict[str, Any]):
    with pytest.raises(UserError, match="is no list of values; put it into one"):
        trials(tiny_plan(), 1, grid)


def test_two_files_of_one_name_are_refused_by_both_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "ALL", dict(registry.ALL))
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.py").write_text("from micro_rl.algorithms.model_based.mopo import Options, build\n")
    files = [str(tmp_path / folder / "m.py") for folder in ("a", "b")]
    with pytest.raises(UserError, match=r"a/m.py and .*b/m.py would both be called 'm'"):
        method_names(files)


def test_an_option_that_none_of_the_grids_methods_has_is_refused():
    with pytest.raises(UserError, match="penalty: does nothing, for none of the grid's methods has it"):
        trials(tiny_plan(method="mopo", penalty=3.0), 1, {"method": ["micro", "iql"]})
    assert trials(tiny_plan(method="mopo", penalty=3.0), 1, {"method": ["micro", "mobile"]})


def test_what_the_grid_varies_is_not_refused_for_the_value_that_no_run_has(monkeypatch: pytest.MonkeyPatch):
    """Three members, and 5 elites are the default; a batch of one leaves no row of the log."""
    names: list[str] = []

    def carry_out(runs: Sequence[Trial], *_: Any, **__: Any) -> dict[str, Run]:
        names[:] = [run.name for run in runs]
        return {}

    monkeypatch.setattr(api, "carry_out", carry_out)
    few: dict[str, Any] = {"ensemble_size": 3, "seed": 4}
    api.sweep(tiny_dataset(), grid={"num_elites": [1, 3]}, out="none", **few)
    assert names == ["num_elites=1-seed4", "num_elites=3-seed4"]
    api.sweep(tiny_dataset(), grid={"batch_size": [8]}, out="none", batch_size=1)
    assert names == ["batch_size=8-seed0"]
    for grid in ({}, {"num_elites": [1, 4]}):
        with pytest.raises(UserError, match=r"num_elites: [45] of 3 members"):
            api.sweep(tiny_dataset(), grid=grid, out="none", **few)
    words = ["pendulum-demo", "--ensemble-size", "3", "--grid", "num_elites=1,3"]
    assert planned("sweep", Sweep, lambda *_: "", words).plan.settings.ensemble_size == 3
    with pytest.raises(UserError, match="num_elites: 5 of 3 members"):
        planned("train", Training, lambda *_: "", words[:3])
    with pytest.raises(UserError, match="model: bc learns no model, and the simulator scores it"):
        api.sweep(tiny_dataset(), "bc", env="Pendulum-v1", model="m", out="none")
