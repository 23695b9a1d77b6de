"""Limits of faults and attacks: amounts, seeds, units, and how much an attack searches, each exactly."""

from contextlib import closing
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness import attacks, signals
from micro_rl.robustness.attacked import Attacked, Perturbed
from micro_rl.robustness.cells import Attack
from micro_rl.robustness.signals import KINDS, Faulty, Interface, Units, alters
from micro_rl.simulation.envs import make


class Echo(gymnasium.Env[np.ndarray, np.ndarray]):
    """Observes its own last action twice over, and pays it; two actions between given bounds."""

    def __init__(self, low: float = -1.0, high: float = 3.0):
        self.action_space = gymnasium.spaces.Box(low, high, (2,), np.float32)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros(2), {"seed": seed}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert action.dtype == np.float32
        return 2.0 * action, float(action.sum()), False, False, {}


def echoed(faults: list[Interface], action: list[float], seed: int | None = 0, stream: int = 0) -> np.ndarray:
    """What is seen after a step behind these faults."""
    faulty = Faulty(Echo(), faults, np.array([1.0, 10.0]), stream)
    faulty.reset(seed=seed)
    return faulty.step(np.array(action, np.float32))[0]


# Amounts


@pytest.mark.parametrize(
    ("signal", "kind", "most"),
    [
        ("observation", "noise", np.inf),
        ("observation", "bias", np.inf),
        ("observation", "dropout", 1.0),
        ("observation", "stuck", np.inf),
        ("observation", "delay", 10_000.0),
        ("observation", "quantisation", np.inf),
        ("action", "noise", np.inf),
        ("action", "bias", np.inf),
        ("action", "delay", 10_000.0),
        ("action", "quantisation", np.inf),
        ("action", "saturation", 1.0),
        ("action", "random", 1.0),
    ],
)
def test_the_least_and_the_most_of_a_fault(signal: str, kind: str, most: float):
    assert KINDS[signal][kind].most == most
    for amount in (0.0, most if np.isfinite(most) else 1e6):
        assert Interface(signal, kind, amount).amount == amount
    for amount in (-1.0, most + 1 if np.isfinite(most) else np.inf, np.nan):
        with pytest.raises(UserError, match=f"between 0 and {most:g}"):
            Interface(signal, kind, amount)


def test_every_kind_of_fault_is_looked_at():
    assert sum(map(len, KINDS.values())) == 12
    neutral = {kind: about.neutral for kinds in KINDS.values() for kind, about in kinds.items()}
    assert neutral == dict.fromkeys(neutral, 0.0) | {"stuck": None, "saturation": 1.0}
    assert [kind for kinds in KINDS.values() for kind, about in kinds.items() if about.whole] == ["delay", "delay"]
    assert not Interface("observation", "stuck", 0.0).neutral and not Interface("action", "noise", 0.1).neutral
    assert str(Interface("action", "delay", 2.0)) == "action delay 2"


@pytest.mark.parametrize(("amount", "begins"), [(0.0, 0), (0.02, 2), (0.024, 2), (0.026, 3)])
def test_a_channel_sticks_from_that_percentage_of_a_hundred_steps(amount: float, begins: int):
    units = Units(np.ones(1), np.full(1, -9.0), np.full(1, 9.0))
    begun = signals.stuck(amount, units, np.random.default_rng(0))
    values = [float(begun(np.array([float(step)]))[0]) for step in range(6)]
    assert values == [float(min(step, begins)) for step in range(6)]


def test_a_stuck_value_is_not_written_into_the_simulators_own():
    own = np.array([1.0])
    begun = signals.stuck(0.0, Units(np.ones(1), -np.ones(1), np.ones(1)), np.random.default_rng(0))
    begun(own)
    moved = np.array([5.0])
    assert begun(moved)[0] == 1.0 and moved[0] == 5.0


def test_an_actuator_that_is_saturated_reaches_a_share_of_its_range():
    """Of -1 to 3 a half is 0 to 2; the simulator then shows twice that."""
    assert echoed([Interface("action", "saturation", 0.5)], [3.0, -1.0]).tolist() == [4.0, 0.0]
    assert echoed([Interface("action", "saturation", 0.0)], [3.0, -1.0]).tolist() == [2.0, 2.0]


def test_an_action_is_cut_to_its_bounds_after_its_faults():
    assert set(np.abs(echoed([Interface("action", "bias", 10.0)], [1.0, 1.0]))) <= {6.0, 2.0}
    assert echoed([Interface("action", "quantisation", 0.4)], [0.5, 1.5]) == pytest.approx([1.6, 3.2])


def test_an_actions_unit_is_half_its_range_and_an_observations_its_deviation():
    moved = echoed([Interface("action", "bias", 0.25)], [1.0, 1.0])
    assert np.abs(moved - 2.0) == pytest.approx([1.0, 1.0])  # a quarter of 2, seen twofold
    shown = echoed([Interface("observation", "bias", 0.25)], [1.0, 1.0])
    assert np.abs(shown - 2.0) == pytest.approx([0.25, 2.5])


def test_a_motor_that_is_late_rests_in_the_middle_of_its_range():
    assert echoed([Interface("action", "delay", 1.0)], [3.0, 3.0]).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("kind", ["saturation", "random", "noise"])
def test_faults_of_actions_need_bounds(kind: str):
    fault = Interface("action", kind, 0.5)
    with pytest.raises(UserError, match="needs the actions' bounds, and this simulator sets none"):
        Faulty(Echo(-np.inf, 1.0), [fault], np.ones(2), 0)


# Seeds


def test_faults_follow_their_stream_their_place_and_the_episodes_seed():
    noise = Interface("observation", "noise", 1.0)
    scale = np.array([1.0, 10.0])

    def drawn(*seeds: int) -> np.ndarray:
        """The second draw of a generator: the first is that of the reset."""
        return scale * np.random.default_rng(seeds).standard_normal((2, 2))[1]

    assert echoed([noise], [1.0, 1.0], seed=5, stream=7) == pytest.approx(2.0 + drawn(7, 0, 5))
    assert echoed([noise], [1.0, 1.0], seed=None, stream=7) == pytest.approx(2.0 + drawn(7, 0, 0))
    both = echoed([noise, noise], [1.0, 1.0], seed=5, stream=7)
    assert both == pytest.approx(2.0 + drawn(7, 0, 5) + drawn(7, 1, 5))


def test_a_reset_begins_the_faults_anew_and_hands_its_seed_on():
    faulty = Faulty(Echo(), [Interface("observation", "delay", 1.0)], np.ones(2), 0)
    for _ in range(2):
        observation, info = faulty.reset(seed=3)
        assert observation.tolist() == [0.0, 0.0] and info == {"seed": 3}
        assert faulty.step(np.ones(2, np.float32))[0].tolist() == [0.0, 0.0]
        seen, reward, ended, cut, _ = faulty.step(np.ones(2, np.float32))
        assert seen.tolist() == [2.0, 2.0] and (reward, ended, cut) == (2.0, False, False)


def test_without_faults_an_action_is_handed_on_as_it_is():
    action = np.array([9.0, 9.0], np.float32)  # past its bounds
    assert Faulty(Echo(), [], np.ones(2), 0).step(action)[0].tolist() == [18.0, 18.0]


def test_a_fault_that_is_felt_once_in_many_lives_is_felt(monkeypatch: pytest.MonkeyPatch):
    lives: list[int] = []

    def begin(amount: float, units: Units, random: np.random.Generator) -> Any:
        lives.append(1)
        return lambda value: value + (len(lives) == 20)

    monkeypatch.setitem(signals.OF_OBSERVATIONS, "noise", signals.Kind(begin))
    with closing(make("Pendulum-v1")) as env:
        assert alters(Interface("observation", "noise", 1.0), np.zeros((2, 3)), env, np.ones(3))
        assert len(lives) == 20
        lives.append(1)
        assert not alters(Interface("observation", "noise", 1.0), np.zeros((2, 3)), env, np.ones(3))
        assert len(lives) == 41


# Attacks


def test_how_much_an_attack_searches():
    shapes: list[tuple[int, ...]] = []

    def harm(shown: Any) -> Any:
        shapes.append(shown.shape)
        return shown[:, 0]

    worst = attacks.zero_order(jax.random.key(0), harm, jnp.zeros(3), jnp.ones(3))
    assert shapes == [(51, 3)]
    draws = attacks.uniform(jax.random.key(0), 50, 3)
    assert worst.tolist() == draws[jnp.argmax(draws[:, 0])].tolist()
    for search, starts in ((attacks.mixed, 20), (attacks.gradient, 1)):
        shapes.clear()
        jax.eval_shape(lambda key, search=search: search(key, harm, jnp.zeros(3), jnp.ones(3)), jax.random.key(0))
        assert set(shapes) == {(starts, 3)}


def test_no_perturbation_is_among_the_draws_and_the_first_of_equals_is_taken():
    """Harm that is 0 at the truth and below it elsewhere; and harm that is the same everywhere."""
    away = attacks.zero_order(jax.random.key(0), lambda shown: -jnp.abs(shown).sum(1), jnp.zeros(2), jnp.ones(2))
    assert away.tolist() == [0.0, 0.0]
    alike = attacks.zero_order(jax.random.key(0), lambda shown: 0 * shown[:, 0], jnp.zeros(2), jnp.ones(2))
    assert alike.tolist() == attacks.uniform(jax.random.key(0), 50, 2)[0].tolist()


def test_ten_steps_of_a_tenth_lead_half_way_through_the_box():
    start = jnp.array([[-1.0], [0.5]])
    climbed = jax.jit(lambda z: attacks.ascended(lambda shown: shown[:, 0], jnp.zeros(1), jnp.ones(1), z))(start)
    assert climbed[:, 0].tolist() == pytest.approx([0.0, 1.0], abs=1e-4)


def test_draws_fill_the_box():
    draws = np.asarray(attacks.uniform(jax.random.key(0), 4000, 2))
    assert draws.shape == (4000, 2)
    assert draws.min(0) == pytest.approx([-1, -1], abs=0.01) and draws.max(0) == pytest.approx([1, 1], abs=0.01)
    assert draws.mean(0) == pytest.approx([0, 0], abs=0.05)


def linear_policy() -> Policy:
    """Acts as tanh of the first observation; two observations, one action."""
    return Policy(
        [(np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros(2))],
        observation_mean=np.zeros(2),
        observation_std=np.ones(2),
        action_mid=np.zeros(1),
        action_half=np.ones(1),
    )


def test_a_random_attack_draws_by_seed_step_and_row():
    attacked = Attacked(linear_policy(), Attack("random", 0.5), np.array([1.0, 2.0]), seed=3)
    true = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    for step in range(2):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(3), step), 3)
        z = np.array([np.asarray(attacks.uniform(key, 1, 2)[0]) for key in keys])
        assert attacked.shown(true) == pytest.approx(true + np.array([0.5, 1.0]) * z)
    attacked.reset(np.array([True, False, False]))  # some rows: the step goes on
    keys = jax.random.split(jax.random.fold_in(jax.random.key(3), 2), 3)
    z = np.array([np.asarray(attacks.uniform(key, 1, 2)[0]) for key in keys])
    assert attacked.shown(true) == pytest.approx(true + np.array([0.5, 1.0]) * z)
    shown = Attacked(linear_policy(), Attack("random", 0.5), np.array([1.0, 2.0]), seed=3)
    assert shown(true) == pytest.approx(
        linear_policy()(Attacked(linear_policy(), Attack("random", 0.5), np.array([1.0, 2.0]), seed=3).shown(true))
    )


def test_an_attack_of_no_size_needs_no_critics_and_moves_no_step():
    attacked = Attacked(linear_policy(), Attack("min Q", 0.0), np.ones(2))
    true = np.ones((1, 2))
    assert attacked.shown(true) is true


def test_in_windows_only_random_attacks_are_made():
    wide = Policy(  # a window of two observations of one column and the action between
        [(np.zeros((3, 2)), np.zeros(2))],
        observation_mean=np.zeros(3),
        observation_std=np.ones(3),
        action_mid=np.zeros(1),
        action_half=np.ones(1),
        history=2,
    )
    message = "the policy sees a window of 2 observations, and on such ones only random attacks are made"
    for aim in ("action difference", "min Q"):
        with pytest.raises(UserError, match=message):
            Attacked(wide, Attack(aim, 0.1), np.ones(1))
    moved = Attacked(wide, Attack("random", 0.1), np.ones(1)).shown(np.zeros((2, 1)))
    assert moved.shape == (2, 1) and (np.abs(moved) > 0).all() and (np.abs(moved) <= 0.1).all()


def test_what_is_added_is_added_to_what_is_seen():
    shown = Perturbed(linear_policy(), lambda observation: 2.0 * observation)
    assert shown(np.array([[0.1, 5.0]])) == pytest.approx(np.tanh([[0.3]]))
