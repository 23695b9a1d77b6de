"""MICRO's term in closed form, its noise as computed, and the values it gives in a model that is wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import integrate, stats

from micro_rl.algorithms import registry
from micro_rl.algorithms.model_based import gaps, micro
from micro_rl.algorithms.model_based.balls import BALLS
from micro_rl.algorithms.model_based.candidates import CandidateNoise, candidate_values
from micro_rl.algorithms.slots import Method, MethodContext
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Models
from micro_rl.errors import UserError
from tests.lines import Line, evaluate_policy
from tests.probes import call, linear_critics, pointing_ensemble, steady_actor

# In the plane, with the critic V(s) = SLOPE . s.
SLOPE = np.array([3.0, -4.0])
ROWS = 4000
candidates = jax.jit(candidate_values)
conservative_term = jax.jit(gaps.conservative_term)


def plane(changes: list[list[float]], std: float) -> MethodContext:
    """Members that move the state by `changes`, each with Gaussian noise, and the critic that is known."""
    ensemble = pointing_ensemble(changes, [0.0] * len(changes), act=1, std=std)
    critics = linear_critics([[*SLOPE, 0.0]] * 2, [0.0] * 2)
    models = Models.of(ensemble, ensemble.size)
    return MethodContext(critics, critics, steady_actor([0.0], obs=2), models, jnp.asarray(0.99))


def still(rows: int) -> Transition:
    """Rows that all start in (1, 2)."""
    state, ones = np.tile(np.asarray([[1.0, 2.0]], np.float32), (rows, 1)), np.ones(rows, np.float32)
    return Transition(*map(jnp.asarray, (state, 0 * ones[:, None], 0 * ones, state, ones)))


def term(context: MethodContext, draws: int, rows: int = ROWS) -> np.ndarray:
    """f of rows that all start in (1, 2)."""
    batch = still(rows)
    target = micro.build(micro.Options(num_samples=draws)).target
    noise = target.noise(jax.random.key(0), batch, context.models)
    return np.asarray(conservative_term(candidates(context, context.models.elites, batch, noise)))


DIRECTIONS = [[0.1, 0.0], [0.0, 0.1], [-0.1, 0.05], [0.2, 0.2], [0.0, 0.0]]


@pytest.mark.parametrize("size", [0.0, 1.0, 2.0, 5.0])
def test_term_of_means_has_its_closed_form_and_grows_with_disagreement(size: float):
    changes = size * np.asarray(DIRECTIONS)
    values = changes @ SLOPE
    f = term(plane(changes.tolist(), std=0.3), draws=0, rows=3)
    np.testing.assert_allclose(f, values.mean() - values.min(), rtol=1e-4, atol=1e-6)
    assert (f > 0).all() == (size > 0)


def mean_less_smallest(count: int) -> float:
    """E[mean - min] of `count` independent standard normals: the integral of x times the minimum's density."""
    normal = stats.norm
    density = lambda x: count * normal.pdf(x) * normal.sf(x) ** (count - 1)  # noqa: E731
    return -integrate.quad(lambda x: x * density(x), -10, 10)[0]


def test_five_normals_lie_1_163_above_their_smallest():
    assert mean_less_smallest(5) == pytest.approx(1.1630, abs=1e-4)


@pytest.mark.parametrize("draws", [1, 10, 100])
def test_noise_alone_gives_the_term_its_bias(draws: int):
    std = 0.5
    f = term(plane([[0.1, -0.2]] * 5, std), draws)
    # A member's value has the deviation |SLOPE| std / sqrt(draws).
    bias = mean_less_smallest(5) * 5.0 * std / np.sqrt(draws)
    assert f.mean() == pytest.approx(bias, abs=5 * f.std() / np.sqrt(ROWS))
    assert f.std() / np.sqrt(ROWS) < 0.02 * bias


def test_members_that_agree_have_no_term_but_noise():
    assert not term(plane([[0.1, -0.2]] * 5, std=0.5), draws=0, rows=3).any()


@pytest.mark.parametrize(("draws", "lead"), [(0, 1), (1, 1), (7, 7)])
def test_draws_of_the_candidates(draws: int, lead: int):
    context = plane(DIRECTIONS, std=1.0)
    row = Transition(jnp.zeros((6, 2)), jnp.zeros((6, 1)), jnp.zeros(6), jnp.zeros((6, 2)), jnp.ones(6))
    noise = micro.build(micro.Options(num_samples=draws)).target.noise(jax.random.key(0), row, context.models)
    assert isinstance(noise, CandidateNoise)
    assert noise.state.shape == (lead, 5, 6, 2)
    assert noise.action.shape == (lead, 5, 6, 1)
    assert bool(np.asarray(noise.state).any()) == (draws > 0)
    assert np.asarray(noise.action).all()


def test_the_smallest_critic_counts_before_the_mean_over_draws():
    # Q_1 = s, Q_2 = -s: the smallest is -|s|; draws at s = +1 and -1 give -1, not min(0, 0).
    ensemble = pointing_ensemble([[0.0]], [0.0], act=1, std=1.0)
    critics = linear_critics([[1.0, 0.0], [-1.0, 0.0]], [0.0] * 2)
    context = MethodContext(critics, critics, steady_actor([0.0], 1), Models.of(ensemble, 1), jnp.ones(()))
    row = Transition(jnp.zeros((1, 1)), jnp.zeros((1, 1)), jnp.zeros(1), jnp.zeros((1, 1)), jnp.ones(1))
    noise = CandidateNoise(jnp.asarray([1.0, -1.0]).reshape(2, 1, 1, 1), jnp.zeros((2, 1, 1, 1)))
    np.testing.assert_allclose(candidates(context, context.models.elites, row, noise), [[-1.0]], rtol=1e-4)


member_values = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 7), st.integers(1, 4)), elements=st.floats(-100, 100, width=32)
)


@given(member_values, st.floats(0, 10), st.floats(-100, 100))
def test_term_is_a_distance(values: np.ndarray, factor: float, shift: float):
    f = np.asarray(conservative_term(jnp.asarray(values)))
    assert (f >= -1e-4).all()
    moved = conservative_term(jnp.asarray(factor * values + shift, jnp.float32))
    np.testing.assert_allclose(moved, factor * f, atol=1e-2)
    np.testing.assert_allclose(conservative_term(jnp.asarray(values[::-1].copy())), f, atol=1e-4)


# Values in a model that is wrong

STATES = np.linspace(-1, 2, 5)
SAC = registry.find("sac").build(registry.find("sac").Options())


def with_beta(beta: float, draws: int = 0) -> Method:
    return micro.build(micro.Options(beta=beta, num_samples=draws))


def test_one_optimistic_member_raises_sac_above_the_truth_and_micro_not():
    line = Line()
    ensemble = line.ensemble([0.0, 0.0, 0.3])
    truth = line.value(STATES)
    # The mean next state is 0.1 too far: that is worth gamma * slope * 0.1 at every step.
    surplus = line.discount * line.slope * 0.1 / (1 - line.discount)
    np.testing.assert_allclose(evaluate_policy(line, SAC, ensemble, STATES), truth + surplus, rtol=1e-4)
    # Draws aside, f is that same surplus, so beta = 1 comes out exactly at the truth.
    np.testing.assert_allclose(evaluate_policy(line, with_beta(1.0), ensemble, STATES), truth, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(evaluate_policy(line, with_beta(0.5), ensemble, STATES), truth + surplus / 2, rtol=1e-4)


@pytest.mark.parametrize("draws", [1, 10])
def test_noise_puts_micro_below_the_truth_and_leaves_sac_above(draws: int):
    line = Line()
    ensemble = line.ensemble([0.0, 0.0, 0.3], std=0.05)
    assert (evaluate_policy(line, with_beta(1.0, draws), ensemble, STATES) < line.value(STATES)).all()
    assert (evaluate_policy(line, SAC, ensemble, STATES) > line.value(STATES)).all()


def test_a_pessimistic_member_is_believed():
    line = Line()
    values = evaluate_policy(line, with_beta(1.0), line.ensemble([0.0, 0.0, -0.3]), STATES)
    worst = Line(drift=line.drift - 0.3)
    np.testing.assert_allclose(values, worst.value(STATES), rtol=1e-4, atol=1e-4)


def test_members_that_are_right_give_both_the_true_value():
    line = Line()
    ensemble = line.ensemble([0.0] * 3)
    truth = line.value(STATES)
    for method in (SAC, with_beta(1.0)):
        np.testing.assert_allclose(evaluate_policy(line, method, ensemble, STATES), truth, rtol=1e-4, atol=1e-4)


# Options


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"beta": -0.1}, "beta"),
        ({"beta": 1.5}, "beta"),
        ({"beta": float("nan")}, "beta"),
        ({"num_samples": -1}, "num_samples"),
    ],
)
def test_options_that_cannot_be_are_refused(options, named: str):
    with pytest.raises(UserError, match=f"^{named}: "):
        micro.build(micro.Options(**options))


def test_an_unknown_method_is_refused_with_the_choices():
    with pytest.raises(UserError, match=r"no 'mikro' .did you mean 'micro'.*; choose one of micro, mobile, sac"):
        registry.find("mikro")


@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"num_samples": 0},
        {"candidates": "all"},
        {"gap": "soft-min", "softness": 1.0},
        {"gap": "kth", "k": 2},
        {"gap": "value-min"},
        *({"candidates": ball, "radius": 1.0} for ball in BALLS),
    ],
)
def test_every_variant_at_beta_0_has_sacs_target_to_the_bit(variant):
    context, next_value = plane(DIRECTIONS, std=0.3), jnp.asarray([0.7, -0.2])
    state = jnp.asarray([[1.0, 2.0]] * 2)
    rows = Transition(state, jnp.zeros((2, 1)), jnp.ones(2), state, jnp.asarray([1.0, 0.0]))
    target = micro.build(micro.Options(beta=0.0, **variant)).target
    y, logged = call(target, rows, next_value, context, target.noise(jax.random.key(0), rows, context.models))
    np.testing.assert_array_equal(y, call(Method().target, rows, next_value, context, ())[0])
    assert float(logged["conservative_term"]) != 0


def test_all_members_are_more_than_the_elites():
    context = plane(DIRECTIONS, std=1e-6)
    context = context._replace(models=Models.of(context.models.members, 2))
    row = still(3)
    values = np.asarray(DIRECTIONS) @ SLOPE
    for kind, these in (("elites", values[:2]), ("all", values)):
        target = micro.build(micro.Options(num_samples=0, candidates=kind)).target  # type: ignore[arg-type]
        noise = target.noise(jax.random.key(0), row, context.models)
        _, logged = call(target, row, jnp.zeros(3), context, noise)
        assert float(logged["conservative_term"]) == pytest.approx(these.mean() - these.min(), rel=1e-4)
