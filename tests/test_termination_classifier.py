"""The termination head on tiny systems whose ends are known, and its measurement by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micro_rl
from micro_rl.algorithms.epoch import compiled_epoch
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.dynamics.termination_classifier import (
    BINS,
    Steps,
    TerminationHead,
    _correction,
    _parts,
    blank,
    learn,
    measure,
)
from micro_rl.errors import UserError
from micro_rl.reports.run.page import render
from micro_rl.reports.run.record import read
from micro_rl.storage.json_files import read_json
from micro_rl.training.plan import make_plan
from tests.probes import plain_units
from tests.tiny_runs import SETTINGS, write_log

UPDATES = 400


def walks(ends, rows: int = 12_000, seed: int = 0) -> Steps:
    """Random walks of two columns, of at most 100 steps, that end where `ends(place, rng)` says so."""
    rng = np.random.default_rng(seed)
    places, ended, episode, number = [], [], [], 0
    while len(places) < rows:
        place = rng.normal(size=2) / 2
        for _ in range(100):
            place = place + 0.3 * rng.normal(size=2)
            places.append(place)
            ended.append(ends(place, rng))
            episode.append(number)
            if ended[-1]:
                break
        number += 1
    return Steps(np.array(places, np.float32), np.array(ended), np.array(episode))


def beyond_the_wall(place, rng=None) -> bool:
    return bool(place[0] > 1.5)


def by_chance(place, rng) -> bool:
    return bool(rng.uniform() < 0.02)


@pytest.fixture(scope="module")
def wall() -> tuple[TerminationHead, dict]:
    return learn(walks(beyond_the_wall), UPDATES, jax.random.key(0))


def test_a_known_rule_is_learned(wall):
    head, figures = wall
    assert figures["precision"] > 0.85 and figures["recall"] > 0.85, figures
    assert figures["expected_terminals"] == pytest.approx(figures["held_out_terminals"], rel=0.2)
    places = jnp.array([[0.0, 0.0], [1.2, 1.0], [1.8, 0.0], [2.5, -1.0]])
    np.testing.assert_allclose(head.probability(places), [0, 0, 1, 1], atol=0.05)


def test_what_it_says_is_what_comes_in_rows_it_never_saw(wall):
    fresh = walks(beyond_the_wall, seed=1)
    probability = np.asarray(wall[0].probability(jnp.asarray(fresh.following)))
    figures = measure(probability, fresh.ended)
    assert figures["precision"] > 0.85 and figures["recall"] > 0.85, figures


def test_ends_that_nothing_foretells_come_as_often_as_they_did():
    """No place is likelier than not to end an episode; a threshold would end none."""
    steps = walks(by_chance)
    head, figures = learn(steps, UPDATES, jax.random.key(0))
    assert figures["expected_terminals"] == pytest.approx(figures["held_out_terminals"], rel=0.4)
    drawn = head(jnp.asarray(steps.following), plain_units(2, 1), jax.random.key(1))
    assert 0.012 < float(drawn.mean()) < 0.03


def test_draws_follow_the_key_and_a_broken_row_ends(wall):
    head, units = wall[0], plain_units(2, 1)
    near = jnp.tile(jnp.array([[1.5, 0.0]]), (400, 1))
    first, second = (np.asarray(head(near, units, jax.random.key(key))) for key in (0, 1))
    assert 0 < first.mean() < 1
    assert (first != second).any()
    assert np.asarray(head(jnp.array([[jnp.nan, 0.0], [jnp.inf, 0.0]]), units, jax.random.key(0))).all()


def test_measurement_by_hand():
    figures = measure(np.array([0.9, 0.5, 0.1, 0.0], np.float32), np.array([True, False, True, False]))
    assert figures["expected_terminals"] == pytest.approx(1.5)
    assert figures["precision"] == pytest.approx(1.0 / 1.5)
    assert figures["recall"] == pytest.approx(0.5)
    assert figures["brier"] == pytest.approx((0.01 + 0.25 + 0.81) / 4)
    assert [(entry["from"], entry["rows"], entry["ended"]) for entry in figures["reliability"]] == [
        (0.0, 1, 0.0),
        (0.05, 1, 1.0),
        (0.5, 1, 0.0),
        (0.8, 1, 1.0),
    ]
    assert measure(np.ones(1, np.float32), np.array([True]))["reliability"][0]["to"] == BINS[-1]


def test_nothing_held_out_is_nothing_measured():
    head, figures = learn(Steps(np.ones((1, 2), np.float32), np.array([True]), np.array([0])), 5, jax.random.key(0))
    assert figures["precision"] is None and figures["recall"] is None and figures["brier"] is None
    assert np.isfinite(np.asarray(head.probability(jnp.ones((1, 2))))).all()


def test_the_correction_finds_what_was_wrong_and_stays_where_there_is_no_evidence():
    rng = np.random.default_rng(0)
    logit = rng.normal(size=20_000) * 2
    ended = rng.uniform(size=20_000) < 1 / (1 + np.exp(-(0.5 * logit - 1)))
    assert _correction(logit, ended) == pytest.approx((0.5, -1), abs=0.1)
    assert _correction(logit[:0], ended[:0]) == pytest.approx((1, 0), abs=1e-4)


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=30))
def test_no_episode_is_in_two_parts_and_none_is_lost(episodes):
    lengths, ended = [length for length, _ in episodes], [end for _, end in episodes]
    episode = np.repeat(np.arange(len(episodes)), lengths)
    ends = np.zeros(len(episode), bool)
    ends[np.cumsum(lengths)[ended] - 1] = True
    steps = Steps(np.zeros((len(episode), 1), np.float32), ends, episode)
    parts = _parts(steps, np.random.default_rng(0))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(episodes)))
    assert not any(ended) or any(ended[number] for number in parts[0])


pytestmark = pytest.mark.usefixtures("no_page")

TINY: dict[str, Any] = SETTINGS | {"termination_updates": 20, "eval_episodes": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("falls")
    return micro_rl.train(write_log(folder / "falls.hdf5", terminal=True), out=folder / "run", **TINY)


def test_a_log_with_terminals_and_no_rule_trains_on_what_it_learned(run, words_alone):
    config = read_json(run.path / "config.json")
    assert config["task"]["termination"] == "learned"
    assert config["command"].endswith("--termination learned")
    model = load_model(run.path / "model")
    assert model.head is not None
    assert model.about["termination"]["terminals"] == 6
    assert "Learned end" in render(read(run.path))


def test_another_head_of_the_same_size_compiles_nothing(run, tmp_path):
    log = write_log(tmp_path / "falls.hdf5", terminal=True)
    program: Any = compiled_epoch
    before = program._cache_size()
    micro_rl.train(log, out=tmp_path / "run", **TINY, seed=1)
    assert program._cache_size() == before


def test_a_shared_model_brings_its_head_or_gets_one(run, tmp_path):
    log = write_log(tmp_path / "falls.hdf5", terminal=True)
    shared = micro_rl.train(log, model=run.path / "model", out=tmp_path / "with", **TINY)
    assert (shared.path / "policy.safetensors").read_bytes() == (run.path / "policy.safetensors").read_bytes()
    model = load_model(run.path / "model")
    about = {key: value for key, value in model.about.items() if key != "termination"}
    save_model(tmp_path / "bare", model._replace(head=None, about=about))
    given = micro_rl.train(log, model=tmp_path / "bare", out=tmp_path / "given", **TINY)
    assert (given.path / "policy.safetensors").read_bytes() == (run.path / "policy.safetensors").read_bytes()


def test_a_stopped_run_goes_on_with_the_same_head(run, tmp_path):
    log = write_log(tmp_path / "falls.hdf5", terminal=True)
    micro_rl.train(log, out=tmp_path / "run", until=1, **TINY)
    resumed = micro_rl.train(log, out=tmp_path / "run", resume=True, **TINY)
    assert (resumed.path / "policy.safetensors").read_bytes() == (run.path / "policy.safetensors").read_bytes()


def test_what_cannot_be_learned_is_refused(tmp_path):
    log = micro_rl.load(write_log(tmp_path / "whole.hdf5"))
    with pytest.raises(UserError, match="no row ends an episode, so it cannot be learned"):
        make_plan(log, termination="learned")


def test_a_blank_head_is_as_wide_as_it_is_asked_to_be():
    assert blank(5).net.weights[0].shape[0] == 5
