"""Every value of the published presets and every option's default and bounds, written out here a second time."""

from typing import Any

import pytest

from micro_rl.algorithms import registry
from micro_rl.algorithms.presets import PRESETS
from micro_rl.core.setting import settings_in
from micro_rl.errors import UserError

ROBOTS = ("halfcheetah", "hopper", "walker2d")
TASKS = [f"{robot}-{level}" for robot in ROBOTS for level in ("medium", "medium-replay", "medium-expert", "random")]

# Of every task. What differs from task to task stands in test_presets.py.
WITH_A_MODEL: dict[str, Any] = {
    "epochs": 3000,
    "updates_per_epoch": 1000,
    "batch_size": 256,
    "discount": 0.99,
    "tau": 0.005,
    "actor_lr": 1e-4,
    "actor_schedule": "cosine",
    "critic_lr": 3e-4,
    "temperature_lr": 1e-4,
    "rollout_batch_size": 50_000,
    "rollouts_kept": 5,
    "eval_every": 10,
    "eval_episodes": 10,
    "checkpoint_every": 10,
    "model_lr": 1e-3,
    "model_lr_drops": 0,
    "standardise": False,
    "scale_reward": False,
    "standardise_targets": False,
    "keep_timeouts": False,
}
UNCLAMPED = {"min_target": None, "learn_temperature": True, "temperature": 1.0, "patience": 5, "max_fit_epochs": 1000}
WITHOUT: dict[str, Any] = {
    "epochs": 1000,
    "updates_per_epoch": 1000,
    "batch_size": 256,
    "discount": 0.99,
    "tau": 0.005,
    "num_critics": 2,
    "hidden_sizes": (256, 256),
    "actor_lr": 3e-4,
    "critic_lr": 3e-4,
    "standardise": False,
    "scale_reward": False,
    "keep_timeouts": False,
    "eval_every": 5,
    "eval_episodes": 10,
    "checkpoint_every": 10,
}
DEEP = {"hidden_sizes": (256, 256, 256)}
TD3 = {"policy_noise": 0.2, "noise_clip": 0.5, "policy_delay": 2}
SOFT = {"temperature_lr": 3e-4}
CONSTANT: dict[str, dict[str, Any]] = {
    "micro": WITH_A_MODEL | {"min_target": 0.0, "num_samples": 10},
    "mobile": WITH_A_MODEL | {"min_target": 0.0, "num_samples": 10, "patience": 5, "entropy_in_backup": False},
    "sac": WITH_A_MODEL | {"min_target": 0.0},
    "mopo": WITH_A_MODEL | UNCLAMPED | {"real_ratio": 0.05, "entropy_in_backup": True},
    "morel": WITH_A_MODEL | {"min_target": None},
    "combo": WITH_A_MODEL | UNCLAMPED | DEEP | {"epochs": 1000, "real_ratio": 0.5, "entropy_in_backup": False},
    "rambo": WITH_A_MODEL
    | UNCLAMPED
    | {
        "epochs": 2000,
        "actor_schedule": "constant",
        "temperature_lr": 1e-4,
        "rollout_every": 250,
        "rollouts_kept": 20,
        "standardise": True,
        "model_lr": 3e-4,
        "holdout_fraction": 0.1,
        "patience": 10,
        "logvar_weight": 0.001,
        "real_ratio": 0.5,
        "entropy_in_backup": True,
    },
    "td3_bc": WITHOUT | TD3 | {"standardise": True, "alpha": 2.5},
    "iql": WITHOUT | {"actor_schedule": "cosine", "scale_reward": True, "expectile": 0.7, "inverse_temperature": 3.0},
    "cql": WITHOUT
    | DEEP
    | {"actor_lr": 1e-4, "temperature_lr": 1e-4, "eval_every": 1, "cql_weight": 5.0, "drawn_actions": 10}
    | {"entropy_in_backup": False},
    "sac_n": WITHOUT | DEEP | SOFT | {"epochs": 3000},
    "edac": WITHOUT | DEEP | SOFT | {"epochs": 3000},
    "rebrac": WITHOUT | DEEP | TD3 | {"batch_size": 1024, "actor_lr": 1e-3, "critic_lr": 1e-3},
    "bc": {name: value for name, value in WITHOUT.items() if name not in ("tau", "num_critics", "critic_lr")}
    | {"epochs": 200, "eval_every": 1, "eval_episodes": 20},
}
CONSTANT["bc"].pop("scale_reward")
BY_TASK = {
    "micro": {"rollout_length", "real_ratio", "patience", "entropy_in_backup", "max_fit_epochs", "beta"},
    "mobile": {"rollout_length", "real_ratio", "max_fit_epochs", "penalty"},
    "sac": {"rollout_length", "real_ratio", "patience", "entropy_in_backup", "max_fit_epochs"},
    "mopo": {"rollout_length", "penalty"},
    "morel": {"rollout_length", "real_ratio", "patience", "entropy_in_backup", "max_fit_epochs"},
    "combo": {"rollout_length", "cql_weight"},
    "rambo": {"rollout_length", "adversarial_length", "adversarial_weight"},
    "sac_n": {"num_critics"},
    "edac": {"num_critics", "eta"},
    "rebrac": {"actor_weight", "critic_weight"},
}
HOTTER = {"temperature", "learn_temperature"}
"""Which MICRO's tasks, and MOBILE's, have otherwise on the hopper."""


@pytest.mark.parametrize("method", CONSTANT)
def test_what_a_method_has_alike_on_every_task(method: str):
    differs = BY_TASK.get(method, set()) | (HOTTER - CONSTANT[method].keys())
    for task in TASKS:
        values = {name: value for name, value in registry.values(method, task).items() if name not in differs}
        expected = {name: value for name, value in CONSTANT[method].items() if name not in differs}
        assert values == expected, task


def test_every_method_and_task_is_looked_at():
    assert set(CONSTANT) == set(registry.SHIPPED)
    assert set(PRESETS) == {*TASKS, "pendulum-demo", "generic", "cautious"}


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_random_logs_of_micro(robot: str):
    values = registry.values("micro", f"{robot}-random")
    own = {name: values[name] for name in ("rollout_length", "beta", "real_ratio", "patience", "temperature")}
    assert own == {"rollout_length": 5, "beta": 0.5, "real_ratio": 0.05, "patience": 5, "temperature": 1.0}
    assert not {"entropy_in_backup", "learn_temperature", "max_fit_epochs"} & values.keys()


@pytest.mark.parametrize(("task", "temperature"), [("hopper-medium", 0.1), ("hopper-medium-replay", 0.1)])
def test_a_temperature_that_stays(task: str, temperature: float):
    values = registry.values("micro", task)
    assert (values["temperature"], values["learn_temperature"]) == (temperature, False)


def test_the_demonstration_and_unknown_logs():
    for method in ("micro", "mobile", "morel"):
        fit = {"max_fit_epochs": 60, "patience": 20, "model_lr": 1e-3, "model_lr_drops": 0}
        assert registry.values(method, "pendulum-demo") == {"epochs": 15} | fit
        assert registry.values(method, "generic") == {}
        means = {"num_samples": 0} if method == "micro" else {}
        assert registry.values(method, "cautious") == {"support": "auto"} | means
    assert registry.values("bc", "pendulum-demo") == {"epochs": 15}


# Options: default, then the least or what it is above, then the most or what it is below

OPTIONS: dict[str, dict[str, tuple[Any, str]]] = {
    "micro": {
        "beta": (0.5, "from 0 to 1"),
        "num_samples": (1, "from 0"),
        "candidates": ("elites", "elites all l2 linf mahalanobis calibrated"),
        "gap": ("mean-min", "mean-min soft-min kth value-min"),
        "values": ("draws", "draws moments linear"),
        "predictions": ("anew", "anew stored"),
        "softness": (None, "above 0"),
        "k": (None, "from 1"),
        "radius": (None, "from 0"),
        "ball_steps": (None, "from 1"),
        "set_level": (None, "above 0 below 1"),
    },
    "mobile": {
        "penalty": (0.5, "from 0"),
        "num_samples": (10, "from 0"),
        "values": ("draws", "draws moments linear"),
        "predictions": ("anew", "anew stored"),
    },
    "sac": {},
    "mopo": {"penalty": (1.0, "from 0")},
    "rambo": {
        "adversarial_weight": (3e-4, "from 0"),
        "adversarial_steps": (1000, "from 0"),
        "adversarial_lr": (3e-4, "above 0"),
        "adversarial_batch_size": (256, "from 1"),
        "adversarial_length": (5, "from 1"),
        "model_decay": ((2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4), "from 0"),
        "clone_epochs": (50, "from 0"),
        "clone_lr": (1e-4, "above 0"),
    },
    "combo": {"cql_weight": (0.5, "from 0"), "drawn_actions": (10, "from 1")},
    "morel": {"threshold": (1.0, "above 0 or infinite"), "halt_penalty": (1.0, "from 0")},
    "td3_bc": {
        "policy_noise": (0.2, "from 0"),
        "noise_clip": (0.5, "from 0"),
        "policy_delay": (2, "from 1"),
        "alpha": (2.5, "from 0"),
    },
    "iql": {"expectile": (0.7, "above 0 below 1"), "inverse_temperature": (3.0, "from 0")},
    "cql": {"cql_weight": (5.0, "from 0"), "drawn_actions": (10, "from 1")},
    "edac": {"eta": (1.0, "from 0")},
    "sac_n": {},
    "rebrac": {
        "policy_noise": (0.2, "from 0"),
        "noise_clip": (0.5, "from 0"),
        "policy_delay": (2, "from 1"),
        "actor_weight": (0.01, "from 0"),
        "critic_weight": (0.01, "from 0"),
    },
    "bc": {},
}


def bounds(declared: Any, setting: Any) -> str:
    """In words, or the choices there are."""
    limits = {"from": setting.minimum, "above": setting.above, "to": setting.maximum, "below": setting.below}
    choices = [choice for choice in getattr(declared, "__args__", ()) if isinstance(choice, str)]
    words = choices or [f"{word} {limit}" for word, limit in limits.items() if limit is not None]
    return " ".join(words + ([] if setting.finite else ["or infinite"]))


@pytest.mark.parametrize("method", OPTIONS)
def test_the_defaults_and_bounds_of_options(method: str):
    kind = registry.find(method).Options
    declared = {name: (getattr(kind(), name), bounds(*entry)) for name, entry in settings_in(kind).items()}
    assert declared == OPTIONS[method]
    assert vars(kind()).keys() == declared.keys()


TRAINED_ON_A_LOG = {
    *("epochs", "updates_per_epoch", "batch_size", "hidden_sizes", "actor_lr", "actor_schedule", "discount", "seed"),
    *("history", "log_on", "standardise", "keep_timeouts", "eval_every", "eval_episodes", "scoring_model"),
    "checkpoint_every",
}
WITH_CRITICS = TRAINED_ON_A_LOG | {"num_critics", "critic_lr", "tau", "scale_reward"}
SOFT_CRITICS = WITH_CRITICS | {
    *("temperature", "temperature_lr", "learn_temperature", "target_entropy", "entropy_in_backup", "min_target")
}
USED = {"bc": TRAINED_ON_A_LOG, **dict.fromkeys(("td3_bc", "iql", "rebrac"), WITH_CRITICS)}
USED |= dict.fromkeys(("cql", "edac", "sac_n"), SOFT_CRITICS)


@pytest.mark.parametrize("method", USED)
def test_the_settings_that_a_method_without_a_model_takes(method: str):
    assert registry.accepted(method)[0] == USED[method]
    assert registry.for_a_model(method) == ("termination",)
    assert not registry.learns_model(method)


def test_a_method_with_a_model_takes_all_but_another_one_to_score_it():
    assert "scoring_model" not in registry.accepted("micro")[0]
    assert registry.accepted("micro")[0] > SOFT_CRITICS - {"scoring_model"}
    assert registry.for_a_model("micro") == () and registry.learns_model("micro")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("beta", "beta: no such setting"),
        ("rollout_length", "rollout_length: no such setting in bc"),
        ("epoch", "epoch: no such setting (did you mean 'epochs'?)"),
    ],
)
def test_a_setting_that_a_method_has_not(name: str, message: str):
    with pytest.raises(UserError) as refusal:
        registry.resolve("bc", "generic", {name: 1})
    assert str(refusal.value) == message
