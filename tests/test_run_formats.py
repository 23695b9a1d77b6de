"""Run folders that earlier formats left open, list, evaluate and go on; `fixtures/run-format-N` are as written then.

Each is a run on the embedded log stopped after epoch 3 of 4; format 3 is the present one, kept for the day it changes.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from micro_rl.algorithms import registry
from micro_rl.cli import main as cli
from micro_rl.core.renamed import OPTIONS, renamed_config
from micro_rl.core.renamed import SETTINGS as RENAMED
from micro_rl.core.settings import Settings
from micro_rl.dynamics.saved_model import load_model
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.reports.run import record, write_report
from micro_rl.simulation.evaluation import evaluate
from micro_rl.simulation.online_settings import OnlineSettings
from micro_rl.storage.json_files import FORMAT, to_jsonable
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.run_index import runs_below
from micro_rl.training.callbacks import Callback
from micro_rl.training.plan import make_plan
from micro_rl.training.runner import execute

FIXTURES = Path(__file__).parent / "fixtures"
FORMATS = range(1, FORMAT + 1)
SETTINGS = {
    "ensemble_size": 2,
    "num_elites": 1,
    "model_hidden_sizes": (4,),
    "weight_decay": (0.0, 0.0),
    "max_fit_epochs": 2,
    "hidden_sizes": (4,),
    "epochs": 4,
    "updates_per_epoch": 4,
    "batch_size": 8,
    "rollout_batch_size": 4,
    "rollout_length": 2,
    "rollouts_kept": 2,
    "eval_episodes": 1,
    "checkpoint_every": 1,
    "model_batch_size": 2048,
}


def fixture(number: int) -> Path:
    return FIXTURES / f"run-format-{number}"


@pytest.mark.parametrize("number", FORMATS)
def test_it_opens_and_holds_together(number: int):
    folder = RunFolder.open(fixture(number))
    folder.verify()
    assert folder.config()["format"] == number
    newest = folder.checkpoints.newest()
    assert newest is not None
    assert newest.epoch == 3 and newest.skipped == [] and newest.meta["unwritten"] == []
    assert load_model(folder.model).ensemble.size == 2
    assert len(folder.fit()) == 2 and len(folder.metrics()) == 3
    assert record.read(folder.path).metrics == folder.metrics()


@pytest.mark.parametrize("number", FORMATS)
def test_its_policy_acts_and_is_evaluated(number: int, capsys):
    policy = Policy.load(fixture(number) / "policy.safetensors")
    returns = evaluate(policy, "Pendulum-v1", episodes=1, seed=0, horizon=5).returns
    assert np.isfinite(returns).all()
    assert cli.run(["evaluate", str(fixture(number)), "--episodes", "1", "--horizon", "5"]) == 0
    assert capsys.readouterr().out.startswith("Pendulum-v1, 1 episode,")


def test_they_are_listed():
    assert {(run.name, run.epoch, run.state) for run in runs_below(FIXTURES)} == {
        (f"run-format-{number}", "3 of 4", "stopped") for number in FORMATS
    }


@pytest.mark.parametrize("number", FORMATS)
def test_it_goes_on(number: int, tmp_path: Path):
    shutil.copytree(fixture(number), tmp_path / "run")
    notes: list[str] = []

    class Listens(Callback):
        def note(self, text: str) -> None:
            notes.append(text)

    run = execute(make_plan("pendulum-demo", **SETTINGS), tmp_path / "run", resume=True, callback=Listens())
    assert [row["epoch"] for row in run.metrics] == [1, 2, 3, 4]
    assert run.metrics[:3] == RunFolder.open(fixture(number)).metrics()
    assert "goes on after epoch 3" in notes
    RunFolder.open(run.path).verify()


@pytest.mark.parametrize("number", FORMATS)
def test_settings_and_options_have_todays_names(number: int, tmp_path: Path):
    config = RunFolder.open(fixture(number)).config()
    assert set(config["settings"]) <= registry.accepted("micro")[0] and config["options"]["num_samples"] == 1
    assert {name: config["settings"][name] for name in SETTINGS} == to_jsonable(SETTINGS)
    assert "settings" not in (about := load_model(fixture(number) / "model").about) or set(about["settings"]) <= set(
        config["settings"]
    ) | {"history", "log_on", "termination_updates", "fit_checkpoint_seconds"}
    shutil.copytree(fixture(number), tmp_path / "run")
    assert "4 an epoch" in write_report(tmp_path / "run").read_text()


def test_every_new_name_is_one_that_is_there_and_no_old_one_is():
    learners, general = set(OnlineSettings.__dataclass_fields__), set(Settings.__dataclass_fields__)
    assert set(RENAMED.values()) <= general | learners and not set(RENAMED) & (general | learners)
    for method, table in OPTIONS.items():
        own = set(registry.find(method).Options.__dataclass_fields__)
        assert set(table.values()) <= own and not set(table) & own


def test_what_is_damaged_in_an_old_configuration_is_still_refused(tmp_path: Path):
    shutil.copytree(fixture(1), tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"updates": 4', '"updates": "many"'))
    with pytest.raises(UserError, match=r"settings, updates_per_epoch"):
        RunFolder.open(tmp_path / "run")
    assert renamed_config({"settings": 3, "method": ["x"], "options": None}) == {
        "settings": 3,
        "method": ["x"],
        "options": None,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "pendulum-demo", "--actor-rate", "1e-4"], "--actor-rate is called --actor-lr now"),
        (["train", "pendulum-demo", "--draws=3"], "--draws is called --num-samples now"),
        (["train", "pendulum-demo", "--method", "td3_bc", "--weight", "1"], "--weight is called --alpha now"),
        (["train", "pendulum-demo", "--method", "cql", "--weight", "1"], "--weight is called --cql-weight now"),
        (["fit", "pendulum-demo", "--members", "2"], "--members is called --ensemble-size now"),
        (["sweep", "pendulum-demo", "--grid", "anchor=0,1"], "grid: anchor is called bc_weight now"),
        (["data", "collect", "Pendulum-v1", "--rate", "1"], "--rate is called --lr now"),
    ],
)
def test_an_old_flag_names_the_new_one(words: list[str], message: str, capsys):
    assert cli.run(words) == 2
    assert capsys.readouterr().err == f"micro-rl: {message}\n"


def test_an_old_argument_names_the_new_one():
    with pytest.raises(UserError, match=r"^updates: is called updates_per_epoch now$"):
        make_plan("pendulum-demo", updates=4)
