"""`support auto` and the preset `cautious`: a narrow log is stayed near to, a broad one pays nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.data import Dataset
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.grid import trials, twins
from micro_rl.training.plan import make_plan
from micro_rl.training.runner import execute
from tests.probes import TINY, tiny_dataset, tiny_plan


def narrow(reward: float = 1.0) -> Dataset:
    """The tiny log, but with one controller's actions, and with rewards around this one."""
    log = tiny_dataset()
    noise = np.random.default_rng(1).normal(scale=0.01, size=log.actions.shape)
    actions = (0.3 * np.tanh(log.observations[:, :1]) + noise).astype(np.float32)
    return replace(log, actions=actions, rewards=log.rewards * 0.01 + np.float32(reward))


def test_a_broad_log_is_trained_on_as_without_it():
    plan, plain = tiny_plan(support="auto"), tiny_plan()
    assert plan.settings == plain.settings
    assert plan.notes[: len(plain.notes)] == plain.notes
    assert plan.notes[-1].startswith("support auto: ") and plan.notes[-1].endswith("is broad and support stays off")


def test_a_narrow_log_has_an_end_and_an_anchor():
    settings = tiny_plan(log=narrow(), support="auto").settings
    assert (settings.support, settings.bc_weight, settings.level) == ("halt", 2.0, 0.99)
    chosen = tiny_plan(log=narrow(), support="auto", bc_weight=0.4, support_level=0.95).settings
    assert (chosen.support, chosen.bc_weight, chosen.level) == ("halt", 0.4, 0.95)


def test_where_an_end_would_be_a_prize_the_rollout_ends_instead():
    plan = tiny_plan(log=narrow(-1.0), support="auto")
    assert (plan.settings.support, plan.settings.bc_weight) == ("truncate", 2.0)
    assert any("so the log is narrow: support truncate, bc_weight 2" in note for note in plan.notes)


def test_the_cautious_preset_asks_for_it_where_a_model_is_learned():
    assert make_plan(narrow(), "micro", preset="cautious").settings.support == "halt"
    assert make_plan(tiny_dataset(), "mobile", preset="cautious").settings.support == "off"
    with pytest.raises(UserError, match="preset: cautious does nothing for bc, which learns no model; leave it out"):
        make_plan(narrow(), "bc", preset="cautious")


def test_a_level_is_left_behind_with_the_support():
    plan = tiny_plan(support="auto", support_level=0.9)
    assert plan.settings.support_level is None
    assert plan.notes[-1].endswith("support stays off, and support_level 0.9 with it")
    with pytest.raises(UserError, match=r"support_level: 0\.9 does nothing without support"):
        tiny_plan(support_level=0.9)


def test_a_sweep_says_which_of_its_combinations_come_to_the_same_runs():
    grid = {"support": ["auto", "off", "halt"]}
    assert twins(trials(tiny_plan(), 2, grid)) == [
        "support=auto and support=off come to the same run on this log, and each is made; leave one out"
    ]
    assert twins(trials(tiny_plan(log=narrow()), 2, grid)) == []


def test_a_run_records_what_was_chosen_and_goes_on(tmp_path: Path):
    log = narrow()
    few: dict[str, Any] = TINY | {"max_fit_epochs": 1}
    plan = make_plan(log, "micro", preset="cautious", **few)
    execute(plan, tmp_path / "run", until=1)
    config = RunFolder.open(tmp_path / "run").config()
    assert (config["settings"]["support"], config["settings"]["bc_weight"]) == ("halt", 2.0)
    again = make_plan(log, "micro", preset="cautious", **few)
    assert execute(again, tmp_path / "run", resume=True).metrics[-1]["epoch"] == 2
