"""The exported Python file: equal to its policy, in any shape and with any past, and alone with NumPy."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micro_rl.core import windows
from micro_rl.core.columns import Column, Columns
from micro_rl.deploy.equality import Decisions, compared, pure
from micro_rl.deploy.python_file import checked_name, python_text
from micro_rl.deploy.source import Source
from micro_rl.deploy.trial import draw, true_windows
from micro_rl.errors import UserError
from tests.deploy.policies import BY_HAND, imported, random_policy


def module_of(policy, folder: Path, name: str = "exported"):
    path = folder / f"{name}.py"
    path.write_text(python_text(Source(policy), name), encoding="utf-8")
    return imported(path)


def test_a_tiny_network_by_hand(tmp_path: Path):
    module = module_of(BY_HAND, tmp_path)
    decision = module.act([2.0, 5.0])  # core units 0.5 and -1: hidden 1 and 1.5
    assert decision.mean.tolist() == [2.0] and decision.log_std.tolist() == [2.0]  # 0.25 + 1 + 0.75; -1 + 3
    assert float(decision.action[0]) == pytest.approx(30 + 20 * np.tanh(2.0), rel=1e-6)
    far = module.act([[-3.0, 30.0], [1e300, 10.0]])  # hidden 0 and 0; hidden 1e20 and 0.5
    assert far.mean[0].tolist() == [0.25] and far.log_std.tolist() == [[-1.0], [2.0]]
    assert far.action[1].tolist() == [50.0]
    assert module.self_check() == 0.0


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    observations=st.integers(1, 5),
    actions=st.integers(1, 3),
    hidden=st.lists(st.integers(1, 12), max_size=3),
    history=st.sampled_from([1, 1, 2, 3, 6]),
    gain=st.sampled_from([0.1, 1.0, 10.0]),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_any_network_is_the_policy_to_the_bit(
    tmp_path_factory,
    seed: int,
    observations: int,
    actions: int,
    hidden: list[int],
    history: int,
    gain: float,
    offset: float,
):
    policy = random_policy(seed, observations, actions, hidden, history, gain, offset)
    module, trial = module_of(policy, tmp_path_factory.mktemp("any")), draw(policy, 50)
    seen, function = true_windows(policy, trial), pure(policy)
    decision = module.act(seen)
    for own, other in zip(decision, (function(seen), *function.distribution(seen)), strict=True):
        assert own.dtype == other.dtype and np.array_equal(own, other)
    assert compared(policy, trial, Decisions(*decision), "file").largest == 0
    assert np.array_equal(module.act(seen[0]).action, decision.action[0])
    if history > 1:
        past, episode = module.Past(), zip(trial.observations[:20], seen[:20], trial.applied[:20], strict=True)
        for observation, window, applied in episode:
            assert np.array_equal(past.step(observation).action, function(window))
            past.applied(applied)


@pytest.mark.parametrize("history", [2, 5])
def test_a_past_is_what_the_policy_remembers(history: int, tmp_path: Path):
    policy = random_policy(3, history=history)
    module, rng = module_of(policy, tmp_path), np.random.default_rng(0)
    steps = policy.observation_mean[:3] + policy.observation_std[:3] * rng.normal(size=(9, 4, 3))
    past = module.Past()
    for observations in steps:  # four systems side by side
        assert np.array_equal(past.step(observations).action, policy(observations))
    alone = module.Past()
    decisions = [alone.step(observation) for observation in steps[:, 1]]
    assert past.actions is not None and np.array_equal(past.actions[1, 0], decisions[-1].action)
    policy.reset()
    past.begin()
    assert np.array_equal(past.step(steps[0]).action, policy(steps[0]))


def test_a_past_takes_over_the_actions_that_were_really_applied(tmp_path: Path):
    policy = random_policy(4, history=4)
    module, rng, function = module_of(policy, tmp_path), np.random.default_rng(0), pure(policy)
    observations, applied = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    own = windows.of_episode(observations, applied, policy.action_mid, 4)
    followed, primed, parts = module.Past(), module.Past(), module.Past()
    for step in range(8):
        primed.prime(observations[:step], applied[:step])
        for past in (followed, primed, parts):
            assert np.array_equal(past.window(observations[step]), own[step])
        assert np.array_equal(followed.step(observations[step]).action, function(own[step]))
        followed.applied(applied[step])
        parts.remember(observations[step], applied[step])
    primed.prime(observations[2:7], applied[2:7])  # longer than the past: where it began is forgotten
    assert np.array_equal(primed.window(observations[7]), own[7])
    with pytest.raises(ValueError, match="3 observations and 2 actions"):
        primed.prime(observations[:3], applied[:2])
    with pytest.raises(ValueError, match="not finite"):
        primed.prime(np.full((2, 3), np.nan), applied[:2])
    assert np.array_equal(primed.window(observations[7]), own[7])  # what is refused changes nothing
    with pytest.raises(ValueError, match="a table by columns is none"):
        primed.prime({"o0": [1.0]}, applied[:1])
    for nothing in (None, 5, np.array(5.0)):
        with pytest.raises(ValueError, match="give a list of steps, or an array"):
            primed.prime(nothing, nothing)
    with pytest.raises(ValueError, match="no step was taken"):
        module.Past().applied(applied[0])
    with pytest.raises(ValueError, match="window: is an array of 18 numbers"):
        module.act({"o0": 1.0})


class Row:
    """Values by name that are no mapping, as a row of pandas."""

    def __init__(self, values: dict[str, float]):
        self.values, self.keys = values, values.keys

    def __getitem__(self, name: str) -> float:
        """A value."""
        return self.values[name]


def test_values_by_name_and_what_is_refused(tmp_path: Path):
    columns = Columns((Column("T_air [°C]", "°C", 3.0, 40.0), Column('"""\\', "m")), (Column("valve"),))
    policy = random_policy(5, 2, 1, columns=columns)
    module = module_of(policy, tmp_path)
    by_name = module.act({'"""\\': 2.0, "T_air [°C]": 21.5})
    assert np.array_equal(by_name.action, policy([21.5, 2.0]))
    assert np.array_equal(module.act(Row({'"""\\': 2.0, "T_air [°C]": 21.5})).action, by_name.action)
    rows = module.act({'"""\\': [2.0, 3.0], "T_air [°C]": [21.5, 20.0]})
    assert np.array_equal(rows.action, policy([[21.5, 2.0], [20.0, 3.0]]))
    assert module.INFO["observations"][0] == {"name": "T_air [°C]", "unit": "°C", "range in the log": (3.0, 40.0)}
    assert module.INFO["actions"][0]["bounds"] == pytest.approx((policy.action_low[0], policy.action_high[0]))
    with_unit = module.act({'"""\\ [m]': 2.0, "T_air [°C]": 21.5})  # which is no part of the first one's name
    assert np.array_equal(with_unit.action, by_name.action)
    for values, words in (
        ({"T_air [°C]": 21.5, '"""\\': 2.0, '"""\\ [m]': 2.0}, "needs T_air"),
        ({"T_air": 21.5, '"""\\': 2.0}, "needs T_air"),
        ([1.0], r"of shape \(1,\)"),
        ([np.nan, 1.0], r"not finite in column 0 \(T_air"),
        ([[1.0, np.inf]], "not finite in column 1"),
        ([object(), 1.0], "observation: float.. argument must be"),
        ([1j, 1.0], "observation: "),
        ([10**400, 1.0], "observation: int too large"),
        (["x", 1.0], "observation: could not convert"),
        ({"T_air [°C]": object(), '"""\\': 2.0}, r"observation: T_air \[°C\]: float.. argument must be"),
    ):
        with pytest.raises(ValueError, match=words):
            module.act(values)


def test_it_runs_alone_and_notices_when_it_is_damaged(tmp_path: Path):
    path = tmp_path / "alone.py"
    path.write_text(python_text(Source(random_policy(6, history=2)), "alone"), encoding="utf-8")
    code = "import sys, runpy; runpy.run_path(sys.argv[1], run_name='__main__'); print(sorted(sys.modules))"
    process = subprocess.run([sys.executable, "-I", "-c", code, path], capture_output=True, text=True)
    assert process.stdout.startswith("as its policy: the largest difference is 0.0e+00 of the action's range\n")
    assert not any(f"'{name}'" in process.stdout for name in ("jax", "micro_rl", "safetensors", "jaxtyping"))
    damaged = imported(path)
    damaged.LAYERS[0] = (damaged.LAYERS[0][0] * 1.01, damaged.LAYERS[0][1])
    with pytest.raises(SystemExit, match="differs from its policy by"):
        damaged.self_check()


@pytest.mark.parametrize("name", ["numpy.py", "json.py", "my-policy.py", "class.py", "policy.txt", "1.py"])
def test_names_that_python_cannot_import_or_that_hide_a_module(name: str):
    with pytest.raises(UserError, match=f"^--out {name}: "):
        checked_name(Path(name))
