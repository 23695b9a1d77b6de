"""Settings that cannot work are refused by name; those that can become the sizes of the compiled core."""

from dataclasses import asdict, fields, replace

import pytest

from micro_rl.algorithms import registry
from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.setting import AUTHORS, check_value, reference, settings_in
from micro_rl.core.settings import FREE, OF_A_FIT, Settings, check, restricted
from micro_rl.errors import UserError
from micro_rl.simulation.online_settings import OnlineSettings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actor_lr": -1e-3}, "actor_lr: -0.001 is not positive"),
        ({"actor_lr": float("inf")}, "actor_lr: inf is not a finite number"),
        ({"fit_checkpoint_seconds": -1.0}, "fit_checkpoint_seconds: -1.0 is not 0 or more"),
        ({"fit_checkpoint_seconds": float("nan")}, "fit_checkpoint_seconds: nan is not 0 or more"),
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
        check_value(name, value, Settings)


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


KINDS = [Settings, OnlineSettings, *(method.Options for method in registry.ALL.values())]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__module__.split(".")[-1])
def test_every_setting_and_option_has_its_source_and_its_meaning(kind: type):
    assert set(settings_in(kind)) == {field.name for field in fields(kind)}
    assert [entry.name for entry in reference(kind) if not (entry.source and entry.help)] == []


def test_what_is_ours_says_why_where_the_authors_have_another_value():
    for entry in reference(Settings):
        assert entry.source.startswith((AUTHORS, "ours", "arXiv")), entry.name
        assert "the authors" not in entry.source or ": " in entry.source or entry.source.startswith(AUTHORS), entry.name


def test_a_restricted_kind_takes_and_shows_only_what_it_names():
    kind = restricted(Settings, frozenset({"epochs", "batch_size"}))
    chosen = kind(epochs=3)
    assert asdict(chosen) == {"epochs": 3, "batch_size": 256}
    assert isinstance(chosen, Settings)
    assert chosen.ensemble_size == 7
    with pytest.raises(TypeError, match="ensemble_size"):
        kind(ensemble_size=3)
    check(kind(batch_size=1))  # half a row of the log would be refused where the other half is a model's


def test_the_reference_lists_every_setting_with_its_bounds():
    entries = {entry.name: entry for entry in reference(Settings)}
    assert list(entries) == [field.name for field in fields(Settings)] and all(entry.help for entry in entries.values())
    assert entries["discount"].bounds == "0 or more, at most 1" and entries["log_on"].bounds == "auto, device or host"
    assert (entries["patience"].unit, entries["patience"].default) == ("epochs", 5)
    assert [entry.name for entry in reference(restricted(Settings, frozenset({"tau"})))] == ["tau"]


def test_what_is_free_in_a_sweep_and_what_decides_a_fit():
    assert {"seed", "bc_weight", "eval_every", "fit_checkpoint_seconds"} < FREE and not FREE & OF_A_FIT
    assert {"ensemble_size", "standardise_targets"} < OF_A_FIT and "history" not in FREE | OF_A_FIT
