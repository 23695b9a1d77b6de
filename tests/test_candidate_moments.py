"""Values of candidates in closed form: exact for a linear V, near 10,000 draws on a fitted model."""

from dataclasses import replace
from functools import cache
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_based import candidate_moments as closed_form
from micro_rl.algorithms.model_based import micro, mobile
from micro_rl.algorithms.model_based.candidates import candidate_noise, candidate_values
from micro_rl.algorithms.model_based.gaps import MeanLessMinimum, NextValueLessMinimum
from micro_rl.algorithms.model_based.moment_target import MomentTarget
from micro_rl.algorithms.slots import MethodContext, Target
from micro_rl.core.moments import Moments
from micro_rl.core.networks import MLP, multiplied_by, rounded_product, uniform_mlp
from micro_rl.core.setting import check_value
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Models
from micro_rl.errors import UserError
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.grid import groups, trials
from micro_rl.training.plan import make_plan
from micro_rl.training.plan_record import plan_to_command
from tests.probes import call, linear_critics, pointing_ensemble, steady_actor, tiny_plan

Values = Literal["moments", "linear"]
VALUES: tuple[Values, ...] = ("moments", "linear")
SLOPE = np.array([3.0, -4.0])
candidate_moments = jax.jit(closed_form.candidate_moments, static_argnums=(3, 4))
expected_deviation = jax.jit(mobile.expected_deviation)
CHANGES = [[0.1, 0.0], [0.0, 0.1], [-0.1, 0.05], [0.2, 0.2], [0.0, 0.0]]


def plane(std: float, log_std: float = 0.0, by_action: float = 0.0) -> MethodContext:
    """Five members, and Q = SLOPE . s + by_action a under the mode 0."""
    ensemble = pointing_ensemble(CHANGES, [0.0] * 5, act=1, std=std)
    critics = linear_critics([[*SLOPE, by_action]] * 2, [0.0] * 2)
    models = Models.of(ensemble, 5)
    return MethodContext(critics, critics, steady_actor([0.0], obs=2, log_std=log_std), models, jnp.asarray(0.9))


def still(rows: int, obs: int = 2) -> Transition:
    zeros, ones = np.zeros((rows, obs), np.float32), np.ones(rows, np.float32)
    return Transition(*map(jnp.asarray, (zeros, zeros[:, :1], ones, zeros, ones)))


@pytest.mark.parametrize("shared", [False, True])
def test_a_linear_value_has_its_exact_moments(shared: bool):
    v = candidate_moments(plane(std=0.3), plane(0.3).models.elites, still(3), 10, shared)
    np.testing.assert_allclose(v.mean, np.tile((CHANGES @ SLOPE)[:, None], 3), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(v.variance, np.full((5, 3), 25 * 0.3**2 / 10), rtol=1e-4)


def test_the_actions_own_noise_counts():
    context = plane(std=1e-6, log_std=np.log(0.1), by_action=2.0)
    v = candidate_moments(context, context.models.elites, still(1), 1, False)
    np.testing.assert_allclose(v.variance, 2.0**2 * 0.1**2, rtol=0.05)  # tanh'(u) is 1 - u^2 at most


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("draws", [1, 10])
def test_f_in_a_plane_is_the_mean_of_drawn_ones(values: Values, draws: int):
    context, rows = plane(std=0.1), still(20_000)
    drawn = micro.build(micro.Options(num_samples=draws)).target
    _, sampled = call(drawn, rows, jnp.zeros(20_000), context, drawn.noise(jax.random.key(0), rows, context.models))
    _, expected = call(target_of(micro, values, num_samples=draws), still(1), jnp.zeros(1), context, ())
    np.testing.assert_allclose(expected["conservative_term"], sampled["conservative_term"], rtol=0.01)


def target_of(module: Any, values: Values, **options: Any) -> Target:
    return module.build(module.Options(values=values, **options)).target


# A fitted model


@cache
def fitted(history: int = 1) -> tuple[MethodContext, Transition]:
    """The tiny log's ensemble, critics and an actor that bend, and 40 rows of the log with other actions."""
    plan = tiny_plan(history=history, max_fit_epochs=8)
    problem = problem_of(plan.dataset, plan.settings)
    ensemble = fit_model(plan.dataset, problem, plan.settings, 0, lambda row: None).ensemble
    log = problem.log
    assert isinstance(log, Transition)
    rows = jax.tree.map(lambda column: jnp.asarray(np.asarray(column)[:240:6]), log)
    rows = rows._replace(action=jax.random.uniform(jax.random.key(5), rows.action.shape, minval=-1.0))
    obs, act = rows.observation.shape[1], rows.action.shape[1]
    actor = uniform_mlp(jax.random.key(1), (obs, 32, 32, 2 * act))
    actor = replace(actor, biases=(*actor.biases[:-1], jnp.asarray([0.2, -1.5])))
    critics = scaled(uniform_mlp(jax.random.key(2), (obs + act, 32, 32, 1), (2,)), 2.0)
    return MethodContext(critics, critics, actor, Models.of(ensemble, 3), jnp.asarray(0.9)), rows


def scaled(net: MLP, factor: float) -> MLP:
    return replace(net, weights=tuple(factor * weight for weight in net.weights))


@cache
def drawn_values(history: int) -> np.ndarray:
    """Values of 10,000 draws [draw, member, row]."""
    context, rows = fitted(history)

    def of(key: jax.Array) -> jax.Array:
        return candidate_values(context, context.models.elites, rows, candidate_noise(key, rows, 3, 1))

    return np.asarray(jax.jit(lambda keys: jax.lax.map(of, keys))(jax.random.split(jax.random.key(3), 10_000)))


@pytest.mark.parametrize(
    ("values", "history"),
    [
        ("linear", 1),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("moments", 1), ("moments", 2), ("linear", 2))),
    ],
)
def test_f_on_a_fitted_model_is_near_its_mean_over_10_000_draws(values: Values, history: int):
    context, rows = fitted(history)
    tens = drawn_values(history).reshape(1000, 10, 3, -1).mean(1)
    f = (tens.mean(1) - tens.min(1)).mean(0)
    v = candidate_moments(context, context.models.elites, rows, 10, values == "linear")
    closed = np.asarray(call(MeanLessMinimum().expected, v, jnp.zeros(len(f))))
    assert np.corrcoef(closed, f)[0, 1] > 0.9
    np.testing.assert_allclose(closed.mean(), f.mean(), rtol=0.1)
    deviation = tens.std(1, ddof=1).mean(0)
    np.testing.assert_allclose(expected_deviation(v).mean(), deviation.mean(), rtol=0.1)


def test_without_noise_f_is_that_of_the_members_means():
    context, rows = fitted()
    blind = certain(context)
    plain = jax.jit(candidate_values)(blind, blind.models.elites, rows, candidate_noise(jax.random.key(0), rows, 3, 0))
    v = candidate_moments(blind, blind.models.elites, rows, 1, False)
    np.testing.assert_allclose(v.mean, plain, rtol=1e-5, atol=1e-5)
    f = call(MeanLessMinimum().expected, v, jnp.zeros(plain.shape[1]))
    np.testing.assert_allclose(f, plain.mean(0) - plain.min(0), atol=1e-5)


def certain(context: MethodContext) -> MethodContext:
    """The same without a deviation of the members, and critics that look at no action (an actor's has a least)."""
    elites, critics = context.models.elites, context.targets
    bounds = [bound - 80 for bound in (elites.members.max_logvar, elites.members.min_logvar)]
    steady = replace(elites, members=replace(elites.members, max_logvar=bounds[0], min_logvar=bounds[1]))
    blind = critics.weights[0].at[:, context.actor.weights[0].shape[0] :].set(0.0)
    critics = replace(critics, weights=(blind, *critics.weights[1:]))
    return context._replace(critics=critics, targets=critics, models=Models(steady, steady))


@pytest.mark.parametrize("shared", [pytest.param(False, marks=pytest.mark.slow), True])
def test_slopes_of_f_are_finite_also_without_noise(shared: bool):
    context, rows = fitted()

    def f(observation: jax.Array, context: MethodContext) -> jax.Array:
        v = candidate_moments(context, context.models.elites, rows._replace(observation=observation), 10, shared)
        return jnp.sum(MeanLessMinimum().expected(v, jnp.zeros(rows.reward.shape))) + jnp.sum(expected_deviation(v))

    slopes_of = jax.jit(jax.grad(f, argnums=(0, 1), allow_int=True))
    for these in (context, certain(context)):
        slopes = slopes_of(rows.observation, these)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes) if leaf.dtype == jnp.float32)


@pytest.mark.parametrize("shared", [False, True])
def test_mixed_precision_is_used_and_near(shared: bool):
    context, rows = fitted()
    exact, near = (
        candidate_moments(these, these.models.elites, rows, 10, shared)
        for these in (context, multiplied_by(rounded_product, context))
    )
    assert 0 < np.abs(near.mean - exact.mean).max() < 0.05 * np.abs(exact.mean).max()
    np.testing.assert_allclose(near.variance.mean(), exact.variance.mean(), rtol=0.05)


@pytest.mark.parametrize("values", VALUES)
def test_columns_that_no_action_moves_make_no_difference(values: Values):
    context, rows = plane(std=0.3), still(2)
    models = Models.of(context.models.members, 5, jnp.asarray([False, True]))
    v = candidate_moments(context._replace(models=models), models.elites, rows, 1, values == "linear")
    expected = 3.0 * np.asarray(CHANGES)[:, :1]
    np.testing.assert_allclose(v.mean, np.tile(expected, 2), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(v.variance, np.full((5, 2), 9 * 0.3**2), rtol=1e-4)


# Terms and options


def test_expected_gaps_by_hand():
    v = Moments(jnp.asarray([[1.0], [3.0]]), jnp.asarray([[0.5], [0.5]]))
    # D ~ N(-2, 1): E relu(D) = phi(2) - 2 Phi(-2).
    smallest = 1 - (0.0539910 - 2 * 0.0227501)
    np.testing.assert_allclose(call(MeanLessMinimum().expected, v, np.zeros(1, np.float32)), [2 - smallest], rtol=1e-5)
    np.testing.assert_allclose(call(NextValueLessMinimum().expected, v, jnp.asarray([4.0])), [4 - smallest], rtol=1e-5)


def test_the_expected_deviation_of_normals():
    alike = Moments(jnp.zeros((5, 1)), jnp.full((5, 1), 4.0))
    np.testing.assert_allclose(expected_deviation(alike), 2 * 0.9400, rtol=0.005)
    certain = Moments(jnp.asarray([[1.0], [2.0], [6.0]]), jnp.zeros((3, 1)))
    np.testing.assert_allclose(expected_deviation(certain), np.sqrt(7.0), rtol=1e-6)
    mean, deviation = np.array([0.0, 1.0, 0.5, -0.4, 0.2]), np.array([0.1, 1.0, 0.4, 0.3, 2.0])
    drawn = (mean + deviation * np.random.default_rng(0).normal(size=(50_000, 5))).std(1, ddof=1).mean()
    np.testing.assert_allclose(
        expected_deviation(Moments(jnp.asarray(mean)[:, None], jnp.asarray(deviation**2)[:, None])), drawn, rtol=0.05
    )


def test_a_mobile_row_pays_the_expected_deviation():
    context, rows = plane(std=0.1), still(2)._replace(discount=jnp.asarray([1.0, 0.0]))
    for values in VALUES:
        y, logged = call(target_of(mobile, values, penalty=2.0), rows, jnp.ones(2), context, ())
        v = candidate_moments(context, context.models.elites, rows, 10, values == "linear")
        np.testing.assert_allclose(y, np.asarray([1.9, 1.0]) - 2 * expected_deviation(v), rtol=1e-6)
        assert float(logged["inconsistency"]) > 0


def test_all_members_may_be_candidates():
    context = plane(std=1e-6, log_std=-10.0)
    context = context._replace(models=Models.of(context.models.members, 2))
    values = CHANGES @ SLOPE
    for kind, these in (("elites", values[:2]), ("all", values)):
        _, logged = call(target_of(micro, "moments", candidates=kind), still(2), jnp.zeros(2), context, ())
        assert float(logged["conservative_term"]) == pytest.approx(these.mean() - these.min(), rel=1e-3)


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (micro, {"num_samples": 0}, "num_samples: 0 draws nothing that values {} could average"),
        (mobile, {"num_samples": 0}, "num_samples: 0 draws nothing that values {} could average"),
        (micro, {"gap": "soft-min", "softness": 1.0}, "gap: soft-min needs draws, not values {}"),
        (micro, {"gap": "kth", "k": 2}, "gap: kth needs draws, not values {}"),
        (micro, {"candidates": "l2", "radius": 1.0}, "values: {} does nothing with a ball .l2."),
    ],
)
def test_what_has_no_closed_form_is_refused(module: Any, options: dict[str, Any], message: str, values: Values):
    with pytest.raises(UserError, match=message.format(values)):
        target_of(module, values, **options)


def test_another_kind_of_values_is_refused():
    with pytest.raises(UserError, match=r"^values: 'mean' is not draws, moments or linear$"):
        check_value("values", "mean", micro.Options)


def test_runs_with_other_values_are_other_programs_and_beta_is_still_a_leaf():
    plan = tiny_plan()
    runs = trials(plan, 1, {"values": ["draws", "moments", "linear"], "beta": [0.0, 0.5]})
    assert [len(group) for group in groups(runs)] == [2, 2, 2]
    betas = jnp.asarray([0.0, 1.0])
    context, rows = plane(std=0.1), still(2)

    def y(beta: jax.Array) -> jax.Array:
        target = MomentTarget(beta=beta, gap=MeanLessMinimum(), draws=10, shared=True, every_member=False)
        return target(rows, jnp.ones(2), context, ())[0]

    np.testing.assert_allclose(jax.jit(jax.vmap(y))(betas), [jax.jit(y)(beta) for beta in betas], rtol=1e-6)


def test_a_plan_says_how_it_values_candidates():
    assert "--values linear" in plan_to_command(make_plan("pendulum-demo", values="linear"))
    assert "--values" not in plan_to_command(make_plan("pendulum-demo"))
