"""The study of support: its cells, and the curves that it writes of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.training.plan import Plan
from runs import long_runs, records, study_pages, support, support_page
from runs.dmsd import DMSD
from tests.probes import TINY, tiny_dataset


def test_the_narrow_log_comes_first_and_a_seed_before_the_next():
    names = [cell.name for cell in support.cells()]
    assert names[:2] == ["safety-halt-anchor-seed0", "safety-anchor-seed0"]
    everywhere = len(support.RECIPES) - len(support.ON_THE_NARROW_LOG)
    each = len(long_runs.LOGS) * everywhere + len(support.ON_THE_NARROW_LOG) - len(support.ANOTHER_ALREADY)
    wanted = len(support.SEEDS) * each
    assert len(set(names)) == len(names) == wanted
    assert "hopper-low-beta-seed0" not in names


def test_a_curve_is_the_score_where_there_is_one():
    rows = [{"epoch": 1}, {"epoch": 2, "eval/return": 900.0, "eval/normalised_score": 70.5}]
    assert long_runs.curve_of(rows, "safety") == {2: 70.5}
    assert long_runs.curve_of([{"epoch": 3, "eval/return": -2.5}], "pendulum") == {3: -2.5}


def test_returns_of_dmsd_are_scores_by_its_published_range():
    rows = [{"epoch": 2, "eval/return": (30.60 + 849.51) / 2}]
    assert long_runs.curve_of(rows, "dmsd")[2] == pytest.approx(50.0)


def test_dmsd_moves_by_its_equations_and_ends_after_100_steps():
    env = DMSD()
    observation, _ = env.reset(seed=0)
    x1, x2, v1, v2, t1, t2 = map(float, observation)
    observed, reward, terminated, truncated, _ = env.step(np.array([0.5, -2.0]))
    moved = x1 + 0.2 * v1, x2 + 0.2 * v2
    faster = (
        v1 + 0.2 * (-4 * x1 + 2 * x2 - 8 * v1 + 4 * v2 + 15) / 20,
        v2 + 0.2 * (2 * x1 - 4 * x2 + 4 * v1 - 8 * v2 - 30) / 20,
    )
    np.testing.assert_allclose(observed, [*moved, *faster, t1, t2], atol=1e-6)
    assert reward == pytest.approx(-sum(np.log(abs(x - t) + 0.01) for x, t in zip(moved, (t1, t2), strict=True)))
    ends = [env.step(np.zeros(2))[2:4] for _ in range(99)]
    assert not terminated and not truncated and ends[-1] == (False, True) and (False, True) not in ends[:-1]


def test_a_cell_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(SystemExit, match="no such cell: safety-stop-seed0"):
        support.main(tmp_path, tmp_path, ["safety-stop-seed0"], 1)


def test_a_line_of_the_page_by_hand():
    curves = {0: {2: 0.0, 4: 60.0, 12: 70.0}, 1: {2: 10.0, 4: 66.0, 12: 65.0}}
    row = support_page.Row("safety", "halt", curves)
    # the runs' means are 130 / 3 and 47; t(0.975, 1) = 12.706; their deviation is 3.667 / 2^0.5
    middle, half = (130 / 3 + 47) / 2, 12.7062 * (47 - 130 / 3) / 2
    score = f"45.2 ({middle - half:.1f} to {middle + half:.1f})"
    assert row.columns() == ["safety", "`halt`", "0, 1", "12", score, "65.0", "70.0, 65.0"]
    assert study_pages.mean_and_interval([3.0], 1) == "3.0"


def test_what_was_not_begun_is_named():
    done = {cell.name for cell in support.cells() if cell.log == "safety"} | {"dmsd-all-seed0"}
    missing = study_pages.not_run(support.cells(), done - {"safety-halt-seed2", "safety-all-seed2", "safety-all-seed0"})
    assert missing.startswith("safety: all (seeds 0, 2), halt (seed 2); dmsd: halt-anchor, anchor, halt, truncate")
    assert missing.endswith("(seeds 0, 1, 2), all (seeds 1, 2); all of halfcheetah; all of hopper; all of pendulum")
    assert study_pages.not_run(support.cells(), {cell.name for cell in support.cells()}) == "none"


def test_what_another_processor_recorded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    assert study_pages.by_processor(support.cells(), long_runs.STUDY) == ""
    for name, processor in (("micro-seed0", "one"), ("halt-seed0", "two"), ("halt-seed1", "one")):
        records.record(long_runs.STUDY, f"safety-{name}", {"curve": {}, "processor": processor})
    words = study_pages.by_processor(support.cells(), long_runs.STUDY)
    assert words == " By two, with ensembles of its own: safety: halt (seed 0)."


def test_what_goes_on_for_another_study_counts_up_to_this_ones_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    records.record(long_runs.STUDY, "hopper-micro-seed0", {"curve": {50: 30.0, 48: 20.0, 52: 90.0, 100: 90.0}})
    records.record(long_runs.STUDY, "hopper-sac-seed0", {"curve": {50: 30.0}})
    assert support_page.rows(support_page.known()) == [("hopper", "micro", {0: {48: 20.0, 50: 30.0}})]
    assert study_pages.end_of({epoch: float(epoch) for epoch in range(1, 15)}) == 9.5  # of epochs 5 to 14


def test_a_cell_that_is_recorded_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    records.record(long_runs.STUDY, "dmsd-halt-seed0", {"curve": {1: 0.5}})
    records.record(long_runs.STUDY, "dmsd-halt-seed0", {"curve": {2: 70.5, 50: 71.0}})
    assert long_runs.curves() == {"dmsd-halt-seed0": {2: 70.5, 50: 71.0}}
    monkeypatch.setattr(long_runs, "execute", pytest.fail)
    support.main(tmp_path, tmp_path, ["dmsd-halt-seed0"], 50)


def test_another_preset_than_the_logs_has_an_ensemble_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(long_runs, "shared_model", lambda *words, **_: asked.append(words))
    cells = [long_runs.Cell("pendulum", recipe, 0) for recipe in ("micro", "cautious")]
    plans = [long_runs.plan_of(cell, support.entry_of(cell.entry), tmp_path, tmp_path) for cell in cells]
    assert [plan.preset for plan in plans] == ["pendulum-demo", "cautious"]
    assert [(name, preset) for name, _, _, _, preset in asked] == [
        ("pendulum", None),
        ("pendulum-cautious", "cautious"),
    ]


@pytest.mark.slow
def test_a_stopped_cell_goes_on_and_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = long_runs.make_plan
    tiny: dict[str, Any] = {name: value for name, value in TINY.items() if name != "epochs"}

    def tiny_plan(_: Any, method: str, **own: Any) -> Plan:
        level: dict[str, Any] = {"support_level": 0.5} if "support" in own else {}
        return plan(tiny_dataset(), method, **(own | tiny | level))

    monkeypatch.setattr(records, "FOLDER", tmp_path / "data")
    monkeypatch.setattr(long_runs, "shared_model", lambda *_, **__: None)
    monkeypatch.setattr(long_runs, "make_plan", tiny_plan)
    for until in (2, 4):
        support.main(tmp_path, tmp_path, ["pendulum-halt-seed0"], until)
    cell = records.recorded(long_runs.STUDY)["pendulum-halt-seed0"]
    assert cell["curve"] == {}  # there is no simulator for it
    assert cell["minutes_per_million"] > 0 and {"date", "commit", "processor"} <= cell.keys()
    assert len((tmp_path / "pendulum-halt-seed0" / "metrics.jsonl").read_text().splitlines()) == 4
