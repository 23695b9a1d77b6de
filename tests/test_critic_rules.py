"""Critic ensembles: a pair of target critics, critics kept apart on the model's rows, and layer norm."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from micro_rl import open_run
from micro_rl.algorithms import sac
from micro_rl.algorithms.critics import CriticRules, critic_rules
from micro_rl.algorithms.model_free import edac
from micro_rl.algorithms.slots import Method
from micro_rl.core.networks import NormalisedMLP, normalised, q_values, uniform_mlp
from micro_rl.core.settings import Settings
from micro_rl.core.types import Batch, Transition
from micro_rl.dynamics.ensemble import Models
from micro_rl.dynamics.saved_model import load_model
from micro_rl.errors import UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.runner import execute
from tests.probes import agent_of, coefficients, no_rows, steady_actor, tiny_dataset, tiny_plan

OBS, ACT, ROWS = 2, 2, 6


@pytest.fixture(scope="module")
def rows() -> Transition:
    rng = np.random.default_rng(0)
    shapes = (ROWS, OBS), (ROWS, ACT), (ROWS,), (ROWS, OBS)
    obs, act, reward, following = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes)
    return Transition(obs, act, reward, following, jnp.ones(ROWS))


def critics_of(count: int) -> Any:
    return uniform_mlp(jax.random.key(2), (OBS + ACT, 8, 1), (count,))


@jax.jit
def updated(method: Method, batch: Batch, critics: Any, targets: Any, key: int = 4) -> Any:
    agent = agent_of(steady_actor([0.1, -0.2], OBS), critics, targets)
    noise = sac.draw_noise(jax.random.key(3), method, batch, Models.none())
    return sac.update(agent, method, Models.none(), batch, noise, jax.random.key(key), coefficients())


def test_at_the_defaults_the_method_is_as_it_was_built():
    assert critic_rules(Settings()) == CriticRules()
    assert jax.tree.structure(Method().configured(Settings())) == jax.tree.structure(Method())


def test_a_pair_of_target_critics_is_drawn_evenly_and_without_doubles():
    targets = uniform_mlp(jax.random.key(0), (1, 1), (4,))
    numbered = jax.tree.map(lambda leaf: jnp.arange(4.0).reshape(4, *[1] * (leaf.ndim - 1)) + 0 * leaf, targets)
    drawn = jax.jit(jax.vmap(lambda key: CriticRules(pair=True).counted(numbered, key).biases[0][:, 0]))
    pairs = np.sort(np.asarray(drawn(jax.random.split(jax.random.key(1), 600))).astype(int), axis=1)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    assert kinds.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_pair_of_two_is_all_and_of_three_the_smallest_of_those_drawn(rows: Transition):
    two = critics_of(2)
    both = CriticRules(pair=True).counted(two, jax.random.key(0))
    np.testing.assert_array_equal(np.sort(both.biases[0], axis=0), np.sort(two.biases[0], axis=0))
    batch, far = Batch(rows, rows), uniform_mlp(jax.random.key(5), (OBS + ACT, 8, 1), (3,))
    smallest = float(updated(Method(), batch, critics_of(3), far)[1]["q/target"])
    drawn = [
        float(updated(Method(critics=CriticRules(True)), batch, critics_of(3), far, key)[1]["q/target"])
        for key in range(12)
    ]
    assert len(set(drawn)) == 2 and min(drawn) == smallest  # one of the three is the smallest in every row


def test_critics_are_kept_apart_as_by_edac_and_on_the_models_rows_too(rows: Transition):
    eta, critics = jnp.asarray(2.0), critics_of(2)
    apart, alone = Method(critics=CriticRules(diversity=eta)), Method(regularize=edac.Diversity(eta))
    log_only = Batch(rows, no_rows(OBS, ACT))
    ours, theirs = (updated(method, log_only, critics, critics) for method in (apart, alone))
    np.testing.assert_allclose(ours[1].pop("loss/penalty"), 2 / 2 * edac_alignment(critics, rows), rtol=1e-5)
    for _, logged in (ours, theirs):
        del logged["q/model"]  # there are no such rows
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), ours, theirs)
    both = updated(
        apart, Batch(jax.tree.map(lambda c: c[:2], rows), jax.tree.map(lambda c: c[2:], rows)), critics, critics
    )
    np.testing.assert_allclose(both[1]["loss/penalty"], 2 / 2 * edac_alignment(critics, rows), rtol=1e-5)


def edac_alignment(critics: Any, rows: Transition) -> float:
    """Of two critics: twice the mean cosine of their gradients by the action, over 2 - 1."""
    at = jax.jit(jax.vmap(jax.jacrev(lambda act, obs: q_values(critics, obs[None], act[None])[:, 0])))
    gradients = np.asarray(at(rows.action, rows.observation))
    units = gradients / np.linalg.norm(gradients, axis=-1, keepdims=True)
    return float(2 * (units[:, 0] * units[:, 1]).sum(-1).mean())


def test_values_of_normalised_critics_are_bounded_however_far_away():
    plain = critics_of(2)
    critics, far = normalised(plain), jnp.full((1, OBS), 1e6)
    bound = np.linalg.norm(plain.weights[-1], axis=1)[:, 0] * np.sqrt(8) + np.abs(plain.biases[-1][:, 0])
    value = np.abs(q_values(critics, far, jnp.ones((1, ACT))))[:, 0]
    assert (value <= bound).all() and (np.abs(q_values(plain, far, jnp.ones((1, ACT))))[:, 0] > bound).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_critics": 1, "target_critics": "pair"}, "target_critics: pair needs num_critics of 2 or more"),
        ({"num_critics": 1, "critic_diversity": 0.5}, "critic_diversity: 0.5 needs num_critics of 2 or more"),
        ({"critic_norm": True, "values": "linear"}, "critic_norm: values moments and linear need critics without"),
        ({"critic_diversity": -1.0}, "critic_diversity"),
        ({"method": "edac", "num_critics": 1}, "eta: 1 needs num_critics of 2 or more; 0 is SAC-N"),
    ],
)
def test_refused(changes: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        tiny_plan(**changes)


def test_a_lone_critic_may_do_without_eta():
    tiny_plan(method="edac", num_critics=1, eta=0.0)
    tiny_plan(method="sac_n", num_critics=1)


@pytest.mark.parametrize(
    ("method", "changes", "name"),
    [
        ("micro", {"critic_diversity": 0.5}, "critic_diversity"),
        ("edac", {}, "eta"),
        ("micro", {}, None),
        ("edac", {"eta": 0.0}, None),
        ("sac_n", {}, None),
    ],
)
def test_a_note_says_that_gradients_by_one_action_cannot_be_kept_apart(method: str, changes: Any, name: str | None):
    about = [note for note in tiny_plan(method=method, **changes).notes if "by the action apart" in note]
    assert [note.partition(":")[0] for note in about] == ([name] if name else [])
    log = tiny_dataset()
    twice = {part: np.repeat(getattr(log, part), 2, -1) for part in ("actions", "action_low", "action_high")}
    plan = tiny_plan(method=method, log=replace(log, **twice), **changes)
    assert not [note for note in plan.notes if "by the action apart" in note]


ALL_AT_ONCE: dict[str, Any] = {"critic_norm": True, "target_critics": "pair", "critic_diversity": 1.0, "num_critics": 3}
BESIDE: dict[str, dict[str, Any]] = {
    "micro": {"candidates": "calibrated", "holdout_episodes": 0.4, "beta": 1.0, "set_level": 0.9}
    | {"model_norm": True, "precision": "mixed"},
    "rambo": {"adversarial_steps": 4, "clone_epochs": 1, "model_decay": (0.0, 0.0)},
}
"""What else has to go on to the same bits, in the run of a method that can have it."""


@pytest.mark.parametrize(
    "method", ["micro", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mobile", "combo", "mopo", "rambo"))]
)
def test_all_at_once_a_run_learns_goes_on_and_opens(method: str, tmp_path: Path):
    plan = tiny_plan(method=method, rollout_member="rollout", **ALL_AT_ONCE, **BESIDE.get(method, {}))
    whole = execute(plan, tmp_path / "whole")
    execute(plan, tmp_path / "halves", until=1)
    halves = execute(plan, tmp_path / "halves", resume=True)
    shown, again = (
        [{name: value for name, value in row.items() if not name.startswith("time/")} for row in run.metrics]
        for run in (whole, halves)
    )
    assert shown == again and np.isfinite([row["loss/penalty"] for row in whole.metrics]).all()
    opened = open_run(whole.path)
    values = opened.critics(np.full((1, 3), 1e6), np.ones((1, 1)))
    assert values.shape == (3, 1) and np.isfinite(values).all()
    assert isinstance(critic_stack(whole.path), NormalisedMLP)
    if method == "micro":
        assert all(row["conservative_term"] > 0 for row in shown)
        assert RunFolder.open(whole.path).config()["options"]["set_level"] == 0.9
        for name in ("policy.safetensors", "model/ensemble.safetensors"):
            assert (whole.path / name).read_bytes() == (halves.path / name).read_bytes(), name
        members = load_model(whole.path / "model").ensemble.members.net
        assert isinstance(members, NormalisedMLP) and members.before_activation


def critic_stack(run: Path) -> Any:
    from micro_rl.robustness.critics import critics_in

    checkpoint = RunFolder.open(run).checkpoints.newest()
    assert checkpoint is not None
    return critics_in(checkpoint.arrays)
