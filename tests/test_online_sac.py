"""The online learner: its update is the offline one, and its experience is what the simulator did."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.sac import draw_noise, start_agent, update
from micro_rl.algorithms.slots import Method
from micro_rl.core.networks import normal_mlp
from micro_rl.core.settings import Settings
from micro_rl.core.types import Batch, Transition
from micro_rl.dynamics.ensemble import Ensemble, Members, Models
from micro_rl.errors import UserError
from micro_rl.simulation import online_sac
from micro_rl.simulation.online_sac import compiled_improve, learn, random_experience
from micro_rl.simulation.online_settings import OnlineSettings

WALK, BOUNDLESS = "MicroWalk-v0", "MicroBoundless-v0"
SMALL = OnlineSettings(
    steps=40,
    random_steps=20,
    turn=10,
    reward_scale=4.0,
    batch_size=4,
    hidden_sizes=(8,),
    eval_every=20,
    eval_episodes=2,
)


class Walk(gymnasium.Env[np.ndarray, np.ndarray]):
    """Goes on by the action and earns what it went, tenfold; terminates past 0.6."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    action_space = gymnasium.spaces.Box(-2, 1, (1,))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-0.5, 0.5)
        return np.array([self.place]), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.place += float(action[0])
        return np.array([self.place]), 10 * float(action[0]), self.place > 0.6, False, {}


class Boundless(Walk):
    action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))


@pytest.fixture(autouse=True, scope="module")
def walks() -> Iterator[None]:
    gymnasium.register(WALK, entry_point=lambda **_: Walk(), max_episode_steps=7)
    gymnasium.register(BOUNDLESS, entry_point=lambda **_: Boundless(), max_episode_steps=7)
    yield
    for name in (WALK, BOUNDLESS):
        del gymnasium.registry[name]


def some_rows(rng: np.random.Generator, *lead: int) -> Transition:
    normal = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    discount = jnp.asarray(rng.random(lead) > 0.3, jnp.float32)
    return Transition(normal(*lead, 1), jnp.tanh(normal(*lead, 1)), normal(*lead), normal(*lead, 1), discount)


def some_ensemble() -> Ensemble:
    net, bounds = normal_mlp(jax.random.key(2), (2, 4, 4), (3,)), (jnp.ones(2), -jnp.ones(2))
    return Ensemble(Members(net, *bounds), jnp.zeros(2), jnp.ones(2), jnp.zeros(2), jnp.ones(2))


def test_improve_is_the_offline_update() -> None:
    rng = np.random.default_rng(0)
    rows, keys = some_rows(rng, SMALL.turn, SMALL.batch_size), jax.random.split(jax.random.key(3), SMALL.turn)
    agent = start_agent(jax.random.key(1), 1, 1, SMALL.hidden_sizes, critics=2, temperature=0.3)
    c = coefficients(Settings(), 1)
    models = Models.of(some_ensemble(), 2)
    improved = compiled_improve(jax.tree.map(jnp.copy, agent), rows, keys, c)
    for number in range(SMALL.turn):
        one = jax.tree.map(lambda column, number=number: column[number], rows)
        batch = Batch(one, jax.tree.map(lambda column: column[:0], one))
        noise_key, method_key = jax.random.split(keys[number])
        noise = draw_noise(noise_key, Method(), batch, models)
        agent, logged = jax.jit(update)(agent, Method(), models, batch, noise, method_key, c)
        assert np.isfinite(logged["loss/critic"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), improved, agent)


def test_rows_are_drawn_in_core_units() -> None:
    experience = random_experience(WALK, 30, seed=5)
    scaling = online_sac._scaling(np.array([-2.0]), np.array([1.0]), obs=1, reward_scale=4.0)
    rows = online_sac.draw(experience, np.random.default_rng(0), (3, 50), scaling)
    assert rows.observation.shape == (3, 50, 1) and rows.reward.shape == (3, 50)
    raw_action = np.asarray(rows.action)[..., 0] * 1.5 - 0.5
    np.testing.assert_allclose(rows.reward, 10 * raw_action / 4, atol=1e-5)
    ended = np.asarray(rows.next_observation)[..., 0] > 0.6
    assert ended.any()
    np.testing.assert_array_equal(rows.discount, ~ended)


@pytest.fixture(scope="module")
def progress(walks: None) -> list[online_sac.Progress]:
    return list(learn(WALK, SMALL))


def test_experience_is_in_the_order_of_time(progress: list[online_sac.Progress]) -> None:
    experience = progress[-1].experience
    assert [row.steps for row in progress] == [0, 20, 40]
    assert len(experience.rewards) == 40 and len(progress[1].experience.rewards) == 20
    np.testing.assert_allclose(experience.observations + experience.actions, experience.next_observations, atol=1e-6)
    np.testing.assert_allclose(experience.rewards, 10 * experience.actions[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(experience.terminals, experience.next_observations[:, 0] > 0.6)
    assert (
        experience.timeouts.any()
        and experience.terminals.any()
        and not (experience.timeouts & experience.terminals).any()
    )
    ended = experience.terminals | experience.timeouts
    np.testing.assert_array_equal(
        experience.observations[1:][~ended[:-1]], experience.next_observations[:-1][~ended[:-1]]
    )
    stops = [-1, *np.flatnonzero(ended)]
    for start, stop in pairwise(stops):
        assert experience.timeouts[stop] == (stop - start == 7 and not experience.terminals[stop])
    assert ((experience.actions >= -2) & (experience.actions <= 1)).all()


def test_the_policy_changes_only_after_the_random_steps(progress: list[online_sac.Progress]) -> None:
    _, by_chance, learned = (row.policy([[0.3]]) for row in progress)
    start_key = jax.random.split(jax.random.key(SMALL.seed))[0]
    fresh = start_agent(start_key, 1, 1, SMALL.hidden_sizes, critics=2, temperature=1.0)
    untrained = online_sac.export(fresh.actor, online_sac._scaling(np.array([-2.0]), np.array([1.0]), 1, 4.0), None)
    np.testing.assert_array_equal(by_chance, untrained([[0.3]]))
    assert not np.array_equal(by_chance, learned)


def test_the_same_settings_give_the_same_bits(progress: list[online_sac.Progress]) -> None:
    *_, again = learn(WALK, SMALL)
    for first, second in zip(progress[-1].experience, again.experience, strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(progress[-1].evaluation.returns, again.evaluation.returns)


def test_random_actions_fill_their_bounds() -> None:
    actions = random_experience(WALK, 500, seed=0).actions
    assert -2 <= actions.min() < -1.9 and 0.9 < actions.max() <= 1


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"turn": 0}, "turn"),
        ({"steps": 45}, "steps"),
        ({"eval_every": 15}, "eval_every"),
        ({"random_steps": 0}, "random_steps"),
        ({"reward_scale": 0.0}, "reward_scale"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        next(learn(WALK, OnlineSettings(**{**vars(SMALL), **wrong})))


def test_boundless_actions_are_refused() -> None:
    with pytest.raises(UserError, match="bounds"):
        next(learn(BOUNDLESS, SMALL))
