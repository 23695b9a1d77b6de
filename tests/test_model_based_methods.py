"""The neighbours of MICRO on one loop: hand-computed targets, signs, and the limits that are SAC on the model."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import registry
from micro_rl.algorithms.buffer import rows_of
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.conservative import conservative_gap
from micro_rl.algorithms.epoch import compiled_epoch, start
from micro_rl.algorithms.model_based import combo, mobile, mopo, morel, rambo, rambo_adversary
from micro_rl.algorithms.model_based.candidates import CandidateNoise
from micro_rl.algorithms.slots import EpochContext, Method, MethodContext
from micro_rl.core.metric_keys import is_raw_reward
from micro_rl.core.networks import action_error, q_values, sample
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Batch, Keys, Problem, Transition
from micro_rl.dynamics.ensemble import Ensemble, Models, predict
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.errors import UserError
from micro_rl.training.fitting import fit_model, problem_of
from tests.probes import call, linear_critics, pointing_ensemble, steady_actor, tiny_plan

PLAN = tiny_plan()
NEVER = ByRule(never)
advantage = jax.jit(rambo_adversary.advantage)
DECAY = (0.0,) * (len(PLAN.settings.model_hidden_sizes) + 1)
# Three members that lead from s = 0 to 1, 2 and 6; Q = s whatever the action.
ENSEMBLE = pointing_ensemble([[1.0], [2.0], [6.0]], [0.5, 0.5, 0.5], act=1)
CRITICS = linear_critics([[1.0, 0.0]] * 2, [0.0] * 2)
SETTING = MethodContext(CRITICS, CRITICS, steady_actor([0.0], obs=1), Models.of(ENSEMBLE, 3), jnp.asarray(0.9))


def rows(reward: list[float], following: list[float], discount: list[float]) -> Transition:
    count = (len(reward), 1)
    columns = (jnp.zeros(count), jnp.zeros(count), jnp.asarray(reward), jnp.asarray(following)[:, None])
    return Transition(*columns, jnp.asarray(discount))


ROWS = rows([0.5, 0.5], [2.0, 2.0], [1.0, 0.0])


# MOBILE


def test_mobile_by_hand():
    target = mobile.build(mobile.Options(penalty=2.0, num_samples=0)).target
    noise = CandidateNoise(jnp.zeros((1, 3, 2, 1)), jnp.zeros((1, 3, 2, 1)))
    y, logged = call(target, ROWS, jnp.asarray([2.0, 2.0]), SETTING, noise)
    # Values 1, 2, 6: mean 3, squares 4 + 1 + 9 = 14 over n - 1 = 2.
    deviation = np.sqrt(7.0)
    np.testing.assert_allclose(y, [0.5 + 0.9 * 2 - 2 * deviation, 0.5 - 2 * deviation], rtol=1e-5)
    assert float(logged["inconsistency"]) == pytest.approx(deviation, rel=1e-5)


@pytest.mark.parametrize("name", registry.METHODS)
def test_what_a_target_logs_is_reported_in_the_logs_own_units(name: str):
    target = registry.find(name).build(registry.find(name).Options()).target
    noise = target.noise(jax.random.key(0), ROWS, SETTING.models)
    _, logged = jax.eval_shape(target, ROWS, jnp.zeros(2), SETTING, noise)
    assert all(map(is_raw_reward, logged))


# MOPO


def test_mopo_by_hand():
    ensemble = pointing_ensemble([[1.0], [2.0]], [0.0, 0.0], act=1, std=0.3)
    shaped = call(mopo.build(mopo.Options(penalty=2.0)).transform, ensemble, (), ROWS)
    # Each member: 0.3 for the state and 0.3 for the reward.
    np.testing.assert_allclose(shaped.reward, 0.5 - 2 * np.sqrt(2 * 0.09), rtol=1e-4)
    np.testing.assert_array_equal(shaped.discount, ROWS.discount)


# MOReL


def test_morel_by_hand():
    method = morel.build(morel.Options(threshold=0.5, halt_penalty=3.0))
    # The members are 5 apart at most, everywhere.
    actor, known = method.prepare(SETTING.actor, ENSEMBLE, rows([-1.0, 4.0], [0.0, 0.0], [1.0, 1.0]), jax.random.key(0))
    assert actor is SETTING.actor
    assert (float(known.disagreement), float(known.reward)) == (pytest.approx(5.0), -1.0)
    halted = call(method.transform, ENSEMBLE, known, ROWS)
    np.testing.assert_allclose(halted.reward, -1.0 - 3.0)
    assert not np.asarray(halted.discount).any()


def test_morel_looks_at_every_row_of_the_log(monkeypatch):
    monkeypatch.setattr(morel, "BLOCK", 2)
    log = rows([1.0, 2.0, -7.0], [0.0] * 3, [1.0] * 3)
    _, known = morel.build(morel.Options()).prepare(SETTING.actor, ENSEMBLE, log, jax.random.key(0))
    assert float(known.reward) == -7.0


def test_morel_leaves_what_is_known():
    method = morel.build(morel.Options(threshold=1.5))
    _, known = call(method.prepare, SETTING.actor, ENSEMBLE, ROWS, jax.random.key(0))
    jax.tree.map(np.testing.assert_array_equal, call(method.transform, ENSEMBLE, known, ROWS), ROWS)


# COMBO


def test_combo_takes_the_logsumexp_over_all_its_draws():
    # Q = 0 everywhere, actions nearly fixed at 0: uniform has the density 1/2, the policy its own.
    flat = linear_critics([[0.0, 0.0]] * 2, [0.0] * 2)
    gap = jax.jit(partial(conservative_gap, actions=4000))(flat, SETTING.actor, ROWS, ROWS, jax.random.key(0))
    # Importance sampling: the mean of 1 / density is the volume 2 for each source; the sum of 12,000 of them.
    assert float(gap) == pytest.approx(np.log(2 * 12_000), abs=0.05)


def test_combo_pushes_unseen_actions_down_and_the_logs_up():
    critics = linear_critics([[0.0, 1.0]] * 2, [0.0] * 2)
    rows = ROWS._replace(action=jnp.full((2, 1), -0.9))
    push = combo.build(combo.Options(cql_weight=1.0)).regularize
    gradient = jax.jit(jax.grad(push))(critics, SETTING.actor, Batch(rows, ROWS), jax.random.key(0))
    moved = jax.tree.map(lambda p, g: np.asarray(p) - 0.1 * np.asarray(g), critics, gradient)
    value = jax.jit(q_values)
    change = lambda a: float(np.mean(value(moved, jnp.zeros((1, 1)), jnp.asarray([[a]]))) - a)  # noqa: E731
    assert change(-0.9) > change(0.9)
    assert change(0.9) < 0


# RAMBO


def test_rambo_density_is_the_mixtures():
    outcome = jnp.asarray([[1.0, 0.5], [1.5, 0.5]])
    pair = pointing_ensemble([[1.0], [2.0]], [0.5, 0.5], act=1, std=0.5)
    density = jax.jit(rambo_adversary.log_density, static_argnums=1)(pair.members, 2, pair, ROWS, outcome)
    peak = 1 / (0.5 * np.sqrt(2 * np.pi))
    by_hand = [peak * peak * (1 + np.exp(-2.0)) / 2, peak * peak * np.exp(-0.5)]
    np.testing.assert_allclose(density, np.log(by_hand), rtol=1e-4)


def test_rambo_advantage_by_hand():
    transition = ROWS._replace(next_observation=jnp.asarray([[2.0], [0.0]]), discount=jnp.ones(2))
    # Gains 0.5 + 0.9 * 2 and 0.5: mean 1.4, deviation (n - 1) 1.8 / sqrt 2.
    gain = advantage(SETTING, transition, jnp.zeros((2, 1)))
    np.testing.assert_allclose(gain, [np.sqrt(0.5), -np.sqrt(0.5)], rtol=1e-4)


def test_nothing_follows_the_end_in_rambos_advantage():
    transition = ROWS._replace(next_observation=jnp.asarray([[2.0], [4.0]]), discount=jnp.asarray([1.0, 0.0]))
    # Gains 0.5 + 0.9 * 2 and 0.5, whatever stands behind the end: standardised as in the case before.
    gain = advantage(SETTING, transition, jnp.zeros((2, 1)))
    np.testing.assert_allclose(gain, [np.sqrt(0.5), -np.sqrt(0.5)], rtol=1e-4)


@pytest.fixture(scope="module")
def fitted():
    problem = problem_of(PLAN.dataset, PLAN.settings)
    return problem, fit_model(PLAN.dataset, problem, PLAN.settings, 0, lambda row: None).ensemble


def trained(fitted, method: Method, epochs: int = 2):
    problem, ensemble = fitted
    sizes, keys = PLAN.settings.sizes(), Keys.of(0)
    state = start(problem, ensemble, method, sizes, 1.0, keys)
    for _ in range(epochs):
        state, *_ = compiled_epoch(
            state, method, problem, coefficients(PLAN.settings, 1), keys.epochs, sizes=sizes, ends=NEVER
        )
    return state


def adversarial(weight: float, steps: int = 20, clone_epochs: int = 0) -> Method:
    options = rambo.Options(
        adversarial_weight=weight, adversarial_steps=steps, adversarial_length=2, adversarial_batch_size=32,
        model_decay=DECAY, clone_epochs=clone_epochs,
    )  # fmt: skip
    return rambo.build(options)


@jax.jit
def turn(update: Any, ensemble: Ensemble, moments: Any, networks: MethodContext, problem: Problem) -> Ensemble:
    ends = lambda following, key: NEVER(following, problem.scaling, key)  # noqa: E731
    return update(ensemble, moments, EpochContext(networks, rows_of(problem.log), ends), jax.random.key(1))[0]


def turned(fitted, method: Method, update: Any = None) -> Ensemble:
    """The model after the method's steps against a policy that stays, whose Q is three times the first observation."""
    problem, ensemble = fitted
    critics, actor = linear_critics([[3.0, 0.0, 0.0, 0.0]] * 2, [0.0] * 2), steady_actor([0.0], obs=3)
    networks = MethodContext(critics, critics, actor, Models.of(ensemble, 2), jnp.asarray(0.99))
    _, moments = call(method.prepare, actor, ensemble, problem.log, jax.random.key(0))
    return turn(update or method.update_model, ensemble, moments, networks, problem)


def test_rambo_makes_the_model_worse_for_the_policy(fitted):
    """Steps against the policy lower the value that the model's own outcomes have, beside steps on the log alone."""

    def value_after(weight: float) -> float:
        log, moved = fitted[0].log, turned(fitted, adversarial(weight, steps=200))
        mean, _ = jax.jit(predict)(moved.best(2), log.observation, log.action)
        return float(jnp.mean(3 * mean[..., 0]))

    assert value_after(3.0) < value_after(0.0) - 0.1


def test_rambo_narrows_the_range_of_variances(fitted):
    """With a weight beside which the rest of the loss is nothing, Adam takes two steps of the rate towards narrower."""
    method = adversarial(0.0, steps=2)
    assert isinstance(method.update_model, rambo_adversary.TurnAgainst)
    heavy = replace(method.update_model, logvar_weight=1e6)
    before, after = fitted[1].members, turned(fitted, method, heavy).members
    np.testing.assert_allclose(after.max_logvar - before.max_logvar, -2 * heavy.rate, rtol=1e-2)
    np.testing.assert_allclose(after.min_logvar - before.min_logvar, 2 * heavy.rate, rtol=1e-2)


def test_rambo_begins_as_a_clone(fitted):
    problem, ensemble = fitted
    constant = problem.log._replace(action=jnp.full_like(problem.log.action, 0.5))
    actor = start(problem, ensemble, Method(), PLAN.settings.sizes(), 1.0, Keys.of(0)).agent.actor
    method = rambo.build(rambo.Options(clone_epochs=200, clone_lr=1e-2))
    cloned, _ = call(method.prepare, actor, ensemble, constant, jax.random.key(0))
    assert float(action_error(cloned, constant.observation, constant.action)) < 1e-2
    drawn, _ = sample(cloned, constant.observation, jax.random.normal(jax.random.key(1), constant.action.shape))
    assert float(jnp.std(drawn)) < 0.1, "what it draws has no spread either"


def test_a_lone_member_disagrees_with_nobody():
    with pytest.raises(UserError, match=r"^ensemble_size: 1 disagrees with nobody; MOReL needs 2 or more$"):
        morel.build(morel.Options()).refuse(ModelSizes(members=1, elites=1, layers=2))
    morel.build(morel.Options()).refuse(ModelSizes(members=2, elites=1, layers=2))


# Limits and options

NEUTRAL: dict[str, Any] = {
    "mobile": mobile.Options(penalty=0.0, num_samples=1),
    "mopo": mopo.Options(penalty=0.0),
    "combo": combo.Options(cql_weight=0.0, drawn_actions=2),
    "morel": morel.Options(threshold=float("inf")),
}


@pytest.fixture(scope="module")
def plain(fitted):
    return trained(fitted, Method())


def assert_same_bits(a, b) -> None:
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(a), jax.device_get(b))


@pytest.mark.parametrize("name", NEUTRAL)
def test_the_neutral_limit_is_sac_on_the_model_to_the_bit(name: str, fitted, plain):
    state = trained(fitted, registry.find(name).build(NEUTRAL[name]))
    assert_same_bits(state.agent, plain.agent)


def test_rambo_without_its_steps_is_sac_on_the_model_to_the_bit(fitted, plain):
    assert_same_bits(trained(fitted, adversarial(1.0, steps=0)).agent, plain.agent)


def test_rambo_moves_the_model(fitted):
    state = trained(fitted, adversarial(0.1, steps=4, clone_epochs=1), epochs=1)
    before, after = fitted[1].members.net.weights[0], state.ensemble.members.net.weights[0]
    assert np.isfinite(np.asarray(after)).all() and not np.array_equal(before, after)


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (mobile, {"penalty": -1.0}, "penalty: -1.0 is not 0 or more"),
        (mobile, {"num_samples": -1}, "num_samples: -1 is not a whole number of at least 0"),
        (mopo, {"penalty": -1.0}, "penalty"),
        (combo, {"cql_weight": -1.0}, "cql_weight"),
        (combo, {"drawn_actions": 0}, "drawn_actions: 0 is not a whole number of at least 1"),
        (morel, {"threshold": 0.0}, "threshold: 0.0 is not positive"),
        (morel, {"halt_penalty": -1.0}, "halt_penalty"),
        (rambo, {"adversarial_lr": 0.0}, "adversarial_lr: 0.0 is not positive"),
        (rambo, {"clone_epochs": -1}, "clone_epochs: -1 is not a whole number of at least 0"),
    ],
)
def test_coefficients_out_of_bounds(module, options: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        module.build(module.Options(**options))


def test_every_method_says_what_it_is():
    for name, module in registry.METHODS.items():
        assert module.SUMMARY and module.PAPER, name
        assert partial(module.build, module.Options())()
