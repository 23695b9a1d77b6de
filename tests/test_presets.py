"""The presets against the published table, written out here a second time."""

import pytest

from micro_rl.algorithms import presets, registry
from micro_rl.algorithms.registry import resolve
from micro_rl.core.settings import Settings, check
from micro_rl.errors import UserError

# task: rollout length, beta, real ratio, temperature (None: learned), entropy in the backup, patience
TABLE = {
    "halfcheetah-medium": (5, 0.5, 0.05, None, True, 5),
    "halfcheetah-medium-replay": (5, 0.5, 0.05, None, True, 5),
    "halfcheetah-medium-expert": (5, 0.5, 0.5, None, False, 30),
    "hopper-medium": (5, 1.0, 0.05, 0.1, True, 10),
    "hopper-medium-replay": (5, 0.1, 0.5, 0.1, True, 5),
    "hopper-medium-expert": (10, 1.0, 0.05, None, False, 30),
    "walker2d-medium": (5, 0.5, 0.05, None, True, 30),
    "walker2d-medium-replay": (1, 0.2, 0.5, None, True, 5),
    "walker2d-medium-expert": (1, 1.0, 0.05, None, True, 5),
}
COMMON = {
    "ensemble_size": 7,
    "num_elites": 5,
    "model_hidden_sizes": (200, 200, 200, 200),
    "model_lr": 1e-3,
    "model_batch_size": 256,
    "weight_decay": (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4),
    "logvar_weight": 0.01,
    "holdout_fraction": 0.2,
    "holdout_rows": 1000,
    "standardise": False,
    "scale_reward": False,
    "standardise_targets": False,
    "keep_timeouts": False,
    "epochs": 3000,
    "updates_per_epoch": 1000,
    "batch_size": 256,
    "discount": 0.99,
    "tau": 0.005,
    "actor_lr": 1e-4,
    "actor_schedule": "cosine",
    "critic_lr": 3e-4,
    "target_entropy": None,
    "min_target": 0.0,
    "num_critics": 2,
    "hidden_sizes": (256, 256),
    "rollout_batch_size": 50_000,
    "rollout_every": None,
    "rollouts_kept": 5,
    "eval_every": 10,
    "eval_episodes": 10,
}


@pytest.mark.parametrize("task", TABLE)
def test_published_settings(task: str):
    settings, options = resolve("micro", task, {})
    length, beta, real_ratio, temperature, entropy, patience = TABLE[task]
    assert (settings.rollout_length, settings.real_ratio, settings.patience) == (length, real_ratio, patience)
    assert (options.beta, options.num_samples) == (beta, 10)
    assert settings.entropy_in_backup is entropy
    assert settings.learn_temperature is (temperature is None)
    assert settings.temperature == (temperature or 1.0)
    assert not settings.learn_temperature or settings.temperature_lr == 1e-4
    assert settings.max_fit_epochs == (30 if task == "walker2d-medium" else Settings.max_fit_epochs)
    assert {name: getattr(settings, name) for name in COMMON} == COMMON


def test_rows_from_the_log_as_the_authors_count_them():
    assert resolve("micro", "hopper-medium", {})[0].sizes().real_rows == 12
    assert resolve("micro", "hopper-medium-replay", {})[0].sizes().real_rows == 128


def test_defaults_for_an_unknown_log():
    settings, options = resolve("micro", "generic", {})
    assert settings == Settings()
    assert (options.beta, options.num_samples) == (0.5, 1)
    expected = {
        "discount": 0.99,
        "rollout_length": 5,
        "real_ratio": 0.5,
        "learn_temperature": True,
        "entropy_in_backup": True,
        "actor_lr": 3e-4,
        "critic_lr": 3e-4,
        "temperature_lr": 3e-4,
        "actor_schedule": "constant",
        "rollout_batch_size": 5000,
        "patience": 5,
        "model_lr": 3e-3,
        "model_lr_drops": 2,
        "min_target": None,
        "standardise": True,
        "scale_reward": True,
        "standardise_targets": True,
    }
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_preset_can_be_used_and_names_its_source(name: str):
    check(resolve("micro", name, {})[0])
    resolve("sac", name, {})


@pytest.mark.parametrize(
    ("log", "preset"),
    [
        ("hopper-medium-v2", "hopper-medium"),
        ("hopper_medium_replay-v2", "hopper-medium-replay"),
        ("walker2d-medium-expert", "walker2d-medium-expert"),
        ("pendulum-demo", "pendulum-demo"),
        ("hopperish-medium-v2", "generic"),
        ("antmaze-umaze-v0", "generic"),
        ("ant-medium-v2", "generic"),
        ("my-hopper-medium", "generic"),
    ],
)
def test_a_logs_whole_name_chooses(log: str, preset: str):
    assert presets.name_for(log) == preset


def test_an_unknown_preset_is_refused_with_a_guess():
    with pytest.raises(UserError, match=r"no 'hoper-medium' \(did you mean 'hopper-medium'\?\); choose one of"):
        presets.find("hoper-medium")


# Neighbours with a model: robots by level (medium, medium-replay, medium-expert), as published; then random

NEIGHBOURS = {
    ("mobile", "penalty"): [0.5, 0.1, 1.0, 1.5, 0.1, 1.5, 0.5, 0.5, 1.5, 0.5, 5.0, 2.0],
    ("mobile", "rollout_length"): [5, 5, 5, 5, 5, 5, 5, 1, 1, 5, 5, 5],
    ("mobile", "num_samples"): [10] * 12,
    ("mobile", "real_ratio"): [0.05, 0.05, 0.5] + [0.05] * 9,
    ("mobile", "entropy_in_backup"): [False] * 12,
    ("mobile", "min_target"): [0.0] * 12,
    ("mobile", "temperature"): [1.0] * 3 + [0.2, 0.2] + [1.0] * 7,
    ("mobile", "learn_temperature"): [True] * 3 + [False, False] + [True] * 7,
    ("mopo", "penalty"): [0.5, 0.5, 2.5, 5.0, 2.5, 5.0, 0.5, 2.5, 2.5, 0.5, 5.0, 0.5],
    ("mopo", "rollout_length"): [5, 5, 5, 5, 5, 5, 5, 1, 1, 5, 5, 5],
    ("mopo", "real_ratio"): [0.05] * 12,
    ("combo", "cql_weight"): [0.5, 0.5, 5.0, 5.0, 0.5, 5.0, 5.0, 0.5, 5.0, 0.5, 5.0, 5.0],
    ("combo", "rollout_length"): [5, 5, 5, 5, 5, 5, 1, 1, 1, 5, 5, 1],
    ("combo", "real_ratio"): [0.5] * 12,
    ("combo", "entropy_in_backup"): [False] * 12,
    ("rambo", "adversarial_weight"): [3e-4, 3e-4, 0, 3e-4, 3e-4, 0, 0, 0, 3e-4, 3e-4, 3e-4, 0],
    ("rambo", "rollout_length"): [5] * 8 + [2] + [5] * 3,
    ("rambo", "adversarial_length"): [5] * 8 + [2] + [5] * 3,
    ("rambo", "rollout_every"): [250] * 12,
    ("rambo", "real_ratio"): [0.5] * 12,
    ("rambo", "standardise"): [True] * 12,
} | {(method, "min_target"): [None] * 12 for method in ("mopo", "combo", "rambo", "morel")}


@pytest.mark.parametrize(("method", "name"), NEIGHBOURS)
def test_published_values_of_the_neighbours(method: str, name: str):
    robots, levels = ("halfcheetah", "hopper", "walker2d"), ("medium", "medium-replay", "medium-expert")
    tasks = [f"{robot}-{level}" for robot in robots for level in levels] + [f"{robot}-random" for robot in robots]
    values = [registry.values(method, task).get(name, getattr(Settings, name, None)) for task in tasks]
    assert values == NEIGHBOURS[method, name]


@pytest.mark.parametrize("method", ["mopo", "combo", "rambo"])
def test_what_micros_task_has_its_own_way_is_not_its_neighbours(method: str):
    settings, _ = resolve(method, "walker2d-medium", {})
    assert settings.max_fit_epochs == 1000
    settings, _ = resolve(method, "hopper-medium", {})
    assert settings.learn_temperature and settings.temperature == 1.0


# Methods without a model: robots by level (medium, medium-replay, medium-expert, random), as published

WITHOUT_A_MODEL = {
    ("edac", "num_critics"): [10] * 4 + [50] * 4 + [10] * 4,
    ("edac", "eta"): [1, 1, 5, 1] + [1] * 4 + [1, 1, 5, 1],
    ("sac_n", "num_critics"): [10] * 4 + [500, 200, 200, 500] + [20] * 4,
    ("rebrac", "actor_weight"): [0.001, 0.01, 0.01, 0.001, 0.01, 0.05, 0.1, 0.001, 0.05, 0.05, 0.01, 0.01],
    ("rebrac", "critic_weight"): [0.01, 0.001, 0.1, 0.1, 0.01, 0.5, 0.01, 0.01, 0.1, 0.01, 0.01, 0.0],
    ("rebrac", "batch_size"): [1024] * 12,
    ("td3_bc", "alpha"): [2.5] * 12,
    ("td3_bc", "standardise"): [True] * 12,
    ("iql", "expectile"): [0.7] * 12,
    ("iql", "actor_schedule"): ["cosine"] * 12,
    ("cql", "cql_weight"): [5.0] * 12,
    ("cql", "entropy_in_backup"): [False] * 12,
    ("bc", "epochs"): [200] * 12,
}
WITHOUT_A_MODEL |= {(method, "hidden_sizes"): [(256, 256)] * 12 for method in ("bc", "td3_bc", "iql")}
WITHOUT_A_MODEL |= {(method, "hidden_sizes"): [(256, 256, 256)] * 12 for method in ("cql", "sac_n", "edac", "rebrac")}
TD3 = {"policy_noise": 0.2, "noise_clip": 0.5, "policy_delay": 2}
WITHOUT_A_MODEL |= {(method, name): [value] * 12 for method in ("td3_bc", "rebrac") for name, value in TD3.items()}
RATES = {"bc": 3e-4, "td3_bc": 3e-4, "iql": 3e-4, "cql": 1e-4, "sac_n": 3e-4, "edac": 3e-4, "rebrac": 1e-3}
WITHOUT_A_MODEL |= {(method, "actor_lr"): [rate] * 12 for method, rate in RATES.items()}


@pytest.mark.parametrize(("method", "name"), WITHOUT_A_MODEL)
def test_published_values_of_methods_without_a_model(method: str, name: str):
    tasks = [
        f"{robot}-{level}"
        for robot in ("halfcheetah", "hopper", "walker2d")
        for level in ("medium", "medium-replay", "medium-expert", "random")
    ]
    assert [registry.values(method, task)[name] for task in tasks] == WITHOUT_A_MODEL[method, name]


def test_elsewhere_they_have_their_own_defaults():
    wide = {"hidden_sizes": (256, 256, 256)}
    defaults = {
        "bc": {},
        "td3_bc": {},
        "iql": {"actor_schedule": "cosine"},
        "cql": wide | {"actor_lr": 1e-4, "entropy_in_backup": False},
        "sac_n": wide | {"num_critics": 10},
        "edac": wide | {"num_critics": 10},
        "rebrac": wide | {"batch_size": 1024, "actor_lr": 1e-3, "critic_lr": 1e-3},
    }
    assert {method: registry.values(method, "generic") for method in defaults} == defaults
    assert registry.values("edac", "pendulum-demo") == defaults["edac"] | {"epochs": 15}
