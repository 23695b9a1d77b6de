"""Episodes that a fit keeps out: which, what is measured on them, and that without them nothing changes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.dynamics.episode_coverage import coverage_of, covered
from micro_rl.dynamics.episode_holdout import fitted_rows, held_out_episodes
from micro_rl.dynamics.quality_report import KEY, NO_EPISODES, NOT_MEASURED, ModelReport, from_json, of
from micro_rl.dynamics.saved_model import load_model
from micro_rl.errors import UserError
from micro_rl.training.callbacks import Callback
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.model_fit import fit_to_folder
from tests.probes import plain_units, tiny_plan
from tests.test_model_report import HONEST, add_report, members, system
from tests.test_run_page import measured_run, page_of

MEASURED = {
    "episodes": 4,
    "rows": 80,
    "error": 0.1,
    "unchanged": 1.0,
    "levels": [0.9, 0.95],
    "coverage": [0.88, 0.96],
    "inside": 0.25,
    "inside_columns": 0.5,
}


def test_limits_are_conformal_quantiles_of_the_calibrating_half():
    """Of scores 1..19 over the scale, 90 % of 20 ranks is the 18th, 95 % the 19th; 99 % would need 99 rows."""
    parts = np.zeros((39, 3))
    parts[:19, 0] = np.arange(1, 20)
    parts[19:, 0] = np.arange(0.5, 20.5)  # 0.5 .. 19.5: 18 of 20 are at most 18, 19 at most 19
    levels, coverage = covered(parts, np.arange(39) < 19)
    assert levels == [0.9, 0.95] and coverage == [18 / 20, 19 / 20]


def test_a_share_of_whole_episodes_is_kept_out_whatever_the_seed():
    log = system([5, 10, 20, 40])
    held_out = held_out_episodes(log, 0.5)
    assert len(held_out) == 2 == len(held_out_episodes(log, 0.1)) and len(held_out_episodes(log, 0.99)) == 3
    rows = fitted_rows(log, ModelSettings(holdout_episodes=0.5))
    assert rows.sum() == 75 - log.lengths[held_out].sum()
    assert fitted_rows(log, ModelSettings()).all()
    with pytest.raises(UserError, match="holdout_episodes: system has 2 episodes, and 2 must be held out"):
        held_out_episodes(system([5, 5]), 0.1)


def test_the_true_system_is_covered_as_promised_and_its_draws_hold_a_known_share():
    """With k elites that draw from the true Gaussian, the next state is in between with (k - 1) / (k + 1)."""
    log = system([5] * 600, noise=0.5)
    exact = members([0.0] * 4, 0.5)
    settings = Settings(ensemble_size=4, num_elites=4, holdout_episodes=0.5)
    measured = coverage_of(log, exact, plain_units(2, 1), settings)
    assert measured and measured.episodes == 300 and measured.rows == 750
    np.testing.assert_allclose(measured.coverage, [0.9, 0.95, 0.99], atol=0.03)
    np.testing.assert_allclose(measured.of_sets, [0.9, 0.95, 0.99], atol=0.03)
    assert measured.inside == pytest.approx(3 / 5, abs=0.06) == measured.inside_columns
    assert coverage_of(log, exact, plain_units(2, 1), Settings(ensemble_size=4, num_elites=4)) is None


def test_nothing_is_measured_where_no_judged_column_varies():
    """The second column stands still; the first moves, and is the world's own."""
    log = replace(system([5] * 8), exogenous=(0,))
    settings = Settings(ensemble_size=2, num_elites=2, holdout_episodes=0.5)
    assert coverage_of(log, members([0.0] * 2), plain_units(2, 1), settings) is None


def test_what_is_said_and_kept():
    report = from_json(HONEST | {"episodes": MEASURED})
    assert of({KEY: report.as_json()}) == report and report.episodes
    assert report.sentence().endswith(
        "; on 4 episodes held out: one step is off by 0.10 of the log’s spread, "
        "limits of the score for 90/95 % hold 88/96 %, the elites’ draws 25 %"
    )
    with_sets = from_json(HONEST | {"episodes": MEASURED | {"of_sets": [0.91, 0.94]}})
    assert of({KEY: with_sets.as_json()}) == with_sets
    assert with_sets.sentence().endswith("hold 88/96 %, calibrated sets 91/94 %, the elites’ draws 25 %")
    assert "episodes" not in ModelReport(1, None, None).as_json()
    for name, value in {
        "rows": 0,
        "error": -1.0,
        "coverage": [0.9],
        "inside": 1.5,
        "levels": "all",
        "of_sets": [0.9],
    }.items():
        with pytest.raises(ValueError, match="its report is none"):
            from_json(HONEST | {"episodes": MEASURED | {name: value}})


def test_the_page_shows_it_or_says_how_to_get_it(tmp_path: Path, words_alone):
    run = measured_run(tmp_path)
    add_report(run, HONEST)
    assert NO_EPISODES in page_of(run).words
    about = {KEY: HONEST, "episodes_held_out": [0, 3]}
    (run / "model" / "ensemble.json").write_text(json.dumps(about))
    assert NO_EPISODES not in page_of(run).words and NOT_MEASURED in page_of(run).words
    add_report(run, HONEST | {"episodes": MEASURED})
    words = page_of(run).words
    assert "4 episodes were held out of the fit" in words and "holds 25 % of the true next states" in words


def test_a_fit_keeps_them_out_and_remembers_them(tmp_path: Path):
    plan = tiny_plan()
    of_model: dict[str, Any] = {name: getattr(plan.settings, name) for name in ModelSettings.__dataclass_fields__}
    of_model["holdout_episodes"] = 0.4
    settings = ModelSettings(**of_model)
    about = fit_to_folder(tmp_path / "m", plan.dataset, settings, 0, False, Callback(), None, "")
    assert about["episodes_held_out"] == np.sort(held_out_episodes(plan.dataset, 0.4)).tolist()
    report = load_model(tmp_path / "m").report
    assert report and report.episodes and report.episodes.episodes == len(about["episodes_held_out"])


def test_what_the_held_out_episodes_hold_decides_nothing_in_the_fit():
    """Their rows changed, the fit is the same to the bit; at the default nothing is kept out."""
    plan = tiny_plan(holdout_episodes=0.4)
    problem = problem_of(plan.dataset, plan.settings)
    out = ~fitted_rows(plan.dataset, plan.settings)
    rows = rows_of(problem.log)
    log = rows._replace(reward=rows.reward + 100.0 * out)
    usual, changed = (
        fit_model(plan.dataset, problem._replace(log=rows), plan.settings, 0, lambda row: None) for rows in (rows, log)
    )
    for name in ("epochs", "holdout"):
        assert usual.about[name] == changed.about[name]
    assert (
        "episodes_held_out"
        not in fit_model(plan.dataset, problem, replace(plan.settings, holdout_episodes=0.0), 0, lambda row: None).about
    )
