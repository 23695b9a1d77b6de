"""The methods' table: the ensembles that its cells share, and its page from what is recorded."""

from pathlib import Path

import pytest

from micro_rl.core.settings import Settings
from micro_rl.dynamics.saved_model import save_model
from micro_rl.storage.json_files import read_json
from micro_rl.storage.jsonl import Row
from micro_rl.training.fitting import fit_model, problem_of
from runs import long_runs, methods_page, records
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


def recorded(name: str, score: float, **about: float | str) -> None:
    """A run of 100 epochs that has this score up to the table's end, and ten more after."""
    curve = {epoch: score + 10 * (epoch > methods_page.EPOCHS) for epoch in range(2, 101, 2)}
    records.record(long_runs.STUDY, name, {"curve": curve} | about)


def test_the_page_is_made_from_what_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    monkeypatch.setattr(methods_page, "PAGE", tmp_path / "methods.md")
    monkeypatch.setattr(methods_page, "FIGURE", tmp_path / "methods.svg")
    monkeypatch.setattr(methods_page, "README", tmp_path / "README.md")
    (tmp_path / "README.md").write_text(f"# Own\n\n{methods_page.BEGIN}old{methods_page.END}\n\nRest.\n")
    new = {"date": "2026-11-29", "commit": "abc", "processor": "one", "minutes_per_million": 150.0}
    for seed, (micro, sac) in enumerate([(40.0, 39.0), (42.0, 38.0)]):
        recorded(f"hopper-micro-seed{seed}", micro, critic_estimate=12.0, **new)
        recorded(f"hopper-sac-seed{seed}", sac, **new)
    recorded("hopper-anchor-seed0", 30.0)
    records.record(long_runs.STUDY, "hopper-bc-seed0", {"curve": {48: 9.0}} | new)
    (tmp_path / "methods.md").write_text("# Old\n\n**Answer.** By hand.\n\nGone.\n\n## Remarks\n\n* Mine.\n")
    methods_page.main()
    page = " ".join((tmp_path / "methods.md").read_text().split())
    half, ends = 12.7062, "40.0, 42.0"  # t(0.975, 1), and the standard error of 40 and 42 is 1
    assert (
        f"| micro | 0, 1 | 41.0 ({41 - half:.1f} to {41 + half:.1f}) | {ends} | {ends} | | 50.0, 52.0 | 12, 12 |"
        in page
    )
    assert (
        f"| 39.0, 38.0 | 39.0, 38.0 | 2.5 ({2.5 - 1.5 * half:.1f} to {2.5 + 1.5 * half:.1f}), p 0.50 | 49.0, 48.0 |"
        in page
    )
    assert "| anchor | 0 | 30.0 | 30.0 | 30.0 | | 40.0 | | |" in page and "| bc | 0 |" not in page
    assert "earlier ensembles of their seeds: hopper: anchor (seed 0)." in page and "halfcheetah 40, hopper 20" in page
    assert "same logs, ensembles and loop? **Answer.** By hand. | |" in page and page.endswith("## Remarks * Mine.")
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith("# Own\n\n") and readme.endswith(f"{methods_page.END}\n\nRest.\n") and "old" not in readme
    assert "| **MICRO** |  |  |  | 41.0 (40.0 to 42.0; 2) |" in readme and "| the log: its mean | 73.6 |" in readme
    assert (
        "| method | seeds | published (NeoRL-2) |" in page
        and "| edac | none | 78.7 |" in page
        and "have 56.6 on average, its best has 72.7." in page
    )
    assert (
        "Not run, or not to epoch 50: hopper: mobile-matched, td3_bc, rambo (seeds 0, 1, 2), micro, sac (seed 2)"
        in page
    )
