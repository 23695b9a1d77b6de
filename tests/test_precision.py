"""Mixed precision: how far it may be off, what it must not touch, and what a run says of it."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from micro_rl.algorithms import registry, sac
from micro_rl.algorithms.model_based import METHODS, micro, mobile
from micro_rl.algorithms.model_based.balls import BALLS
from micro_rl.algorithms.rollout import RowRules, rollout
from micro_rl.algorithms.sac import Agent, draw_noise, start_agent
from micro_rl.algorithms.slots import Method
from micro_rl.core.networks import MLP, full_product, multiplied_by, rounded_product
from micro_rl.core.setting import check_value
from micro_rl.core.settings import Settings
from micro_rl.core.sizes import FitSizes
from micro_rl.core.types import Batch, Transition
from micro_rl.dynamics.ensemble import Models
from micro_rl.dynamics.fit_epoch import compiled_start, finish_fit
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.errors import UserError
from micro_rl.training.plan import make_plan
from micro_rl.training.plan_record import plan_to_command, plan_to_config
from tests.probes import FUSED, coefficients, plain_units

UNIT = 2.0**-8
"""bfloat16 keeps 8 bits: rounding changes a number by at most this share."""
LAYERS = 11
"""Products one after another behind a candidate's value: 5 of a member, 3 of the actor, 3 of a critic."""
OBS, ACT, ROWS = 4, 2, 64
SIZES = FitSizes(3, (32,) * 4, 8, 1e-3, (0.0,) * 5, 0.01, 0.2, 10, 5, 5, True)


def rows(key: int) -> Transition:
    keys = jax.random.split(jax.random.key(key), 4)
    observation, following = (jax.random.normal(k, (ROWS, OBS)) for k in keys[:2])
    action = jax.random.uniform(keys[2], (ROWS, ACT), minval=-1.0)
    return Transition(observation, action, jax.random.normal(keys[3], (ROWS,)), following, jnp.ones(ROWS))


targets = jax.jit(sac.targets)
noise_of = jax.jit(partial(draw_noise, jax.random.key(4)))


@cache  # every process of the tests imports every file: what is compiled at its head is compiled in each
def batch() -> Batch:
    return Batch(rows(0), rows(1))


@cache
def models() -> Models:
    return Models.of(finish_fit(compiled_start(batch().model, SIZES, jax.random.key(2))), 3)


@cache
def agent() -> Agent:
    return start_agent(jax.random.key(3), OBS, ACT, (32, 32), 2, 1.0)


def mixed(method: Method) -> Method:
    return replace(method, product=rounded_product)


def updated(method: Method) -> tuple[Agent, dict]:
    noise = noise_of(method, batch(), models())
    return jax.jit(sac.update, compiler_options=FUSED)(
        agent(), method, models(), batch(), noise, jax.random.key(5), coefficients()
    )


matrices = arrays.arrays(np.float32, (5, 7), elements=st.floats(-100, 100, width=16))


@given(matrices, matrices)
def test_a_rounded_product_is_off_by_two_roundings_at_most(x: np.ndarray, weight: np.ndarray):
    exact, size = x.astype(float) @ weight.T.astype(float), np.abs(x).astype(float) @ np.abs(weight.T)
    product = rounded_product(jnp.asarray(x), jnp.asarray(weight.T))
    assert product.dtype == jnp.float32
    assert (np.abs(product - exact) <= (2 * UNIT + UNIT**2 + 1e-6) * size + 1e-30).all()


@pytest.mark.parametrize(
    "method", [micro.build(micro.Options(num_samples=2)), mobile.build(mobile.Options(num_samples=2))]
)
def test_targets_are_near_those_in_float32(method: Method):
    noise = noise_of(method, batch(), models())
    exact, near = (
        np.asarray(targets(agent(), variant, models(), batch(), noise, coefficients())[0])
        for variant in (method, mixed(method))
    )
    np.testing.assert_array_equal(near[:ROWS], exact[:ROWS])
    off = np.abs(near[ROWS:] - exact[ROWS:])
    assert 0 < off.max() < 2 * UNIT * LAYERS * np.abs(exact).max()


@pytest.mark.parametrize("kind", BALLS)
def test_a_balls_worst_state_is_near_the_one_in_float32(kind: str):
    method = micro.build(micro.Options(candidates=kind, radius=1.0))  # type: ignore[arg-type]
    noise = noise_of(method, batch(), models())
    exact, near = (
        float(targets(agent(), variant, models(), batch(), noise, coefficients())[1]["conservative_term"])
        for variant in (method, mixed(method))
    )
    assert near == pytest.approx(exact, rel=0.1)
    assert near >= 0


def test_learning_is_not_rounded():
    # At beta 0 the rounded term counts for nothing, so what is learned must be the same to the bit.
    method = micro.build(micro.Options(beta=0.0, num_samples=2))
    (exact, logged), (near, logged_near) = updated(method), updated(mixed(method))
    assert logged["conservative_term"] != logged_near["conservative_term"]
    jax.tree.map(np.testing.assert_array_equal, exact, near)


def test_networks_multiply_by_what_they_are_told():
    near = multiplied_by(rounded_product, models())
    net = near.elites.members.net
    assert isinstance(net, MLP) and net.product is rounded_product
    jax.tree.map(np.testing.assert_array_equal, multiplied_by(full_product, near), models())


def test_rollouts_are_near_those_in_float32():
    def made(product) -> Transition:
        ensemble, actor = multiplied_by(product, (models().members, agent().actor))
        where = (ByRule(never), plain_units(OBS, ACT), batch().real.observation, 2, jax.random.key(6))
        return jax.jit(rollout, static_argnums=(1, 7))(
            ensemble, 3, actor, RowRules(Method().transform, ()), *where
        ).rows

    exact, near = made(full_product), made(rounded_product)
    off = np.abs(near.next_observation - exact.next_observation)
    assert 0 < off.max() < 2 * UNIT * LAYERS * np.abs(exact.next_observation).max()


def test_a_run_says_its_precision_and_types_it_again():
    plan = make_plan("pendulum-demo", precision="mixed")
    assert plan_to_config(plan)["settings"]["precision"] == "mixed"
    assert "--precision mixed" in plan_to_command(plan)
    method = plan.method
    assert isinstance(method, Method)
    assert method.product is rounded_product
    assert "--precision" not in plan_to_command(make_plan("pendulum-demo"))


def test_another_precision_is_refused():
    with pytest.raises(UserError, match=r"^precision: 'float16' is not float32 or mixed$"):
        check_value("precision", "float16", Settings)


def test_only_methods_with_a_model_have_a_precision():
    assert Settings().precision == "float32"
    assert {name for name in registry.ALL if "precision" in registry.accepted(name)[0]} == set(METHODS)
