"""Simulators that misbehave: each is told in one line that names it, its episode and its step."""

import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple

from micro_rl.errors import Interrupted, UserError
from micro_rl.simulation import envs
from micro_rl.simulation.evaluation import Evaluator
from micro_rl.simulation.flat_spaces import flat_space
from micro_rl.simulation.guarded import SimulatorFault
from micro_rl.simulation.recorder import Recorder

AT_REST = (np.zeros(2), {})
STEADY = (np.zeros(2), 1.0, False, False, {})


class Answers(gymnasium.Env[Any, Any]):
    """Answers as it is told; raises what is an exception."""

    action_space: Any = Box(-1, 1, (1,))

    def __init__(self, reset: Any = AT_REST, step: Any = STEADY, space: Any = None, actions: Any = None):
        self.answers, self.actions = {"reset": reset, "step": step}, []
        self.observation_space = Box(-9, 9, (2,), np.float64) if space is None else space
        self.action_space = actions or Answers.action_space

    def answer(self, name: str) -> Any:
        if isinstance(self.answers[name], BaseException):
            raise self.answers[name]
        return self.answers[name]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.answer("reset")

    def step(self, action: Any) -> Any:
        self.actions.append(action)
        return self.answer("step")


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch):
    """A simulator registered as Odd-v0 that answers so."""

    def registered(**answers: Any) -> envs.Env:
        gymnasium.register("Odd-v0", lambda **_: Answers(**answers), max_episode_steps=5)
        return envs.make("Odd-v0")

    yield registered
    gymnasium.registry.pop("Odd-v0", None)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ((np.array([0, np.nan]), 1.0, False, False, {}), "observation is nan in column 1"),
        ((np.zeros(3), 1.0, False, False, {}), r"shape \(3,\) where its space has \(2,\)"),
        ((None, 1.0, False, False, {}), "observation is None"),
        ((np.zeros(2), np.nan, False, False, {}), "reward is nan"),
        ((np.zeros(2), None, False, False, {}), "the reward is None where one number is needed"),
        ((np.zeros(2), "much", False, False, {}), "reward is 'much'"),
        ((np.zeros(2), np.zeros(2), False, False, {}), r"reward is an array of shape \(2,\)"),
        ((np.zeros(2), 1.0, None, False, {}), "terminated is None"),
        ((np.zeros(2), 1.0, False, {}), "gave 4 values where Gymnasium's interface has 5"),
        (None, "gave None where"),
        (RuntimeError("licence lost\nand more"), r"raised RuntimeError: licence lost \(test_guarded.py, line \d+\)"),
        (SystemExit(0), "raised SystemExit: 0"),
    ],
)
def test_a_step_gone_wrong_names_simulator_episode_and_step(step: Any, text: str, make: Any) -> None:
    env = make(step=STEADY)
    env.reset(seed=7)
    env.step(np.zeros(1))
    env.unwrapped.answers["step"] = step
    with pytest.raises(SimulatorFault, match=text) as fault:
        env.step(np.zeros(1))
    assert str(fault.value).startswith("simulator 'Odd-v0', episode 1 (seed 7), step 2: ")
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(
    ("reset", "text"),
    [
        (np.zeros(2), "reset gave an array of shape"),
        (None, "reset gave None"),
        ((np.full(2, np.inf), {}), "observation is inf"),
        (OSError("no such device"), "reset raised OSError: no such device"),
    ],
)
def test_a_reset_gone_wrong(reset: Any, text: str, make: Any) -> None:
    with pytest.raises(SimulatorFault, match=text):
        make(reset=reset).reset(seed=0)


def test_rewards_and_observations_of_another_shape_and_the_same_size_are_taken(make: Any) -> None:
    env = make(step=(np.ones((2, 1)), np.array([3.0]), np.False_, 0, None))
    env.reset(seed=0)
    observation, reward, terminated, truncated, _ = env.step(np.zeros(1))
    assert observation.tolist() == [1, 1] and (reward, terminated, truncated) == (3.0, False, False)


def test_the_last_observation_may_be_broken(make: Any) -> None:
    env = make(step=(np.full(2, np.nan), 2.0, True, False, {}))
    env.reset(seed=0)
    assert env.step(np.zeros(1))[1:4] == (2.0, True, False)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted(15, "saved"), UserError("ours")])
def test_what_is_no_fault_of_the_simulator_passes(error: BaseException, make: Any) -> None:
    env = make(step=error)
    env.reset(seed=0)
    with pytest.raises(type(error)) as passed:
        env.step(np.zeros(1))
    assert passed.value is error


def test_a_simulator_that_goes_on_in_one_array_is_recorded_as_it_was(make: Any) -> None:
    own = np.zeros(2)
    env = make(reset=(own, {}), step=(own, 0.0, False, False, {}))
    recorder = Recorder(env, 2, seed=0)
    own += 1
    recorder.step(np.zeros(1))
    assert recorder.experience().observations.tolist() == [[0, 0]]
    assert recorder.experience().next_observations.tolist() == [[1, 1]]


# Groups of boxes


def test_groups_are_joined_and_split_in_gymnasiums_order(make: Any) -> None:
    space = Dict(vel=Box(-1, 1, (1,)), pos=Tuple((Box(-9, 9, (2,)), Box(0, 1, ()))))
    value = {"vel": np.array([1.0]), "pos": (np.array([2.0, 3.0]), np.array(0.5))}
    actions = Dict(a=Box(-1, 1, (1,)), b=Box(0, 4, (2,)))
    env = make(reset=(value, {}), step=(value, 0.0, False, False, {}), space=space, actions=actions)
    assert env.reset(seed=0)[0].tolist() == [1, 2, 3, 0.5]
    assert envs.widths(env) == (4, 3)
    assert [bound.tolist() for bound in envs.action_bounds(env)] == [[-1, 0, 0], [1, 4, 4]]
    env.step(np.array([0.5, 1, 2]))
    given = env.unwrapped.actions[0]
    assert given["a"].tolist() == [0.5] and given["b"].tolist() == [1, 2]
    match = envs.check_matches("Odd-v0", 4, 3)
    assert match.notes == (
        "simulator 'Odd-v0': its observations are a Dict, joined in Gymnasium's order: "
        "vel (1), pos._index_0 (2), pos._index_1 (1)",
        "simulator 'Odd-v0': its actions are a Dict, joined in Gymnasium's order: a (1), b (2)",
    )
    names = ["pos._index_00", "pos._index_01", "pos._index_1", "vel"]
    with pytest.raises(UserError, match="write the log's columns in that order"):
        envs.check_matches("Odd-v0", 4, 3, names=names)


def test_of_many_parts_the_first_are_named() -> None:
    flat = flat_space(Dict({f"sensor{number:02}": Box(-1, 1, (1,)) for number in range(50)}))
    assert flat is not None
    assert flat.sentence("observations").endswith("sensor08 (1), sensor09 (1) and 40 more")


def test_a_group_without_one_of_its_parts(make: Any) -> None:
    space = Dict(pos=Box(-9, 9, (2,)), vel=Box(-1, 1, (1,)))
    with pytest.raises(SimulatorFault, match=r"not of Dict.*KeyError: 'vel'"):
        make(reset=({"pos": np.zeros(2)}, {}), space=space).reset(seed=0)


@pytest.mark.parametrize("space", [Discrete(3), Box(0, 1, (2, 2)), Dict(a=Box(0, 1, (1,)), b=Discrete(2)), Dict({})])
def test_what_is_not_continuous_in_a_row_is_refused(space: Any, make: Any) -> None:
    with pytest.raises(UserError, match=r"has observations .*only continuous ones in a row"):
        make(space=space)


# Making


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The working folder, in which modules are written; they are forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield lambda name, text: (tmp_path / f"{name}.py").write_text(text)
    for name in set(sys.modules) - before:
        sys.modules.pop(name)
    gymnasium.registry.pop("Here-v0", None)


HERE = """import gymnasium, numpy as np
from tests.test_guarded import Answers
class Here(Answers):
    def __init__(self, **_): {}
gymnasium.register("Here-v0", Here, max_episode_steps=5)
"""


def test_a_module_that_was_typed_is_found_in_the_working_folder(folder: Any) -> None:
    folder("mine_here", "import beside_here\n" + HERE.format("super().__init__()"))
    folder("beside_here", "")
    assert envs.widths(envs.make("mine_here:Here-v0")) == (2, 1)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("raise OSError('no licence')", r"cannot be made: OSError: no licence \(broken_one.py, line 4\)"),
        ("raise SystemExit(1)", "cannot be made: SystemExit: 1"),
        ("import nowhere_at_all", "cannot be made: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("raise gymnasium.error.DependencyNotInstalled('get it')", "no simulator .* get it"),
        ("self.answers = {}", "has no observation_space"),
    ],
)
def test_whatever_a_constructor_raises_is_one_line(body: str, text: str, folder: Any) -> None:
    folder("broken_one", HERE.format(body))
    with pytest.raises(UserError, match=text) as refusal:
        envs.make("broken_one:Here-v0")
    assert "\n" not in str(refusal.value) and "--env" in str(refusal.value)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("import nowhere_at_all", "importing 'bad' raised ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def f(:", "importing 'bad' raised SyntaxError"),
        ("1 / 0", r"importing 'bad' raised ZeroDivisionError: division by zero \(bad.py, line 1\)"),
        ("raise SystemExit", "importing 'bad' raised SystemExit"),
    ],
)
def test_a_module_that_is_broken_is_told_as_that(code: str, text: str, folder: Any) -> None:
    folder("bad", code)
    with pytest.raises(UserError, match=text):
        envs.make("bad:Here-v0")


def test_a_module_that_is_nowhere(folder: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no module .absent.one. in") as refusal:
        envs.make("absent.one:Here-v0")
    assert str(tmp_path) in str(refusal.value)


def test_an_interruption_while_a_simulator_is_made_passes(folder: Any) -> None:
    folder("broken_two", HERE.format("raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        envs.make("broken_two:Here-v0")


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_old_robots_are_sent_to_the_version_of_their_logs(version: str) -> None:
    with pytest.raises(UserError, match="use Walker2d-v4 \\(--env Walker2d-v4\\)"):
        envs.make(f"Walker2d-{version}")


# Bounds


def test_other_bounds_are_told_with_both() -> None:
    ones = np.ones(1)
    assert envs.check_matches("Pendulum-v1", 3, 1, (-2 * ones, 2 * ones)).notes == ()
    [note] = envs.check_matches("Pendulum-v1", 3, 1, (-ones, ones)).notes
    assert "are [-1, 1] but Pendulum-v1 takes [-2, 2]" in note and "--action-bounds -2 2" in note


def test_a_simulator_without_bounds_has_no_other_ones(make: Any) -> None:
    make(actions=Box(-np.inf, np.inf, (1,)))
    assert envs.check_matches("Odd-v0", 2, 1, (-np.ones(1), np.ones(1))).bounds == ""


def test_an_evaluation_names_the_seed_of_the_episode_that_failed(make: Any) -> None:
    make(step=RuntimeError("out of order"))
    with Evaluator("Odd-v0", episodes=2) as evaluator, pytest.raises(SimulatorFault, match=r"\(seed 30\), step 1"):
        evaluator(lambda observation: np.zeros((len(observation), 1)), seed=30)
