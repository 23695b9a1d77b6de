"""Robustness results: read with suspicion, and put side by side cell by cell."""

import json
from pathlib import Path

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.reports.compare.compared_runs import collect
from micro_rl.reports.compare.comparison import compare
from micro_rl.reports.compare.robust_panels import _grid, curves, grids
from micro_rl.reports.compare.robust_results import read_robust
from micro_rl.reports.compare.robust_sweeps import Sweep, summary, sweeps
from micro_rl.reports.compare.robust_table import inert, remarks, tables
from micro_rl.reports.compare.table import Entry
from tests.compared_runs import SWEEPS, TASK, add_robust, make_run


def swept(*runs: Path) -> dict[str, Sweep]:
    return {sweep.name: sweep for sweep in sweeps(compare(collect(runs)))}


def test_figures_of_a_sweep_by_hand(tmp_path: Path):
    episodes = {0.0: [700.0, 500.0], 0.1: [400.0, 400.0], 0.2: [100.0, 300.0]}
    add_robust(make_run(tmp_path / "a"), lambda group, at: episodes[at["epsilon"]], SWEEPS[1:2])
    figures = summary(swept(tmp_path / "a")["min Q attack"], "micro")
    assert {name: figure.mean for name, figure in figures.items() if figure} == {
        "mean": pytest.approx(40.0),
        "worst cell": 20.0,
        "CVaR 10 %": 10.0,
        "area under the curve": pytest.approx(40.0),
    }
    assert figures["nominal"] is None and figures["mean"] and figures["mean"].runs == 1
    assert (figures["mean"].low, figures["mean"].high) == pytest.approx(
        (40, 40)
    )  # both episodes have it over the cells
    assert figures["worst cell"] and (figures["worst cell"].low, figures["worst cell"].high) == pytest.approx((10, 30))


def test_cells_without_effect_are_named_and_count(tmp_path: Path):
    def returns(group: str, at: dict[str, float]) -> list[float]:
        return [0.0] if at.get("friction") == 0.5 else [100.0 * at.get("gravity", 9.0)] * 2

    def useless(group: str, at: dict[str, float]) -> str:
        return "no contact" if at.get("friction") == 0.5 else ""

    add_robust(make_run(tmp_path / "a"), returns, inert=useless)
    sweep = swept(tmp_path / "a")["friction by gravity"]
    figures = summary(sweep, "micro")
    assert figures["mean"] and figures["mean"].mean == pytest.approx(6.0) and figures["area under the curve"] is None
    assert figures["nominal"] and figures["nominal"].mean == pytest.approx(90.0)  # of the group without axes
    where = "friction 0.5, gravity 0.8; friction 0.5, gravity 1"
    assert inert(sweep) == f"Without full effect (hatched): {where} (no contact)."
    drawn = grids(sweep, 0)
    assert drawn and "no contact" in drawn.caption and "<pattern" in drawn.maps[0].drawings[0][1]


def test_what_has_no_effect_anywhere_is_said_once(tmp_path: Path):
    add_robust(make_run(tmp_path / "a"), lambda group, at: [1.0], inert=lambda group, at: "gravity stays")
    sweep = swept(tmp_path / "a")["friction by gravity"]
    drawn = grids(sweep, 0)
    assert inert(sweep) == "In all cells: gravity stays."
    assert drawn and "<pattern" not in drawn.maps[0].drawings[0][1]


def test_the_undisturbed_place_is_framed_or_ringed_or_unknown(tmp_path: Path):
    groups = [
        {
            "name": "friction by gravity",
            "axes": [{"name": name, "values": [0.5, 1.5]} for name in ("friction", "gravity")],
        },
        {"name": "other", "axes": [{"name": name, "values": [0.5, 1.0]} for name in ("friction", "kg")]},
        {"name": "told", "axes": [{"name": name, "values": [0.0, 1.0], "nominal": 0.0} for name in ("a", "b")]},
    ]
    add_robust(make_run(tmp_path / "a"), lambda group, at: [1.0], groups)
    drawn = {name: grids(sweep, 0) for name, sweep in swept(tmp_path / "a").items()}
    captions = {name: panel.caption.split(".")[1:] for name, panel in drawn.items() if panel}
    assert captions["friction by gravity"] == [" The ring is the undisturbed simulator, which lies between cells", ""]
    assert captions["told"] == [" The framed cell is the undisturbed simulator", ""] and captions["other"] == [""]


def test_maps_are_means_over_seeds_with_gaps_where_nothing_is_finished(tmp_path: Path):
    for seed in (0, 1):

        def returns(group: str, at: dict[str, float], seed: int = seed) -> list[float] | None:
            missing = at.get("friction") == 2.0 or (seed and at.get("gravity") == 1.0)
            return None if missing else [100.0 + 200.0 * seed]

        add_robust(make_run(tmp_path / str(seed), seed=seed), returns)
    comparison = compare(collect([tmp_path]))
    sweep = next(sweep_of for sweep_of in sweeps(comparison) if sweep_of.name == "friction by gravity")
    grid = _grid(sweep, sweep.methods["micro"])
    assert np.array_equal(grid, [[20.0, 20.0, np.nan], [10.0, 10.0, np.nan]], equal_nan=True)
    (table,) = tables(sweeps(comparison))
    assert table.rows[0][0] == Entry("friction by gravity", "micro, 2 seeds, 6 of 12 cells")
    assert "0: 2 cells of micro still missing." in remarks(comparison)


def test_remarks_name_the_critic_and_results_of_another_policy(tmp_path: Path):
    for name, critic in (("a", "own"), ("b", "other")):
        add_robust(make_run(tmp_path / name, name), lambda group, at: [1.0], critic=critic, episodes=len(critic))
    sentences = remarks(compare(collect([tmp_path])))
    assert sentences[0] == "The attacking critic was not the same for all: other, own."
    assert sentences[-1] == "The protocols were not carried out with equally many episodes: 3 to 5."


def test_groups_with_other_axes_are_kept_apart(tmp_path: Path):
    add_robust(make_run(tmp_path / "a"), lambda group, at: [1.0], SWEEPS[1:2])
    other = [{"name": "min Q attack", "axes": [{"name": "epsilon", "values": [0.0, 0.5]}]}]
    add_robust(make_run(tmp_path / "b", "sac"), lambda group, at: [1.0], other)
    assert len(sweeps(compare(collect([tmp_path])))) == 2


@pytest.mark.parametrize(("nominal", "undisturbed"), [([900.0], "90.0"), (None, "–")])
def test_a_group_without_axes_is_a_row_and_is_not_the_undisturbed_one(
    tmp_path: Path, nominal: list[float] | None, undisturbed: str
):
    groups = [{"name": "heavy", "axes": []}, *SWEEPS[1:]]
    run = make_run(tmp_path / "a")
    returns = {"heavy": [200.0, 400.0], "min Q attack": [100.0], "nominal": nominal}
    add_robust(run, lambda group, at: returns[group], groups, lambda group, at: "ice" if group == "heavy" else "")
    (table,) = tables(sweeps(compare(collect([run]))))
    assert [row[0] for row in table.rows] == [
        Entry("heavy", "micro, 1 seed, ice"),
        Entry("min Q attack", "micro, 1 seed"),
    ]
    assert [row[1].value for row in table.rows] == [undisturbed] * 2
    assert [row[2].value for row in table.rows] == ["30.0", "10.0"]
    assert table.rows[0][2] == Entry("30.0", "20.0 to 40.0")


NOT_SCORED = TASK | {"score_min": None, "score_max": None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"env": "X-v2", "task": NOT_SCORED}, [" in X-v1", " in X-v2"]),
        ({"horizon": 20, "task": NOT_SCORED}, [" up to 1,000 steps", " up to 20 steps"]),
        ({"changes": "ab" * 32}, [", contents not recorded", ", contents abababab"]),
    ],
)
def test_results_of_another_world_are_neither_pooled_nor_scored_alike(tmp_path: Path, changes: dict, words: list[str]):
    """A return of 500 is a score of 50 in the run's own task, and a return where the results' task has no range."""
    add_robust(make_run(tmp_path / "a"), lambda group, at: [500.0], SWEEPS[1:2])
    add_robust(make_run(tmp_path / "b", seed=1), lambda group, at: [500.0], SWEEPS[1:2], **changes)
    swept = sweeps(compare(collect([tmp_path])))
    figures = [summary(sweep, "micro")["mean"] for sweep in swept]
    units = ["normalised scores", "returns" if "task" in changes else "normalised scores"]
    assert [figure.mean for figure in figures if figure] == [50.0, 500.0 if "task" in changes else 50.0]
    assert [table.title for table in tables(swept)] == [
        f"hopper, protocol micro{word}: {unit}" for word, unit in zip(words, units, strict=True)
    ]
    assert swept[1].log.mean == (None if "task" in changes else 40.0)


def test_results_are_scored_by_the_task_of_their_own(tmp_path: Path):
    run = make_run(tmp_path / "a")
    add_robust(run, lambda group, at: [500.0], SWEEPS[1:2], task=TASK | {"score_max": 2000.0})
    figures = summary(swept(run)["min Q attack"], "micro")
    assert figures["mean"] and figures["mean"].mean == 25.0


def test_other_starts_are_remarked_on(tmp_path: Path):
    for seed in (0, 7):
        add_robust(make_run(tmp_path / str(seed), seed=seed), lambda group, at: [1.0], SWEEPS[1:2], seed=seed)
    comparison = compare(collect([tmp_path]))
    assert len(sweeps(comparison)) == 1
    assert remarks(comparison)[-1] == "The episodes did not all begin from the same starts: seeds 0 to 7."


def test_nothing_is_drawn_of_what_has_no_cells(tmp_path: Path):
    add_robust(make_run(tmp_path / "a"), lambda group, at: None)
    sweep_of = swept(tmp_path / "a")
    assert grids(sweep_of["friction by gravity"], 0) is None
    assert curves(sweep_of["min Q attack"], 0, {}) is None
    assert summary(sweep_of["min Q attack"], "micro")["mean"] is None


def test_torn_lines_and_cells_of_no_place_are_left_out(tmp_path: Path):
    run = make_run(tmp_path / "a")
    add_robust(run, lambda group, at: [1.0], SWEEPS[1:2])
    cells = run / "robust/micro/cells.jsonl"
    odd = [
        {"group": "min Q attack", "coordinates": {"epsilon": 7.0}, "returns": [1.0]},
        {"group": "min Q attack", "coordinates": {}, "returns": [1.0]},
        {"group": "unknown", "coordinates": {}, "returns": [1.0]},
        {"group": "min Q attack", "coordinates": {"epsilon": 0.1}, "returns": ["x"]},
        {"group": "min Q attack", "coordinates": {"epsilon": 0.1}, "returns": [1e308]},
        {"group": "min Q attack", "coordinates": {"epsilon": 0.1}, "returns": []},
        {"group": [], "coordinates": None},
    ]
    cells.write_text(cells.read_text() + "".join(json.dumps(row) + "\n" for row in odd) + '[1]\n{"group": "min')
    (result,) = read_robust(run)
    assert result.groups[0].cells.keys() == {(0.0,), (0.1,), (0.2,)} and result.missing == 0


NO_NUMBER = [{"name": "g", "axes": [{"name": "a", "values": [None]}]}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("groups", None),
        ("groups", [{}]),
        ("groups", NO_NUMBER),
        ("episodes", "3"),
        ("critic", 3),
        ("format", 0),
        ("task", {}),
        ("task", TASK | {"score_max": "1"}),
        ("task", TASK | {"score_max": 0.0}),
        ("horizon", "20"),
        ("env", 3),
        ("changes", None),
        ("seed", 0.5),
    ],
)
def test_damaged_results_are_refused_in_one_line(tmp_path: Path, name: str, value: object):
    run = make_run(tmp_path / "a")
    add_robust(run, lambda group, at: [1.0])
    path = run / "robust/micro/robust.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(UserError, match=r"robust\.json") as error:
        read_robust(run)
    assert "\n" not in str(error.value)


def test_cells_whose_simulation_broke_down_are_remarked_on(tmp_path: Path):
    run = make_run(tmp_path / "0")
    add_robust(run, lambda group, at: [1.0, 2.0])
    path = run / "robust" / "micro" / "cells.jsonl"
    first, *others = path.read_text().splitlines()
    path.write_text("\n".join([first[:-1] + ', "unstable": 1}', *others]) + "\n")
    assert "0: in 1 cell of micro the simulation broke down" in " ".join(remarks(compare(collect([run]))))
