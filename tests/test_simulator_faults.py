"""Whole commands on simulators that fail, that differ from the log, and that have groups of observations."""

from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

from micro_rl.cli import main as cli
from micro_rl.storage.json_files import read_json
from micro_rl.storage.run_folder import RunFolder
from tests.tiny_runs import OF_ANY, options, write_log

pytestmark = pytest.mark.usefixtures("no_page")


class Wanting(gymnasium.Env[Any, Any]):
    """As wide as Pendulum-v1, its observations a group; from `fails_at` on, in steps of all copies, out of order."""

    fails_at: int | None = None
    steps = 0
    observation_space: Any = Dict(place=Box(-9, 9, (2,)), speed=Box(-9, 9, (1,)))
    action_space: Any = Box(-1, 1, (1,))

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.sight(), {}

    def sight(self) -> Any:
        return {"place": np.zeros(2, np.float32), "speed": np.ones(1, np.float32)}

    def step(self, action: Any) -> Any:
        Wanting.steps += 1
        if Wanting.fails_at is not None and Wanting.steps > Wanting.fails_at:
            raise ConnectionError("the controller does not answer")
        return self.sight(), np.array([-1.0]), False, False, {}


@pytest.fixture(autouse=True)
def simulator():
    gymnasium.register("Wanting-v0", lambda **_: Wanting(), max_episode_steps=20)
    Wanting.fails_at, Wanting.steps = None, 0
    yield
    gymnasium.registry.pop("Wanting-v0")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_log(tmp_path_factory.mktemp("log") / "swing.hdf5"))


def words(log: str, out: Path, *more: str, **changes: Any) -> list[str]:
    return [log, *options(env="Wanting-v0", checkpoint_every=9, **changes), "--out", str(out), *more]


def test_the_epochs_before_a_failing_evaluation_are_saved_and_the_run_goes_on(log, tmp_path, capsys):
    command = ["train", *words(log, tmp_path / "run", epochs=4)]
    Wanting.fails_at = 25  # 20 steps of the first evaluation, the fifth of the second
    assert cli.run(command) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "simulator 'Wanting-v0', episode 1 (seed 1000002), step 6: step raised ConnectionError" in captured.err
    assert "epoch 3 is saved" in captured.err and "--resume goes on" in captured.err
    rows = RunFolder.open(tmp_path / "run").metrics()
    assert ["eval/return" in row for row in rows] == [True, False, False]
    Wanting.fails_at = None
    assert cli.run([*command, "--resume"]) == 0
    rows = RunFolder.open(tmp_path / "run").metrics()
    assert ["eval/return" in row for row in rows] == [True, False, False, True]
    assert rows[-1]["eval/return"] == -20
    assert cli.run(["evaluate", str(tmp_path / "run"), "--episodes", "1"]) == 0
    assert "joined in Gymnasium's order: place (2), speed (1)" in capsys.readouterr().out
    Wanting.fails_at = 0
    assert cli.run(["evaluate", str(tmp_path / "run"), "--episodes", "1"]) == 2
    assert "episode 1 (seed 0), step 1: step raised ConnectionError" in capsys.readouterr().err


def test_a_run_whose_last_evaluation_fails_ends_when_it_is_resumed(log, tmp_path, capsys):
    command = ["train", *words(log, tmp_path / "run", epochs=1)]
    Wanting.fails_at = 3
    assert cli.run(command) == 2
    assert "epoch 1 is saved" in capsys.readouterr().err
    assert cli.run([*command, "--resume"]) == 0
    RunFolder.open(tmp_path / "run").verify()


def test_other_bounds_and_joined_groups_are_told_once_and_kept(log, tmp_path, capsys):
    assert cli.run(["train", *words(log, tmp_path / "run", epochs=1)]) == 0
    out = capsys.readouterr().out
    assert out.count("are [-2, 2] but Wanting-v0 takes [-1, 1]") == 1 and out.count("joined in Gymnasium's order") == 1
    assert sum("Wanting-v0" in note for note in read_json(tmp_path / "run" / "config.json")["notes"]) == 2


def test_a_sweep_tells_them_once(log, tmp_path, capsys):
    Wanting.fails_at = 5
    few = options(only=(*OF_ANY, "eval_episodes"), env="Wanting-v0", checkpoint_every=9, epochs=3)
    assert cli.run(["sweep", log, "--method", "bc", *few, "--seeds", "2", "--out", str(tmp_path / "runs")]) == 2
    captured = capsys.readouterr()
    for note in ("but Wanting-v0 takes [-1, 1]", "joined in Gymnasium's order"):
        assert captured.out.count(note) == 1
    assert "every run is saved" in captured.err
    assert [len(RunFolder.open(run).metrics()) for run in sorted((tmp_path / "runs").glob("seed*"))] == [2, 2]


def test_the_simulators_bounds_are_offered_where_nothing_tells_any(tmp_path, capsys):
    log = write_log(tmp_path / "swing.csv.hdf5")
    with h5py.File(log, "a") as file:
        for name in ("action_low", "action_high"):
            file.attrs.pop(name, None)
            file.pop(name, None)
    assert cli.run(["train", str(log), *options(env="Pendulum-v1"), "--out", str(tmp_path / "run")]) == 2
    assert "Pendulum-v1 takes [-2, 2] (--action-bounds -2 2)" in capsys.readouterr().err


def test_the_check_lists_a_simulator_that_cannot_be_made(tmp_path, capsys):
    log = write_log(tmp_path / "hop.hdf5")
    with h5py.File(log, "a") as file:
        file.attrs["env"] = "Hopper-v2"
    assert cli.run(["data", "check", str(log)]) == 2
    out = capsys.readouterr().out
    assert "error" in out and "Gymnasium has that version no more; use Hopper-v4" in out
