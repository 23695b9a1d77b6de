"""The study of support: its cells, and the curves that it writes of them."""

from pathlib import Path
from typing import Any

import pytest

from micro_rl.storage.json_files import read_json
from runs import support
from tests.probes import TINY, tiny_dataset


def test_the_narrow_log_comes_first_and_a_seed_before_the_next():
    names = [cell.name for cell in support.cells()]
    assert names[:2] == ["safety-halt-anchor-seed0", "safety-anchor-seed0"]
    assert len(set(names)) == len(names) == len(support.LOGS) * len(support.SEEDS) * len(support.RECIPES)


def test_a_curve_is_the_score_where_there_is_one():
    rows = [{"epoch": 1}, {"epoch": 2, "eval/return": 900.0, "eval/normalised_score": 70.5}]
    assert support.curve_of(rows) == {2: 70.5}
    assert support.curve_of([{"epoch": 3, "eval/return": -2.5}]) == {3: -2.5}


def test_a_cell_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(SystemExit, match="no such cell: safety-stop-seed0"):
        support.main(tmp_path, tmp_path, ["safety-stop-seed0"], 1)


@pytest.mark.slow
def test_a_stopped_cell_goes_on_and_is_in_the_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = support.make_plan
    tiny: dict[str, Any] = {name: value for name, value in TINY.items() if name != "epochs"} | {"support_level": 0.5}
    monkeypatch.setattr(support, "make_plan", lambda log, method, **own: plan(tiny_dataset(), method, **(own | tiny)))
    for until in (2, 4):
        support.main(tmp_path, tmp_path, ["pendulum-halt-seed0"], until)
    assert list(read_json(tmp_path / "curves.json")["pendulum-halt-seed0"]) == []  # there is no simulator for it
    assert len((tmp_path / "pendulum-halt-seed0" / "metrics.jsonl").read_text().splitlines()) == 4
