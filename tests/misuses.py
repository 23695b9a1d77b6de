"""What people who program get wrong, each with what must be said: `python -m tests.misuses` tries all.

In a process of its own, since the tests' own processes check the types of every call before it is made.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import micro_rl
from micro_rl.algorithms.model_free import bc
from micro_rl.core.model_settings import ModelSettings
from micro_rl.data import ReadOptions
from micro_rl.policy import Policy

Case = tuple[Callable[[], Any], str]

RL: Any = micro_rl
"""Without the types that a checker would hold these calls to."""
READ: Any = ReadOptions
ARRAYS: dict[str, Any] = {
    "observations": np.random.default_rng(0).normal(size=(40, 2)),
    "actions": np.linspace(-1, 1, 40)[:, None],
    "rewards": np.arange(40.0),
    "horizon": 10,
}
LOG = micro_rl.Dataset.from_arrays(**ARRAYS)
FRAME = SimpleNamespace(columns=["level", "valve"])
TINY: dict[str, Any] = {"ensemble_size": 3, "num_elites": 2, "model_hidden_sizes": (8,), "weight_decay": (0.0, 0.0)}
ONE = np.ones(1)
POLICY: Any = Policy(
    [(np.zeros((2, 2)), np.zeros(2))],
    observation_mean=np.zeros(2),
    observation_std=np.ones(2),
    action_mid=np.zeros(1),
    action_half=ONE,
)

NO_LOGS: list[tuple[Any, str]] = [
    (FRAME, "is no log: make it one first: micro_rl.Dataset.from_frame(frame, "),
    (np.zeros((3, 2)), "is no log: make it one first: micro_rl.Dataset.from_arrays("),
    ((1, 2, 3), "log: (1, 2, 3) is no log: make it one first: micro_rl.Dataset.from_arrays("),
    (None, "log: None is no log: give a path, a name, or a loaded log"),
]
TRAIN: list[tuple[dict[str, Any], str]] = [
    ({"method": 3}, "method: 3 is no text: give a name or a file, or make it known first with micro_rl.register"),
    ({"method": bc}, "method: a module is no text"),
    ({"preset": 3}, "preset: 3 is no text: choose one of "),
    ({"horizon": 2.5}, "horizon: 2.5 is not a whole number of at least 1"),
    ({"horizon": "100"}, "horizon: '100' is not a whole number"),
    ({"env": 3}, "env: 3 is no simulator"),
    ({"model": 3}, "model: 3 is no path"),
    ({"known_reward": 3}, "known_reward: 3 is not a text"),
    ({"known_reward": "o0"}, "known_reward: gives"),
    ({"termination": 3}, "termination: 3 is no text: give a rule's name, a condition, or a function"),
    ({"termination": lambda obs: 1 / 0}, "termination: ZeroDivisionError: division by zero; it must take next"),
    ({"termination": lambda obs: obs > 1}, "termination: gives (3, 2) for 3 rows; it must take next observations"),
    ({"reading": {"horizon": 3}}, "reading: must be a micro_rl.data.ReadOptions"),
    ({"reading": READ(observations="ab")}, "reading: observations must be a list of names"),
    ({"reading": READ(horizon=2.5)}, "reading: horizon must be a whole number, not 2.5"),
    ({"reading": READ(action_bounds=3)}, "reading: action_bounds must be two numbers"),
    ({"out": 3}, "out: 3 is no path"),
    ({"branch": 3}, "branch: 3 is no path"),
    ({"resume": "no"}, "resume: 'no' is neither True nor False"),
    ({"until": 2.5}, "until: 2.5 is not a whole number"),
    ({"on_epoch": 3}, "on_epoch: 3 cannot be called: give a function, as show(row, policy)"),
    ({"wandb": True}, "wandb: True is none of off, offline, online"),
    ({"seed": 1.0}, "seed: 1.0 is not in [0, 2^32)"),
    ({"beta": [0.1]}, "beta: (0.1,) is not one value"),
    ({"beta": None}, "beta: None is not a finite number"),
    ({"beta": True}, "beta: True is not a finite number"),
    ({"fit_checkpoint_seconds": {}}, "fit_checkpoint_seconds: {} is not a number"),
    ({"standardise": "no"}, "standardise: 'no' is not True or False"),
    ({"hidden_sizes": 8}, "hidden_sizes: 8 is no list of values"),
    ({"method": "rambo", "model_decay": (0.1,)}, "model_decay: 1 value for 2 layers; give one per layer"),
    ({"method": "rambo", "model_decay": 0.1}, "model_decay: 0.1 is no list of values"),
    ({"method": "mobile", "num_elites": 1}, "num_elites: 1 has no spread; MOBILE needs 2 or more"),
    ({"gap": "kth", "k": 3}, "k: 3 of 2 candidates; at most as many as candidates"),
]
SWEEP: list[tuple[dict[str, Any], str]] = [
    ({"grid": ["beta"]}, "grid: ['beta'] is no dict by names: write {'beta': [0.1, 0.5]}"),
    ({"grid": {3: [1]}}, "grid: {3: [1]} is no dict by names"),
    ({"grid": {"beta": {0.1}}}, "grid: beta: {0.1} is no list of values"),
    ({"grid": {"beta": [[0.1]]}}, "beta: (0.1,) is not one value"),
    ({"grid": {"method": [3]}}, "method: 3 is no text"),
    ({"seeds": [0, 1]}, "seeds: [0, 1] is not a whole number"),
    ({"on": 3}, "on: 3 is no text: name a cluster: ray, auto or ray://HOST:PORT"),
    ({"width": 1.5}, "width: 1.5 is not a whole number"),
    ({"exact": 1}, "exact: 1 is neither True nor False"),
    ({"on_epoch": "x"}, "on_epoch: 'x' cannot be called: give a function, as show(name, row, policy)"),
]
FROM_ARRAYS: list[tuple[dict[str, Any], str]] = [
    ({"horizon": 2.5}, "horizon: 2.5 is not a whole number of at least 1"),
    ({"observation_names": "ab"}, "observation_names: 'ab' is no list of names: give one, as in ['level', 'flow']"),
    ({"observation_names": [1, 2]}, "observation_names: [1, 2] is no list of names"),
    ({"action_names": "a"}, "action_names: 'a' is no list of names"),
    ({"exogenous": "o1"}, "exogenous: 'o1' is no list of names"),
    ({"units": ["m", "m"]}, "units: ['m', 'm'] is no dict by names: write {'level': 'm'}"),
    ({"units": {"o0": 3}}, "units: [3] is no list of names"),
    ({"name": 3}, "name: 3 is no text"),
    ({"action_low": "a", "action_high": "b"}, "action bounds (given) must be one number or 1, one per action"),
]
OTHERS: list[Case] = [
    (lambda: RL.load(LOG), "it is loaded already, so use it as it is"),
    (lambda: RL.load("pendulum-demo", horizon=2.5), "horizon: 2.5 is not a whole number"),
    (lambda: RL.fit("pendulum-demo", ModelSettings()), "is no loaded log: give micro_rl.load(LOG)"),
    (lambda: RL.fit(LOG, {}), "settings: {} are no settings: give micro_rl.core.settings.ModelSettings(...)"),
    (lambda: RL.fit(LOG, ModelSettings(), "a"), "seed: 'a' is not a whole number of at least 0"),
    (lambda: RL.fit(LOG, ModelSettings(), 2**32), "seed: 4294967296 is not in [0, 2^32)"),
    (lambda: RL.fit(LOG, ModelSettings(), out=3), "out: 3 is no path"),
    (lambda: RL.fit(LOG, ModelSettings(), callback=print), "is no micro_rl.training.callbacks.Callback"),
    (lambda: RL.register(3, bc), "register: 3 is no text: give the method's name first"),
    (lambda: RL.register("mine", "mine.py"), "has no dataclass `Options`"),
    (lambda: RL.open_run(LOG), "open_run: a Dataset is no path: give the run's folder"),
    (lambda: RL.curves(3), "curves: 3 is no list of paths"),
    (lambda: RL.curves([3]), "curves: 3 is no path"),
    (lambda: RL.robust(POLICY), "policy: a Policy is no path: give a run's folder, or the file"),
    (lambda: RL.robust("a", critics="run"), "critics: 'run' is no list of paths"),
    (lambda: RL.robust("a", episodes=2.5), "episodes: 2.5 is not a whole number"),
    (lambda: RL.evaluate("Pendulum-v1", POLICY), "policy: 'Pendulum-v1' cannot be called"),
    (lambda: RL.evaluate(POLICY, "Pendulum-v1", episodes="1"), "episodes: '1' is not a whole number"),
    (lambda: RL.Policy.load(3), "path: 3 is no path"),
    (lambda: RL.trust(5, LOG), "trust: 5 is no run, no policy's file and no policy"),
    (lambda: RL.trust([POLICY, 5], LOG), "trust: 5 is no run"),
    (lambda: RL.trust(POLICY, LOG, limits="o0 <= 3"), "limits: 'o0 <= 3' is no list of conditions: give one, as in ["),
    (lambda: RL.trust(POLICY, LOG, groups=5), "groups: 5 is no list of labels; give one for each row or each episode"),
    (lambda: RL.trust(POLICY, LOG, folder=5), "folder: 5 is no path"),
    (lambda: RL.trust(POLICY, LOG, current=5), "current policy: actions of shape (), where the log has [40, 1]"),
    (lambda: RL.trust(POLICY, LOG, known_reward=3), "known_reward: 3 is no text: give a formula over the columns of a"),
    (lambda: RL.choose(LOG, known_reward=True), "known_reward: True is no text: give a formula over the columns of a"),
    (lambda: RL.choose(LOG, limits=3), "limits: 3 is no list of conditions"),
    (lambda: RL.choose(LOG, on=5), "on: 5 is no text: give ray, auto or ray://HOST:PORT"),
    (lambda: RL.choose(LOG, watcher=3), "watcher: 3 is no Watcher"),
]
POLICIES: list[Case] = [
    (lambda: POLICY({0: 1.0}), "observation: 0 is no column's name: give values by the columns' names, or an array"),
    (
        lambda: POLICY("abc"),
        "observation: 'abc' is no array of numbers: give 2 numbers, rows of them, or values by name",
    ),
    (lambda: POLICY([[1, 2], [3]]), "observation: [[1, 2], [3]] is no array of numbers"),
    (lambda: POLICY(None), "observation of shape () where the policy takes 2 columns"),
    (lambda: POLICY({"o0": 1.0}), "'o1' is missing; columns: o0, o1"),
    (lambda: POLICY.sample([0, 0], 3), "rng: 3 draws nothing: give numpy.random.default_rng(SEED)"),
    (
        lambda: RL.Policy(3, observation_mean=ONE, observation_std=ONE, action_mid=ONE, action_half=ONE),
        "layers must be pairs of arrays",
    ),
]


def cases() -> Iterator[Case]:
    """All calls, each with what its error must say."""
    for verb in (RL.train, RL.sweep, RL.load):
        for log, message in NO_LOGS:
            yield lambda verb=verb, log=log: verb(log), message
    for chosen, message in TRAIN:
        yield lambda chosen=chosen: RL.train(LOG, **(TINY | chosen)), message
    for chosen, message in SWEEP:
        yield lambda chosen=chosen: RL.sweep(LOG, **(TINY | chosen)), message
    for chosen, message in FROM_ARRAYS:
        yield lambda chosen=chosen: RL.Dataset.from_arrays(**(ARRAYS | chosen)), message
    yield from OTHERS
    yield from POLICIES


def wrong(call: Callable[[], Any], message: str) -> str:
    """What a call does in place of raising one line that says this; empty where it does."""
    try:
        call()
    except (micro_rl.UserError, ValueError) as error:
        error_text = str(error)
        return (
            "" if message in error_text and "\n" not in error_text else f"says {error_text!r} in place of {message!r}"
        )
    except Exception as error:
        return f"raises {type(error).__name__}: {error} in place of {message!r}"
    return f"is taken, in place of {message!r}"


def main() -> None:
    """Print what is not as it must be."""
    os.chdir(tempfile.mkdtemp())
    for call, message in cases():
        if fault := wrong(call, message):
            print(fault)
    if left := sorted(map(str, Path().iterdir())):
        print(f"left behind: {', '.join(left)}")


if __name__ == "__main__":
    main()
