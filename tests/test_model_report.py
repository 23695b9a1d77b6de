"""What is measured of an ensemble, on systems whose errors and intervals are known."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from micro_rl.core.settings import Settings
from micro_rl.data import Dataset, windowed
from micro_rl.data.scaling import fit_scaling
from micro_rl.dynamics.measure import calibration, horizon, lasts, report_of
from micro_rl.dynamics.quality_report import KEY, of
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.training.fitting import fit_model, held_out, problem_of
from tests.probes import linear_ensemble, plain_units, tiny_plan

PUSH, NOISE = 0.25, 0.5
HONEST = {
    "elites": 5,
    "horizon": {"starts": 9, "error": [0.1, 0.3], "unchanged": [1.0, 1.5], "disagreement": [0.05, 0.1]},
    "calibration": {
        "rows": 10,
        "expected": [0.5, 0.8, 0.9, 0.95],
        "observation": [0.4, 0.7, 0.8, 0.9],
        "reward": [0.5, 0.8, 0.9, 0.95],
    },
}


def system(episodes: list[int], noise: float = 0.0) -> Dataset:
    """s' = s + PUSH a + noise, reward = s + noise, with a second column that never changes."""
    rng, rows = np.random.default_rng(0), sum(episodes)
    ends = np.isin(np.arange(rows) + 1, np.cumsum(episodes))
    actions = rng.uniform(-1, 1, (rows, 1)).astype(np.float32)
    state, states, after = 0.0, [], []
    for action, last in zip(actions[:, 0], ends, strict=True):
        following = np.float32(state + PUSH * action + noise * rng.normal())
        states.append(state)
        after.append(following)
        state = np.float32(rng.normal()) if last else following
    second = np.full(rows, 3.0)
    return Dataset(
        name="system",
        observations=np.stack([states, second], 1).astype(np.float32),
        actions=actions,
        rewards=(np.array(states) + noise * rng.normal(size=rows)).astype(np.float32),
        next_observations=np.stack([after, second], 1).astype(np.float32),
        terminals=np.zeros(rows, bool),
        timeouts=ends,
        usable=np.ones(rows, bool),
        action_low=np.full(1, -1, np.float32),
        action_high=np.full(1, 1, np.float32),
        path=Path("system"),
        sha256="0" * 64,
        format="made",
        notes=(),
    )


def members(biases: list[float], std: float = 1e-3):
    """The true system, each member with a bias of its own."""
    weight = [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [PUSH, 0.0, 0.0]]
    return linear_ensemble([weight] * len(biases), [[bias, 0.0, 0.0] for bias in biases], [std] * 3)


def every(dataset: Dataset) -> np.ndarray:
    return np.arange(len(dataset))


def test_the_true_system_has_no_error_and_staying_in_place_has():
    log = system([40] * 10)
    curves = horizon(log, members([0.0, 0.0]), plain_units(2, 1), every(log), 10)
    assert curves is not None and curves.starts == 31 * 10
    np.testing.assert_allclose(curves.error, np.zeros(10), atol=1e-5)
    np.testing.assert_allclose(curves.disagreement, np.zeros(10), atol=1e-5)
    moved = log.observations[1:40, 0] - log.observations[:39, 0]
    assert curves.unchanged[0] == pytest.approx(np.sqrt((moved**2).mean()) / log.observation_std()[0], rel=0.15)


def test_a_constant_bias_adds_up_and_members_apart_disagree():
    log, bias = system([40] * 10), 0.01
    std, steps = log.observation_std()[0], np.arange(1, 11)
    both = horizon(log, members([bias, bias]), plain_units(2, 1), every(log), 10)
    apart = horizon(log, members([bias, -bias]), plain_units(2, 1), every(log), 10)
    alone = horizon(log, members([bias]), plain_units(2, 1), every(log), 10)
    assert both and apart and alone
    for curves in (both, apart, alone):
        np.testing.assert_allclose(curves.error, steps * bias / std, rtol=1e-3)
    np.testing.assert_allclose(both.disagreement, np.zeros(10), atol=1e-5)
    np.testing.assert_allclose(apart.disagreement, steps * bias / std, rtol=1e-3)
    assert alone.disagreement == []


def test_the_error_is_the_same_in_other_units():
    """A constant column keeps its unit; the others are standardised, which the members must undo."""
    log, bias = system([40] * 10), 0.01
    scaling = fit_scaling(log, True, False)
    std = float(np.asarray(scaling.observation_std)[0])
    weight = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [PUSH / std, 0.0, 0.0]]
    curves = horizon(log, linear_ensemble([weight], [[bias / std, 0, 0]], [1.0] * 3), scaling, every(log), 5)
    assert curves
    np.testing.assert_allclose(curves.error, np.arange(1, 6) * bias / std, rtol=1e-3)


def test_a_stretch_stays_in_its_episode_and_is_shorter_where_episodes_are():
    log = system([3, 1, 5])
    assert lasts(log, every(log), 10).tolist() == [3, 2, 1, 1, 5, 4, 3, 2, 1]
    assert lasts(log, every(log), 2).tolist() == [2, 2, 1, 1, 2, 2, 2, 2, 1]
    torn = log.next_observations.copy()
    torn[5] += 1  # the log does not go on where it said it would
    assert lasts(replace(log, next_observations=torn), every(log), 10).tolist() == [3, 2, 1, 1, 2, 1, 3, 2, 1]
    usable = np.ones(9, bool)
    usable[8] = False
    assert lasts(replace(log, usable=usable), every(log), 10).tolist() == [3, 2, 1, 1, 4, 3, 2, 1, 0]
    short = system([4] * 30)
    curves = horizon(short, members([0.0]), plain_units(2, 1), every(short), 10)
    assert curves and len(curves.error) == 4 and curves.starts == 30
    single = horizon(short, members([0.0]), plain_units(2, 1), np.array([7]), 10)
    assert single and len(single.error) == 1 and single.starts == 1


def test_windows_are_followed_like_single_observations():
    log = system([20] * 10)
    windows = windowed(log, 3)  # columns: three observations of two, two actions; the action comes last of the inputs
    weight = np.zeros((1, 9, 3))
    weight[0, 8, 0], weight[0, 0, 2] = PUSH, 1.0
    bias = 0.01
    ensemble = linear_ensemble(weight, [[bias, 0.0, 0.0]], [1.0] * 3)
    curves = horizon(windows, ensemble, fit_scaling(windows, False, False), every(windows), 6)
    alone = horizon(log, members([bias], 1.0), plain_units(2, 1), every(log), 6)
    inside = calibration(windows, ensemble, fit_scaling(windows, False, False), every(windows))
    assert (
        curves and alone and inside and inside == calibration(log, members([bias], 1.0), plain_units(2, 1), every(log))
    )
    np.testing.assert_allclose(curves.error, alone.error, rtol=1e-4)
    np.testing.assert_allclose(curves.unchanged, alone.unchanged, rtol=1e-4)


@pytest.mark.parametrize("claimed", [NOISE, NOISE / 2, 2 * NOISE])
def test_intervals_hold_what_the_deviation_says(claimed: float):
    log = system([100] * 100, NOISE)
    shares = calibration(log, members([0.0, 0.0], claimed), plain_units(2, 1), every(log))
    assert shares and shares.rows == 10_000
    limits = norm.ppf((1 + np.array(shares.expected)) / 2) * claimed / NOISE
    truth = norm.cdf(limits) - norm.cdf(-limits)
    for part in (shares.observation, shares.reward):
        np.testing.assert_allclose(part, truth, atol=4 * 0.005)


def test_where_nothing_varies_there_is_nothing_to_measure():
    log = system([20])
    still = replace(log, observations=np.ones_like(log.observations), next_observations=np.ones_like(log.observations))
    assert horizon(still, members([0.0]), plain_units(2, 1), every(log), 5) is None
    rewarded = calibration(still, members([0.0], 1.0), plain_units(2, 1), every(log))
    assert rewarded and rewarded.observation == [] and rewarded.reward
    flat = replace(still, rewards=np.zeros_like(log.rewards))
    assert calibration(flat, members([0.0], 1.0), plain_units(2, 1), every(log)) is None
    none = np.array([], np.int64)
    assert report_of(flat, members([0.0]), plain_units(2, 1), none, Settings(ensemble_size=1, num_elites=1)) is None
    report = report_of(log, members([0.0]), plain_units(2, 1), np.array([3]), Settings(ensemble_size=1, num_elites=1))
    assert report and set(report.as_json()) == {"elites", "horizon"} and of({KEY: report.as_json()}) == report


def test_a_model_that_runs_away_is_followed_as_far_as_it_is_finite():
    log = system([40] * 10)
    wild = linear_ensemble([[[1e9, 0, 0], [0, 0, 0], [0, 0, 0]]], [[0.0, 0.0, 0.0]], [1.0] * 3)
    curves = horizon(log, wild, plain_units(2, 1), every(log), 10)
    assert curves and len(curves.error) == 1 and max(curves.error) < 1e12
    wilder = linear_ensemble([[[1e30, 0, 0], [0, 0, 0], [0, 0, 0]]], [[0.0, 0.0, 0.0]], [1.0] * 3)
    assert horizon(log, wilder, plain_units(2, 1), every(log), 10) is None


def test_it_is_measured_on_the_rows_that_the_fit_held_out_and_survives_the_disk(tmp_path: Path):
    plan = tiny_plan()
    dataset, settings = plan.dataset, plan.settings
    problem = problem_of(dataset, settings)
    model = fit_model(dataset, problem, settings, 0, lambda row: None)
    holdout = held_out(0, len(dataset.transitions(settings.keep_timeouts).reward), settings)
    assert report_of(dataset, model.ensemble, model.scaling, holdout, settings) == model.report
    save_model(tmp_path / "model", model)
    report = load_model(tmp_path / "model").report
    assert report and report == model.report and report.elites == settings.num_elites
    assert report.horizon and report.calibration and report.calibration.rows == len(holdout)
    assert "one step is off by" in report.sentence() and "90 % intervals hold" in report.sentence()


def add_report(run: Path, report: Any, sha: str = "") -> None:
    """An ensemble's file that says nothing but this."""
    (run / "model").mkdir(exist_ok=True)
    (run / "model" / "ensemble.json").write_text(json.dumps({KEY: report}))
    files = {"ensemble.safetensors": {"sha256": sha or run.name}}
    (run / "model" / "manifest.json").write_text(json.dumps({"files": files}))
