"""The methods' table: the ensembles that its cells share."""

from pathlib import Path

import pytest

from micro_rl.core.settings import Settings
from micro_rl.dynamics.saved_model import save_model
from micro_rl.storage.json_files import read_json
from micro_rl.storage.jsonl import Row
from micro_rl.training.fitting import fit_model, problem_of
from runs import long_runs
from tests.probes import TINY, tiny_dataset

FIT = ("ensemble_size", "num_elites", "model_hidden_sizes", "weight_decay", "model_batch_size", "max_fit_epochs")


@pytest.fixture
def tiny_log(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The table's script with a tiny log; every epoch of its fits is saved."""
    settings = Settings(**{name: TINY[name] for name in FIT}, fit_checkpoint_seconds=0.0)
    monkeypatch.setattr(long_runs, "load", lambda path: tiny_dataset())
    monkeypatch.setattr(long_runs, "resolve", lambda method, preset, changes: (settings, None))
    return settings


@pytest.mark.slow
def test_a_stopped_fit_of_the_table_goes_on_to_the_same_model(
    tmp_path: Path, tiny_log: Settings, monkeypatch: pytest.MonkeyPatch
):
    epochs: list[float] = []

    def fitted(self: long_runs.Lines, row: Row) -> None:
        epochs.append(row["epoch"])
        if epochs == [1, 2, 3]:
            raise KeyboardInterrupt

    monkeypatch.setattr(long_runs.Lines, "fitted", fitted)
    with pytest.raises(KeyboardInterrupt):
        long_runs.shared_model("tiny", "tiny", 1, tmp_path)
    folder = long_runs.shared_model("tiny", "tiny", 1, tmp_path)
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
    assert long_runs.shared_model("tiny", "tiny", 1, tmp_path) == folder
