"""What a model says of exogenous columns counts nowhere: not in its own error, nor in what methods make of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from micro_rl.algorithms.model_based import mopo, morel, rambo
from micro_rl.algorithms.model_based.rambo_adversary import TurnAgainst, log_density
from micro_rl.algorithms.rollout import Replayed, RowRules, rollout
from micro_rl.algorithms.slots import EpochContext, Method, MethodContext
from micro_rl.core.settings import Settings
from micro_rl.core.types import Replay, Transition
from micro_rl.data import Dataset
from micro_rl.dynamics.ensemble import Models, inputs_of, predict, standardise, targets_of
from micro_rl.dynamics.losses import holdout_errors
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.training.fitting import fit_model, held_out, problem_of
from tests.probes import call, linear_critics, linear_ensemble, plain_units, pointing_ensemble, steady_actor

predictions, errors_of = jax.jit(predict), jax.jit(holdout_errors, static_argnums=3)
SECOND = jnp.asarray([False, True])
LOG = Transition(
    jnp.asarray([[0.0, 10.0], [0.0, 20.0], [0.0, 30.0], [0.0, 40.0]]),
    jnp.zeros((4, 1)),
    jnp.zeros(4),
    jnp.asarray([[0.0, 20.0], [0.0, 30.0], [0.0, 40.0], [0.0, 50.0]]),
    jnp.ones(4),
)
REPLAY = Replay(jnp.asarray([True, True, True, False]), SECOND)


def test_a_silent_model_leaves_exogenous_columns_as_they_are():
    ensemble = pointing_ensemble([[1.0, 100.0], [2.0, -100.0]], [5.0, 6.0], act=1, std=3.0)
    mean, std = map(np.asarray, predictions(ensemble.silent_on(SECOND), LOG.observation, LOG.action))
    np.testing.assert_allclose(mean[:, 1], [[1, 20, 5], [2, 20, 6]])
    np.testing.assert_allclose(std[:, 1], [[3, 0, 3]] * 2, rtol=1e-5)
    assert ensemble.silent_on(None) is ensemble


def test_in_a_window_its_older_part_stays_what_is_known():
    """Two steps of one state and a weather, and the action between: state, weather, state before, weather, action."""
    ensemble = linear_ensemble(np.zeros((1, 6, 3)), [[1.0, 100.0, 0.0]], [3.0, 3.0, 3.0])
    window = jnp.asarray([[1.0, 10.0, 2.0, 20.0, 0.5]])
    second = jnp.asarray([False, True, False, False, False])
    loud, _ = map(np.asarray, predictions(ensemble, window, jnp.asarray([[0.7]])))
    mean, std = map(np.asarray, predictions(ensemble.silent_on(second), window, jnp.asarray([[0.7]])))
    np.testing.assert_array_equal(np.flatnonzero((loud != mean)[0, 0]), [1])
    np.testing.assert_allclose(mean[0, 0, :2], [2, 10])
    np.testing.assert_allclose(std[0, 0], [3, 0, 0, 0, 0, 3], rtol=1e-5)


rolled_out = jax.jit(rollout, static_argnums=(1, 7))


def rewards_and_discounts(method: Method, ensemble, exogenous):
    """Of a step of the model from each row of the log."""
    actor = steady_actor([0.0], obs=2, log_std=-9.0)
    silent = ensemble.silent_on(exogenous)
    _, state = call(method.prepare, actor, silent, LOG, jax.random.key(0))
    replayed = None if exogenous is None else Replayed(jnp.arange(4), LOG.next_observation, REPLAY)
    rows = rolled_out(
        ensemble, 2, actor, RowRules(method.transform, state), ByRule(never), plain_units(2, 1), LOG.observation, 1,
        jax.random.key(1), replayed,
    ).rows  # fmt: skip
    return np.asarray(rows.reward), np.asarray(rows.discount)


def test_mopo_pays_for_no_deviation_of_the_weather():
    """Deviations 3, 4 and, of the reward, 12: their length is 13, and without the weather's sqrt(153)."""
    ensemble = linear_ensemble(np.zeros((2, 3, 3)), np.zeros((2, 3)), [3.0, 4.0, 12.0])
    method = mopo.build(mopo.Options(penalty=1000.0))
    for exogenous, length in ((None, 13.0), (SECOND, 153**0.5)):
        reward, _ = rewards_and_discounts(method, ensemble, exogenous)
        np.testing.assert_allclose(reward, -1000 * length, atol=50)  # the reward itself is drawn


def test_morel_halts_on_no_disagreement_about_the_weather():
    """Members differ by the action alone, in the level by 2 a and in the weather by 100 a; the log has a = 0 and 1."""
    weight = np.zeros((2, 3, 3))
    weight[0, 2], weight[1, 2] = [1.0, 50.0, 0.0], [-1.0, -50.0, 0.0]
    ensemble = linear_ensemble(weight, np.zeros((2, 3)), [1e-3] * 3)
    log = LOG._replace(action=jnp.asarray([[0.0], [1.0], [0.0], [0.0]]))
    for exogenous, largest in ((None, np.hypot(2, 100)), (SECOND, 2.0)):
        silent = ensemble.silent_on(exogenous)
        _, known = call(morel.FitThreshold(), steady_actor([0.0], obs=2), silent, log, jax.random.key(0))
        np.testing.assert_allclose(known.disagreement, largest, rtol=1e-5)
        apart = jax.jit(morel.disagreement)(silent, log._replace(observation=log.observation + 7))
        np.testing.assert_allclose(apart, [0, largest, 0, 0], rtol=1e-5, atol=1e-5)


def test_morel_rolls_out_with_the_same_eyes():
    """The members disagree by 1 about the weather everywhere: with a threshold of half the log's all is unknown."""
    ensemble = pointing_ensemble([[0.0, 0.5], [0.0, -0.5]], [0.0, 0.0], act=1)
    method = morel.build(morel.Options(threshold=0.5, halt_penalty=3.0))
    assert (rewards_and_discounts(method, ensemble, None)[1] == 0).all()
    reward, discount = rewards_and_discounts(method, ensemble, SECOND)
    assert (discount == 1).all() and (np.abs(reward) < 1e-3).all()


def test_the_holdout_error_leaves_the_weather_out():
    """Off by 1, 10 and 3: a mean square of 110 / 3, and of 10 / 2 without the second."""
    members = pointing_ensemble([[0.0, 0.0]], [0.0], act=1).members
    targets = jnp.asarray([[1.0, 10.0, 3.0]] * 4)
    np.testing.assert_allclose(errors_of(members, jnp.zeros((4, 3)), targets, ()), 110 / 3, rtol=1e-6)
    np.testing.assert_allclose(errors_of(members, jnp.zeros((4, 3)), targets, (1,)), 5, rtol=1e-6)


@pytest.mark.parametrize("exogenous", [[], ["weather"]])
def test_a_fit_stops_and_ranks_by_what_it_has_to_foretell(exogenous):
    random = np.random.default_rng(0)
    observations, action = random.normal(size=(61, 2)), random.uniform(-1, 1, (60, 1))
    log = Dataset.from_arrays(
        observations[:60], action, np.zeros(60), next_observations=observations[1:], horizon=60,
        observation_names=["level", "weather"], exogenous=exogenous,
    )  # fmt: skip
    settings = Settings(
        ensemble_size=2, num_elites=2, model_hidden_sizes=(4,), weight_decay=(0.0, 0.0), max_fit_epochs=2
    )
    problem = problem_of(log, settings)
    model = fit_model(log, problem, settings, 0, lambda row: None)
    assert isinstance(problem.log, Transition)
    rows = jax.tree.map(lambda column: np.asarray(column)[held_out(0, 60, settings)], problem.log)
    ensemble = model.ensemble

    @jax.jit
    def errors_on(rows: Transition) -> Array:
        inputs = standardise(inputs_of(rows), ensemble.input_mean, ensemble.input_std)
        targets = standardise(targets_of(rows), ensemble.target_mean, ensemble.target_std)
        return holdout_errors(ensemble.members, inputs, targets, (1,) if exogenous else ())

    errors = errors_on(rows)
    np.testing.assert_allclose(model.about["holdout"], errors, rtol=1e-4)


def test_rambos_adversary_gains_nothing_by_the_weather():
    """Of a next state (1, 100) and reward 2 at mean 0 and deviation 1 the log-density of 1 and 2 alone counts."""
    ensemble = pointing_ensemble([[0.0, 0.0]], [0.0], act=1, std=1.0)
    rows = LOG._replace(observation=jnp.zeros((4, 2)))
    outcome = jnp.asarray([[1.0, 100.0, 2.0]] * 4)

    @jax.jit
    def density(members, exogenous: Array | None = SECOND):
        return log_density(members, 1, ensemble, rows, outcome, exogenous)

    np.testing.assert_allclose(density(ensemble.members), -2.5 - np.log(2 * np.pi), rtol=1e-5)
    np.testing.assert_allclose(density(ensemble.members, None), -5002.5 - 1.5 * np.log(2 * np.pi), rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda members: jnp.sum(density(members))))(ensemble.members)
    slopes = np.asarray(gradient.net.biases[-1])[0]
    np.testing.assert_array_equal(slopes[[1, 4]], 0)  # the weather's mean and its log-variance
    assert slopes[0] != 0


def test_what_rambos_adversary_imagines_follows_the_log():
    ensemble = pointing_ensemble([[1.0, 100.0]] * 2, [0.0, 0.0], act=1)
    critics, actor = linear_critics([[1.0, 1.0, 0.0]], [0.0]), steady_actor([0.0], obs=2)
    networks = MethodContext(critics, critics, actor, Models.of(ensemble, 2, SECOND), jnp.asarray(0.9))
    turn = rambo.build(rambo.Options(adversarial_batch_size=4, model_decay=(0.0,))).update_model
    assert isinstance(turn, TurnAgainst)
    ends = lambda following, key: jnp.zeros(len(following), bool)  # noqa: E731
    context = EpochContext(networks, LOG, ends, REPLAY)
    imagined = jax.jit(lambda started: turn._imagined(ensemble, context, LOG.observation, started, jax.random.key(0)))
    rows, row = imagined(jnp.arange(4))
    order = np.asarray(rows.observation)[:, 1].argsort()
    np.testing.assert_allclose(np.asarray(rows.next_observation)[order], [[1, 20], [1, 30], [1, 40], [1, 50]], atol=0.1)
    assert row is not None and np.asarray(row)[order].tolist() == [1, 2, 3, -1]
    rows, row = imagined(jnp.full(4, -1))
    assert (np.subtract(rows.next_observation, rows.observation)[:, 1] > 99).all()
