"""Small policies to be exported: random ones of any size, and a tiny one that is computed by hand."""

import importlib.util
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np

from micro_rl.control.guard import PARTS, Guard
from micro_rl.core import windows
from micro_rl.core.columns import UNNAMED, Columns
from micro_rl.deploy.equality import Decisions
from micro_rl.deploy.trial import Trial
from micro_rl.policy import Policy

BY_HAND = Policy(
    [([[2.0, 0.0], [0.0, -1.0]], [0.0, 0.5]), ([[1.0, 3.0], [0.5, 0.0]], [0.25, -1.0])],
    observation_mean=[1.0, 10.0],
    observation_std=[2.0, 5.0],
    action_mid=[30.0],
    action_half=[20.0],
)
"""With the standardised observation (x, y) the hidden layer is the ReLU of (2 x, 0.5 - y) = (u, v), the mean
0.25 + u + 0.5 v and the log standard deviation -1 + 3 u, clipped."""


def random_policy(
    seed: int,
    observations: int = 3,
    actions: int = 2,
    hidden: Sequence[int] = (8,),
    history: int = 1,
    gain: float = 1.0,
    offset: float = 1.0,
    columns: Columns = UNNAMED,
) -> Policy:
    """Units of every size, as far from 0 as `offset` deviations; weights as large as `gain` times the usual."""
    rng = np.random.default_rng(seed)
    sizes = [windows.width(observations, actions, history), *hidden, 2 * actions]
    layers = [
        (gain * np.sqrt(2 / before) * rng.normal(size=(before, after)), 0.1 * rng.normal(size=after))
        for before, after in pairwise(sizes)
    ]
    scales, halves = 10 ** rng.uniform(-3, 3, observations), 10 ** rng.uniform(-1, 2, actions)
    centres, mids = offset * scales * rng.normal(size=observations), halves * rng.normal(size=actions)
    return Policy(
        layers,
        observation_mean=[*np.tile(centres, history), *np.tile(mids, history - 1)],
        observation_std=[*np.tile(scales, history), *np.tile(halves, history - 1)],
        action_mid=mids,
        action_half=halves,
        history=history,
        columns=columns,
    )


def imported(path: Path) -> ModuleType:
    """An exported Python file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def decided(policy: Policy, trial: Trial) -> Decisions:
    """What a policy without a history gives."""
    return Decisions(policy(trial.observations), *policy.distribution(trial.observations))


def random_guard(policy: Policy, seed: int, rows: int = 5) -> Guard:
    """A guard of a policy's columns, with predictions, scales and usual parts of any size."""
    rng, obs, act = np.random.default_rng(seed), policy.observation_size, policy.action_size
    center, scale = policy.observation_mean[:obs], policy.observation_std[:obs]
    half = scale * rng.uniform(0.5, 3, obs)
    return Guard(
        center=center,
        scale=scale,
        action_center=policy.action_mid,
        action_scale=policy.action_half,
        references=rng.normal(size=(rows, obs)),
        low=center - half,
        high=center + half,
        weights=0.3 * rng.normal(size=(1 + obs + act, obs)),
        residual_scale=10 ** rng.uniform(-2, 0, obs),
        whitening=np.eye(obs) + 0.3 * rng.normal(size=(obs, obs)),
        still_cost=np.where(rng.random(obs) < 0.5, rng.uniform(1, 8, obs), 0.0),
        usual=rng.uniform(0.3, 3, len(PARTS)),
        threshold=float(rng.uniform(1, 2)),
        rate=0.01,
        columns=policy.columns,
    )
