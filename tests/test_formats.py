"""Run folders that earlier formats left open, list, evaluate and go on; `fixtures/run-format-N` are as written then.

Each is a run on the embedded log stopped after epoch 3 of 4; format 2 is the present one, kept for the day it changes.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from micro_rl.cli import main as cli
from micro_rl.dynamics.saved_model import load_model
from micro_rl.policy import Policy
from micro_rl.reports.run import record
from micro_rl.simulation.evaluation import evaluate
from micro_rl.storage.files import FORMAT
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.run_index import runs_below
from micro_rl.training.callbacks import Callback
from micro_rl.training.plan import make_plan
from micro_rl.training.runner import execute

FIXTURES = Path(__file__).parent / "fixtures"
FORMATS = range(1, FORMAT + 1)
SETTINGS = {
    "members": 2,
    "elites": 1,
    "model_hidden": (4,),
    "weight_decay": (0.0, 0.0),
    "max_fit_epochs": 2,
    "hidden": (4,),
    "epochs": 4,
    "updates": 4,
    "batch": 8,
    "rollout_starts": 4,
    "rollout_length": 2,
    "rollouts_kept": 2,
    "evaluation_episodes": 1,
    "checkpoint_every": 1,
    "model_batch": 2048,
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
    assert capsys.readouterr().out.startswith("Pendulum-v1, 1 episodes")


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

    run = execute(make_plan("pendulum-demo", overrides=SETTINGS), tmp_path / "run", resume=True, callback=Listens())
    assert [row["epoch"] for row in run.metrics] == [1, 2, 3, 4]
    assert run.metrics[:3] == RunFolder.open(fixture(number)).metrics()
    assert "goes on after epoch 3" in notes
    RunFolder.open(run.path).verify()
