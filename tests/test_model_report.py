"""What is measured of an ensemble, on systems whose errors and intervals are known; kept, read back and shown."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from scipy.stats import norm

from micro_rl import api
from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.settings import ModelSettings, Settings
from micro_rl.core.types import Keys
from micro_rl.data import Dataset, windowed
from micro_rl.data.scaling import fit_scaling
from micro_rl.dynamics import measure
from micro_rl.dynamics.fit_epoch import compiled_start
from micro_rl.dynamics.measure import calibration, horizon, lasts, report_of
from micro_rl.dynamics.quality_report import KEY, ModelReport, from_json, of
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.errors import UserError
from micro_rl.reports.compare import compared
from micro_rl.reports.run import record
from micro_rl.storage.arrays import read_arrays, write_arrays
from micro_rl.training.callbacks import Callback
from micro_rl.training.fitting import fit_model, held_out, problem_of
from micro_rl.training.models import given_model, tell_quality
from micro_rl.training.runner import execute
from tests.compared_runs import add_fit, make_run
from tests.pages import Page
from tests.probes import linear_ensemble, plain_units, tiny_dataset, tiny_plan
from tests.test_run_page import measured_run, page_of

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


def test_each_figure_is_said_once():
    assert from_json(HONEST).sentence() == (
        "one step is off by 0.10, 2 steps by 0.30 of the log’s spread (if nothing changed: 1.0 and 1.5); "
        "90 % intervals hold 80 %"
    )
    single = {"starts": 9, "error": [0.1], "unchanged": [1.0], "disagreement": [0.05]}
    text = from_json({"elites": 5, "horizon": single}).sentence()
    assert text == "one step is off by 0.10 of the log’s spread (if nothing changed: 1.0)"


def test_a_model_no_better_than_nothing_changed_is_warned_of():
    assert from_json(HONEST).warning() == "" == ModelReport(1, None, None).warning()
    for error in (1.0, 1.2):
        curves = HONEST["horizon"] | {"error": [error, 0.3]}
        text = from_json(HONEST | {"horizon": curves}).warning()
        assert f"(one step is off by {error} against 1.0), so what is learned in it means nothing" in text
        assert "`micro-rl data info LOG`" in text and "\n" not in text


@pytest.mark.parametrize("given", [False, True])
def test_what_the_error_means_is_said_of_a_fitted_and_of_a_given_model(given: bool, tmp_path: Path):
    """The system moves by less than this model's bias."""
    plan, notes = tiny_plan(), []
    callback = Listens()
    callback.note = notes.append  # pyright: ignore[reportAttributeAccessIssue]
    model = fit_model(plan.dataset, problem_of(plan.dataset, plan.settings), plan.settings, 0, lambda row: None)
    report = from_json(HONEST | {"horizon": HONEST["horizon"] | {"error": [2.0, 3.0]}})
    if given:
        save_model(tmp_path / "model", model._replace(report=report))
        given_model(replace(plan, model=tmp_path / "model"), tmp_path / "run", False, callback)
    else:
        tell_quality(model._replace(report=report), callback)
    assert callback.sentence == report.sentence() and notes[-1] == report.warning()
    tell_quality(model._replace(report=None), Callback())


def test_its_rows_are_those_of_the_state():
    plan = tiny_plan()
    log = rows_of(problem_of(plan.dataset, plan.settings).log)
    state = compiled_start(log, sizes=plan.settings.fit_sizes(), key=jax.random.split(Keys.of(3).fit)[0])
    np.testing.assert_array_equal(held_out(3, len(tiny_dataset()), plan.settings), state.holdout)


DAMAGE: list[tuple[tuple[str, ...], Any]] = [
    ((), "all well"),
    (("elites",), 0),
    (("horizon",), [1.0]),
    (("horizon", "starts"), True),
    (("horizon", "error"), []),
    (("horizon", "error"), [0.1, -0.3]),
    (("horizon", "error"), [0.1, 1e300]),
    (("horizon", "unchanged"), [1.0]),
    (("horizon", "disagreement"), ["0.1", 0.2]),
    (("horizon", "error"), [0.1] * 5000),
    (("calibration",), None),
    (("calibration", "rows"), 2**40),
    (("calibration", "expected"), [0.5, 0.8, 0.95, 0.99]),
    (("calibration", "observation"), [0.4, 0.7, 0.8, 1.2]),
    (("calibration", "reward"), [0.4]),
]


def damaged(place: tuple[str, ...], value: Any) -> Any:
    if not place:
        return value
    report = json.loads(json.dumps(HONEST))
    holder = report
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    return report


@pytest.mark.parametrize(
    ("place", "value"), DAMAGE, ids=[f"{'-'.join(place)}-{n}" for n, (place, _) in enumerate(DAMAGE)]
)
def test_a_report_that_is_none_is_refused(place: tuple[str, ...], value: Any):
    assert isinstance(of({KEY: HONEST}), ModelReport) and of({}) is None
    with pytest.raises(ValueError, match="its report is none"):
        of({KEY: damaged(place, value)})


def test_a_folder_with_a_damaged_report_is_refused(tmp_path: Path):
    plan = tiny_plan()
    model = fit_model(plan.dataset, problem_of(plan.dataset, plan.settings), plan.settings, 0, lambda row: None)
    save_model(tmp_path / "model", model)
    arrays, about = read_arrays(tmp_path / "model", "ensemble")
    write_arrays(tmp_path / "model", "ensemble", arrays, about | {KEY: damaged(("elites",), "many")})
    with pytest.raises(UserError, match="its report is none that a fit makes; fit it again"):
        load_model(tmp_path / "model")
    run = measured_run(tmp_path)
    add_report(run, damaged(("horizon", "error"), "long"))
    with pytest.raises(UserError, match="its report is none that a fit makes; restore it"):
        record.read(run)


def add_report(run: Path, report: Any, sha: str = "") -> None:
    """An ensemble's file that says nothing but this."""
    (run / "model").mkdir(exist_ok=True)
    (run / "model" / "ensemble.json").write_text(json.dumps({KEY: report}))
    files = {"ensemble.safetensors": {"sha256": sha or run.name}}
    (run / "model" / "manifest.json").write_text(json.dumps({"files": files}))


def test_a_runs_page_shows_both(tmp_path: Path):
    run = measured_run(tmp_path)
    assert "“Error by steps ahead” is not shown: its fit kept no report" in page_of(run).words
    add_report(run, HONEST)
    words = page_of(run).words
    assert "From 9 rows of the log 5 elites followed its actions" in words
    assert "After 2 steps the elites disagree by 0.100 where they err by 0.300" in words
    assert "Do its intervals hold?" in words and "on 10 rows held out of the fit" in words
    add_report(run, {"elites": 1, "horizon": HONEST["horizon"] | {"disagreement": []}})
    words = page_of(run).words
    assert "elites disagree" not in words and "“Do its intervals hold?” is not shown: nothing varies" in words


def test_a_method_without_a_model_says_nothing_of_one(tmp_path: Path):
    words = page_of(measured_run(tmp_path, learns_model=False)).words
    assert "Error by steps ahead" not in words


def test_a_comparison_shows_each_ensemble_once_and_names_those_without(tmp_path: Path):
    for name, sha in (("a", "one"), ("b", "one"), ("c", "two")):
        add_report(make_run(tmp_path / name, seed=ord(name)), HONEST, sha)
    add_fit(make_run(tmp_path / "d", seed=1))
    page = Page(compared([tmp_path]))
    assert page.open == [] and len(page.ids) == len(set(page.ids))
    assert page.words.count("hopper: error by steps ahead") == 1 == page.words.count("hopper: do its intervals hold?")
    assert "0.300 after 2 steps; after one 0.100 80 %" in page.words
    assert (
        "No error by steps ahead and no calibration for the ensemble of d: the fit kept no such report." in page.words
    )


class Listens(Callback):
    """Keeps what it is told of the model."""

    sentence: str = ""

    def measured(self, text: str) -> None:
        self.sentence = text


@pytest.mark.slow
def test_a_fit_and_a_run_keep_it_and_say_it(tmp_path: Path):
    listens, plan = Listens(), tiny_plan(rollout_length=12, epochs=1)
    of_model = ModelSettings(**{name: getattr(plan.settings, name) for name in ModelSettings.__dataclass_fields__})
    _, about = api.fit(tiny_dataset(), of_model, out=tmp_path / "model", callback=listens)
    fitted = of(about)
    assert fitted and fitted.horizon and len(fitted.horizon.error) == 10 and fitted.elites == 3
    assert listens.sentence == fitted.sentence()
    execute(plan, tmp_path / "run", callback=listens)
    report = record.read(tmp_path / "run").report
    assert report and report.horizon and len(report.horizon.error) == 12 and report.elites == 2
    assert listens.sentence == report.sentence()
    execute(replace(plan, model=tmp_path / "model"), tmp_path / "given", callback=Callback())
    assert record.read(tmp_path / "given").report == fitted


def test_the_rows_measured_are_those_held_out_where_time_outs_are_left_out(monkeypatch):
    """Numbers of held rows count among the rows learned from; those in the log count its time-outs as well."""
    settings = replace(tiny_plan().settings, keep_timeouts=False)
    dataset = tiny_dataset()
    problem = problem_of(dataset, settings)
    log = rows_of(problem.log)
    holdout = held_out(0, len(log.reward), settings)
    measured: list[np.ndarray] = []

    def record_rows(dataset, elites, scaling, rows, steps):
        measured.append(rows)
        return ModelReport(elites.size, None, None)

    monkeypatch.setattr(measure, "measure", record_rows)
    report_of(dataset, members([0.0] * 2), problem.scaling, holdout, settings)
    scaling = jax.tree.map(np.asarray, problem.scaling)
    raw = np.asarray(log.observation)[holdout] * scaling.observation_std + scaling.observation_mean
    np.testing.assert_allclose(dataset.observations[measured[0]], raw, atol=1e-5)
    assert not dataset.timeouts[measured[0]].any()
