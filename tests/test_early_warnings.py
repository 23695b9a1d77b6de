"""Warnings while there is time, and what is not installed told before any work."""

import sys
from pathlib import Path

import pytest

from micro_rl.cli import main as cli
from micro_rl.training.early_warnings import EarlyWarnings
from tests.tiny_runs import options, write_log


def warned(rows: list[dict[str, float]], rewards: tuple[float, float] = (-1.0, 2.0)) -> list[str]:
    """All that is said of these rows: rewards of -1 to 2 at discount 0.9 allow values of -10 to 20."""
    watch = EarlyWarnings(rewards, 0.9, 1.0)
    return [text for number, row in enumerate(rows, start=1) for text in watch.after({"epoch": number, **row})]


def test_a_value_past_what_the_rewards_allow_is_told_once():
    rows = [{"q/model": value} for value in (19.0, 22.0, 24.0, 30.0)]  # the limit is 20 and a tenth of 30
    [text] = warned(rows)
    assert text.startswith("epoch 3: Q on model rows 24.0 is outside −10.0 to 20.0, what the log's rewards allow")


def test_the_entropys_bonus_counts():
    assert not warned([{"q/model": 24.0, "temperature": 0.5, "entropy": 1.0}])  # 20 + 0.5 / 0.1 = 25


def test_pessimism_may_go_below_and_not_far_below():
    assert not warned([{"q/real": -24.0}])  # half of 30 below -10
    [text] = warned([{"q/real": -26.0}])
    assert "its pessimism outweighs the rewards" in text


def test_a_penalty_that_grows_is_told_and_one_that_wavers_is_not():
    growing = [{"conservative_term": 0.1 * 1.1**epoch} for epoch in range(20)]
    [text] = warned(growing)
    assert text.startswith("epoch 11: conservative term f grew from 0.100 to 0.259 in 10 epochs")
    assert not warned([{"conservative_term": 0.1 + 0.05 * (epoch % 2)} for epoch in range(40)])


def test_an_estimate_that_falls_names_the_epoch_of_its_best():
    rising = [{"model_estimate/return": float(min(epoch, 20))} for epoch in range(1, 21)]
    falling = [{"model_estimate/return": 20.0 - 2 * epoch} for epoch in range(1, 21)]
    [text] = warned(rising + falling)
    assert "has fallen since epoch 21" in text or "has fallen since epoch 20" in text or "since epoch 22" in text
    assert not warned([{"model_estimate/return": float(epoch % 3)} for epoch in range(60)])


def test_a_run_goes_on_without_repeating_itself():
    watch = EarlyWarnings((-1.0, 2.0), 0.9, 1.0)
    watch.resume([{"epoch": 1, "q/model": 99.0}])
    assert watch.after({"epoch": 2, "q/model": 100.0}) == []


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_weights_and_biases_is_missed_before_any_work(verb: str, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    log = write_log(tmp_path / "swing.hdf5")
    assert cli.run([verb, str(log), *options(), "--wandb", "offline", "--out", str(tmp_path / "run")]) == 2
    assert "--wandb needs wandb, which is not installed: pip install 'micro-rl[wandb]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("target", "module"), [("a.parquet", "pyarrow"), ("a.csv", "pyarrow"), ("set", "minari")])
def test_what_a_format_needs_is_missed_before_the_log_is_read(target, module, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    words = ["data", "convert", str(tmp_path / "absent.hdf5"), str(tmp_path / target)]
    assert cli.run([*words, *(["--to", "minari"] if target == "set" else [])]) == 2
    assert f"needs {module}, which is not installed" in capsys.readouterr().err
