"""A model's report as it is said, kept, read back damaged, and shown on pages."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from micro_rl import api
from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.types import Keys
from micro_rl.dynamics import measure
from micro_rl.dynamics.fit_epoch import compiled_start
from micro_rl.dynamics.measure import report_of
from micro_rl.dynamics.quality_report import KEY, ModelReport, from_json, of
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.errors import UserError
from micro_rl.reports.compare import compared
from micro_rl.reports.run import record
from micro_rl.storage.arrays import read_arrays, write_arrays
from micro_rl.training.callbacks import Callback
from micro_rl.training.fitting import fit_model, held_out, measured_for, problem_of
from micro_rl.training.models import given_model, tell_quality
from micro_rl.training.runner import execute
from tests.compared_runs import add_fit, make_run
from tests.pages import Page
from tests.probes import tiny_dataset, tiny_plan
from tests.test_model_report import HONEST, add_report, members
from tests.test_run_page import measured_run, page_of


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
        scored = from_json(HONEST | {"horizon": curves}).warning(scores_alone=True)
        assert "so the score that it gives means nothing" in scored and "without a model" not in scored
        assert "`micro-rl data info LOG`" in text and "\n" not in text


@pytest.mark.parametrize("given", [False, True])
def test_what_the_error_means_is_said_of_a_fitted_and_of_a_given_model(given: bool, tmp_path: Path):
    """The system moves by less than this model's bias."""
    plan, notes = tiny_plan(), []
    callback = Listens()
    callback.note = notes.append  # pyright: ignore[reportAttributeAccessIssue]
    model = fit_model(plan.dataset, problem_of(plan.dataset, plan.settings), plan.settings, 0, lambda row: None)
    horizon = HONEST["horizon"] | {"error": [2.0, 3.0]}
    report = from_json(HONEST | {"horizon": horizon, "elites": plan.settings.num_elites})
    if given:
        save_model(tmp_path / "model", model._replace(report=report))
        given_model(replace(plan, model=tmp_path / "model"), tmp_path / "run", False, callback)
    else:
        tell_quality(model._replace(report=report), callback)
    assert callback.sentence == report.sentence() and notes[-1] == report.warning()
    assert not any("read otherwise" in note for note in notes)
    if given:
        other = replace(plan.dataset, rewards=-plan.dataset.rewards)  # the same file, with another reward
        given_model(replace(plan, dataset=other, model=tmp_path / "model"), tmp_path / "run", False, callback)
        assert any("its model was fitted to this log read otherwise" in note for note in notes)
    tell_quality(model._replace(report=None), Callback())


def test_a_given_model_is_measured_for_the_members_that_the_run_uses(tmp_path: Path):
    """To the bits of a fit for that run; of a model whose rows nobody knows it is told whose errors they are."""
    plan, notes, callback = tiny_plan(num_elites=3), [], Callback()
    callback.note = notes.append  # pyright: ignore[reportAttributeAccessIssue]
    problem = problem_of(plan.dataset, plan.settings)
    two, three = (
        fit_model(plan.dataset, problem, replace(plan.settings, num_elites=count), 0, lambda row: None)
        for count in (2, 3)
    )
    assert two.report and three.report and two.report.elites == 2 and two.report != three.report
    assert measured_for(three, plan.dataset, plan.settings) is three
    save_model(tmp_path / "two", two)
    model = given_model(replace(plan, model=tmp_path / "two"), tmp_path / "run", False, callback)
    assert model and model.report == three.report and not any("this run uses" in note for note in notes)
    for changes in ({"log_content": "another"}, {"settings": {"patience": 2}}, {"seed": "one"}):
        save_model(tmp_path / "two", two._replace(about=two.about | changes))
        model = given_model(replace(plan, model=tmp_path / "two"), tmp_path / "run", False, callback)
        assert model and model.report == two.report
        assert notes[-1].endswith("two: its errors are those of its best 2 members; this run uses 3")


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


def test_a_runs_page_shows_both(tmp_path: Path, words_alone):
    run = measured_run(tmp_path)
    assert "“Error by steps ahead” is not shown: its fit kept no report" in page_of(run).words
    add_report(run, HONEST)
    words = page_of(run).words
    assert "From 9 rows of the log 5 elites followed its actions" in words
    assert "After 2 steps the elites disagree by 0.100 where they err by 0.300" in words
    assert "It was measured of 5 elites, and the run uses 2." in words
    assert "Do its intervals hold?" in words and "on 10 rows held out of the fit" in words
    add_report(run, {"elites": 1, "horizon": HONEST["horizon"] | {"disagreement": []}})
    words = page_of(run).words
    assert "It was measured of 1 elite, and the run uses 2." in words
    add_report(run, HONEST | {"elites": 2})
    assert "It was measured of" not in page_of(run).words
    assert "elites disagree" not in words and "“Do its intervals hold?” is not shown: nothing varies" in words


def test_a_method_without_a_model_says_nothing_of_one(tmp_path: Path, words_alone):
    run = measured_run(tmp_path, learns_model=False)
    assert "“The model that scores it: error by steps ahead” is not shown: its fit kept no report" in page_of(run).words
    (run / "fit.jsonl").unlink()
    words = page_of(run).words
    assert "rror by steps ahead" not in words and "“Model error” is not shown: the method " in words


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
    assert record.read(tmp_path / "given").report == report


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
