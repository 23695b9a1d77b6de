"""What a file says of itself is believed as far as it should be."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from micro_rl.core import tasks
from micro_rl.data import load
from micro_rl.errors import UserError
from micro_rl.training.plan import make_plan
from micro_rl.training.plan_record import plan_to_command
from tests.data.logs import columns, write_hdf5

KNOWN: dict[str, Any] = {"env": "Pendulum-v1", "horizon": 9, "termination": "never", "score_min": -5.0, "score_max": 5}


def test_a_task_is_read_from_the_file(tmp_path: Path):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns(), **KNOWN))
    assert log.task == tasks.Task("Pendulum-v1", 9, "never", -5.0, 5.0) and not any("simulator" in n for n in log.notes)
    plan = make_plan(log)
    assert plan.task == log.task and "--env" not in plan_to_command(plan)


def test_the_file_outranks_its_name_and_a_person_both(tmp_path: Path):
    log = load(write_hdf5(tmp_path / "hopper-medium.hdf5", columns(), horizon=9))
    assert (log.task.env, log.task.horizon) == ("Hopper-v4", 9)
    assert log.task.score_max is None, "nine steps have no scores of a thousand"
    other = load(write_hdf5(tmp_path / "hopper-medium-v2.hdf5", columns(), env="Pendulum-v1"))
    assert other.task == tasks.Task("Pendulum-v1")
    plan = make_plan(log, env="Walker2d-v4", horizon=8)
    assert (plan.task.env, plan.task.horizon, plan.task.score_max) == ("Walker2d-v4", 8, None)


def test_episodes_are_cut_at_the_horizon_that_the_file_tells(tmp_path: Path):
    arrays = columns((3, 3), (False, False))
    del arrays["timeouts"]
    log = load(write_hdf5(tmp_path / "mine.hdf5", arrays, horizon=3))
    assert log.lengths.tolist() == [3, 3]
    assert load(tmp_path / "mine.hdf5", horizon=2).lengths.tolist() == [2, 2, 2]


def test_no_module_is_imported_on_a_file_s_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns(terminal=(False,) * 3), env="trap:Trap-v0", horizon=9))
    assert log.task == tasks.Task(None, 9)
    assert "the file names the simulator 'trap:Trap-v0', which would import a module" in " ".join(log.notes)
    assert make_plan(log).task.env is None


def test_an_unknown_simulator_is_a_note(tmp_path: Path):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns(), env="boiler 3"))
    assert log.task.env is None and any("'boiler 3', which is not known here: name one" in note for note in log.notes)


@pytest.mark.parametrize(
    "name, value",
    [
        ("env", 3),
        ("env", np.zeros(2)),
        ("env", "x" * 3000),
        ("horizon", 0),
        ("horizon", 2.5),
        ("horizon", "long"),
        ("termination", 1),
        ("step_seconds", 0.0),
        ("step_seconds", "long"),
        ("score_min", 1.0),
        ("score_max", "much"),
        ("observation_names", ["height"]),
        ("observation_names", "height"),
        ("action_names", np.zeros(1)),
        ("termination_expression", "nowhere > 3"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(tmp_path: Path, name: str, value: Any):
    arrays = columns()
    path = write_hdf5(tmp_path / "mine.hdf5", arrays)
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    with pytest.raises(UserError, match=rf"mine.hdf5.*{name.split('_')[0]}"):
        load(path)


def test_columns_and_the_end_of_an_episode_are_read(tmp_path: Path):
    names = {"observation_names": ["height", "oil level"], "observation_units": ["m", ""], "action_names": ["valve"]}
    ends = {"termination_expression": "height > 1 and `oil level` < 0"}
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns(), **names, **ends))
    assert [str(column) for column in log.columns.observations] == ["height [m]", "oil level"]
    assert [str(column) for column in log.columns.actions] == ["valve"]
    assert log.termination is not None and log.termination.text == ends["termination_expression"]
