"""The robustness study: what it records of a policy's results, what it tries, and its page from records alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.robustness import jobs
from micro_rl.robustness.protocol_file import protocol_of
from runs import records, robustness, robustness_page
from runs.long_runs import Cell
from runs.robustness import COMMON, OWN, STUDY

SIZES = [0.0, 0.1, 0.2]
TASK = {"env": "X-v1", "score_min": 0.0, "score_max": 200.0}
GROUPS = [
    {"name": "nominal", "axes": []},
    {
        "name": robustness_page.GRID,
        "axes": [{"name": "friction", "values": [0.5, 1.0]}, {"name": "g", "values": [1, 2]}],
    },
    *({"name": name, "axes": [{"name": "epsilon", "values": SIZES}]} for name in robustness_page.ATTACKS),
]


def figures(level: float) -> dict[str, Any]:
    """A policy's record: the grid falls with friction and gravity, the attacks by ten a step."""
    axes = {group["name"]: {axis["name"]: axis["values"] for axis in group["axes"]} for group in GROUPS}
    means = {name: [level, level - 10, level - 20] for name in robustness_page.ATTACKS}
    means |= {"nominal": [level], robustness_page.GRID: [level - 1, level - 2, level - 3, level - 4]}
    groups = {
        name: {"axes": axes[name], "mean": of, "std": [0.0] * len(of), "cvar10": min(of)} for name, of in means.items()
    }
    return {"epochs": 100, "planned": 3000, "episodes": 2, "groups": groups}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Records and a page of their own."""
    monkeypatch.setattr(records, "FOLDER", tmp_path / "data")
    monkeypatch.setattr(robustness_page, "PAGE", tmp_path / "robustness.md")
    return tmp_path


def tried(name: str, level: float) -> None:
    """Record a policy's result."""
    about = {"date": "2026-11-29", "commit": "abc", "processor": "one"}
    records.record(STUDY, name, {"figures": figures(level)} | about)


def finished(folder: Path, epochs: int = robustness.EPOCHS) -> None:
    """A run that stands at this epoch, as far as the study looks."""
    folder.mkdir(parents=True)
    scores = {"epochs": epochs, "planned_epochs": 3000}
    (folder / "scores.json").write_text(json.dumps(scores))


def results(folder: Path) -> None:
    """What `micro-rl robust` leaves of a policy: a nominal cell and a grid whose cells are out of order."""
    about = {"task": TASK, "groups": GROUPS[:2], "trained": {"epochs": 100, "planned": 3000}, "episodes": 2}
    cells = [{"cell": "nominal", "group": "nominal", "coordinates": {}, "returns": [20, 40]}]
    for friction, g, value in ((1.0, 2, 80), (0.5, 1, 20), (1.0, 1, 60), (0.5, 2, 40)):
        at = {"friction": friction, "g": g}
        cells.append({"cell": f"{at}", "group": robustness_page.GRID, "coordinates": at, "returns": [value, value + 4]})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "robust.json").write_text(json.dumps(about))
    (folder / "cells.jsonl").write_text("".join(f"{json.dumps(cell | {'unstable': 0})}\n" for cell in cells))


def test_a_policys_results_are_recorded_as_scores_in_the_order_of_their_axes(tmp_path: Path):
    results(tmp_path)
    found = robustness.figures(tmp_path)
    assert found["groups"]["nominal"] == {"axes": {}, "mean": [15.0], "std": [5.0], "cvar10": 10.0}
    grid = found["groups"][robustness_page.GRID]
    assert grid["mean"] == [11.0, 21.0, 31.0, 41.0] and grid["std"] == [1.0] * 4 and "unstable" not in grid
    assert grid["cvar10"] == 10.0  # the worst tenth of eight episodes is less than one
    assert (found["epochs"], found["planned"], found["episodes"]) == (100, 3000, 2)


def test_both_protocols_are_tried_where_the_attackers_are_there(study: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []

    def tries(run: Path, protocol: str, *, critics: list[Path], workers: int | None) -> None:
        asked.append(len(critics))
        results(jobs._default_folder(run, protocol_of(protocol, "HalfCheetah-v4").name, tuple(critics)))

    monkeypatch.setattr(robustness, "robust", tries)
    for method in ("td3_bc", *robustness.ATTACKERS):
        finished(study / f"hopper-{method}-seed2")
    for _ in range(2):
        robustness.main(study, ["hopper-td3_bc-seed2"], 1)
    known = records.recorded(STUDY)
    assert asked == [0, 3] and known.keys() == {"hopper-td3_bc-seed2-own", "hopper-td3_bc-seed2-common"}
    assert all(cell["figures"]["groups"]["nominal"]["mean"] == [15.0] for cell in known.values())


def test_what_is_recorded_or_not_trained_so_far_is_not_tried(study: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(robustness, "attempt", pytest.fail)
    finished(study / "hopper-sac-seed1", epochs=50)
    finished(study / "hopper-micro-seed1")
    cell = Cell("hopper", "micro", 1)
    assert robustness.hindrance(cell, study, OWN) == ""
    behind = "not after 100 epochs: hopper-mobile-matched-seed1, hopper-sac-seed1"
    assert robustness.hindrance(cell, study, COMMON) == behind
    tried("hopper-micro-seed1-own", 50.0)
    assert robustness.hindrance(cell, study, OWN) == "recorded"
    robustness.main(study, ["hopper-micro-seed1", "hopper-sac-seed1"], None)


def test_seeds_become_means_with_intervals_and_pairs(study: Path):
    for seed, (ours, theirs) in enumerate([(40.0, 30.0), (42.0, 31.0), (44.0, 32.0)]):
        tried(f"hopper-micro-seed{seed}-own", ours)
        tried(f"hopper-sac-seed{seed}-own", theirs)
    trials = robustness_page.trials_of("hopper", OWN)
    line = robustness_page.table(trials).splitlines()[2]
    half = 4.3027 * 2 / 3**0.5  # t(0.975, 2) and the three seeds' deviation
    nominal = f"42.0 ({42 - half:.1f} to {42 + half:.1f})"
    assert line.startswith(f"| micro | 0, 1, 2 | 100 of 3,000 | {nominal} | 39.5 (")
    assert line.endswith(f"| 32.0 ({32 - half:.1f} to {32 + half:.1f}) |")  # the area under 42, 32, 22
    half = 4.3027 / 3**0.5
    gap = f"11.0 ({11 - half:.1f} to {11 + half:.1f}), p 0.25"
    assert robustness_page.pairs(trials).splitlines()[2].startswith(f"| sac | 0, 1, 2 | {gap} | {gap} |")
    assert robustness_page.pairs(trials).splitlines()[2].endswith("| 4 of 4 |")


def test_one_seed_makes_a_page_that_says_so(study: Path):
    for method, level in (("micro", 40.0), ("td3_bc", 30.0)):
        tried(f"halfcheetah-{method}-seed0-own", level)
    tried("halfcheetah-td3_bc-seed0-common", 30.0)
    robustness_page.main()
    page = " ".join((study / "robustness.md").read_text().split())
    assert "| micro | 0 | 100 of 3,000 | 40.0 | 37.5 |" in page
    assert "| td3_bc | 0 | 10.0 |" in page
    assert "| td3_bc | 0 | 30.0 | 20.0 | 10.0 |" in page
    assert (
        "(re-created) Not run." in page and "rambo (seeds 0, 1, 2), micro, td3_bc (seeds 1, 2); all of hopper. " in page
    )
    assert "rambo (seeds 0, 1, 2), td3_bc (seeds 1, 2); all of hopper." in page and "nan" not in page
    assert {path.name for path in study.glob("*.svg")} == {
        f"robustness-halfcheetah-{of}.svg" for of in ("maps", "attacks")
    }
    np.testing.assert_array_equal(robustness_page.trials_of("hopper", OWN), {})
