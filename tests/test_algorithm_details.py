"""Parts of methods by hand: what is logged of rollouts, what a method says of itself, how often the model steps."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.algorithms import buffer as buffers
from micro_rl.algorithms import critics, epoch, log_epoch, registry, rollout, slots
from micro_rl.algorithms.export import export
from micro_rl.algorithms.model_based import balls, micro, morel, rambo, rambo_adversary
from micro_rl.algorithms.model_based.gaps import MeanLessKthSmallest
from micro_rl.algorithms.model_free import iql
from micro_rl.algorithms.registry import _plain
from micro_rl.algorithms.slots import EpochContext, Method, MethodContext
from micro_rl.core.networks import sample
from micro_rl.core.optim import adam_step, init_opt_state
from micro_rl.core.settings import Settings
from micro_rl.core.sizes import ModelSizes
from micro_rl.core.types import Keys, Rollout, Transition
from micro_rl.dynamics.ensemble import Models
from micro_rl.errors import UserError
from tests.probes import linear_critics, log_rows, plain_units, pointing_ensemble, steady_actor, tiny_plan


def made(rewards: list[float], valid: list[bool], unknown: list[bool] | None = None) -> Rollout:
    column = jnp.asarray(rewards)[:, None]
    rows = Transition(column, 0 * column, column[:, 0], column, jnp.ones(len(rewards)))
    return Rollout(rows, jnp.asarray(valid), None if unknown is None else jnp.asarray(unknown))


def test_what_is_logged_of_a_rollout():
    logged = buffers.figures(made([1.0, 2.0, 6.0, 50.0], [True, True, True, False]), 2)
    assert {name: float(value) for name, value in logged.items()} == {"rollout/reward": 3.0, "rollout/length": 1.5}
    asked = buffers.figures(made([1.0, 2.0, 6.0, 5.0], [True] * 3 + [False], [True, False, False, True]), 2)
    assert float(asked["rollout/unknown"]) == pytest.approx(1 / 3)
    none = buffers.figures(made([7.0, 8.0], [False, False], [True, True]), 1)
    assert [float(value) for value in none.values()] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("rewards", "valid", "largest"),
    [
        ([1.0, -7.0, 100.0], [True, True, False], 7.0),
        ([1.0, 2.0, 3.0], [True, True, True], 3.0),
        ([0.25, 0.5, 9.0], [True, True, False], 1.0),  # the discount
        ([5.0], [False], 0.0),
    ],
)
def test_the_largest_entry_of_valid_rows(rewards: list[float], valid: list[bool], largest: float):
    assert float(buffers.largest_entry(made(rewards, valid))) == largest
    assert np.isnan(float(buffers.largest_entry(made([np.nan, *rewards], [True, *valid]))))


def test_slots_are_written_in_turn():
    buffer = buffers.empty(2, 3, 1, 1)
    for number, valid in enumerate(([True, True, False], [True] * 3, [False, False, True])):
        assert int(buffer.next_slot) == number % 2
        buffer = buffers.write(buffer, made([10.0 * number + row for row in range(3)], valid))
    assert buffer.filled.tolist() == [1, 3] and float(buffer.rows.reward[0, 0]) == 22.0


# What a method says of itself

KNOWN: dict[str, tuple[tuple[str, ...], str]] = {
    "micro": (("target",), ""),
    "mobile": (("target",), ""),
    "sac": ((), ""),
    "mopo": (("transform",), ""),
    "rambo": (("prepare", "update_model"), "looks at the whole log"),
    "combo": (("regularize",), ""),
    "morel": (("prepare", "transform"), "looks at the whole log"),
}
for _name in ("td3_bc", "iql", "cql", "edac", "sac_n", "rebrac", "bc"):
    KNOWN[_name] = (("update",), "learns from a log on the device alone")


@pytest.mark.parametrize("name", KNOWN)
def test_what_a_method_fills_and_needs(name: str):
    definition: Any = registry.find(name)
    method = definition.build(definition.Options())
    assert (method.filled_slots(), method.needs_device) == KNOWN[name]
    with_model = registry.learns_model(name)
    assert (method.learns_model, method.least_rows) == (with_model, 2 if with_model else 1)
    settings = Settings(rollout_batch_size=7, rollout_length=5, rollouts_kept=3)
    assert method.rows_kept(settings) == (105 if with_model else 0)
    assert method.steps == (2 if name in ("td3_bc", "rebrac") else 1)
    assert registry.source_of(name) == registry.own_slots(name, method) == {}


def test_streams_and_limits_that_are_set_once():
    assert (slots.METHOD_STREAM, rollout.TERMINATION_STREAM) == (1 << 30, 1 << 29)
    assert (rollout.BLOCK, morel.BLOCK, epoch.FURTHEST_ROW) == (4096, 10_000, 1e6)
    assert (balls.STRIDE, critics.TINY, iql.LARGEST_WEIGHT) == (2.5, 1e-20, 100.0)
    assert slots.SLOTS == ("prepare", "transform", "target", "regularize", "update_model")


@pytest.mark.parametrize("every", [False, True])
def test_a_kth_smallest_needs_as_many_candidates(every: bool):
    sizes = ModelSizes(members=7, elites=5, layers=3)
    most = 7 if every else 5
    for k, refused in ((1, False), (most, False), (most + 1, True)):
        target = micro.ConservativeTarget(jnp.ones(()), 1, MeanLessKthSmallest(k), every)
        if not refused:
            Method(target=target).refuse(sizes)
            continue
        message = f"^k: {k} of {most} candidates; at most as many as candidates$"
        with pytest.raises(UserError, match=message):
            Method(target=target).refuse(sizes)


@pytest.mark.parametrize(("options", "steps"), [({}, 5), ({"ball_steps": 2}, 2)])
def test_a_balls_steps(options: dict[str, Any], steps: int):
    target: Any = micro.build(micro.Options(candidates="l2", radius=0.0, **options)).target
    assert target.steps == steps and float(target.beta) == 0.5


def test_what_is_typed_in_other_kinds_of_numbers():
    given = [np.float32(0.5), jnp.asarray(3), np.array([1, 2]), [1.5], (2,), "a", None]
    assert [_plain(value) for value in given] == [0.5, 3, (1, 2), (1.5,), (2,), "a", None]


# The model in RAMBO


def context_of(ensemble: Any, log: Transition) -> EpochContext:
    net = linear_critics([[1.0, 0.0]] * 2, [0.0] * 2)
    networks = MethodContext(net, net, steady_actor([0.0], obs=1), Models.of(ensemble, 2), jnp.asarray(0.9))
    return EpochContext(networks, log, lambda following, key: jnp.zeros(following.shape[0], bool))


@pytest.mark.parametrize(("steps", "length", "updates"), [(3, 2, 4), (4, 2, 4), (1, 3, 3)])
def test_the_model_steps_along_whole_episodes(steps: int, length: int, updates: int):
    """A weight of the bounds beside which nothing else counts: Adam takes each step in full."""
    ensemble = pointing_ensemble([[0.0], [1.0], [2.0]], [0.0] * 3, act=1, std=0.5)
    log = log_rows([0.0, 1.0], [0.0, 0.5], reward=[0.0, 1.0]).now
    step = rambo_adversary.TurnAgainst(
        weight=jnp.zeros(()), rate=jnp.asarray(0.01), steps=steps, batch=4, length=length, decay=(),
        logvar_weight=1e6,
    )  # fmt: skip
    step = replace(step, decay=(0.0,) * len(ensemble.members.net.weights))
    context, moments = context_of(ensemble, log), init_opt_state(ensemble.members)
    moved, after = jax.jit(lambda model: step(model, moments, context, jax.random.key(0)))(ensemble)
    change = moved.members.max_logvar - ensemble.members.max_logvar
    np.testing.assert_allclose(change, -0.01 * updates, rtol=1e-3)
    assert int(after.count) == updates
    same, kept = replace(step, steps=0)(ensemble, moments, context, jax.random.key(0))
    assert same is ensemble and kept is moments


def test_decay_has_a_rate_for_each_layer():
    method = rambo.build(rambo.Options(model_decay=(0.0, 0.1)))
    method.refuse(ModelSizes(members=3, elites=2, layers=2))
    with pytest.raises(UserError, match=r"^model_decay: 2 values for 3 layers; give one per layer of the model$"):
        method.refuse(ModelSizes(members=3, elites=2, layers=3))
    rambo.build(rambo.Options(model_decay=(), adversarial_steps=0)).refuse(ModelSizes(members=3, elites=2, layers=3))


@pytest.mark.parametrize(("rows", "epochs", "updates"), [(7, 2, 4), (2, 2, 2), (6, 0, 0)])
def test_a_clone_passes_over_the_log_in_whole_batches(rows: int, epochs: int, updates: int):
    """Batches of 3; the same steps one by one."""
    log = log_rows([float(row) for row in range(rows)], [0.1 * row for row in range(rows)]).now
    actor, ensemble = steady_actor([0.3], obs=1), pointing_ensemble([[0.0]], [0.0], act=1)
    key = jax.random.key(4)
    first = rambo.CloneFirst(jnp.asarray(0.1), epochs, 3)
    cloned, moments = jax.jit(lambda actor: first(actor, ensemble, log, key))(actor)

    def step(actor: Any, state: Any, step_key: Any) -> Any:
        drawn = buffers.draw_log(log, step_key, 3)
        noise = jax.random.normal(jax.random.fold_in(step_key, 1), drawn.action.shape)
        error = lambda actor: jnp.mean((sample(actor, drawn.observation, noise)[0] - drawn.action) ** 2)  # noqa: E731
        return adam_step(actor, jax.grad(error)(actor), state, 0.1)

    by_hand, state, compiled = actor, init_opt_state(actor), jax.jit(step)
    for step_key in jax.random.split(key, updates) if updates else ():
        by_hand, state = compiled(by_hand, state, step_key)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), cloned, by_hand)
    assert int(moments.count) == 0 and jax.tree.structure(moments.mu) == jax.tree.structure(ensemble.members)


# Loops and files


@pytest.mark.parametrize(("updates", "delay", "calls"), [(20, 2, 10), (20, 1, 20), (6, 3, 2)])
def test_an_epochs_calls(updates: int, delay: int, calls: int):
    plan: Any = tiny_plan(method="td3_bc", policy_delay=delay, updates_per_epoch=updates)
    state = log_epoch.LogState(None, jnp.asarray(3))
    keys = log_epoch.call_keys(state, plan.method, jax.random.key(1), plan.settings.sizes())
    expected = jax.random.split(jax.random.fold_in(jax.random.key(1), 3), calls)
    np.testing.assert_array_equal(jax.random.key_data(keys), jax.random.key_data(expected))
    assert state.without_buffer() is state


def test_an_updates_and_a_rollouts_keys_are_split_in_order():
    key, sizes = Keys.of(0).epochs, tiny_plan().settings.sizes()
    (start, rest), updates = epoch.rollout_and_update_keys(key, sizes)
    split = jax.random.split(key, 3)
    for drawn, expected in zip((start, rest, updates), (*split[:2], jax.random.split(split[2], 20)), strict=True):
        np.testing.assert_array_equal(jax.random.key_data(drawn), jax.random.key_data(expected))
    assert epoch.keys_of_update(key).shape == (4,)


def test_an_exported_policy_keeps_units_and_history():
    units = plain_units(3, 1)._replace(
        observation_mean=jnp.array([1.0, 2.0, 3.0]),
        observation_std=jnp.array([4.0, 5.0, 6.0]),
        action_mid=jnp.array([0.5]),
        action_half=jnp.array([2.0]),
    )
    actor = steady_actor([0.25], obs=3)
    policy = export(actor, units, "Pendulum-v1", history=2, mapping="# a pump")
    assert (policy.history, policy.environment, policy.mapping) == (2, "Pendulum-v1", "# a pump")
    assert policy.observation_mean.tolist() == [1.0, 2.0, 3.0] and policy.observation_std.tolist() == [4.0, 5.0, 6.0]
    assert (policy.action_low.tolist(), policy.action_high.tolist()) == ([-1.5], [2.5])
    assert export(actor, units, None).history == 1
    assert float(export(actor, units, None)(np.zeros((1, 3)))[0, 0]) == pytest.approx(1.0, rel=1e-5)  # 0.5 + 2 x 0.25
