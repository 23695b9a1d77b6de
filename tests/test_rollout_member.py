"""Rollouts that stay with one elite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import rollout as rollouts
from micro_rl.algorithms.slots import AsPredicted
from micro_rl.dynamics.termination_rules import ByRule, never
from tests.probes import plain_units, pointing_ensemble, steady_actor

ELITES, LENGTH = 3, 4


@pytest.mark.parametrize(("rows", "block"), [(14, 4096), (12, 6)])
def test_each_rollout_is_one_elites_and_all_have_their_share(rows: int, block: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rollouts, "BLOCK", block)
    ensemble = pointing_ensemble([[0.0, 1.0]] * ELITES, list(range(ELITES)), act=1)
    starts = jnp.stack([jnp.arange(rows), jnp.zeros(rows)], axis=-1).astype(jnp.float32)
    steady, changing = (
        jax.jit(
            lambda one=one: rollouts.rollout(
                ensemble,
                ELITES,
                steady_actor([0.25], obs=2, log_std=-5.0),
                rollouts.RowRules(AsPredicted(), ()),
                ByRule(never),
                plain_units(2, 1),
                starts,
                LENGTH,
                jax.random.key(0),
                one_member=one,
            )
        )().rows
        for one in (True, False)
    )
    number = np.asarray(steady.observation[:, 0]).reshape(LENGTH, rows).round().astype(int)
    server = np.asarray(steady.reward).reshape(LENGTH, rows).round().astype(int)
    assert (number == np.arange(rows)).all() and (server == server[0]).all()
    assert np.ptp(np.bincount(server[0], minlength=ELITES)) <= 1 + (block < rows)
    age = np.asarray(steady.observation[:, 1]).reshape(LENGTH, rows).round()
    assert (age == np.arange(LENGTH)[:, None]).all()
    by_start = np.argsort(np.asarray(changing.observation[:, 0]).reshape(LENGTH, rows), axis=1)
    drawn = np.take_along_axis(np.asarray(changing.reward).reshape(LENGTH, rows).round(), by_start, axis=1)
    assert (drawn != drawn[0]).any()
