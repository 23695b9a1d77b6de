"""Warnings while there is time, and what is not installed told before any work."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from micro_rl.cli import main as cli
from micro_rl.training.early_warnings import EarlyWarnings
from tests.probes import tiny_dataset, tiny_plan
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


def test_q_may_be_on_its_way_from_0():
    """A reward of 1 at discount 0.99 is worth 100; n updates at tau 0.005 leave exp(-0.00005 n / 4) of it missing."""
    watch = EarlyWarnings((1.0, 1.0), 0.99, 1.0, tau=0.005)
    assert not watch.after({"epoch": 1, "updates": 1_000, "q/real": 1.0})
    assert not watch.after({"epoch": 2, "updates": 100_000, "q/real": 22.0})  # 100 - 28.7, less half of 100, is 21.3
    [text] = watch.after({"epoch": 3, "updates": 100_000, "q/real": 21.0})
    assert text.startswith("epoch 3: Q on log rows 21.0 is outside 100.0 to 100.0, what the log's rewards allow")
    assert not watch.after({"epoch": 4, "updates": 10**7, "q/real": 109.0})
    [text] = watch.after({"epoch": 5, "updates": 10**7, "q/real": 111.0})
    assert "its critics believe in what no row has shown" in text


def test_costs_alone_and_no_reward_at_all_have_a_way_and_a_span_too():
    watch = EarlyWarnings((-2.0, -1.0), 0.9, 1.0, tau=0.005)  # -20 to -10, with a span of 20
    assert not watch.after({"epoch": 1, "updates": 1_000, "q/model": -0.1})
    assert watch.after({"epoch": 2, "updates": 10**6, "q/model": -7.9})  # at the end -10 and a tenth of 20
    watch = EarlyWarnings((0.0, 0.0), 0.9, 1.0, tau=0.005)
    assert not watch.after({"epoch": 1, "updates": 1_000, "q/model": 0.9})
    assert watch.after({"epoch": 2, "updates": 2_000, "q/model": 1.1})


def test_nothing_bounds_a_value_without_discount():
    watch = EarlyWarnings((-1.0, 2.0), 1.0, 1.0)
    assert not watch.after({"epoch": 1, "updates": 1_000, "q/real": 1e6})


def test_an_entropy_below_0_costs():
    watch = EarlyWarnings((1.0, 1.0), 0.9, 1.0, tau=1.0)  # 10, less 2 x 3 / 0.1: -50 to 10, with half of 60 below
    row = {"updates": 10**6, "temperature": 2.0, "entropy": -3.0}
    assert not watch.after({"epoch": 1, "q/model": -79.0, **row})
    assert watch.after({"epoch": 2, "q/model": -81.0, **row})


def test_a_penalty_that_gains_on_q_is_told():
    """One per cent of Q for ten epochs, then four: in means of five, 1, 1.6, 2.2, 2.8 and at epoch 14 3.4 per cent."""
    [text] = warned([{"conservative_term": 0.1 if epoch < 10 else 0.4, "q/model": 10.0} for epoch in range(20)])
    assert text.startswith("epoch 14: conservative term f is 3.4 % of Q on model rows, and was 1 % about epoch 5")


def test_a_penalty_that_grows_with_q_or_wavers_is_none():
    assert not warned([{"conservative_term": 0.01 * 1.1**epoch, "q/model": 1.1**epoch} for epoch in range(30)])
    assert not warned([{"conservative_term": 0.1 + 0.05 * (epoch % 2), "q/model": 9.0} for epoch in range(40)])
    assert not warned([{"conservative_term": 0.1, "q/model": 0.0} for _ in range(20)])


def test_q_may_pass_through_0():
    """Its size then counts as two fifths of the greatest, so the same f has two and a half times its share."""
    assert not warned([{"conservative_term": 0.1, "q/model": 10.0 - step} for step in range(21)])


def test_an_estimate_that_falls_names_the_epoch_of_its_best():
    """Up to 20 at epoch 20, then down by 2 an epoch: the best eight end at epoch 22."""
    rising = [{"model_estimate/return": float(min(epoch, 20))} for epoch in range(1, 21)]
    falling = [{"model_estimate/return": 20.0 - 2 * epoch} for epoch in range(1, 21)]
    [text] = warned(rising + falling)
    assert text.startswith("epoch 32: return (model's own estimate) has fallen since epoch 22, from 17.4 to ")
    assert not warned([{"model_estimate/return": float(epoch % 3)} for epoch in range(60)])


def test_noise_about_a_level_is_no_fall():
    """Deviations of a tenth of the level, as of ten episodes in a simulator: few such runs have an alarm."""
    random = np.random.default_rng(0)
    runs = [[{"eval/return": value} for value in -150 + 15 * random.normal(size=60)] for _ in range(50)]
    assert sum(bool(warned(rows)) for rows in runs) <= 2


def test_a_fall_of_less_than_a_tenth_is_none_nor_is_that_of_critics_that_learn_what_rewards_cost():
    level = [{"model_estimate/return": -200.0} for _ in range(20)]
    assert not warned(level + [{"model_estimate/return": -219.0} for _ in range(40)])
    assert warned(level + [{"model_estimate/return": -221.0} for _ in range(40)])
    assert not warned([{"critic_estimate/discounted_return": -float(epoch)} for epoch in range(40)])


def test_a_code_among_the_rewards_bounds_nothing():
    log = tiny_dataset()
    rewards, usable = log.rewards.copy(), log.usable.copy()
    rewards[5], usable[5] = -9999, False
    watch = EarlyWarnings.of(tiny_plan(log=replace(log, rewards=rewards, usable=usable)), 1.0)
    [text] = watch.after({"epoch": 1, "q/model": -9000.0})
    assert "its pessimism outweighs the rewards" in text


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
