"""Soft actor-critic's equations on a handful of numbers, and where the methods' target may act."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import sac
from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.model_based.candidates import CandidateNoise
from micro_rl.algorithms.sac import Agent, Noise
from micro_rl.algorithms.slots import Method, SoftTarget
from micro_rl.core.networks import action_error, uniform_mlp
from micro_rl.core.types import Batch, Transition
from micro_rl.dynamics.ensemble import Models
from tests.probes import agent_of, coefficients, linear_critics, pointing_ensemble, steady_actor

# One observation, one action. Q_1 = s + 2 a, Q_2 = 3 s - a + 1; the policy is tanh(N(0, 1)), its noise 0: a = 0.
CRITICS = linear_critics([[1.0, 2.0], [3.0, -1.0]], [0.0, 1.0])
ACTOR = steady_actor([0.0], obs=1)
LOG_PROB = -0.5 * np.log(2 * np.pi)
# Two elites that lead from s = 0 to 1 and to 3, where min_k Q_k is 1 and 3: f = 2 - 1.
MODELS = Models.of(pointing_ensemble([[1.0], [3.0]], [0.0, 0.0], act=1), 2)


def rows(reward: list[float], following: list[float], discount: list[float]) -> Transition:
    count = (len(reward), 1)
    return Transition(
        jnp.zeros(count),
        jnp.zeros(count),
        jnp.asarray(reward),
        jnp.asarray(following)[:, None],
        jnp.asarray(discount),
    )


REAL = rows([1.0, 1.0], [2.0, -2.0], [1.0, 0.0])
MODEL = rows([0.5, 0.5], [2.0, 2.0], [1.0, 0.0])
QUIET = Noise(jnp.zeros((4, 1)), jnp.zeros((4, 1)), CandidateNoise(jnp.zeros((1, 2, 2, 1)), jnp.zeros((1, 2, 2, 1))))
AGENT = agent_of(ACTOR, CRITICS, temperature=0.5)


def conservative(beta: float) -> Method:
    return micro.build(micro.Options(beta=beta, num_samples=0))


def targets(method: Method, agent: Agent = AGENT, **chosen: float) -> np.ndarray:
    noise = QUIET if method.target.noise(jax.random.key(0), MODEL, MODELS) != () else QUIET._replace(target=())
    y, _ = sac.targets(agent, method, MODELS, Batch(REAL, MODEL), noise, coefficients(**chosen))
    return np.asarray(y)


def test_targets_by_hand():
    # s' = 2: min(2, 7) = 2. Log row: 1 + 0.9 * 2; model row: 0.5 + 0.9 * (2 - 0.5 * 1); ends: the reward.
    np.testing.assert_allclose(targets(conservative(0.5)), [2.8, 1.0, 1.85, 0.5], rtol=1e-5)


def test_targets_with_entropy_by_hand():
    value = 2 - 0.5 * LOG_PROB
    expected = [1 + 0.9 * value, 1.0, 0.5 + 0.9 * (value - 1.0), 0.5]
    np.testing.assert_allclose(targets(conservative(1.0), backup_entropy=1.0), expected, rtol=1e-5)


def test_beta_0_is_the_soft_target_to_the_bit():
    np.testing.assert_array_equal(targets(conservative(0.0)), targets(Method()))


def test_rows_of_the_log_never_see_the_term():
    with_term, without = targets(conservative(1.0)), targets(conservative(0.0))
    np.testing.assert_array_equal(with_term[:2], without[:2])
    assert with_term[2] < without[2]


def test_a_terminal_leaves_the_reward_alone_exactly():
    for beta in (0.0, 1.0):
        y = targets(conservative(beta), backup_entropy=1.0)
        assert y[1] == 1.0
        assert y[3] == 0.5


def test_the_term_is_logged():
    _, logged = sac.targets(AGENT, conservative(0.5), MODELS, Batch(REAL, MODEL), QUIET, coefficients())
    assert float(logged["conservative_term"]) == pytest.approx(1.0, rel=1e-5)


def test_the_smallest_target_is_a_floor_for_all_rows():
    low = Batch(REAL._replace(reward=REAL.reward - 10), MODEL._replace(reward=MODEL.reward - 10))
    noise = QUIET._replace(target=())
    free, _ = sac.targets(AGENT, Method(), MODELS, low, noise, coefficients())
    values, _ = sac.targets(AGENT, Method(), MODELS, low, noise, coefficients(min_target=0.0))
    assert (free < 0).all()
    assert not np.asarray(values).any()
    # Where nothing lies below it, it changes nothing.
    np.testing.assert_array_equal(targets(Method(), min_target=0.0), targets(Method()))


def test_target_critics_and_not_the_critics_make_the_target():
    moved = agent_of(ACTOR, linear_critics([[9.0, 9.0]] * 2, [9.0] * 2), targets=CRITICS, temperature=0.5)
    np.testing.assert_array_equal(targets(conservative(0.5), moved), targets(conservative(0.5)))


actor_loss = jax.jit(sac.actor_loss)


def test_losses_by_hand():
    both = jax.tree.map(lambda a, b: jnp.asarray(np.concatenate([a, b])), REAL, MODEL)
    # At s = a = 0 the critics say 0 and 1; y = 2: errors 4 and 1.
    loss, q = jax.jit(sac.critic_loss)(CRITICS, both, jnp.full(4, 2.0))
    assert float(loss) == pytest.approx(2.5)
    assert q.tolist() == [[0.0] * 4, [1.0] * 4]
    loss, (log_prob, size) = actor_loss(ACTOR, CRITICS, both.observation, jnp.zeros((4, 1)), jnp.asarray(0.5))
    assert float(loss) == pytest.approx(0.5 * LOG_PROB - 0.0)
    np.testing.assert_allclose(log_prob, LOG_PROB, rtol=1e-6)
    assert float(size) == 0.0
    loss = sac.temperature_loss(jnp.asarray(-2.0), jnp.asarray([1.0, 2.0]), jnp.asarray(-1.0))
    assert float(loss) == pytest.approx(2 * 0.5)


def test_the_anchor_by_hand():
    # pi(s) = 0.5 where the log did 0, and there min_k Q_k = min(1, 0.5): 2 * 0.5 * 0.25 on top of the loss.
    actor, noise, alpha = steady_actor([0.5], obs=1), jnp.zeros((2, 1)), jnp.asarray(0.3)
    plain, _ = actor_loss(actor, CRITICS, REAL.observation, noise, alpha)
    values, _ = jax.jit(sac.anchored_loss)(actor, CRITICS, REAL, REAL, noise, alpha, jnp.asarray(2.0))
    assert float(values - plain) == pytest.approx(0.25, rel=1e-5)


def test_the_anchor_weighs_as_td3_bc_does():
    # TD3+BC descends -a Q / mean|Q| + error; times mean|Q| / a that is the anchored loss without entropy.
    actor, noise, alpha = steady_actor([0.5], obs=1, log_std=-20.0), jnp.zeros((2, 1)), jnp.asarray(0.0)

    def td3_bc(actor, scale):
        q, _ = sac.actor_loss(actor, CRITICS, REAL.observation, noise, alpha)
        return 2.5 * q / scale + action_error(actor, REAL.observation, REAL.action)

    def anchored(actor):
        return sac.anchored_loss(actor, CRITICS, REAL, REAL, noise, alpha, jnp.asarray(0.4))[0]

    ours, theirs = jax.jit(jax.grad(anchored))(actor), jax.jit(jax.grad(td3_bc))(actor, 0.5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, np.asarray(b) * 0.5 / 2.5, rtol=1e-5, atol=1e-7), ours, theirs
    )


def test_temperature_is_at_most_one_while_its_logarithm_goes_on():
    assert float(sac.temperature(AGENT)) == pytest.approx(0.5)
    assert float(sac.temperature(AGENT._replace(log_temperature=jnp.asarray(3.0)))) == 1.0


# Whole updates

update = jax.jit(sac.update)


def random_agent(critics: int) -> Agent:
    actor_key, critic_key = jax.random.split(jax.random.key(0))
    return agent_of(uniform_mlp(actor_key, (1, 8, 2)), uniform_mlp(critic_key, (2, 8, 1), (critics,)), temperature=0.5)


def updated(agent: Agent, **chosen: float) -> tuple[Agent, dict]:
    batch, method = Batch(REAL, MODEL), Method()
    noise = sac.draw_noise(jax.random.key(1), method, batch, MODELS)
    return update(agent, method, MODELS, batch, noise, jax.random.key(2), coefficients(**chosen))


def test_a_fixed_temperature_stays_to_the_bit():
    agent = random_agent(2)
    after, logged = updated(agent, temperature_lr=0.0)
    moved, _ = updated(agent, temperature_lr=0.01)
    assert float(after.log_temperature) == float(agent.log_temperature)
    assert float(logged["temperature"]) == pytest.approx(0.5)
    assert float(moved.log_temperature) != float(agent.log_temperature)


def test_the_temperature_moves_against_the_missing_entropy():
    agent = random_agent(2)
    _, logged = updated(agent)
    entropy = float(logged["entropy"])
    for target, sign in ((entropy + 1, 1), (entropy - 1, -1)):
        moved, _ = updated(agent, target_entropy=target)
        # Adam's first step has the size of its rate.
        step = float(moved.log_temperature - agent.log_temperature)
        assert step == pytest.approx(sign * 0.01, rel=1e-3)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_critics_learns(count: int):
    agent = random_agent(count)
    losses = []
    for _ in range(60):
        agent, logged = updated(agent, discount=0.0)
        losses.append(float(logged["loss/critic"]))
    assert losses[-1] < 0.5 * losses[0]
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(agent))


def test_targets_follow_the_new_critics_slowly():
    agent = random_agent(2)
    after, _ = updated(agent, tau=0.25)
    for old, new, slow in zip(agent.targets.weights, after.critics.weights, after.targets.weights, strict=True):
        np.testing.assert_allclose(slow, 0.25 * new + 0.75 * old, atol=1e-6)
    still, _ = updated(agent, tau=0.0)
    np.testing.assert_array_equal(still.targets.weights[0], agent.targets.weights[0])


def test_noise_of_a_method_disturbs_no_other():
    batch = Batch(REAL, MODEL)
    plain = sac.draw_noise(jax.random.key(3), Method(), batch, MODELS)
    more = sac.draw_noise(jax.random.key(3), micro.build(micro.Options(num_samples=5)), batch, MODELS)
    np.testing.assert_array_equal(plain.next_action, more.next_action)
    np.testing.assert_array_equal(plain.actor_action, more.actor_action)
    drawn = [more.next_action, more.actor_action, more.target.state, more.target.action]
    values = np.concatenate([np.asarray(x).ravel() for x in drawn])
    assert np.unique(values).size == values.size


class PlainNoise(SoftTarget):
    """Draws straight from its key."""

    def noise(self, key, rows, models):
        return jax.random.normal(key, (4, 1))


def test_a_method_has_a_key_of_its_own():
    noise = sac.draw_noise(jax.random.key(3), Method(target=PlainNoise()), Batch(REAL, MODEL), MODELS)
    assert not np.isin(noise.target, [noise.next_action, noise.actor_action]).any()


def test_a_fresh_agents_targets_equal_its_critics():
    start = jax.jit(sac.start_agent, static_argnums=(1, 2, 3, 4))
    agent = start(jax.random.key(0), 3, 2, (8, 8), 3, 0.1)
    assert jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), agent.critics, agent.targets))
    assert [w.shape for w in agent.critics.weights] == [(3, 5, 8), (3, 8, 8), (3, 8, 1)]
    assert [w.shape for w in agent.actor.weights] == [(3, 8), (8, 8), (8, 4)]
    assert float(sac.temperature(agent)) == pytest.approx(0.1)
