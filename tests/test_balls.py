"""The worst state of a ball under critics whose worst state is known in closed form."""

import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.model_based.balls import BALLS, Mahalanobis, worst_in_ball
from micro_rl.algorithms.slots import MethodContext
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import Ensemble, Models
from tests.probes import linear_critics, pointing_ensemble, steady_actor

SLOPE = np.array([3.0, -4.0])
STD = np.array([2.0, 0.5])
CHANGES = [[0.3, 0.0], [-0.3, 0.0], [0.0, 0.0]]
ROWS = Transition(jnp.zeros((2, 2)), jnp.zeros((2, 1)), jnp.ones(2), jnp.asarray([[1.0, 2.0]] * 2), jnp.ones(2))


def context() -> MethodContext:
    """V(s) = SLOPE . s; a log whose dimensions have the deviations STD."""
    model = pointing_ensemble(CHANGES, [0.0] * 3, act=1, std=0.1)
    wide = Ensemble(model.members, model.input_mean, jnp.asarray([*STD, 1.0]), model.target_mean, model.target_std)
    critics = linear_critics([[*SLOPE, 0.0]] * 2, [0.0] * 2)
    return MethodContext(critics, critics, steady_actor([0.0], obs=2), Models(wide, model), jnp.asarray(0.9))


def fall(kind: str, radius: float, steps: int = 5) -> float:
    """By how much the worst state's value is below the centre's."""
    centre, worst = worst_in_ball(context(), ROWS, BALLS[kind], jnp.asarray(radius), steps)
    assert float(centre[0]) == pytest.approx(float(SLOPE @ [1.0, 2.0]))
    return float(centre[0] - worst[0])


@pytest.mark.parametrize("radius", [0.1, 1.0, 3.0])
def test_the_worst_of_a_euclidean_ball(radius: float):
    assert fall("l2", radius) == pytest.approx(radius * np.linalg.norm(SLOPE * STD), rel=1e-4)


@pytest.mark.parametrize("radius", [0.1, 1.0])
def test_the_worst_of_a_box(radius: float):
    assert fall("linf", radius) == pytest.approx(radius * np.abs(SLOPE * STD).sum(), rel=1e-4)


def test_the_worst_by_the_ensembles_covariance():
    covariance = np.diag([0.06, 0.0]) + 0.01 * np.eye(2)  # of the means (0.3, -0.3, 0), and their own variance
    units = Mahalanobis().units(context(), ROWS)
    np.testing.assert_allclose(np.asarray(units[0] @ units[0].T), covariance, rtol=1e-3, atol=1e-6)
    assert fall("mahalanobis", 2.0) == pytest.approx(2.0 * np.sqrt(SLOPE @ covariance @ SLOPE), rel=1e-3)


@pytest.mark.parametrize("kind", BALLS)
def test_a_ball_of_radius_0_has_no_term_to_the_bit(kind: str):
    assert fall(kind, 0.0) == 0.0
    target = micro.build(micro.Options(beta=1.0, candidates=kind, radius=0.0)).target  # type: ignore[arg-type]
    plain = micro.build(micro.Options(beta=0.0, candidates=kind, radius=0.0)).target  # type: ignore[arg-type]
    value = jnp.asarray([0.7, -0.2])
    y, logged = target(ROWS, value, context(), ())
    np.testing.assert_array_equal(y, plain(ROWS, value, context(), ())[0])
    assert float(logged["conservative_term"]) == 0.0


def test_the_target_by_hand():
    target = micro.build(micro.Options(beta=0.5, candidates="l2", radius=1.0)).target
    y, _ = target(ROWS, jnp.asarray([0.7, 0.7]), context(), ())
    np.testing.assert_allclose(y, 1.0 + 0.9 * (0.7 - 0.5 * np.linalg.norm(SLOPE * STD)), rtol=1e-4)
