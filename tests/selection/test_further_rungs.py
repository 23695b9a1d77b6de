"""Rungs that are added while there is time: what decides, and what is kept."""

from pathlib import Path

import pytest

from micro_rl.selection import plan_file
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
