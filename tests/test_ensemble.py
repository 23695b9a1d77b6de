"""The Gaussian ensemble: its units and losses by hand, who improves when, and a fit that works."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.core.types import Transition
from micro_rl.dynamics import ensemble as model
from micro_rl.dynamics import fit_epoch, losses
from micro_rl.dynamics.ensemble import Ensemble, Members
from micro_rl.dynamics.fit_epoch import FitState, Patience, compiled_epoch, compiled_start
from tests.probes import linear, linear_ensemble, tiny_dataset, tiny_plan

predict = jax.jit(model.predict)


def in_units(ensemble: Ensemble, inputs, targets) -> Ensemble:
    """The same networks between these (mean, std) of inputs and targets."""
    numbers = [jnp.asarray(x, jnp.float32) for x in (*inputs, *targets)]
    places = lambda e: [e.input_mean, e.input_std, e.target_mean, e.target_std]  # noqa: E731
    return eqx.tree_at(places, ensemble, numbers)


# One observation, one action. Standardised: change = 2 s + a + 1, reward = s - a; deviations 0.5 and 0.1.
BY_HAND = in_units(
    linear_ensemble([[[2.0, 1.0], [1.0, -1.0]]], [[1.0, 0.0]], [0.5, 0.1]),
    inputs=([10.0, 0.0], [4.0, 2.0]),
    targets=([3.0, -1.0], [2.0, 10.0]),
)


def test_predictions_by_hand():
    # s = 14, a = 2 are 1 and 1: change 4 * 2 + 3 = 11, reward 0 * 10 - 1.
    mean, std = predict(BY_HAND, jnp.asarray([[14.0], [10.0]]), jnp.asarray([[2.0], [0.0]]))
    np.testing.assert_allclose(mean, [[[25.0, -1.0], [15.0, -1.0]]], rtol=1e-5)
    np.testing.assert_allclose(std, [[[1.0, 1.0]] * 2], rtol=1e-4)


def test_members_may_each_have_rows_of_their_own():
    two = linear_ensemble(np.zeros((2, 2, 2)), [[1.0, 5.0], [2.0, 6.0]], [1.0, 1.0])
    mean, _ = predict(two, jnp.asarray([[[10.0]], [[20.0]]]), jnp.zeros((2, 1, 1)))
    np.testing.assert_allclose(mean[:, 0], [[11.0, 5.0], [22.0, 6.0]], rtol=1e-6)


likelihood_loss = jax.jit(losses.likelihood_loss)
fit_loss = jax.jit(losses.fit_loss, static_argnums=3)


def members(means: list[float], logvar: float, bounds=(-50.0, 50.0)) -> Members:
    """Members of one output that predict a constant."""
    bias = np.stack([[mean, logvar] for mean in means])
    lowest, highest = (jnp.full(1, value) for value in bounds)
    return Members(linear(np.zeros((len(means), 1, 2)), bias), highest, lowest)


def each(value: float, count: int) -> jax.Array:
    return jnp.full((count, 4, 1), value)


def test_likelihood_by_hand():
    # (2 - 0)^2 / 4 + log 4 and (0 - 0)^2 / 4 + log 4, summed over the members.
    loss = likelihood_loss(members([2.0, 0.0], np.log(4)), each(0.0, 2), each(0.0, 2))
    assert float(loss) == pytest.approx(1 + 2 * np.log(4), rel=1e-5)


def test_weight_decay_by_hand():
    net = linear([[[1.0, 2.0]], [[3.0, 0.0]]], [[7.0, 7.0]] * 2)
    decayed = losses.weight_decay(Members(net, jnp.ones(1), -jnp.ones(1)), (0.1,))
    assert float(decayed) == pytest.approx(0.5 * 0.1 * (1 + 4 + 9))


def test_the_bounds_of_the_variance_are_pulled_together():
    sizes = tiny_plan().settings.fit_sizes()._replace(weight_decay=(0.0,), logvar_weight=0.01)
    few = members([0.0], 0.0, bounds=(-3.0, 4.0))
    likelihood = likelihood_loss(few, each(0.0, 1), each(0.0, 1))
    assert float(fit_loss(few, each(0.0, 1), each(0.0, 1), sizes) - likelihood) == pytest.approx(0.07)


@pytest.mark.parametrize(("asked", "given"), [(-99.0, -10.0), (99.0, 0.5), (-5.0, -5.0)])
def test_log_variance_stays_between_its_bounds(asked: float, given: float):
    _, variance = model.gaussians(members([0.0], asked, bounds=(-10.0, 0.5)), jnp.zeros((1, 1)))
    assert np.log(variance[0, 0, 0]) == pytest.approx(given, abs=0.01)


def test_holdout_error_by_hand():
    errors = losses.holdout_errors(members([1.0, 3.0], 0.0), jnp.zeros((2, 1)), jnp.asarray([[0.0], [2.0]]))
    np.testing.assert_allclose(errors, [1.0, 5.0])


def test_the_elites_are_the_first_members():
    ensemble = linear_ensemble(np.zeros((4, 2, 2)), np.arange(8).reshape(4, 2), [1.0, 1.0])
    assert (ensemble.size, ensemble.best(2).size) == (4, 2)
    np.testing.assert_array_equal(ensemble.best(2).members.net.biases[0][:, 0], [0.0, 2.0])


# Patience


def test_only_more_than_a_hundredth_counts_as_better():
    first, improved = Patience.start(3).see(jnp.asarray([1.0, 1.0, 1.0]), jnp.asarray(0))
    assert improved.all()
    second, improved = first.see(jnp.asarray([0.991, 0.98, 2.0]), jnp.asarray(1))
    assert improved.tolist() == [False, True, False]
    np.testing.assert_allclose(second.error, [1.0, 0.98, 1.0])
    assert second.epoch.tolist() == [0, 1, 0]
    assert int(second.stale) == 0
    third, _ = second.see(jnp.asarray([1.0, 0.98, 1.0]), jnp.asarray(2))
    assert int(third.stale) == 1


def test_an_error_that_is_no_number_is_no_improvement():
    _, improved = Patience.start(1).see(jnp.asarray([jnp.nan]), jnp.asarray(0))
    assert not improved.any()


# Fitting the tiny log

SIZES = tiny_plan(max_fit_epochs=40, patience=40).settings.fit_sizes()


def rows(size: float = 1.0) -> Transition:
    """The tiny log as it is, its last observation `size` times as large."""
    return Transition(*(jnp.asarray(column) for column in tiny_dataset(size).transitions(True)))


def begun(log: Transition) -> FitState:
    return compiled_start(log, sizes=SIZES, key=jax.random.key(0))


def fitted(log: Transition, epochs: int) -> tuple[FitState, list[np.ndarray]]:
    state, errors = begun(log), []
    for epoch in range(epochs):
        state, logged, _ = compiled_epoch(state, log, sizes=SIZES, key=jax.random.fold_in(jax.random.key(1), epoch))
        errors.append(np.asarray(logged["holdout"]))
    return state, errors


def test_held_out_rows_are_never_fitted():
    state = begun(rows())
    holdout, drawn = set(np.asarray(state.holdout).tolist()), np.asarray(state.bootstrap)
    assert len(holdout) == 300 * 0.2
    assert drawn.shape == (3, 240)
    assert not holdout & set(drawn.ravel().tolist())
    # A bootstrap: with replacement, and each member its own.
    shares = [len(set(member.tolist())) / 240 for member in drawn]
    np.testing.assert_allclose(shares, 1 - np.exp(-1), atol=0.08)
    assert not np.array_equal(drawn[0], drawn[1])


def test_at_most_a_thousand_rows_are_held_out():
    many = jax.tree.map(lambda column: jnp.tile(column, (20,) + (1,) * (column.ndim - 1)), rows())
    state = jax.eval_shape(lambda log: fit_epoch.start_fit(log, SIZES, jax.random.key(0)), many)
    assert state.holdout.shape == (1000,)


def test_units_are_those_of_the_rows_that_are_fitted():
    log, state = rows(), begun(rows())
    fitted = np.setdiff1d(np.arange(300), np.asarray(state.holdout))
    inputs = np.concatenate([log.observation, log.action], axis=-1)[fitted]
    changes = np.asarray(log.next_observation - log.observation)[fitted]
    np.testing.assert_allclose(state.input_mean, inputs.mean(0), atol=1e-5)
    np.testing.assert_allclose(state.input_std, inputs.std(0), rtol=1e-4)
    np.testing.assert_allclose(state.target_std[:-1], changes.std(0), rtol=1e-4)
    np.testing.assert_allclose(state.target_std[-1], np.asarray(log.reward)[fitted].std(), rtol=1e-4)


def test_targets_stay_raw_where_that_is_asked():
    raw = SIZES._replace(standardise_targets=False)
    state = jax.jit(lambda log: fit_epoch.start_fit(log, raw, jax.random.key(0)))(rows())
    assert not np.asarray(state.target_mean).any()
    assert (state.target_std == 1).all()


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, 100.3, 1e6])
def test_a_constant_column_keeps_its_unit(constant: float):
    log = rows()
    log = log._replace(observation=log.observation.at[:, 1].set(constant))
    assert float(begun(log).input_std[1]) == 1.0


def test_a_pass_shows_every_member_each_of_its_rows():
    bootstrap = jnp.asarray([[0, 1, 2, 3, 4], [9, 9, 8, 7, 7]])
    batches = fit_epoch.shuffled_batches(bootstrap, 2, jax.random.key(0))
    assert batches.shape == (3, 2, 2)
    for member in (0, 1):
        order = np.asarray(batches[:, member]).ravel()
        assert sorted(order[:5].tolist()) == sorted(bootstrap[member].tolist())
        assert order[5] == order[0]
    assert not np.array_equal(batches, fit_epoch.shuffled_batches(bootstrap, 2, jax.random.key(1)))


def test_fewer_rows_than_a_batch_make_one_batch():
    assert fit_epoch.shuffled_batches(jnp.zeros((2, 3), int), 64, jax.random.key(0)).shape == (1, 2, 3)


def test_a_fit_learns_a_linear_system():
    state, errors = fitted(rows(), 40)
    assert (errors[-1] < 0.6 * errors[0]).all()
    np.testing.assert_allclose(state.patience.error, np.min(errors, axis=0), rtol=0.011)


def test_a_column_of_a_million_is_fitted_like_any_other():
    state, errors = fitted(rows(1e6), 40)
    assert np.isfinite(errors).all()
    np.testing.assert_allclose(errors[-1], fitted(rows(), 40)[1][-1], rtol=1e-2)
    log = rows(1e6)
    mean, std = predict(fit_epoch.finish_fit(state), log.observation, log.action)
    residual = np.asarray(mean[..., 2] - log.next_observation[None, :, 2])
    assert residual.std() < 0.8 * np.asarray(log.next_observation - log.observation)[:, 2].std()
    assert np.isfinite(std).all()


def test_an_epoch_gives_the_types_that_it_takes_or_it_would_be_compiled_again():
    def types(tree: FitState) -> list[tuple]:
        return [(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(tree)]

    before = jax.eval_shape(begun, rows())
    after, *_ = jax.eval_shape(partial(fit_epoch.fit_epoch, sizes=SIZES), before, rows(), key=jax.random.key(1))
    assert types(before) == types(after)


def test_a_finished_fit_stays_as_it_is():
    state, _ = fitted(rows(), 2)
    over = state._replace(patience=state.patience._replace(stale=jnp.asarray(SIZES.patience)))
    before = jax.tree.map(np.array, over)
    after, *_ = compiled_epoch(over, rows(), sizes=SIZES, key=jax.random.key(5))
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_a_fit_ends_with_the_best_networks_in_order():
    state = begun(rows())
    best = jax.tree.map(lambda leaf: leaf * 0 + jnp.arange(3.0).reshape(3, *[1] * (leaf.ndim - 1)), state.best)
    state = state._replace(best=best, patience=state.patience._replace(error=jnp.asarray([0.3, 0.1, 0.2])))
    ensemble = fit_epoch.finish_fit(state)
    assert ensemble.members.net.biases[0][:, 0].tolist() == [1.0, 2.0, 0.0]
    np.testing.assert_array_equal(ensemble.members.max_logvar, state.members.max_logvar)
    np.testing.assert_array_equal(ensemble.input_std, state.input_std)
