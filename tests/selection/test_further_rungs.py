"""Rungs that are added while there is time: what decides, and what is kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from micro_rl.errors import UserError
from micro_rl.selection import plan_file
from micro_rl.selection.clock import Clock
from micro_rl.selection.plan_file import Planned
from micro_rl.selection.schedule import Schedule

RUNGS = Schedule(({"a": 3, "b": 5}, {"a": 4, "b": 9}), (2, 2))
PLAN = Planned(RUNGS, {"a": 10.0, "b": 1.0}, 2, {}, {"seed": 0})


def test_what_is_left_goes_to_a_further_rung_and_is_kept(tmp_path: Path):
    longer = plan_file.further(PLAN, ["a", "b"], ["b"], 50.0)
    assert longer.schedule.until[-1] == {"a": 8, "b": 41} and not longer.final
    plan_file.write(tmp_path / "plan.json", longer)
    assert plan_file.read(tmp_path / "plan.json", ["a", "b"], {"seed": 0}) == longer


@pytest.mark.parametrize(("rising", "spare"), [([], 150.0), (["a"], 10.0), (["a"], -100.0)])
def test_nothing_follows_where_none_rises_or_the_time_is_over(tmp_path: Path, rising: list[str], spare: float):
    last = plan_file.further(PLAN, ["a", "b"], rising, spare)
    assert last == PLAN._replace(final=True)
    plan_file.write(tmp_path / "plan.json", last)
    assert plan_file.read(tmp_path / "plan.json", ["a", "b"], {"seed": 0}).final


def test_nothing_follows_where_nobody_came_out_of_the_last_rung():
    assert plan_file.further(PLAN, [], [], 150.0).final


def test_a_plan_of_before_there_were_further_rungs_is_final(tmp_path: Path):
    path = tmp_path / "plan.json"
    plan_file.write(path, PLAN)
    path.write_text(path.read_text().replace('"final"', '"other"'))
    assert plan_file.read(path, ["a", "b"], {"seed": 0}).final


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"schedule": {"until": [{"a": 3, "b": 5}], "places": [2, 2]}}, "no places for each rung"),
        ({"schedule": {"until": [{"a": 3}], "places": [2]}}, "a rung tells no epochs of b"),
        ({"schedule": {"until": [{"a": 0, "b": 5}], "places": [2]}}, "schedule.until.0.a: "),
        ({"costs": {}}, "no candidate"),
        ({"costs": {"a": 0.0, "b": 1.0}}, "costs.a: "),
        ({"workers": 0}, "workers: "),
        ({"failures": None}, "failures: "),
        ({"asked": {"seed": 1}}, "is the plan of another seed"),
    ],
)
def test_a_plan_that_was_changed_by_hand_is_refused_in_a_line(tmp_path: Path, changed: dict[str, Any], words: str):
    path = tmp_path / "plan.json"
    plan_file.write(path, PLAN)
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(UserError, match=r"plan\.json: is .*plan of") as caught:
        plan_file.read(path, ["a", "b"], {"seed": 0})
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["{}", '{"seconds": "a", "before_training": null}', '{"seconds": 1'])
def test_a_clock_that_tells_no_seconds_is_refused_in_a_line(tmp_path: Path, content: str):
    (tmp_path / "clock.json").write_text(content)
    with pytest.raises(UserError, match=r"clock\.json: "):
        Clock(tmp_path / "clock.json")
