"""A method without a model, no simulator: scored in windows by a model for that alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micro_rl.cli.commands.training import work_ahead
from micro_rl.core.metric_keys import CRITICS_RETURN, WINDOW_DIFFERENCE
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.errors import UserError
from micro_rl.reports.compare import ensemble_tables
from micro_rl.reports.compare.compared_runs import collect
from micro_rl.reports.compare.comparison import compare
from micro_rl.reports.compare.table import Table
from micro_rl.reports.run import model_panels, page, panels, record, story
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.grid import trials
from micro_rl.training.plan import make_plan
from micro_rl.training.runner import execute
from micro_rl.training.sweep import carry_out
from tests.probes import tiny_dataset, tiny_plan

FITTED = {"ensemble_size": 3, "model_hidden_sizes": (8,), "weight_decay": (0.0, 0.0), "max_fit_epochs": 2}


@pytest.fixture
def small_fits(monkeypatch: pytest.MonkeyPatch):
    """The usual ensemble, as small as a test's: methods without a model have its settings as constants."""
    usual = ModelSettings.fit_sizes

    def sizes(self: ModelSettings):
        return usual(self)._replace(ensemble_size=3, hidden_sizes=(8,), weight_decay=(0.0, 0.0), max_epochs=2)

    monkeypatch.setattr(ModelSettings, "fit_sizes", sizes)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A model of the tiny log in a folder, fitted in other units than the policy's."""
    settings = replace(Settings(num_elites=2, **FITTED), scale_reward=False)
    log = tiny_dataset()
    save_model(tmp_path / "model", fit_model(log, problem_of(log, settings), settings, 0, lambda row: None))
    return tmp_path / "model"


def test_the_policy_stays_as_it_is_and_a_resumed_run_ends_alike(tmp_path: Path, small_fits: None):
    plan = tiny_plan(method="td3_bc", epochs=3, scoring_model=True)
    alone = execute(tiny_plan(method="td3_bc", epochs=3), tmp_path / "alone")
    whole = execute(plan, tmp_path / "whole")
    execute(plan, tmp_path / "parts", until=1)
    parts = execute(plan, tmp_path / "parts", resume=True)
    policies = [(run.path / "policy.safetensors").read_bytes() for run in (alone, whole, parts)]
    assert policies[0] == policies[1] == policies[2]
    assert CRITICS_RETURN in alone.scores and WINDOW_DIFFERENCE not in alone.scores
    assert CRITICS_RETURN not in whole.scores and whole.scores[WINDOW_DIFFERENCE] == parts.scores[WINDOW_DIFFERENCE]
    row = whole.metrics[-1]
    assert row["window_estimate/low"] < row[WINDOW_DIFFERENCE] < row["window_estimate/high"]
    assert load_model(whole.path / "scoring-model").ensemble.size == 3 and not (whole.path / "model").exists()
    assert len(whole.path.joinpath("fit.jsonl").read_text().splitlines()) == 2
    assert "a model fitted to score it" in story.tell(record.read(whole.path)).paragraphs[0]
    its_error_is_on_the_page(record.read(whole.path))
    assert "Model" not in [fact.name for fact in page.trained(record.read(alone.path))]
    ranked = {row["epoch"]: row[WINDOW_DIFFERENCE] for row in whole.metrics}
    assert max(ranked, key=ranked.get) in kept(whole.path)  # pyright: ignore[reportCallIssue, reportArgumentType]
    branch = execute(replace(plan, settings=replace(plan.settings, epochs=4)), whole.path, branch=tmp_path / "branch")
    assert WINDOW_DIFFERENCE in branch.metrics[-1]
    assert len((branch.path / "fit.jsonl").read_text().splitlines()) == 2


def its_error_is_on_the_page(run: record.Record) -> None:
    """Labelled for what it is: the error of each member, by steps ahead, and how it was fitted."""
    assert run.report is not None and run.scored_by_model
    error = panels.model_error(run)
    assert isinstance(error, panels.Panel) and error.title == "Error of the model that scores it"
    assert error.caption.endswith("Nothing was learned in it: it tells the difference from the log alone.")
    assert model_panels.of(run)[0].title == "The model that scores it: error by steps ahead"
    assert ("Model that scores it", "3 members, fitted in 2 epochs") in [fact[:2] for fact in page.trained(run)]


def kept(run: Path) -> set[int]:
    return {int(path.name.split("-")[1]) for path in (run / "checkpoints").iterdir()}


def test_a_given_model_scores_in_its_own_units(tmp_path: Path, given: Path):
    run = execute(tiny_plan(method="bc", model=given), tmp_path / "run")
    assert np.isfinite(run.scores[WINDOW_DIFFERENCE]["last"])
    assert json.loads((run.path / "config.json").read_text())["model"] == str(given)
    facts = [fact[:2] for fact in page.trained(record.read(run.path))]
    assert ("Model that scores it", f"fitted before: {given}") in facts
    alone = execute(tiny_plan(method="bc"), tmp_path / "alone")
    assert (run.path / "policy.safetensors").read_bytes() == (alone.path / "policy.safetensors").read_bytes()
    assert "--no-scoring-model" in json.loads((alone.path / "config.json").read_text())["notes"][-1]


def test_methods_and_coefficients_of_a_sweep_share_a_fit(tmp_path: Path, small_fits: None):
    plan = tiny_plan(method="td3_bc", epochs=1, scoring_model=True)
    runs = trials(plan, 1, {"method": ["td3_bc", "bc"]})
    runs += [trial._replace(name=f"alpha-{trial.name}") for trial in trials(plan, 1, {"alpha": [1.0, 2.0]})]
    done = carry_out(runs, tmp_path / "sweep")
    models = {(tmp_path / "sweep" / name / "scoring-model" / "ensemble.safetensors").read_bytes() for name in done}
    assert len(done) == 4 and len(models) == 1
    table = ensemble_tables.table(compare(collect([tmp_path / "sweep"])))
    assert isinstance(table, Table)
    [[*_, users]] = table.rows
    assert users == ("4 runs", ", ".join(f"{name} (to be scored)" for name in sorted(done)))
    assert all(WINDOW_DIFFERENCE in run.scores for run in done.values())  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("method", "choices", "message"),
    [
        ("micro", {"scoring_model": True}, "scoring_model: no such setting in micro"),
        ("bc", {"model": Path("m"), "env": "Pendulum-v1"}, "model: bc learns no model, and the simulator scores it"),
    ],
)
def test_what_would_do_nothing_is_refused(method: str, choices: dict, message: str):
    with pytest.raises(UserError, match=message):
        make_plan(tiny_dataset(), method, **choices)


@pytest.mark.parametrize(
    ("method", "scored", "words"),
    [
        ("td3_bc", True, "fit a model for scoring alone (--no-scoring-model saves it) in at most"),
        ("td3_bc", False, "train to epoch 3,"),
        ("micro", False, "fit a model in at most"),
    ],
)
def test_what_is_ahead_says_what_the_fit_is_for(method: str, scored: bool, words: str, tmp_path: Path):
    plan = tiny_plan(method=method, scoring_model=True) if scored else tiny_plan(method=method)
    assert work_ahead(plan, tmp_path / "run", 3, resume=False, takes_over=False).startswith(words)
