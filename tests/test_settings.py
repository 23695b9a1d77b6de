"""Settings that cannot work are refused by name; those that can become the sizes of the compiled core."""

import inspect
import re
from dataclasses import fields, replace

import pytest

from micro_rl import settings as settings_module
from micro_rl.errors import UserError
from micro_rl.settings import ModelSettings, Settings, check


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actor_rate": -1e-3}, "actor_rate: -0.001 is not positive"),
        ({"critic_rate": 0.0}, "critic_rate: 0.0 is not positive"),
        ({"model_rate": float("nan")}, "model_rate: nan is not positive"),
        ({"elites": 8}, "elites: 8 of 7 members; at most as many as members"),
        ({"elites": 0}, "elites: 0 is too small; it must be at least 1"),
        ({"rollout_length": 0}, "rollout_length: 0 is too small; it must be at least 1"),
        ({"epochs": 0}, "epochs: 0 is too small; it must be at least 1"),
        ({"discount": 1.01}, r"discount: 1.01 is outside \[0, 1\]"),
        ({"holdout_fraction": -0.1}, r"holdout_fraction: -0.1 is outside \[0, 1\]"),
        ({"temperature": 1.5}, r"temperature: 1.5 is outside \[0, 1\]"),
        ({"temperature": 0.0}, "temperature: 0.0 is not positive"),
        ({"real_ratio": 1.0}, "real_ratio: 1.0 leaves a batch of 256 without log or model rows; "),
        ({"real_ratio": 0.001}, "real_ratio: 0.001 leaves a batch of 256 without log or model rows; "),
        ({"model_hidden": (32, 32)}, "weight_decay: 5 values for 3 layers; give one per layer"),
        ({"rollout_every": 300}, "rollout_every: 300 does not divide the 1000 updates of an epoch"),
    ],
)
def test_refused_by_name(changes, message: str):
    with pytest.raises(UserError, match=f"^{message}"):
        check(replace(Settings(), **changes))


@pytest.mark.xfail(reason="a negative count of updates between rollouts passes", strict=True)
def test_a_negative_rollout_every_is_refused():
    with pytest.raises(UserError, match=r"^rollout_every: "):
        check(replace(Settings(), rollout_every=-5))


def test_defaults_pass():
    check(Settings())


def test_sizes_are_what_was_set():
    settings = Settings(batch=100, real_ratio=0.25, updates=40, hidden=(8,), elites=3)
    sizes = settings.sizes()
    assert (sizes.batch, sizes.real_rows, sizes.updates, sizes.hidden, sizes.elites) == (100, 25, 40, (8,), 3)
    assert sizes.rollout_every == 40
    assert replace(settings, rollout_every=10).sizes().rollout_every == 10
    assert hash(sizes) == hash(settings.sizes())


def test_sizes_of_a_fit_are_what_was_set():
    sizes = ModelSettings(members=3, model_hidden=(8, 8), weight_decay=(0.1, 0.2, 0.3), patience=4).fit_sizes()
    assert (sizes.members, sizes.hidden, sizes.weight_decay, sizes.patience) == (3, (8, 8), (0.1, 0.2, 0.3), 4)


def test_every_setting_says_what_it_is():
    text = inspect.getsource(settings_module)
    for field in fields(Settings):
        assert re.search(rf'^    {field.name}: .+\n    """\w', text, re.MULTILINE), field.name
