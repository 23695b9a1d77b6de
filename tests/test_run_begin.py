"""What a run folder that is there is gone on with, and what is said where it is not."""

import re
from pathlib import Path

import pytest

from micro_rl import api
from micro_rl.core.model_settings import ModelSettings
from micro_rl.errors import UserError
from micro_rl.training import model_fit, sweep
from micro_rl.training.grid import trials
from micro_rl.training.run_begin import run_folder
from tests.probes import tiny_dataset, tiny_plan


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
