"""What a run folder that is there is gone on with, and what is said where it is not."""

import re
from dataclasses import replace
from pathlib import Path

import jax
import pytest

from micro_rl import api
from micro_rl.core.model_settings import ModelSettings
from micro_rl.dynamics.saved_model import FittedModel, save_model
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import model_fit, sweep
from micro_rl.training.callbacks import Callback
from micro_rl.training.evaluator import PolicyEvaluator
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.grid import trials
from micro_rl.training.plan import Plan
from micro_rl.training.run_begin import run_folder
from tests.probes import tiny_dataset, tiny_plan


@pytest.fixture(scope="module")
def model() -> FittedModel:
    """Of the tiny log, with the seed 0."""
    return fitted(0)


def fitted(seed: int) -> FittedModel:
    plan = tiny_plan()
    return fit_model(plan.dataset, problem_of(plan.dataset, plan.settings), plan.settings, seed, lambda row: None)


def test_a_sweep_under_another_plan_is_told_a_way_that_it_has(tmp_path: Path):
    [trial] = trials(tiny_plan(), 1, {})
    run_folder(trial.plan, tmp_path / trial.name, False)
    [other] = trials(tiny_plan(epochs=7), 1, {})
    alone = f"micro-rl train LOG --out {tmp_path / trial.name} --branch NEW"
    way = f"choose another folder with --out (this run alone goes on otherwise with {alone})"
    with pytest.raises(UserError, match=re.escape(f"(epochs: 2, now 7); resume with the same, or {way}")):
        sweep.refuse([other], tmp_path, True, False, None)


def test_so_is_a_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(model_fit, "_fit", stop)
    with pytest.raises(KeyboardInterrupt):
        api.fit(tiny_dataset(), ModelSettings(), out=tmp_path / "model")
    way = f"delete {tmp_path / 'model.fit'} to fit anew, or choose another folder with --out"
    with pytest.raises(UserError, match=re.escape(f"resume with the same, or {way}")):
        api.fit(tiny_dataset(), ModelSettings(patience=9), out=tmp_path / "model", resume=True)


def test_a_run_that_takes_over_a_model_has_the_simulators_remarks_in_its_record(
    model: FittedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Remarks(PolicyEvaluator):
        def __init__(self, plan: Plan):
            super().__init__(plan)
            self.notes = ("the log's bounds are others",)

    monkeypatch.setattr(sweep, "PolicyEvaluator", Remarks, raising=False)
    plan, fits = tiny_plan(), sweep.SharedFits()
    save_model(tmp_path / "first" / "model", model)
    fits.remember(plan, tmp_path / "first")
    assert fits.begin(plan, tmp_path / "second", False, Callback())
    assert RunFolder.open(tmp_path / "second").config()["notes"][-1] == "the log's bounds are others"


def test_a_run_goes_on_with_the_model_that_it_was_begun_with_alone(model: FittedModel, tmp_path: Path):
    """A run that has none yet would take over the other, and one that has its own would ignore it."""
    own, other, moved = (tmp_path / name for name in ("own", "other", "moved"))
    save_model(own, model)
    save_model(moved, model)
    save_model(other, model._replace(ensemble=jax.tree.map(lambda leaf: 2 * leaf, model.ensemble)))
    plan, alone, given = tiny_plan(), tmp_path / "alone", tmp_path / "given"
    run_folder(plan, alone, False)
    run_folder(replace(plan, model=own), given, False)
    for path, model_now, words in (
        (alone, other, f"(none given, now {other})"),
        (given, other, f"({own}, now {other})"),
        (given, None, f"({own}, now none given)"),
        (given, tmp_path / "none", f"({own}, now {tmp_path / 'none'})"),
    ):
        with pytest.raises(UserError, match=re.escape(f"was begun with another model {words}; resume with the same")):
            run_folder(replace(plan, model=model_now), path, True)
    run_folder(replace(plan, model=moved), given, True)
    for path in (alone, given):
        save_model(path / "model", model)
        for same in (None, own, moved):
            run_folder(replace(plan, model=same), path, True)
        with pytest.raises(UserError, match="was begun with another model"):
            run_folder(replace(plan, model=other), path, True)
    (given / "model" / "ensemble.json").write_text("{}")
    with pytest.raises(UserError, match=r"ensemble\.json: has 2 bytes where its manifest says otherwise"):
        run_folder(replace(plan, model=moved), given, True)
