"""The compiled loop: what must not change a bit, what may change the last ones, and the schedules."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import buffer as buffers
from micro_rl.algorithms.coefficients import actor_lr, coefficients
from micro_rl.algorithms.epoch import TrainState, compiled_epoch, epoch, start
from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.slots import Method
from micro_rl.core.settings import Settings
from micro_rl.core.types import Keys, Problem, Transition
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.fit_epoch import finish_fit, fit_epoch, start_fit, unfinished
from micro_rl.dynamics.termination_rules import ByRule, never
from micro_rl.storage.pytree_io import to_arrays
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.fitting import fit_model, problem_of
from micro_rl.training.runner import execute
from tests.probes import tiny_plan

PLAN = tiny_plan()

# A batched product rounds differently: about 1e-7 a step, which training then amplifies.
assert_close = partial(np.testing.assert_allclose, rtol=2e-3, atol=2e-4)


class Fitted(NamedTuple):
    problem: Problem
    ensemble: Ensemble


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    problem = problem_of(PLAN.dataset, PLAN.settings)
    return Fitted(problem, fit_model(PLAN.dataset, problem, PLAN.settings, 0, lambda row: None).ensemble)


def conservative(beta: float) -> Method:
    return micro.build(micro.Options(beta=beta, num_samples=1))


def trained(fitted: Fitted, method: Method, elites: int = 2, epochs: int = 2) -> tuple[TrainState, dict]:
    sizes, keys = PLAN.settings.sizes()._replace(num_elites=elites), Keys.of(0)
    state = start(fitted.problem, fitted.ensemble, method, sizes, 1.0, keys)
    c, logged = coefficients(PLAN.settings, 1), {}
    for _ in range(epochs):
        arguments = (state, method, fitted.problem, c, keys.epochs)
        state, logged, _ = compiled_epoch(*arguments, sizes=sizes, ends=ByRule(never))
    return state, logged


def assert_same_bits(a, b) -> None:
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(a), jax.device_get(b))


def test_beta_0_is_sac_on_the_model_to_the_bit(fitted: Fitted):
    with_term, logged = trained(fitted, conservative(0.0))
    without, _ = trained(fitted, Method())
    assert float(logged["conservative_term"]) > 0
    assert_same_bits(with_term, without)


def test_an_ensemble_of_one_is_sac_on_the_model_to_the_bit(fitted: Fitted):
    # By way of beta 0, which is SAC on the model as the test above shows: one program instead of two.
    with_term, logged = trained(fitted, conservative(1.0), elites=1)
    without, _ = trained(fitted, conservative(0.0), elites=1)
    assert float(logged["conservative_term"]) == 0
    assert_same_bits(with_term, without)


def test_beta_changes_what_is_learned(fitted: Fitted):
    calm, _ = trained(fitted, conservative(1.0))
    bold, _ = trained(fitted, conservative(0.0))
    assert not np.array_equal(calm.agent.critics.weights[0], bold.agent.critics.weights[0])


def test_an_epoch_counts_itself_and_fills_the_buffer(fitted: Fitted):
    state, logged = trained(fitted, conservative(0.5), epochs=3)
    assert int(state.epoch) == 3
    assert state.buffer.filled.tolist() == [40 * 3, 40 * 3]
    assert float(logged["buffer/rows"]) == 240
    assert float(logged["rollout/length"]) == 3
    assert all(np.isfinite(value) for value in logged.values())


# The whole of it as one function


def fit(log: Transition, key: jax.Array) -> Ensemble:
    """Until patience runs out; under vmap finished fits wait for the others."""
    sizes, (start_key, epochs_key) = PLAN.settings.fit_sizes(), jax.random.split(key)
    state = jax.lax.while_loop(
        lambda state: unfinished(state, sizes),
        lambda state: fit_epoch(state, log, sizes, jax.random.fold_in(epochs_key, state.epoch))[0],
        start_fit(log, sizes, start_key),
    )
    return finish_fit(state)


def whole(seed: jax.Array, problem: Problem) -> tuple[TrainState, dict]:
    """A run as a function of its seed: fit, then every epoch; metrics [epoch]."""
    keys, sizes, method = Keys.of(seed), PLAN.settings.sizes(), conservative(0.5)
    ensemble = fit(buffers.rows_of(problem.log), keys.fit)
    state = start(problem, ensemble, method, sizes, PLAN.settings.temperature, keys)
    c = coefficients(PLAN.settings, 1, jnp.asarray(problem.scaling.reward_scale))

    def one_epoch(state: TrainState, _: None) -> tuple[TrainState, dict]:
        now = c._replace(actor_lr=actor_lr(PLAN.settings, state.epoch))
        return epoch(state, method, problem, now, keys.epochs, sizes=sizes, ends=ByRule(never))[:2]

    return jax.lax.scan(one_epoch, state, None, length=PLAN.settings.epochs)


@pytest.mark.slow
def test_seeds_side_by_side_agree_with_runs_alone(fitted: Fitted, tmp_path: Path):
    states, logged = jax.jit(jax.vmap(whole, (0, None)))(jnp.arange(2), fitted.problem)
    for seed in (0, 1):
        alone = execute(tiny_plan(seed=seed), tmp_path / f"run{seed}")
        checkpoint = RunFolder.open(alone.path).checkpoints.newest()
        assert checkpoint is not None
        learned = {"agent": states.agent, "ensemble": states.ensemble}
        for name, array in to_arrays(learned).items():
            assert_close(array[seed], checkpoint.arrays[name], err_msg=name)
        for number, row in enumerate(alone.metrics):
            for name in ("temperature", "entropy", "loss/actor", "rollout/length"):
                assert float(logged[name][seed, number]) == pytest.approx(row[name], rel=2e-3, abs=2e-3)
    assert not np.allclose(states.agent.actor.weights[0][0], states.agent.actor.weights[0][1])


# Schedules and coefficients


def test_the_cosine_falls_once_an_epoch_to_nothing():
    settings = Settings(actor_lr=1e-3, actor_schedule="cosine", epochs=10)
    rates = [float(actor_lr(settings, number)) for number in (0, 5, 10)]
    np.testing.assert_allclose(rates, [1e-3, 0.5e-3, 0.0], atol=1e-10)
    assert float(actor_lr(settings, 9)) == pytest.approx(1e-3 * 0.5 * (1 + np.cos(0.9 * np.pi)), rel=1e-5)


def test_a_constant_rate_stays():
    assert float(actor_lr(Settings(actor_lr=1e-3), 77)) == pytest.approx(1e-3)


def test_coefficients_say_what_the_settings_say():
    c = coefficients(Settings(), act=3)
    assert float(c.target_entropy) == -3.0
    assert float(c.min_target) == -np.inf
    assert float(c.backup_entropy) == 1.0
    assert float(c.temperature_lr) == pytest.approx(3e-4)
    other = Settings(learn_temperature=False, min_target=0.0, entropy_in_backup=False, target_entropy=-0.5)
    c = coefficients(other, act=3)
    numbers = (c.temperature_lr, c.min_target, c.backup_entropy, c.target_entropy)
    assert [float(number) for number in numbers] == [0.0, 0.0, 0.0, -0.5]


def test_every_purpose_has_a_stream_of_its_own():
    keys = [jax.random.key_data(key).tolist() for seed in (0, 1) for key in Keys.of(seed)]
    assert len({tuple(key) for key in keys}) == 10
