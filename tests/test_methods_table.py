"""The script of the methods' table: the shared ensembles, and the page's words about their fits."""

import json
from pathlib import Path

import pytest

from micro_rl.core.settings import Settings
from micro_rl.dynamics.saved_model import save_model
from micro_rl.storage.json_files import read_json
from micro_rl.storage.jsonl import Row
from micro_rl.training.fitting import fit_model, problem_of
from runs import methods, methods_page
from tests.probes import TINY, tiny_dataset

FIT = ("ensemble_size", "num_elites", "model_hidden_sizes", "weight_decay", "model_batch_size", "max_fit_epochs")


@pytest.fixture
def tiny_log(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The table's script with a tiny log; every epoch of its fits is saved."""
    settings = Settings(**{name: TINY[name] for name in FIT}, fit_checkpoint_seconds=0.0)
    monkeypatch.setattr(methods, "LOGS", {"tiny": "tiny.npz"})
    monkeypatch.setattr(methods, "load", lambda path: tiny_dataset())
    monkeypatch.setattr(methods, "resolve", lambda method, preset, changes: (settings, None))
    return settings


@pytest.mark.slow
def test_a_stopped_fit_of_the_table_goes_on_to_the_same_model(
    tmp_path: Path, tiny_log: Settings, monkeypatch: pytest.MonkeyPatch
):
    epochs: list[float] = []

    def fitted(self: methods.Lines, row: Row) -> None:
        epochs.append(row["epoch"])
        if epochs == [1, 2, 3]:
            raise KeyboardInterrupt

    monkeypatch.setattr(methods.Lines, "fitted", fitted)
    with pytest.raises(KeyboardInterrupt):
        methods.shared_model("tiny", "tiny", 1, tmp_path)
    folder = methods.shared_model("tiny", "tiny", 1, tmp_path)
    assert epochs[:3] == [1, 2, 3] and epochs[3] > 1 and epochs[-1] == 4
    undisturbed = tmp_path / "undisturbed"
    log = tiny_dataset()
    model = fit_model(log, problem_of(log, tiny_log), tiny_log, 1, lambda row: None)
    model.about["notes"] = read_json(folder / "ensemble.json")["notes"]  # what the folder's fit says of the log
    save_model(undisturbed, model)
    assert folder == tmp_path / "tiny-seed1-model"
    assert sorted(file.name for file in folder.iterdir()) == sorted(file.name for file in undisturbed.iterdir())
    for name in ("ensemble.json", "ensemble.safetensors"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes()
    assert not (tmp_path / "tiny-seed1-model.fit").exists()
    monkeypatch.setattr("micro_rl.training.model_fit.fit_models", None)
    assert methods.shared_model("tiny", "tiny", 1, tmp_path) == folder


def test_the_page_tells_which_fits_were_ended_by_hand(tmp_path: Path):
    for name, epochs in (("safety-seed0", 373), ("safety-seed2", 603)):
        (tmp_path / f"{name}-model").mkdir()
        (tmp_path / f"{name}-model" / "ensemble.json").write_text(json.dumps({"epochs": epochs}))
    by_hand, alone = methods_page.fits(tmp_path).split("; ")
    assert "by hand" in by_hand and by_hand.endswith("safety seed 0 (373 epochs)")
    assert alone == "ended by themselves: safety seed 2 (603 epochs)"
