"""SAC-N, EDAC and CQL: their neutral limits to the bit, EDAC's penalty, the sign of CQL's push."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import critics as stacks
from micro_rl.algorithms import sac
from micro_rl.algorithms.model_free import cql, edac, sac_n
from micro_rl.algorithms.slots import Method
from micro_rl.core.networks import q_values, uniform_mlp
from micro_rl.core.settings import Settings
from micro_rl.core.types import Batch, LogRows, Transition
from micro_rl.dynamics.ensemble import Models
from tests.probes import FUSED, coefficients, linear_critics, no_rows, steady_actor

OBS, ACT, ROWS = 3, 2, 16
directions, alignment = jax.jit(stacks.directions), jax.jit(stacks.alignment)
SIZES = Settings(hidden_sizes=(8,), num_critics=4).sizes()


@pytest.fixture(scope="module")
def rows() -> LogRows:
    keys = jax.random.split(jax.random.key(7), 4)
    state, after = (jax.random.normal(key, (ROWS, OBS)) for key in keys[:2])
    action = jax.random.uniform(keys[2], (ROWS, ACT), minval=-1.0, maxval=1.0)
    now = Transition(state, action, jax.random.normal(keys[3], (ROWS,)), after, jnp.ones(ROWS))
    return LogRows(now, action, jnp.ones(ROWS))


@partial(jax.jit, compiler_options=FUSED)
def step(method: sac_n.SacOnLog, agent: sac.Agent, rows: LogRows, key: jax.Array) -> sac.Agent:
    return method.update(agent, rows, key, coefficients())[0]


def moved(method: sac_n.SacOnLog, rows: LogRows, times: int = 2) -> sac.Agent:
    agent = method.start(jax.random.key(0), OBS, ACT, SIZES, 1.0)
    for key in jax.random.split(jax.random.key(1), times):
        agent = step(method, agent, rows, key)
    return agent


def same_bits(a, b) -> None:
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.fixture(scope="module")
def plain(rows: LogRows) -> sac.Agent:
    return moved(sac_n.build(sac_n.Options()), rows)


@pytest.mark.slow
def test_it_is_the_update_of_the_methods_with_a_model(rows: LogRows):
    method, agent = sac_n.build(sac_n.Options()), sac.start_agent(jax.random.key(0), OBS, ACT, (8,), 4, 1.0)
    noise_key, own_key = jax.random.split(jax.random.key(3))
    batch, models = Batch(rows.now, no_rows(OBS, ACT)), Models.none()

    @jax.jit
    def with_no_rows_of_a_model(agent: sac.Agent) -> sac.Agent:
        noise = sac.draw_noise(noise_key, Method(), batch, models)
        return sac.update(agent, Method(), models, batch, noise, own_key, coefficients())[0]

    after, logged = jax.jit(lambda agent: method.update(agent, rows, jax.random.key(3), coefficients()))(agent)
    same_bits(after, with_no_rows_of_a_model(agent))
    assert "q/model" not in logged


@pytest.mark.parametrize(
    "neutral", [edac.build(edac.Options(eta=0.0)), cql.build(cql.Options(cql_weight=0.0))], ids=["edac", "cql"]
)
def test_at_coefficient_0_it_is_soft_actor_critic_on_the_log_to_the_bit(neutral, rows: LogRows, plain: sac.Agent):
    same_bits(moved(neutral, rows), plain)


@pytest.mark.parametrize(
    "other", [edac.build(edac.Options(eta=5.0)), cql.build(cql.Options(cql_weight=5.0))], ids=["edac", "cql"]
)
def test_past_0_it_is_not(other, rows: LogRows, plain: sac.Agent):
    assert not np.array_equal(moved(other, rows).critics.weights[0], plain.critics.weights[0])


# EDAC


def reference(critics, rows: Transition) -> float:
    """Pair by pair and row by row, from gradients taken one at a time."""
    slopes = jax.jit(jax.jacobian(lambda state, action: q_values(critics, state[None], action[None])[:, 0], argnums=1))
    total = 0.0
    for state, action in zip(rows.observation, rows.action, strict=True):
        gradients = np.asarray(slopes(state, action), np.float64)
        units = [g / np.linalg.norm(g) for g in gradients]
        total += sum(float(a @ b) for a, b in itertools.permutations(units, 2)) / (len(units) - 1)
    return total / len(rows.reward)


def test_the_alignment_of_gradients_against_pairs_one_by_one(rows: LogRows):
    few = jax.tree.map(lambda column: column[:3], rows.now)
    critics = uniform_mlp(jax.random.key(2), (OBS + ACT, 8, 1), (4,))
    aligned = alignment(directions(critics, few.observation, few.action))
    np.testing.assert_allclose(aligned, reference(critics, few), rtol=1e-4)


def test_critics_that_agree_and_that_disagree():
    state, action = jnp.zeros((2, 1)), jnp.zeros((2, 1))
    agree = linear_critics([[0.0, 2.0], [0.0, 5.0], [1.0, 1.0]], [0.0] * 3)
    np.testing.assert_allclose(alignment(directions(agree, state, action)), 3.0, rtol=1e-6)
    differ = linear_critics([[0.0, 2.0], [0.0, -5.0]], [0.0] * 2)
    np.testing.assert_allclose(alignment(directions(differ, state, action)), -2.0, rtol=1e-6)


def test_a_critic_blind_to_the_action_does_no_harm():
    blind = linear_critics([[1.0, 0.0], [0.0, 1.0]], [0.0] * 2)
    state = jnp.zeros((2, 1))
    aligned = jax.jit(jax.value_and_grad(lambda critics: stacks.alignment(stacks.directions(critics, state, state))))
    value, gradient = aligned(blind)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert float(value) == 0


def test_the_penalty_is_a_mean_over_critics_and_drives_them_apart(rows: LogRows):
    method = edac.Diversity(jnp.asarray(2.0))
    critics = uniform_mlp(jax.random.key(2), (OBS + ACT, 8, 1), (2,))
    batch = Batch(rows.now, no_rows(OBS, ACT))

    @jax.jit
    def penalty(critics):
        return method(critics, steady_actor([0.0, 0.0], OBS), batch, jax.random.key(0))

    together = alignment(directions(critics, rows.now.observation, rows.now.action))
    np.testing.assert_allclose(penalty(critics), 2.0 / 2 * together, rtol=1e-6)
    slopes = jax.jit(jax.grad(penalty))(critics)
    down = jax.tree.map(lambda leaf, slope: np.asarray(leaf) - 0.1 * np.asarray(slope), critics, slopes)
    assert penalty(down) < penalty(critics)


def test_every_critic_has_its_turn_among_the_few_that_are_kept_apart(rows: LogRows):
    """Two of ten critics are drawn at each update: all of them over many, and other ones each time."""
    method, actor = edac.Diversity(jnp.asarray(1.0)), steady_actor([0.0, 0.0], OBS)
    critics = uniform_mlp(jax.random.key(2), (OBS + ACT, 8, 1), (10,))
    batch = Batch(rows.now, no_rows(OBS, ACT))
    penalty = jax.jit(jax.value_and_grad(lambda critics, key: method(critics, actor, batch, key)))
    values, gradients = zip(*(penalty(critics, key) for key in jax.random.split(jax.random.key(3), 60)), strict=True)
    assert len({float(value) for value in values}) > 5
    moved = np.sum([np.abs(gradient.weights[0]).sum((1, 2)) > 0 for gradient in gradients], axis=0)
    assert (moved > 0).all()
    assert moved.sum() == 2 * len(gradients)


# CQL


def test_the_critics_are_pushed_down_where_the_log_has_not_been_and_up_where_it_has():
    """The log acts at 0.9; Q = w a: the gradient of the penalty by w is the drawn actions' mean less 0.9."""
    state, action = jnp.zeros((64, 1)), jnp.full((64, 1), 0.9)
    rows = Transition(state, action, jnp.zeros(64), state, jnp.ones(64))
    method = cql.build(cql.Options(cql_weight=5.0)).regularize
    critics = linear_critics([[0.0, 0.0], [0.0, 0.0]], [0.0, 0.0])
    actor, batch = steady_actor([0.0], obs=1), Batch(rows, no_rows(1, 1))
    gradient = jax.jit(jax.grad(method))(critics, actor, batch, jax.random.key(0))
    slope = np.asarray(gradient.weights[0])[:, 1, 0]  # of the mean over the two critics
    assert (slope < 0).all()  # descent raises w: Q at 0.9 against Q at 0
    np.testing.assert_allclose(2 * slope, 5 * (0.0 - 0.9), atol=0.3)
    np.testing.assert_allclose(gradient.biases[0], 0.0, atol=1e-5)  # a level common to all actions is left alone
