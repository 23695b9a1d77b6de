"""Settings that cannot work are refused by name; those that can become the sizes of the compiled core."""

import inspect
import re
from dataclasses import asdict, fields, replace

import pytest

from micro_rl.core import settings as settings_module
from micro_rl.core.settings import ModelSettings, Settings, restricted
from micro_rl.core.settings_check import check, check_value
from micro_rl.errors import UserError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actor_lr": -1e-3}, "actor_lr: -0.001 is not positive"),
        ({"actor_lr": float("inf")}, "actor_lr: inf is not a finite number"),
        ({"critic_lr": 0.0}, "critic_lr: 0.0 is not positive"),
        ({"model_lr": float("nan")}, "model_lr: nan is not a finite number"),
        ({"min_target": float("nan")}, "min_target: nan is not a finite number"),
        ({"num_elites": 8}, "num_elites: 8 of 7 members; at most as many as members"),
        ({"num_elites": 0}, "num_elites: 0 is not a whole number of at least 1"),
        ({"rollout_length": 0}, "rollout_length: 0 is not a whole number of at least 1"),
        ({"hidden_sizes": (256, 0)}, "hidden_sizes: 0 is not a whole number of at least 1"),
        ({"rollout_every": 0}, "rollout_every: 0 is not a whole number of at least 1"),
        ({"discount": 1.01}, "discount: 1.01 is not at most 1"),
        ({"weight_decay": (-1.0, 0.0, 0.0, 0.0, 0.0)}, "weight_decay: -1.0 is not 0 or more"),
        ({"holdout_fraction": -0.1}, "holdout_fraction: -0.1 is not positive"),
        ({"holdout_fraction": 1.0}, "holdout_fraction: 1.0 is not below 1"),
        ({"temperature": 1.5}, "temperature: 1.5 is not at most 1"),
        ({"temperature": 0.0}, "temperature: 0.0 is not positive"),
        ({"seed": 2**32}, r"seed: 4294967296 is not in \[0, 2\^32\)"),
        ({"real_ratio": 1.0}, "real_ratio: 1.0 is not below 1"),
        ({"real_ratio": 0.001}, "real_ratio: 0.001 leaves a batch of 256 without log or model rows; "),
        ({"model_hidden_sizes": (32, 32)}, "weight_decay: 5 values for 3 layers; give one per layer"),
        ({"rollout_every": 300}, "rollout_every: 300 does not divide the 1000 updates of an epoch"),
    ],
)
def test_refused_by_name(changes, message: str):
    with pytest.raises(UserError, match=f"^{message}"):
        check(replace(Settings(), **changes))


def test_a_negative_rollout_every_is_refused():
    with pytest.raises(UserError, match=r"^rollout_every: "):
        check(replace(Settings(), rollout_every=-5))


@pytest.mark.parametrize(("name", "value"), [("epochs", 2.5), ("epochs", "5"), ("actor_schedule", "cosin")])
def test_values_of_the_wrong_kind_are_refused(name: str, value: object):
    with pytest.raises(UserError, match=f"^{name}: .* is not "):
        check_value(name, value)


def test_defaults_pass():
    check(Settings())


def test_sizes_are_what_was_set():
    settings = Settings(batch_size=100, real_ratio=0.25, updates_per_epoch=40, hidden_sizes=(8,), num_elites=3)
    sizes = settings.sizes()
    assert (sizes.batch_size, sizes.real_rows, sizes.updates_per_epoch, sizes.hidden_sizes, sizes.num_elites) == (
        100,
        25,
        40,
        (8,),
        3,
    )
    assert sizes.rollout_every == 40
    assert replace(settings, rollout_every=10).sizes().rollout_every == 10
    assert hash(sizes) == hash(settings.sizes())


def test_sizes_of_a_fit_are_what_was_set():
    sizes = ModelSettings(
        ensemble_size=3, model_hidden_sizes=(8, 8), weight_decay=(0.1, 0.2, 0.3), patience=4
    ).fit_sizes()
    assert (sizes.ensemble_size, sizes.hidden_sizes, sizes.weight_decay, sizes.patience) == (
        3,
        (8, 8),
        (0.1, 0.2, 0.3),
        4,
    )


def test_every_setting_says_what_it_is():
    text = inspect.getsource(settings_module)
    for field in fields(Settings):
        assert re.search(rf'^    {field.name}: .+\n    """\w', text, re.MULTILINE), field.name


def test_a_restricted_kind_takes_and_shows_only_what_it_names():
    kind = restricted(Settings, frozenset({"epochs", "batch_size"}))
    chosen = kind(epochs=3)
    assert asdict(chosen) == {"epochs": 3, "batch_size": 256}
    assert isinstance(chosen, Settings)
    assert chosen.ensemble_size == 7
    with pytest.raises(TypeError, match="ensemble_size"):
        kind(ensemble_size=3)
    check(kind(batch_size=1))  # half a row of the log would be refused where the other half is a model's
