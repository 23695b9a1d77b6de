"""What a run was begun with against another plan: the difference is named, and what changes no bit is let be."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from micro_rl.data.read_options import ReadOptions
from micro_rl.errors import UserError
from micro_rl.storage.config_diff import differences, require_same_config
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.plan_record import default_config, plan_to_config
from tests.data.logs import columns, write_csv
from tests.tiny_runs import write_log


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_log(tmp_path_factory.mktemp("log") / "swing.hdf5")


def against(kept: Plan, now: Plan) -> list[tuple[str, str]]:
    return differences(json.loads(json.dumps(plan_to_config(kept))), plan_to_config(now), default_config(now))


def test_the_same_plan_after_a_trip_through_json(log: Path):
    assert against(make_plan(log), make_plan(log)) == []


def test_bounds_and_settings_are_part_of_what_a_run_was_begun_with(log: Path):
    plan = make_plan(
        log,
        reading=ReadOptions(action_bounds=(-3.0, 3.0)),
        discount=0.5,
        hidden_sizes=(8,),
        beta=0.1,
    )
    assert against(make_plan(log), plan) == [
        ("log", "action_low: [-2.0], now [-3.0]"),
        ("log", "action_high: [2.0], now [3.0]"),
        ("options", "beta: 0.5, now 0.1"),
        ("settings", "discount: 0.99, now 0.5"),
        ("settings", "hidden_sizes: [256, 256], now [8]"),
    ]
    with pytest.raises(UserError, match=r"another log \(action_low: \[-2.0\], now \[-3.0\].*--branch"):
        require_same_config(plan_to_config(make_plan(log)), plan_to_config(plan), default_config(plan), Path("run"))


def test_another_method_is_named(log: Path):
    assert ("method", "micro, now sac") in against(make_plan(log), make_plan(log, "sac"))


def test_a_log_elsewhere_and_another_rhythm_of_saves_are_no_difference(log: Path, tmp_path: Path):
    copy = tmp_path / "elsewhere.hdf5"
    copy.write_bytes(log.read_bytes())
    often = {"checkpoint_every": 1, "fit_checkpoint_seconds": 1.0}
    assert against(make_plan(log), make_plan(copy, **often)) == []


def test_a_setting_from_before_it_was_one_had_its_default(log: Path):
    plan = make_plan(log, discount=0.5)
    config = plan_to_config(make_plan(log))
    del config["settings"]["discount"]
    assert differences(config, plan_to_config(plan), default_config(plan)) == [("settings", "discount: 0.99, now 0.5")]
    assert differences(config, plan_to_config(make_plan(log)), default_config(plan)) == []


def test_another_reading_of_the_file_is_another_log_also_where_nothing_was_said_before(tmp_path: Path):
    path = write_csv(tmp_path / "log", columns())
    plan, config = make_plan(path), plan_to_config(make_plan(path))
    del config["log"]["reading"]  # as older versions wrote it
    assert differences(config, plan_to_config(plan), default_config(plan)) == []
    for reading in (ReadOptions(reward="2 * r"), ReadOptions(exogenous=("o1",))):
        other = make_plan(path, reading=reading)
        [(part, text)] = against(plan, other)
        assert (part, text.partition(", now ")[0]) == ("log", "reading: {}")
        assert differences(config, plan_to_config(other), default_config(other)) == [(part, text)]
        assert [part for part, _ in against(other, plan)] == ["log"]


def test_a_flag_that_repeats_the_toml_is_no_other_reading(tmp_path: Path):
    path = write_csv(tmp_path / "log", columns(), reward="2 * r", exogenous=["o1"])
    plan = make_plan(path)
    same = make_plan(path, reading=ReadOptions(reward="2 * r", exogenous=("o1",)))
    other = make_plan(path, reading=ReadOptions(reward="3 * r"))
    assert against(plan, same) == against(same, plan) == against(same, same) == []
    for saved in (plan, same):
        assert [part for part, _ in against(saved, other)] == ["log"]
        assert [part for part, _ in against(other, saved)] == ["log"]


def test_a_run_with_its_own_time_limit_goes_on_that_was_begun_when_such_had_scores(tmp_path: Path):
    plan = make_plan(write_log(tmp_path / "hopper-medium-v2.hdf5"), horizon=5, env="Pendulum-v1")
    plan = replace(plan, task=replace(plan.task, env="Hopper-v4", score_min=None, score_max=None))
    scored = replace(plan, task=replace(plan.task, score_min=-20.0, score_max=3234.3))
    assert against(scored, plan) == []
    assert against(plan, scored) == [("task", "score_min: None, now -20.0"), ("task", "score_max: None, now 3234.3")]
    wider = replace(scored, task=replace(scored.task, score_max=4000.0))
    assert against(scored, wider) == [("task", "score_max: 3234.3, now 4000.0")]
