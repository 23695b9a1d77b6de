"""The probes themselves: their closed forms against simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.model import predict
from micro_rl.nets import sample
from tests.probes import Line, model_rows, pointing_ensemble, steady_actor, tiny_dataset


@pytest.mark.parametrize("action", [0.0, 0.7, -1.0])
def test_the_lines_value_is_its_discounted_return(action: float):
    line = Line()
    state, total = np.array([-1.0, 0.0, 2.0]), np.zeros(3)
    for step in range(400):
        total += line.discount**step * (state + line.price * action)
        state = line.keep * state + line.push * action + line.drift
    # The first action's price is paid at once and comes back from the next step on.
    np.testing.assert_allclose(total, line.value(np.array([-1.0, 0.0, 2.0])), atol=1e-9)


def test_the_lines_model_is_the_line_but_for_its_errors():
    line = Line()
    mean, _ = predict(line.ensemble([0.0, 0.5]), jnp.asarray([[2.0]]), jnp.asarray([[-1.0]]))
    true = [line.keep * 2 - line.push + line.drift, 2 - line.price]
    np.testing.assert_allclose(mean[:, 0], [true, [true[0] + 0.5, true[1]]], rtol=1e-5)


def test_model_rows_hold_every_members_answer():
    rows = model_rows(Line().ensemble([0.0, 0.5]))
    half = rows.reward.shape[0] // 2
    np.testing.assert_array_equal(rows.observation[:half], rows.observation[half:])
    np.testing.assert_allclose(rows.next_observation[half:] - rows.next_observation[:half], 0.5, rtol=1e-5)


def test_a_steady_actor_is_steady():
    actor = steady_actor([0.4, -0.2], obs=3)
    action, _ = sample(actor, jax.random.normal(jax.random.key(0), (5, 3)), jnp.zeros((5, 2)))
    np.testing.assert_allclose(action, np.tile([0.4, -0.2], (5, 1)), rtol=1e-6)


def test_pointing_members_point():
    mean, std = predict(pointing_ensemble([[1.0, 2.0]], [3.0], act=1, std=0.1), jnp.ones((1, 2)), jnp.ones((1, 1)))
    np.testing.assert_allclose(mean[0, 0], [2.0, 3.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(std, 0.1, rtol=1e-4)


def test_the_tiny_log_is_made_of_whole_episodes():
    log = tiny_dataset(1e6)
    assert log.lengths.tolist() == [30] * 10
    inside = np.flatnonzero(~log.timeouts)
    np.testing.assert_array_equal(log.observations[inside + 1], log.next_observations[inside])
    assert np.abs(log.observations[:, 2]).max() > 1e6
