"""What a run is going to be: which choice outranks which, and what is refused before anything begins."""

import json
import shlex
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from micro_rl.algorithms.registry import resolve
from micro_rl.cli import main as cli
from micro_rl.core import tasks
from micro_rl.core.expression import parse
from micro_rl.data import Dataset, ReadOptions, load
from micro_rl.dynamics import termination_rules
from micro_rl.dynamics.termination import EndByHead, EndByRule
from micro_rl.errors import UserError
from micro_rl.storage.config_diff import require_same_config
from micro_rl.training.log_reading import read_log
from micro_rl.training.plan import make_plan
from micro_rl.training.plan_record import default_config, plan_to_command, plan_to_config
from tests.data.logs import columns, write_csv, write_hdf5
from tests.probes import tiny_dataset
from tests.tiny_runs import write_log


def named(name: str) -> Dataset:
    return replace(tiny_dataset(), name=name)


def with_terminals() -> Dataset:
    log = tiny_dataset()
    return replace(log, terminals=log.timeouts, timeouts=np.zeros_like(log.timeouts))


def test_given_outranks_preset_outranks_default():
    settings, options = resolve("micro", "hopper-medium", {"patience": 3, "beta": 0.25})
    assert settings.patience == 3
    assert settings.rollout_batch_size == 50_000
    assert settings.model_batch_size == 256
    assert (options.beta, options.num_samples) == (0.25, 10)


def test_another_method_has_no_options_of_micro():
    with pytest.raises(UserError, match=r"^beta: no such setting"):
        resolve("sac", "generic", {"beta": 0.5})


@pytest.mark.parametrize(
    ("name", "guess"), [("rolout_length", "rollout_length"), ("betta", "beta"), ("actor_lrr", "actor_lr")]
)
def test_an_unknown_setting_is_refused_with_a_guess(name: str, guess: str):
    with pytest.raises(UserError, match=f"^{name}: no such setting \\(did you mean '{guess}'\\?\\)$"):
        resolve("micro", "generic", {name: 1})


def test_nothing_like_it_gives_no_guess():
    with pytest.raises(UserError, match=r"^zzzz: no such setting$"):
        resolve("micro", "generic", {"zzzz": 1})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"actor_lr": -1.0}, "actor_lr"),
        ({"beta": 2.0}, "beta"),
        ({"num_samples": -1}, "num_samples"),
        ({"method": "mikro"}, "method"),
        ({"preset": "hoper"}, "preset"),
    ],
)
def test_mistakes_are_refused_when_planning(options, named: str):
    with pytest.raises(UserError, match=f"^{named}: "):
        make_plan(tiny_dataset(), **options)


def test_an_unknown_rule_is_refused_with_the_choices():
    with pytest.raises(UserError, match=r"unknown termination rule 'hoper' \(did you mean 'hopper'\?\)"):
        make_plan(tiny_dataset(), termination="hoper")


def test_terminals_without_a_rule_are_learned_from():
    plan = make_plan(with_terminals())
    assert plan.ends == EndByHead()
    assert plan_to_config(plan)["task"]["termination"] == "learned"


def test_terminals_that_nothing_can_be_learned_from_are_refused():
    log = with_terminals()
    sentence = (
        "tiny.npz: 10 rows end an episode, but without their next observations, .* name a rule with --termination"
    )
    with pytest.raises(UserError, match=f"^{sentence}"):
        make_plan(replace(log, usable=~log.terminals))


def test_a_head_can_be_asked_for_where_a_rule_is_known():
    plan = make_plan(replace(with_terminals(), name="hopper-medium-v2"), termination="learned")
    assert plan.ends == EndByHead()
    assert "--termination learned" in plan_to_command(plan)


def test_terminals_with_a_rule_are_not():
    assert make_plan(with_terminals(), termination="never").ends == EndByRule("never", termination_rules.never)

    def low(observation):
        return observation[..., 0] < -1

    plan = make_plan(with_terminals(), termination=low)
    assert isinstance(plan.ends, EndByRule) and plan.ends.rule is low
    assert "low" in plan_to_config(plan)["task"]["termination"]


def test_no_terminals_need_no_rule():
    assert make_plan(tiny_dataset()).ends == EndByRule(None, termination_rules.never)


def test_the_name_tells_task_rule_and_preset():
    plan = make_plan(named("hopper-medium-v2"))
    assert plan.task == tasks.find("hopper-medium-v2")
    assert plan.ends == EndByRule("hopper", termination_rules.hopper)
    assert plan.preset == "hopper-medium"
    assert make_plan(named("tiny")).preset == "generic"


def test_another_simulator_has_no_known_scores():
    own = make_plan(named("hopper-medium-v2"), env="Hopper-v4").task
    assert (own.score_min, own.score_max) == (-20.272305, 3234.3)
    other = make_plan(named("hopper-medium-v2"), env="Hopper-v5").task
    assert (other.env, other.score_min, other.score_max) == ("Hopper-v5", None, None)


def test_another_time_limit_has_no_known_scores():
    assert make_plan(named("hopper-medium-v2"), horizon=1000).task.score_max == 3234.3
    other = make_plan(named("hopper-medium-v2"), horizon=20).task
    assert (other.horizon, other.score_min, other.score_max) == (20, None, None)


def test_horizon_and_preset_can_be_given():
    plan = make_plan(named("mystery"), preset="walker2d-medium", horizon=77)
    assert plan.task.horizon == 77
    assert plan.settings.max_fit_epochs == 30


def test_the_configuration_is_complete_and_is_json():
    plan = make_plan(tiny_dataset(), epochs=3, beta=0.25)
    config = json.loads(json.dumps(plan_to_config(plan)))
    assert config["settings"]["epochs"] == 3
    assert config["options"] == asdict(plan.options) and config["options"]["beta"] == 0.25
    assert config["log"]["sha256"] == plan.dataset.sha256
    assert {"jax", "jaxlib", "micro-rl"} <= set(config["versions"])
    assert "--epochs 3" in config["command"]
    assert "--beta 0.25" in config["command"]


# The command that trains a plan anew


def test_an_embedded_log_is_named_and_its_own_bounds_are_not():
    command = plan_to_command(make_plan("pendulum-demo"))
    assert command == "micro-rl train pendulum-demo --method micro --preset pendulum-demo"


def test_bounds_that_were_given_are_in_the_command(tmp_path):
    log = write_log(tmp_path / "swing.hdf5")
    assert "--action-bounds" not in plan_to_command(make_plan(log))
    reading = ReadOptions(action_bounds=(-3.0, 3.0))
    assert plan_to_command(make_plan(log, reading=reading)).endswith("--action-bounds -3.0 3.0")
    dataset = load(log, action_low=-3, action_high=3)
    assert plan_to_command(make_plan(dataset)).endswith("--action-bounds -3.0 3.0")


def test_a_log_that_is_loaded_takes_no_bounds():
    with pytest.raises(UserError, match=r"say to micro_rl\.load how"):
        make_plan(tiny_dataset(), reading=ReadOptions(action_bounds=(-1.0, 1.0)))


def test_what_cannot_be_typed_has_no_command():
    log, low = tiny_dataset(), -np.arange(1, 3, dtype=np.float32)
    own = replace(log, actions=np.zeros((len(log), 2), np.float32), action_low=low, action_high=-low)
    assert plan_to_command(make_plan(own)) == ""
    assert plan_to_command(replace(make_plan(own), bounds_recorded=True)) != ""
    assert plan_to_command(make_plan(log, termination=lambda observation: observation[..., 0] < -1)) == ""


# Episodes


def unmarked(folder: Path, name: str) -> Path:
    """400 rows without timeouts."""
    rows = np.random.default_rng(0).uniform(-1, 1, (401, 3)).astype(np.float32)
    arrays = {"observations": rows[:-1], "actions": rows[:-1, :1], "rewards": rows[:-1, 0]}
    arrays |= {"terminals": np.zeros(400, bool), "next_observations": rows[1:]}
    return write_hdf5(folder / f"{name}.hdf5", arrays)


def test_episodes_are_cut_at_the_limit_that_the_name_tells(tmp_path):
    assert len(read_log(unmarked(tmp_path, "pendulum-demo"), ReadOptions()).starts) == 2
    assert len(make_plan(unmarked(tmp_path, "pendulum-demo")).dataset.starts) == 2


def test_a_limit_that_is_given_outranks_the_names(tmp_path):
    assert len(read_log(unmarked(tmp_path, "pendulum-demo"), ReadOptions(horizon=100)).starts) == 4
    with pytest.raises(UserError, match="horizon"):
        read_log(unmarked(tmp_path, "pendulum-demo"), ReadOptions(horizon=0))


def test_no_known_limit_is_refused(tmp_path):
    with pytest.raises(UserError, match="no timeouts in the file"):
        make_plan(unmarked(tmp_path, "mystery"))


def test_a_condition_outranks_what_the_log_states_and_that_outranks_its_name():
    stated = parse("o2 > 1", ["o0", "o1", "o2"])
    log = replace(with_terminals(), name="hopper-medium-v2", termination=stated)
    plan = make_plan(log)
    assert plan.ends == EndByRule("o2 > 1", termination_rules.Formula(stated, ("o0", "o1", "o2")))
    assert plan_to_config(plan)["task"]["termination"] == "o2 > 1"
    given = make_plan(log, termination="o0 > 5")
    assert plan_to_config(given)["task"]["termination"] == "o0 > 5"
    assert plan_to_command(given).endswith("--termination 'o0 > 5'")


def test_how_a_table_is_read_is_part_of_the_plan(tmp_path):
    path = write_csv(tmp_path / "log", columns())
    path.with_suffix(".toml").unlink()
    reading = ReadOptions(observations=("o*",), actions=("a0",), reward="-abs(o0)", episode="end", timeout="cut")
    plan = make_plan(path, reading=reading)
    assert plan.dataset.reading == reading
    words = shlex.split(plan_to_command(plan))
    assert [words[words.index("--observations") + 1], "--reward=-abs(o0)" in words] == ["o*", True]
    config = json.loads(json.dumps(plan_to_config(plan)))
    assert config["log"]["reading"]["reward"] == "-abs(o0)"
    require_same_config(config, plan_to_config(plan), default_config(plan), tmp_path)
    other = make_plan(path, reading=replace(reading, reward="r"))
    with pytest.raises(UserError, match=r"another log \(reading: "):
        require_same_config(config, plan_to_config(other), default_config(other), tmp_path)


def test_the_command_of_a_plan_is_understood_again(tmp_path, capsys):
    path = write_csv(tmp_path / "log", columns())
    path.with_suffix(".toml").unlink()
    flags = ["--observations", "o0", "o1", "--actions", "a0", "--reward", "-abs(o0)", "--episode", "end"]
    assert cli.run(["data", "check", str(path), *flags]) == 0
    assert "2 observations, 1 action" in capsys.readouterr().out
