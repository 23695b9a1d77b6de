"""The calibrated set of next states: by hand, as promised, larger away from the log, and what MICRO makes of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.model_based.calibrated_target import CalibratedTarget
from micro_rl.algorithms.slots import MethodContext
from micro_rl.core.types import Transition
from micro_rl.dynamics.calibrated_set import CalibratedSet, calibrate, measured, norm, unit_of
from micro_rl.dynamics.ensemble import Ensemble, Models
from micro_rl.dynamics.support import Reference
from micro_rl.errors import UserError
from micro_rl.training.callbacks import Callback
from micro_rl.training.model_fit import fit_to_folder
from micro_rl.training.runner import execute
from tests.probes import linear_critics, pointing_ensemble, steady_actor, tiny_plan

SLOPE = np.array([3.0, -4.0])
UNIT = jnp.asarray([2.0, 0.5])
ALONE = Reference(
    jnp.zeros((4, 1, 3)), jnp.zeros(3), jnp.ones(3), jnp.full(2, -jnp.inf), jnp.full(2, jnp.inf), jnp.ones(2)
)
"""A log of one row at 0: the distance of (s, a) is the root mean square of its three columns."""
ROWS = Transition(
    jnp.asarray([[0.0, 0.0], [0.0, 6.0]]),
    jnp.asarray([[0.0], [0.0]]),
    jnp.ones(2),
    jnp.asarray([[3.0, 0.0], [0.0, 8.0]]),
    jnp.ones(2),
)
FAR = 6 / np.sqrt(3)


def elites() -> Ensemble:
    """Two members that move the first column by +-1 with a deviation of 0 and are sure of the second."""
    model = pointing_ensemble([[1.0, 0.0], [-1.0, 0.0]], [0.0] * 2, act=1, std=1e-6)
    return eqx.tree_at(lambda own: own.target_std, model, jnp.asarray([2.0, 0.5, 1.0]))


def context() -> MethodContext:
    """V(s) = SLOPE . s."""
    critics = linear_critics([[*SLOPE, 0.0]] * 2, [0.0] * 2)
    return MethodContext(critics, critics, steady_actor([0.0], obs=2), Models(elites(), elites()), jnp.asarray(0.9))


def a_set(mix: float = 0.5, radius: float = 2.0, unit: jax.Array = UNIT) -> CalibratedSet:
    return CalibratedSet(ALONE, unit, jnp.asarray(mix), jnp.asarray(radius))


def test_the_norm_is_over_columns_with_a_unit():
    np.testing.assert_allclose(norm(jnp.asarray([[4.0, 1.0]]), UNIT), [2.0])
    np.testing.assert_allclose(norm(jnp.asarray([[4.0, 1.0]]), jnp.asarray([2.0, 0.0])), [2.0])
    np.testing.assert_allclose(norm(jnp.asarray([[6.0, 9.0]]), jnp.asarray([2.0, 0.0])), [3.0])
    assert float(norm(jnp.asarray([[6.0, 9.0]]), jnp.zeros(2))[0]) == 0


def test_its_parts_by_hand():
    """Means +-2 (a change of 1 in units of 2 is a half each way): apart by 2 of 2, over two columns 1 / 2^0.5."""
    off, spread, far = measured(elites(), ALONE, UNIT, ROWS).T
    np.testing.assert_allclose(spread, [np.sqrt(0.5)] * 2, rtol=1e-4)
    np.testing.assert_allclose(far, [0.0, FAR], atol=1e-3)
    np.testing.assert_allclose(off, [1.5 / np.sqrt(2), 4 / np.sqrt(2)], rtol=1e-4)


def test_c_balances_the_parts_and_the_radius_is_the_conformal_quantile():
    """Rows are off by 3/2 and by 4/3 of sigma + c d, 19 of each: the 16th of 39 ranks is 4/3, the 20th 3/2."""
    unit, count = unit_of(elites(), ROWS, np.ones(2, bool)), 19
    np.testing.assert_array_equal(unit, UNIT)
    rows = jax.tree.map(lambda column: jnp.concatenate([column] * count), ROWS)
    for level, radius in ((0.4, 4 / 3), (0.5, 3 / 2)):
        calibrated = calibrate(elites(), ALONE, rows, unit, level)
        assert float(calibrated.mix) == pytest.approx(np.sqrt(0.5) / (FAR / 2), rel=1e-3)
        assert float(calibrated.radius) == pytest.approx(radius, rel=1e-3)
    assert np.isinf(calibrate(elites(), ALONE, ROWS, unit, 0.9).radius)


def test_it_grows_away_from_the_log():
    centre, size = a_set().around(elites(), ROWS)
    np.testing.assert_allclose(centre, [[0.0, 0.0], [0.0, 6.0]], atol=1e-5)
    np.testing.assert_allclose(size, [2 * np.sqrt(0.5), 2 * (np.sqrt(0.5) + 0.5 * FAR)], rtol=1e-3)


def gaps(own: CalibratedSet, steps: int) -> np.ndarray:
    target = CalibratedTarget(beta=jnp.asarray(1.0), level=0.9, steps=steps, calibrated=own)
    y, logged = jax.jit(lambda value: target(ROWS, value, context(), ()))(jnp.zeros(2))
    np.testing.assert_allclose(logged["conservative_term"], -np.mean((np.asarray(y) - 1) / 0.9), rtol=1e-5)
    return (1 - np.asarray(y)) / 0.9


@pytest.mark.parametrize("steps", [0, 5])
def test_the_fall_of_a_linear_value_by_hand(steps: int):
    """Within |x / unit| <= size of two columns: size 2^0.5 |SLOPE unit|; a column without a unit does not move."""
    _, size = a_set().around(elites(), ROWS)
    np.testing.assert_allclose(gaps(a_set(), steps), np.sqrt(2) * size * np.linalg.norm(SLOPE * UNIT), rtol=1e-3)
    one = a_set(unit=jnp.asarray([2.0, 0.0]))
    _, size = one.around(elites(), ROWS)
    np.testing.assert_allclose(gaps(one, steps), size * 6.0, rtol=1e-3)


def test_beta_0_is_sac_to_the_bit_and_without_a_radius_there_is_no_term():
    value = jnp.asarray([0.7, -0.2])
    none = CalibratedTarget(beta=jnp.asarray(0.0), level=0.9, steps=0, calibrated=a_set())
    plain = micro.build(micro.Options(beta=0.0, candidates="l2", radius=0.0)).target
    np.testing.assert_array_equal(none(ROWS, value, context(), ())[0], plain(ROWS, value, context(), ())[0])
    for steps in (0, 5):
        assert gaps(a_set(radius=0.0), steps).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "candidates: calibrated needs a model that kept episodes out: fit it with --holdout-episodes 0.1$"),
        ({"holdout_episodes": 0.4, "radius": 1.0}, "radius: 1.0 does nothing without candidates l2, linf"),
        ({"holdout_episodes": 0.4, "gap": "value-min"}, "has neither gap nor draws"),
        ({"candidates": "elites", "set_level": 0.9}, "set_level: 0.9 does nothing without candidates calibrated"),
    ],
)
def test_refused(changes: dict[str, Any], message: str):
    chosen: dict[str, Any] = {"candidates": "calibrated"} | changes
    with pytest.raises(UserError, match=message):
        tiny_plan(**chosen)


def test_a_model_that_saw_every_episode_is_refused_and_a_level_that_cannot_be_told(tmp_path: Path):
    plan = tiny_plan(candidates="calibrated", holdout_episodes=0.4)
    fit_to_folder(
        tmp_path / "all", plan.dataset, replace(plan.settings, holdout_episodes=0.0), 0, False, Callback(), None, ""
    )
    with pytest.raises(UserError, match=r"kept episodes out: fit it with --holdout-episodes 0.1, on this log"):
        execute(replace(plan, model=tmp_path / "all"), tmp_path / "run")
    fit_to_folder(tmp_path / "some", plan.dataset, plan.settings, 0, False, Callback(), None, "")
    ends = plan.dataset.timeouts.copy()
    ends[len(ends) // 4] = True
    otherwise = replace(plan.dataset, timeouts=ends)
    with pytest.raises(UserError, match=r"on this log as it is read now: the model's episodes are those of another"):
        execute(replace(plan, dataset=otherwise, model=tmp_path / "some"), tmp_path / "run-otherwise")
    with pytest.raises(UserError, match=r"set_level: 0.9999 cannot be told from the 120 rows held out"):
        execute(tiny_plan(candidates="calibrated", holdout_episodes=0.4, set_level=0.9999), tmp_path / "level")
