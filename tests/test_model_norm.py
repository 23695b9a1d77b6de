"""Layer norm in the dynamics members: by hand, its bound, its fit on device and host, and a run with it."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.networks import MLP, Network, NormalisedMLP, multiplied_by, normal_mlp, normalised, rounded_product
from micro_rl.dynamics.ensemble import Ensemble, Members, gaussians, predict
from micro_rl.dynamics.fit_epoch import compiled_start, finish_fit
from micro_rl.dynamics.losses import weight_decay
from micro_rl.dynamics.saved_model import load_model
from micro_rl.training.fit_program import run_fit_epoch, start_fits
from micro_rl.training.fitting import problem_of
from micro_rl.training.models import _other_than_asked, given_model
from micro_rl.training.runner import execute
from tests.probes import tiny_plan
from tests.test_host_log import Listens

OBS, ACT = 2, 1
WIDTH = 8


def members_of(net: Network, out: int = 1) -> Members:
    """With bounds of the log-variance that are too wide to matter."""
    return Members(net, jnp.full(out, 50.0), jnp.full(out, -50.0))


def tiny_net(weights: list[float]) -> MLP:
    """One member, input and output, two hidden units; the mean is the first unit plus a half, the logvar the second."""
    hidden, last = np.asarray([[weights]], np.float32), np.eye(2, dtype=np.float32)[None]
    return MLP(tuple(map(jnp.asarray, (hidden, last))), (jnp.ones((1, 2)), jnp.asarray([[0.5, 0.0]])))


def test_a_member_by_hand():
    # The hidden layer takes 3 + 1 and -1 + 1: mean 2, deviation 2, so 1 and -1; scaled and shifted they are 2 and 0.
    scaled = replace(
        normalised(tiny_net([3.0, -1.0]), before_activation=True),
        scales=(jnp.asarray([[2.0, 1.0]]),),
        shifts=(jnp.asarray([[0.0, 1.0]]),),
    )
    mean, variance = gaussians(members_of(scaled), jnp.ones((1, 1)))
    np.testing.assert_allclose(mean, [[[2 / (1 + np.exp(-2.0)) + 0.5]]], rtol=1e-5)
    np.testing.assert_allclose(variance, [[[1.0]]], rtol=1e-5)


def test_what_has_mean_0_and_deviation_1_already_is_left_alone():
    plain = tiny_net([0.0, -2.0])  # 1 and -1 at the input 1
    for at, same in ((1.0, True), (2.0, False)):
        one, other = (gaussians(members_of(net), jnp.full((1, 1), at)) for net in (plain, normalised(plain, True)))
        assert all(np.allclose(a, b, rtol=1e-5) for a, b in zip(one, other, strict=True)) is same


def exaggerating(net: MLP) -> MLP:
    """The same with weights that make each step's error a larger one."""
    return replace(net, weights=tuple(8 * weight for weight in net.weights))


def test_a_rollout_grows_by_a_bounded_step_however_far_away_it_is():
    """NEUBAY's reason for it: without, the distance grows like a power; with it, no faster than the steps' number."""
    out, steps, start = OBS + 1, 20, jnp.full((1, OBS), 1e3)
    plain = exaggerating(normal_mlp(jax.random.key(0), (OBS + ACT, WIDTH, WIDTH, 2 * out), (2,)))
    units = (jnp.zeros(OBS + ACT), jnp.ones(OBS + ACT), jnp.zeros(out), jnp.ones(out))

    @jax.jit
    def last(net: Network) -> jax.Array:
        ensemble = Ensemble(members_of(net, out), *units)

        def step(state: jax.Array, _: None) -> tuple[jax.Array, None]:
            return predict(ensemble, state, jnp.ones((2, 1, ACT)))[0][..., :OBS], None

        return jax.lax.scan(step, jnp.broadcast_to(start, (2, 1, OBS)), length=steps)[0]

    bound = np.sqrt(WIDTH) * np.linalg.norm(plain.weights[-1][..., :OBS], axis=1) + np.abs(plain.biases[-1][:, :OBS])
    moved, ran_away = (np.abs(np.asarray(last(net) - start[None]))[:, 0] for net in (normalised(plain, True), plain))
    assert (moved <= steps * bound).all() and (ran_away > 1e6 * steps * bound).any()


def test_weight_decay_is_that_of_the_layers_and_the_units_start_at_1_and_0():
    net = normal_mlp(jax.random.key(0), (2, 4, 4, 2), (3,))
    with_norm = normalised(net, True)
    rates = (1.0, 2.0, 3.0)
    assert weight_decay(members_of(with_norm), rates) == weight_decay(members_of(net), rates)
    assert all((scale == 1).all() for scale in with_norm.scales)
    assert not any(shift.any() for shift in with_norm.shifts)
    rounded = multiplied_by(rounded_product, members_of(with_norm)).net
    assert isinstance(rounded, NormalisedMLP) and rounded.net.product is rounded_product and rounded.before_activation


# Its fit

PLAN = tiny_plan(model_norm=True)
SIZES = PLAN.settings.fit_sizes()


def test_neither_the_state_nor_the_draws_of_a_fit_change():
    log = rows_of(problem_of(PLAN.dataset, PLAN.settings).log)
    plain, with_norm = (compiled_start(log, sizes, jax.random.key(0)) for sizes in (SIZES._replace(norm=False), SIZES))
    assert isinstance(plain.members.net, MLP) and isinstance(with_norm.members.net, NormalisedMLP)
    assert isinstance(with_norm.best, NormalisedMLP)
    jax.tree.map(np.testing.assert_array_equal, plain.best, with_norm.best.net)
    np.testing.assert_array_equal(plain.bootstrap, with_norm.bootstrap)


@pytest.mark.parametrize(
    "same",
    [
        partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4),
        pytest.param(np.testing.assert_array_equal, marks=pytest.mark.slow),
    ],
)
def test_on_the_device_and_block_by_block_it_is_the_same_fit(same: Callable[..., None]):
    """To the bit as users compile it (see conftest.py)."""
    logs = [rows_of(problem_of(PLAN.dataset, replace(PLAN.settings, log_on=on)).log) for on in ("device", "host")]
    start_key, *epochs = jax.random.split(jax.random.key(1), (5, 1))
    states, errors = [start_fits(log, SIZES, start_key) for log in logs], []
    for keys in epochs:
        both = [run_fit_epoch(state, log, SIZES, keys, 40_000) for state, log in zip(states, logs, strict=True)]
        jax.tree.map(same, *both)
        states = [state for state, *_ in both]
        errors.append(float(both[0][1]["holdout"].mean()))
    assert errors[-1] < 0.8 * errors[0]
    ensemble = finish_fit(jax.tree.map(lambda leaf: leaf[0], states[0]))
    net = ensemble.best(2).members.net
    assert isinstance(net, NormalisedMLP) and net.scales[0].shape == (2, 16) and float(jnp.std(net.scales[0])) > 0


# A run with it (a quick one is in tests/test_critic_rules.py)

RAMBO: dict[str, Any] = {"adversarial_steps": 4, "clone_epochs": 1, "model_decay": (0.0, 0.0)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "own"),
    [
        ("rambo", RAMBO),
        *((name, {}) for name in ("micro", "mobile", "mopo", "morel", "combo")),
    ],
)
def test_a_run_goes_on_to_the_same_bits_and_opens(method: str, own: dict[str, Any], tmp_path: Path):
    plan = tiny_plan(method=method, model_norm=True, precision="mixed", **own)
    whole = execute(plan, tmp_path / "whole")
    execute(plan, tmp_path / "halves", until=1)
    halves = execute(plan, tmp_path / "halves", resume=True)
    for name in ("policy.safetensors", "model/ensemble.safetensors"):
        assert (whole.path / name).read_bytes() == (halves.path / name).read_bytes(), name
    _reads_as_it_was_written(whole.path / "model", tmp_path)


def _reads_as_it_was_written(folder: Path, tmp_path: Path) -> None:
    """And in a run that asks for none, what it has is told."""
    model = load_model(folder)
    assert isinstance(model.ensemble.members.net, NormalisedMLP) and model.ensemble.members.net.before_activation
    assert json.loads((folder / "ensemble.json").read_text())["shape"]["norm"] is True
    listens = Listens()
    given_model(replace(tiny_plan(), model=folder), tmp_path, False, listens)
    assert listens.notes[0].endswith("fitted with model_norm True")


def test_a_model_from_before_the_setting_has_none():
    old = load_model(Path("tests/fixtures/run-format-3/model"))
    assert isinstance(old.ensemble.members.net, MLP) and "norm" not in old.about["shape"]
    asked, usual = (_other_than_asked(old, tiny_plan(model_norm=asks)) for asks in (True, False))
    assert "model_norm False" in asked and "model_norm" not in usual
