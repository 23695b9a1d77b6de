"""Simulators given as objects: what an id does, an instance and what makes one do too."""

from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control import PendulumEnv

import micro_rl
from micro_rl import api
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness.jobs import robust
from micro_rl.simulation.env_objects import MARK, is_object, name_of, time_limit
from micro_rl.simulation.envs import make
from micro_rl.simulation.evaluation import evaluate
from micro_rl.training.run import UNKNOWN_OBJECT
from tests.tiny_runs import write_log

pytestmark = pytest.mark.usefixtures("no_page")

FIXTURE = Path(__file__).parent / "fixtures" / "run-format-3"
POLICY = Policy.load(FIXTURE / "policy.safetensors")


def make_pendulum() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("Pendulum-v1")


class Uncopied(PendulumEnv):
    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("holds a socket")


def test_an_object_gives_the_returns_of_its_id():
    by_id = evaluate(POLICY, "Pendulum-v1", episodes=2, seed=3)
    instance = make_pendulum()
    instance.reset(seed=9)
    before = instance.unwrapped.state.copy()  # pyright: ignore[reportAttributeAccessIssue]
    for env in (instance, make_pendulum, partial(gymnasium.make, "Pendulum-v1")):
        np.testing.assert_array_equal(evaluate(POLICY, env, episodes=2, seed=3).returns, by_id.returns)
    np.testing.assert_array_equal(instance.unwrapped.state, before)  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("env", [PendulumEnv, PendulumEnv(), make_pendulum, make_pendulum()])
def test_a_time_limit_stands_in_place_of_its_own(env: Any):
    assert evaluate(POLICY, env, episodes=1, horizon=7).lengths.tolist() == [7]
    name = name_of(env)
    assert time_limit(make(name, 9)) == 9
    assert time_limit(make(name)) == (None if env is PendulumEnv or isinstance(env, PendulumEnv) else 200)


def test_objects_have_names_that_ids_have_not():
    named = {name_of(env) for env in (PendulumEnv, PendulumEnv(), make_pendulum, partial(make_pendulum))}
    assert named == {f"PendulumEnv{MARK}", f"make_pendulum{MARK}"} and all(map(is_object, named))
    assert name_of(make_pendulum()) == f"Pendulum-v1{MARK}"
    assert name_of("Pendulum-v1") == "Pendulum-v1" and not is_object("Pendulum-v1") and not is_object(None)


def not_made() -> gymnasium.Env[Any, Any]:
    raise OSError("no licence")


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (PendulumEnv, "PendulumEnv (from Python)' has no time limit"),
        (not_made, "'not_made (from Python)' cannot be made: OSError: no licence"),
        (dict, "'dict (from Python)': dict is no gymnasium.Env"),
        (f"gone{MARK}", "'gone (from Python)' was an object in Python: give it there again (env=...)"),
        (Uncopied(), "env: Uncopied cannot be copied (TypeError: holds a socket"),
        (partial(gymnasium.make, "CartPole-v1"), "has actions Discrete(2)"),
    ],
)
def test_what_is_wrong_with_an_object_is_one_line(env: Any, message: str):
    with pytest.raises(UserError) as refusal:
        evaluate(POLICY, env, episodes=1)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_other_processes_must_be_able_to_import_it(tmp_path: Path):
    with pytest.raises(UserError, match="cannot be passed on to other processes"):
        robust(FIXTURE, "industrial", env=lambda: make_pendulum(), episodes=1, workers=1, out=tmp_path)


@pytest.mark.slow
def test_an_object_is_tried_in_other_processes(tmp_path: Path):
    chosen: dict[str, Any] = {"episodes": 1, "workers": 2}
    by_id = robust(FIXTURE, "industrial", out=tmp_path / "id", **chosen)
    assert robust(FIXTURE, "industrial", env=make_pendulum, out=tmp_path / "object", **chosen) == by_id


def test_a_run_is_recorded_by_the_name_and_goes_on_with_the_object_alone(tmp_path: Path, monkeypatch):
    log = micro_rl.load(write_log(tmp_path / "swing.hdf5"))
    small: dict[str, Any] = {"epochs": 2, "updates_per_epoch": 2, "batch_size": 4, "hidden_sizes": (4,)}
    small |= {"eval_episodes": 1, "eval_every": 1, "horizon": 5}
    by_id = micro_rl.train(log, "bc", env="Pendulum-v1", **small, out=tmp_path / "id")
    micro_rl.train(log, "bc", env=make_pendulum, until=1, out=tmp_path / "run", **small)
    config = micro_rl.open_run(tmp_path / "run").config
    assert config["task"]["env"] == f"make_pendulum{MARK}" and config["command"] == ""
    with pytest.raises(UserError, match=r"another task \(env: make_pendulum \(from Python\), now None"):
        micro_rl.train(log, "bc", resume=True, out=tmp_path / "run", **small)
    notes: list[str] = []
    monkeypatch.setattr(api._Silent, "note", lambda _, text: notes.append(text))
    done = micro_rl.train(log, "bc", env=make_pendulum, resume=True, out=tmp_path / "run", **small)
    assert UNKNOWN_OBJECT in notes
    assert [row["eval/return"] for row in done.metrics] == [row["eval/return"] for row in by_id.metrics]
