"""What a run is going to be: which choice outranks which, and what is refused before anything begins."""

import json
from dataclasses import replace

import numpy as np
import pytest

from micro_rl import tasks, termination
from micro_rl.data import Dataset
from micro_rl.errors import UserError
from micro_rl.plan import make_plan, resolve
from tests.probes import tiny_dataset


def named(name: str) -> Dataset:
    return replace(tiny_dataset(), name=name)


def with_terminals() -> Dataset:
    log = tiny_dataset()
    return replace(log, terminals=log.timeouts, timeouts=np.zeros_like(log.timeouts))


def test_given_outranks_preset_outranks_default():
    settings, options = resolve("micro", "hopper-medium", {"patience": 3, "beta": 0.25})
    assert settings.patience == 3
    assert settings.rollout_starts == 50_000
    assert settings.model_batch == 256
    assert (options.beta, options.draws) == (0.25, 10)


def test_another_method_has_no_options_of_micro():
    with pytest.raises(UserError, match=r"^beta: no such setting"):
        resolve("sac", "generic", {"beta": 0.5})


@pytest.mark.parametrize(
    ("name", "guess"), [("rolout_length", "rollout_length"), ("betta", "beta"), ("actor_lr", "actor_rate")]
)
def test_an_unknown_setting_is_refused_with_a_guess(name: str, guess: str):
    with pytest.raises(UserError, match=f"^{name}: no such setting; did you mean {guess}\\?$"):
        resolve("micro", "generic", {name: 1})


def test_nothing_like_it_gives_no_guess():
    with pytest.raises(UserError, match=r"^zzzz: no such setting$"):
        resolve("micro", "generic", {"zzzz": 1})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"overrides": {"actor_rate": -1.0}}, "actor_rate"),
        ({"overrides": {"beta": 2.0}}, "beta"),
        ({"overrides": {"draws": -1}}, "draws"),
        ({"method": "mikro"}, "method"),
        ({"preset": "hoper"}, "preset"),
    ],
)
def test_mistakes_are_refused_when_planning(options, named: str):
    with pytest.raises(UserError, match=f"^{named}: "):
        make_plan(tiny_dataset(), **options)


def test_an_unknown_rule_is_refused_with_the_choices():
    with pytest.raises(UserError, match=r"unknown termination rule 'hoper' \(did you mean 'hopper'\?\)"):
        make_plan(tiny_dataset(), ends="hoper")


def test_terminals_without_a_rule_are_refused():
    sentence = r"tiny.npz: 10 rows end an episode and no rule says when model rows do; name one with --termination"
    with pytest.raises(UserError, match=f"^{sentence}"):
        make_plan(with_terminals())


def test_terminals_with_a_rule_are_not():
    assert make_plan(with_terminals(), ends="never").ends is termination.never

    def low(observation):
        return observation[..., 0] < -1

    plan = make_plan(with_terminals(), ends=low)
    assert plan.ends is low
    assert "low" in plan.config()["task"]["termination"]


def test_no_terminals_need_no_rule():
    assert make_plan(tiny_dataset()).ends is termination.never


def test_the_name_tells_task_rule_and_preset():
    plan = make_plan(named("hopper-medium-v2"))
    assert plan.task == tasks.find("hopper-medium-v2")
    assert plan.ends is termination.hopper
    assert plan.preset == "hopper-medium"
    assert make_plan(named("tiny")).preset == "generic"


def test_another_simulator_has_no_known_scores():
    own = make_plan(named("hopper-medium-v2"), env="Hopper-v4").task
    assert (own.score_min, own.score_max) == (-20.272305, 3234.3)
    other = make_plan(named("hopper-medium-v2"), env="Hopper-v5").task
    assert (other.env, other.score_min, other.score_max) == ("Hopper-v5", None, None)


def test_horizon_and_preset_can_be_given():
    plan = make_plan(named("mystery"), preset="walker2d-medium", horizon=77)
    assert plan.task.horizon == 77
    assert plan.settings.max_fit_epochs == 30


def test_the_configuration_is_complete_and_is_json():
    plan = make_plan(tiny_dataset(), overrides={"epochs": 3, "beta": 0.25})
    kept = json.loads(json.dumps(plan.config()))
    assert kept["settings"]["epochs"] == 3
    assert kept["options"] == {"beta": 0.25, "draws": 1}
    assert kept["log"]["sha256"] == plan.dataset.sha256
    assert {"jax", "jaxlib", "micro-rl"} <= set(kept["versions"])
    assert "--epochs 3" in kept["command"]
    assert "--beta 0.25" in kept["command"]
