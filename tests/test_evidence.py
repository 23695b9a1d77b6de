"""The studies of the set that misses the truth: records, the pendulum's closed form, and what sets hold, by hand."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.dynamics.ensemble import predict
from micro_rl.selection.portfolio import portfolio
from micro_rl.training.plan import make_plan
from runs import kept_cells, missed, missed_page, pendulum_small, records, sensitivity, sensitivity_choose
from runs.sensitivity_cells import CHOICE
from runs.sensitivity_logs import logs
from runs.time_to_score import reached
from tests.hills import model_of


def test_what_is_recorded_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    made: list[int] = []

    def make() -> dict[str, list[float]]:
        made.append(1)
        return {"score": [1 / 3]}

    for _ in range(2):
        assert kept_cells.kept("study", "cell", make) == {"score": [0.33333]}
    assert len(made) == 1
    kept_cells.add("study", lambda: {"other": 2, "more": 3})
    assert list(records.recorded("study")) == ["cell", "more", "other"]
    assert "3 cells" in kept_cells.made_by("study", "python -m it")


def test_the_time_of_a_cell_has_that_of_its_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    kept_cells.add("study", lambda: {"cell": subprocess.run([sys.executable, "-c", busy], check=True).returncode})
    assert records.recorded("study")["cell"]["seconds"] >= 0.5


def test_the_pendulum_in_closed_form_is_the_simulators():
    log = pendulum_small.log()
    after = pendulum_small.following(log.observations, log.actions, 1.0)
    np.testing.assert_allclose(after, log.next_observations, atol=1e-6)
    lighter = pendulum_small.following(log.observations[:5], log.actions[:5], 0.5)
    assert np.abs(lighter - after[:5]).max() > 0.01


def test_a_model_of_few_rows_sees_whole_episodes_and_none_that_is_kept_out():
    log, few = pendulum_small.log(), pendulum_small.log_of(pendulum_small.QUALITIES["rows600"])
    assert few.lengths.tolist() == [200] * 3
    kept_out = np.concatenate([log.observations[log.episodes[number]] for number in pendulum_small.kept_out()])
    assert not {row.tobytes() for row in few.observations} & {row.tobytes() for row in kept_out}


def test_two_truths_share_a_log_and_its_members():
    broken, kept = (missed.system(1.0, truth) for truth in ("broken", "kept"))
    action = np.linspace(-1, 0.25, 20)
    np.testing.assert_array_equal(broken.step(action), kept.step(action))
    np.testing.assert_array_equal(broken.predicted(action), kept.predicted(action))
    mean, _ = predict(model_of(broken), jnp.zeros((1, 1)), jnp.ones((1, 1)))
    places = [1.5 + place for place in (*missed.ELITES, *missed.OTHERS)]
    np.testing.assert_allclose(mean[:, 0, 0], places, atol=0.02)


def test_what_a_set_of_members_holds():
    mean, std = np.tile(np.array([0.0, 1.0, 2.0, 3.0, 4.0, -1.0, 5.0])[:, None], 3), np.full((7, 3), 1e-9)
    after, noise = np.array([0.5, 4.5, 6.0]), np.zeros(3)
    for name, expected in {"means": [True, False, False], "all": [True, True, False]}.items():
        assert missed.held(name, mean, std, after, noise).tolist() == expected
    assert missed.held("mahalanobis", mean, std, np.array([2.0, 2.0, 50.0]), noise).tolist() == [True, True, False]


def test_the_pages_name_what_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    assert "L2 ball, radius 1 on the tiny system; SAC on the pendulum (6 models)" in missed_page.missing()


def test_every_cell_of_the_sensitivity_can_be_planned():
    known, log = logs(Path("no-data")), pendulum_small.log()
    for name, programs in sensitivity.PROGRAMS.items():
        cells = {cell: changes for program in programs for cell, changes in program.items()}
        assert name in known and len(cells) == sum(map(len, programs))
        assert {sensitivity.REFERENCE, sensitivity.MODEL_FREE} <= set(cells)
        for changes in cells.values():
            fitted: dict[str, Any] = {"holdout_episodes": 0.1} if changes.get("candidates") == "calibrated" else {}
            chosen: dict[str, Any] = {"epochs": 15, **changes, **fitted}
            make_plan(log, chosen.pop("method", "micro"), **chosen)


def test_what_a_choice_would_take_are_the_members_means_and_an_anchor():
    every = [candidate for candidate in portfolio(60.0, 1, narrow=False, negative=True) if candidate.learns_model]
    taken = [sensitivity_choose.settings(pendulum_small.log(), candidate) for candidate in every]
    assert all((own["beta"], own["share"], own["num_samples"]) == (0.5, 0.5, 0) for own in taken)
    assert [own["bc_weight"] for own in taken] == [2.0, 0.4, 0.0]
    assert {CHOICE: {"beta": 0.5, "num_samples": 0}} in sensitivity.AXES  # the cell that stands for them


def test_a_score_is_reached_by_the_mean_of_three():
    assert reached([-1000, -150, -300, -100, -150, -140]) == 4
    assert reached([-1000, -900, -800]) == np.inf
