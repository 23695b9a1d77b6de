"""What is asked of a choice: what is refused before anything is computed, and what a folder and a plan remember."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import micro_rl
from micro_rl import Dataset, UserError
from micro_rl.core.columns import Column, Columns
from micro_rl.core.tasks import Task
from micro_rl.reports.choice.record import KEEP
from micro_rl.selection import choosing, plan_file
from micro_rl.selection.clock import Clock
from micro_rl.selection.look import Look
from micro_rl.selection.question import reading
from tests.selection.test_further_rungs import PLAN
from tests.trust import line_world


class Reached(Exception):
    """The judge would be made now."""


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """Looks at nothing, and stops where the judge would be made."""

    def make_judge(*about: Any):
        raise Reached

    monkeypatch.setattr(choosing, "make_judge", make_judge)
    monkeypatch.setattr(choosing, "look", lambda dataset: Look((), 1, False, True))


@pytest.fixture(scope="module")
def log() -> Dataset:
    return line_world.log(60)


OTHERWISE = {
    "action_bounds": {"action_high": np.array([2], np.float32)},
    "exogenous": {"exogenous": (0,)},
    "columns": {"columns": Columns((Column("level", "m"),), (Column("valve"),))},
    "step_seconds": {"step_seconds": 2.0},
    "groups": {"groups": np.array(["a", "b"] * 30)},
    "horizon": {"task": Task(horizon=7)},
    "termination": {"task": Task(termination="never")},
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_folder_is_not_gone_on_with_under_another_reading_of_the_log(log, tmp_path, name):
    with pytest.raises(Reached):
        micro_rl.choose(log, minutes=5, out=tmp_path / "out")
    other = replace(log, **OTHERWISE[name])
    with pytest.raises(UserError, match=rf"was asked with another reading of the log \({name}\); ask the same"):
        micro_rl.choose(other, minutes=5, out=tmp_path / "out", resume=True)
    with pytest.raises(Reached):
        micro_rl.choose(log, minutes=5, out=tmp_path / "out", resume=True)


def test_a_plan_fits_one_reading_of_the_log(log, tmp_path):
    path, other = tmp_path / "plan.json", replace(log, exogenous=(0,))
    plan_file.write(path, PLAN._replace(asked={"reading": reading(log)}))
    assert plan_file.read(path, ["a", "b"], {"reading": reading(log)})
    with pytest.raises(UserError, match=r"is the plan of another reading of the log \(exogenous\); ask the same"):
        plan_file.read(path, ["a", "b"], {"reading": reading(other)})


def test_what_was_begun_before_readings_were_remembered_goes_on(log, tmp_path):
    path = tmp_path / "plan.json"
    plan_file.write(path, PLAN)
    assert plan_file.read(path, ["a", "b"], PLAN.asked | {"reading": reading(log)})


@pytest.mark.parametrize(
    ("asked", "words"), [({"window": 200}, "take a shorter --window"), ({"window": 19}, "--window")]
)
def test_a_window_that_the_log_cannot_serve_is_a_mistake_and_takes_no_folder(tmp_path, asked, words):
    with pytest.raises(UserError, match=words):
        micro_rl.choose(line_world.log(39), minutes=5, out=tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


def test_groups_that_the_log_cannot_serve_are_a_mistake(log, tmp_path):
    by_rows = np.tile(["a", "b"], 600)
    with pytest.raises(UserError, match="other --groups"):
        micro_rl.choose(log, minutes=5, out=tmp_path / "out", groups=by_rows)
    assert not (tmp_path / "out").exists()


def test_a_log_that_no_window_fits_is_no_mistake_of_who_asked_for_one(tmp_path, monkeypatch):
    monkeypatch.undo()
    choice = micro_rl.choose(line_world.log(2), minutes=5, out=tmp_path / "out", window=10)
    assert choice.decision == KEEP and "are needed to judge anything" in choice.reason


@pytest.mark.parametrize(("name", "words"), [("afile", "afile: is a file; name a folder"), ("afile/within", "afile")])
def test_a_folder_that_is_a_file_is_refused(log, tmp_path, name, words):
    (tmp_path / "afile").write_text("mine")
    with pytest.raises(UserError, match=words):
        micro_rl.choose(log, minutes=5, out=tmp_path / name)


@pytest.mark.parametrize(
    ("current", "words"),
    [
        (lambda row: [0.0, 0.0, 0.0], "gives an action of 3 numbers where the log has 1"),
        (lambda row: [np.nan], "gives actions that are not finite"),
        (lambda row: {}[1], "KeyError"),
        (np.full(1200, np.inf), "gives actions that are not finite"),
    ],
)
def test_a_current_policy_that_cannot_be_takes_no_folder(log, tmp_path, current, words):
    with pytest.raises(UserError, match=words):
        micro_rl.choose(log, minutes=5, out=tmp_path / "out", current=current)
    assert not (tmp_path / "out").exists()


def test_a_current_policy_is_known_again(log, tmp_path):
    for resume in (False, True):
        with pytest.raises(Reached):
            micro_rl.choose(log, minutes=5, out=tmp_path / "out", current=lambda row: -row, resume=resume)
    with pytest.raises(UserError, match="another current"):
        micro_rl.choose(log, minutes=5, out=tmp_path / "out", current=lambda row: row, resume=True)


def test_the_time_of_reading_and_looking_counts(log, tmp_path, monkeypatch):
    clocks: list[Clock] = []

    def read_slowly(log: Any) -> Dataset:
        time.sleep(0.3)
        return line_world.log(60)

    def look_slowly(dataset: Dataset) -> Look:
        time.sleep(0.3)
        return Look((), 1, False, True)

    def remembered(*about: Any) -> Clock:
        clocks.append(Clock(*about))
        return clocks[-1]

    monkeypatch.setattr("micro_rl.selection.front.read_log", read_slowly)
    monkeypatch.setattr(choosing, "look", look_slowly)
    monkeypatch.setattr(choosing, "Clock", remembered)
    with pytest.raises(Reached):
        micro_rl.choose("a.csv", minutes=5, out=tmp_path / "out")
    assert clocks[0].seconds >= 0.6
