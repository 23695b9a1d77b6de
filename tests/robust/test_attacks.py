"""Attacks on the observation: the authors' recorded ones, hand-made ones, and what must hold of any."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.core.networks import MLP, mode, q_values, uniform_mlp
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness import attacks
from micro_rl.robustness.attacked import Attacked
from micro_rl.robustness.attacks import Critics
from micro_rl.robustness.cells import AIMS, FORMS, Attack
from tests.golden import Golden, error

VECTORS = Path(__file__).parent.parent / "vectors"
OBS, ACT = 12, 2
MEAN, SPREAD = np.tile([1.0, -2.0, 0.0], 4), np.tile([2.0, 0.5, 1.0], 4)


def same_units(net: MLP, obs: int, act: int) -> Critics:
    return Critics(net, jnp.ones(obs), jnp.zeros(obs), jnp.ones(act), jnp.zeros(act))


@pytest.mark.parametrize("name", ["micro_auto_alpha", "micro_fixed_alpha"])
@pytest.mark.parametrize("aim", ["action_diff", "min_Q"])
def test_the_authors_recorded_attacks_come_out(name: str, aim: str):
    golden = Golden(VECTORS / f"{name}.npz")
    actor, true = golden.actor("after/actor"), jnp.asarray(golden["attack/observation"])
    box = jnp.asarray(golden["attack/epsilon"] * golden["attack/observation_std"], jnp.float32)
    draws = 2 * np.asarray(golden[f"attack/{aim}/uniform"], np.float32) - 1
    harm_at = partial(attacks.action_difference, actor)
    if aim == "min_Q":
        critics = same_units(golden.critics("after/critic"), true.shape[0], golden["step0/real/actions"].shape[1])
        harm_at = partial(attacks.least_value, actor, (critics,))
        draws[-1] = 0.0

    @jax.jit
    def attack(observation: jax.Array, width: jax.Array, draws: jax.Array) -> jax.Array:
        worst = attacks.worst_of(harm_at(observation), observation, width, draws)
        return attacks.shown_at(observation, width, worst[None])[0]

    attacked = attack(true, box, draws)
    assert error(attacked, golden[f"attack/{aim}/attacked_observation"]) < 1e-5


def test_the_divergence_of_two_gaussians_by_hand():
    """One action; weights 0 but for the biases: mean = s, log std = 0. KL + KL of N(0,1), N(d,1) is d^2."""
    weight = jnp.array([[1.0, 0.0]])
    actor = MLP((weight,), (jnp.zeros(2),))
    harm = jax.jit(lambda true, shown: attacks.action_difference(actor, true)(shown))
    assert harm(jnp.zeros(1), jnp.array([[0.0], [2.0], [-3.0]])) == pytest.approx([0.0, 4.0, 9.0])


def test_a_gradient_walks_to_the_corner_of_the_box():
    """What is to be made large is -x + 2 y: ten steps of a tenth of the box reach (-1, 1) from the middle."""
    attacked = attacks.ascended(
        lambda shown: 2 * shown[:, 1] - shown[:, 0], jnp.zeros(2), jnp.ones(2), jnp.zeros((1, 2))
    )
    assert attacked[0] == pytest.approx([-1.0, 1.0], abs=1e-5)


def test_a_gradient_keeps_the_worst_point_that_it_passed():
    """A ridge at 0.25 that steps of 0.1 from 0 cannot stay on: the best they passed is 0.2 or 0.3."""
    attacked = attacks.ascended(
        lambda shown: -jnp.abs(shown[:, 0] - 0.25) * 100, jnp.zeros(1), jnp.ones(1), jnp.zeros((1, 1))
    )
    assert abs(float(attacked[0, 0]) - 0.25) <= 0.0500001


@pytest.fixture(scope="module")
def victim() -> tuple[Policy, MLP, Critics]:
    actor_key, critic_key = jax.random.split(jax.random.key(0))
    actor = uniform_mlp(actor_key, (OBS, 16, 2 * ACT))
    critics = uniform_mlp(critic_key, (OBS + ACT, 16, 1), (2,))
    layers = list(zip(map(np.asarray, actor.weights), map(np.asarray, actor.biases), strict=True))
    policy = Policy(
        layers,
        observation_mean=MEAN,
        observation_std=SPREAD,
        action_mid=np.zeros(ACT),
        action_half=np.ones(ACT),
    )
    return policy, actor, same_units(critics, OBS, ACT)


def observed(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(MEAN, SPREAD, (rows, OBS))


STD = np.tile([3.0, 1.0, 0.5], 4)


@pytest.mark.parametrize("aim", [aim for aim in AIMS if aim != "learned"])
@pytest.mark.parametrize("form", FORMS)
def test_no_size_is_the_identity_and_any_other_stays_in_the_box(victim, aim: str, form: str):
    policy, _, critics = victim
    true = observed(4)
    assert np.array_equal(Attacked(policy, Attack(aim, 0.0, form), STD, (critics,)).shown(true), true)
    moved = Attacked(policy, Attack(aim, 0.2, form), STD, (critics,)).shown(true) - true
    assert (np.abs(moved) <= 0.2 * STD * (1 + 1e-6)).all()
    assert (np.abs(moved).max(1) > 0).all()


def test_the_more_it_searches_the_less_the_state_is_worth(victim):
    """min Q at equal epsilon: mixed <= gradient <= zero-order on average, and each below a random draw.

    In a dozen dimensions, as robots have them; in two or three, fifty draws can beat one climb.
    """
    policy, actor, critics = victim
    true = observed(200)
    core = jnp.asarray((true - policy.observation_mean) / policy.observation_std, jnp.float32)

    led_to, values = jax.jit(mode), jax.jit(q_values)

    def worth(attack: Attack) -> float:
        shown = Attacked(policy, attack, STD, (critics,)).shown(true)
        action = led_to(actor, jnp.asarray((shown - policy.observation_mean) / policy.observation_std, jnp.float32))
        return float(np.asarray(values(critics.net, core, action)).min(0).mean())

    random = worth(Attack("random", 0.3))
    drawn, climbed, both = (worth(Attack("min Q", 0.3, form)) for form in FORMS)
    assert both <= climbed + 1e-6 <= drawn + 2e-6 < random


def test_the_search_is_as_wide_in_the_policys_units_as_the_box_is_in_raw_ones(victim, monkeypatch):
    """A search that gives back its width: epsilon times the log's deviation over the policy's own."""
    policy, _, critics = victim
    monkeypatch.setitem(attacks.SEARCHES, "zero-order", lambda key, harm, observation, width: width)
    true = observed(3)
    moved = Attacked(policy, Attack("min Q", 0.2), STD, (critics,)).shown(true) - true
    np.testing.assert_allclose(moved, np.broadcast_to(0.2 * STD * (0.2 * STD / SPREAD), moved.shape), rtol=1e-5)


def test_a_row_has_its_own_draws_however_many_stand_beside_it(victim):
    policy, _, critics = victim
    alone = Attacked(policy, Attack("min Q", 0.2), STD, (critics,), seed=3).shown(observed(5)[:2])
    beside = Attacked(policy, Attack("min Q", 0.2), STD, (critics,), seed=3).shown(observed(5))
    assert np.array_equal(alone, beside[:2])


def test_a_reset_begins_the_draws_anew(victim):
    attacked = Attacked(victim[0], Attack("random", 0.2), STD)
    first, second = attacked.shown(observed(2)), attacked.shown(observed(2))
    attacked.reset()
    assert not np.array_equal(first, second)
    assert np.array_equal(attacked.shown(observed(2)), first)


@pytest.mark.parametrize(("scale", "shift"), [(10.0, -5.0), (0.1, 3.0)])
def test_critics_in_other_units_are_asked_the_same(scale: float, shift: float):
    """Critics that see (s - shift) / scale and were trained there give what they gave, asked in raw units."""
    net = uniform_mlp(jax.random.key(1), (OBS + ACT, 8, 1), (2,))
    critics = Critics(net, jnp.full(OBS, 1 / scale), jnp.full(OBS, -shift / scale), jnp.ones(ACT), jnp.zeros(ACT))
    own, action = jax.random.normal(jax.random.key(2), (4, OBS)), jnp.zeros((4, ACT))
    attacked = jax.jit(Critics.lowest)(critics, np.asarray(own) * np.float32(scale) + np.float32(shift), action)
    lowest = np.asarray(jax.jit(q_values)(net, own, action)).min(0)
    assert np.asarray(attacked) == pytest.approx(lowest, rel=1e-3, abs=1e-3)


def test_several_critics_are_averaged():
    """Two runs whose Q is the action and minus the action: together they prefer nothing."""
    plus = MLP((jnp.array([[[0.0], [1.0]]]),), (jnp.zeros((1, 1)),))
    minus = MLP((jnp.array([[[0.0], [-1.0]]]),), (jnp.zeros((1, 1)),))
    actor = MLP((jnp.array([[1.0, 0.0]]),), (jnp.zeros(2),))
    one, other = (same_units(net, 1, 1) for net in (plus, minus))
    shown = jnp.array([[0.5], [-0.5]])
    worth = jax.jit(lambda critics, shown: attacks.least_value(actor, critics, jnp.zeros(1))(shown))
    assert worth((one,), shown) == pytest.approx([-np.tanh(0.5), np.tanh(0.5)])
    assert worth((one, other), shown) == pytest.approx([0.0, 0.0])


def test_what_an_attack_lacks_is_said(victim):
    with pytest.raises(UserError, match="no critics to attack with; name a run that has some with --critic"):
        Attacked(victim[0], Attack("min Q", 0.1), STD)
    with pytest.raises(UserError, match="choose one of random, action difference, min Q"):
        Attack("max Q", 0.1)
    with pytest.raises(UserError, match="must be a size"):
        Attack("random", -0.1)
