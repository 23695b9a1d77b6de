"""Limits of what is measured of a model and read from its folder, each from both sides; numbers that are set once."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from micro_rl.core.model_settings import ModelSettings
from micro_rl.core.settings import Settings
from micro_rl.core.types import Transition
from micro_rl.dynamics import episode_coverage, fit_epoch, measure, quality_report, support, termination_classifier
from micro_rl.dynamics.episode_holdout import held_out_episodes
from micro_rl.dynamics.quality_report import EpisodeCoverage, from_json
from micro_rl.dynamics.saved_model import ModelShape, _numbers
from tests.data.noise import log
from tests.probes import plain_units
from tests.test_model_report import HONEST, every, members, system

SHAPE: dict[str, Any] = {"obs": 3, "act": 1, "members": 7, "hidden": [200, 200]}


def test_numbers_that_are_set_once():
    assert fit_epoch.FIRST_LOG_VARIANCE == (-10.0, 0.5)
    assert (measure.STEPS, measure.MOST_ROWS, measure.MOST_PREDICTIONS, measure.SAMPLE) == (10, 1000, 10_000, 100_000)
    assert (measure.LEAST_SHARE, measure.LEVELS) == (0.1, (0.5, 0.8, 0.9, 0.95))
    assert (quality_report.MOST_STEPS, quality_report.LARGEST, quality_report.INTERVAL) == (100, 1e12, 0.9)
    assert quality_report.COVERED == (0.9, 0.95, 0.99)
    assert (support.NEAREST, support.REFERENCES, support.USUAL, support.LEAST_SCALE) == (4, 2400, 0.99, 0.05)
    assert (episode_coverage.BLOCK, episode_coverage.MOST_ROWS) == (4096, 20_000)
    head = termination_classifier
    assert (head.HIDDEN, head.RATE, head.BATCH, head.ENDS_OF_A_BATCH) == ((128, 128), 3e-3, 512, 64)
    assert (head.HELD_OUT, head.MOST_OTHERS, head.STRENGTH) == (0.15, 1_000_000, 1.0)
    assert head.BINS == (0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)


# What a model's folder may declare


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"history": 1},
        {"norm": True},
        {"obs": 100_000},
        {"act": 10_000},
        {"members": 1000},
        {"hidden": [100_000] * 100},
        {"hidden": []},
        {"obs": 1999, "act": 1, "history": 1000},
        {"obs": 1, "act": 1, "members": 1, "hidden": [1]},
    ],
)
def test_shapes_that_a_model_may_have(change: dict[str, Any]):
    shape = ModelShape.read(SHAPE | change)
    assert shape.hidden == tuple((SHAPE | change)["hidden"]) and shape.history == change.get("history", 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"obs": 100_001}, "its obs is 100001, not a number from 1 to 100000"),
        ({"act": 10_001}, "its act is 10001, not a number from 1 to 10000"),
        ({"members": 1001}, "its members is 1001, not a number from 1 to 1000"),
        ({"hidden": [5, 100_001]}, "its hidden is 100001, not a number from 1 to 100000"),
        ({"history": 1001}, "its history is 1001, not a number from 1 to 1000"),
        ({"obs": 0}, "its obs is 0, not a number from 1 to 100000"),
        ({"members": True}, "its members is True, not"),
        ({"act": 1.0}, "its act is 1.0, not"),
        ({"act": "x" * 60}, f"its act is '{'x' * 39}, not"),
        ({"hidden": [1] * 101}, "its hidden widths are no short list"),
        ({"hidden": (1,)}, "its hidden widths are no short list"),
        ({"norm": 1}, "its norm is 1, neither true nor false"),
        ({"more": 1}, "its shape does not name obs, act, members, hidden, history"),
        ({"history": 4}, ""),
    ],
)
def test_shapes_that_no_model_has(change: dict[str, Any], message: str):
    with pytest.raises(ValueError) as refusal:
        ModelShape.read(SHAPE | change)
    assert str(refusal.value).startswith(message)
    for other in (None, [], {name: value for name, value in SHAPE.items() if name != "act"}):
        with pytest.raises(ValueError, match="its shape does not name"):
            ModelShape.read(other)


def test_the_errors_of_members_are_a_list_of_numbers():
    assert _numbers([1.0, 0.5]) == [1.0, 0.5]
    for other in ([], [True], ["1"], [1, None], {}, None, (1,)):
        with pytest.raises(ValueError, match="does not tell the holdout errors"):
            _numbers(other)


# Episodes that are held out

COVERAGE: dict[str, Any] = {
    "episodes": 1,
    "rows": 1,
    "error": None,
    "unchanged": None,
    "levels": [0, 1, 0.5],
    "coverage": [1, 0, 0.5],
    "inside": 0,
    "inside_columns": 1,
}


@pytest.mark.parametrize("change", [{}, {"error": 0, "unchanged": 9e11}, {"levels": [], "coverage": []}])
def test_a_coverage_that_a_fit_writes(change: dict[str, Any]):
    report = from_json(HONEST | {"episodes": COVERAGE | change})
    assert report.episodes == EpisodeCoverage(**COVERAGE | change)


@pytest.mark.parametrize(
    "change",
    [
        {"episodes": 0},
        {"rows": 1.5},
        {"error": 1e12},
        {"unchanged": -0.1},
        {"unchanged": True},
        {"levels": [0.5] * 4, "coverage": [0.5] * 4},
        {"coverage": [0.5]},
        {"levels": [0, 1, 1.1]},
        {"coverage": [1, 0, -0.1]},
        {"inside": -0.1},
        {"inside_columns": 1.1},
        {"inside": None},
        {"levels": (0, 1, 0.5)},
    ],
)
def test_a_coverage_that_no_fit_writes(change: dict[str, Any]):
    with pytest.raises(ValueError, match="its report is none that a fit makes"):
        from_json(HONEST | {"episodes": COVERAGE | change})
    with pytest.raises(ValueError, match="its report is none that a fit makes"):
        from_json(HONEST | {"episodes": list(COVERAGE)})


def test_a_coverage_in_a_sentence():
    coverage = EpisodeCoverage(2, 9, None, None, [], [], 0.126, 0.5)
    assert coverage.sentence() == "on 2 episodes held out: too few rows for limits, the elites’ draws 13 %"
    full = coverage._replace(error=0.5, unchanged=1.0, levels=[0.9], coverage=[0.916])
    assert full.sentence() == (
        "on 2 episodes held out: one step is off by 0.50 of the log’s spread, limits of the score for 90 % hold 92 %, "
        "the elites’ draws 13 %"
    )


@pytest.mark.parametrize(
    ("count", "share", "size"), [(3, 0.01, 2), (3, 1.0, 2), (10, 0.26, 3), (10, 1.0, 9), (40, 0.25, 10), (40, 0.0, 0)]
)
def test_how_many_episodes_are_held_out(count: int, share: float, size: int):
    held_out = held_out_episodes(system([2] * count), share)
    assert len(held_out) == len(set(held_out)) == size
    assert held_out.tolist() == np.random.default_rng(0).permutation(count)[:size].tolist()


def test_every_other_held_out_episode_calibrates(monkeypatch: pytest.MonkeyPatch):
    dataset, settings = system([3] * 8), Settings(holdout_episodes=0.5)
    first, second, third, fourth = held_out_episodes(dataset, 0.5)
    rows = episode_coverage._held_out(dataset, settings)
    assert rows is not None and len(rows.number) == 12
    assert set(rows.number[rows.calibrates] // 3) == {first, third}
    assert set(rows.number[~rows.calibrates] // 3) == {second, fourth}
    monkeypatch.setattr(episode_coverage, "MOST_ROWS", 3)
    few = episode_coverage._held_out(dataset, settings)
    assert few is not None and few.number.tolist() == rows.number[[0, 6, 11]].tolist()  # 0, 5.5 and 11, rounded
    monkeypatch.setattr(episode_coverage, "MOST_ROWS", 1)
    assert episode_coverage._held_out(dataset, settings) is None


def test_rows_are_scored_block_by_block_and_each_by_itself(monkeypatch: pytest.MonkeyPatch):
    dataset = system([5] * 4)
    rows = Transition(*(jnp.asarray(part, jnp.float32) for part in dataset.transitions(True)))
    known = support.reference(rows, np.arange(10))
    elites = members([0.0, 0.5, 9.0], 1.0)
    unit = np.asarray(elites.target_std)
    whole = episode_coverage.scored(elites, known, rows, unit)
    monkeypatch.setattr(episode_coverage, "BLOCK", 6)
    np.testing.assert_allclose(episode_coverage.scored(elites, known, rows, unit), whole, atol=1e-6)
    assert whole.shape == (20, 3)
    np.testing.assert_allclose(whole[:, 2], 0.5 / np.sqrt(3), rtol=1e-5)  # of three outputs one is half a unit apart
    np.testing.assert_allclose(episode_coverage.scored(members([0.5]), known, rows, unit)[:, 2], 0, atol=1e-6)


def test_a_next_state_on_the_edge_of_the_draws_lies_between_them():
    dataset = system([5] * 4)
    rows = Transition(*(jnp.asarray(part, jnp.float32) for part in dataset.transitions(True)))
    inside = episode_coverage.between_draws(dataset, members([-0.1, 0.1], 1e-6), rows)
    assert inside.shape == (20, 1) and inside.all(), "the second column never varies"
    assert not episode_coverage.between_draws(dataset, members([0.1, 0.2], 1e-6), rows).any()


# Measurements


@pytest.mark.parametrize(("length", "steps"), [(1, 10), (11, 11), (100, 100), (101, 100)])
def test_how_far_and_on_how_many_rows_a_fit_is_measured(monkeypatch: pytest.MonkeyPatch, length: int, steps: int):
    asked: list[Any] = []
    monkeypatch.setattr(measure, "horizon", lambda *arguments: asked.append(arguments[3:]))
    monkeypatch.setattr(measure, "calibration", lambda *arguments: asked.append(arguments[3:]))
    settings = Settings(ensemble_size=3, num_elites=2, rollout_length=length)
    dataset = system([1002])
    assert measure.report_of(dataset, members([0.0] * 3), plain_units(2, 1), np.arange(1001), settings) is None
    (rows, most), (others,) = asked
    assert most == steps and rows.tolist() == others.tolist() == list(range(1000))
    alone = ModelSettings(ensemble_size=3)
    assert measure.report_of(dataset, members([0.0] * 3), plain_units(2, 1), np.arange(3), alone) is None
    assert asked[2][1] == 10


@pytest.mark.parametrize(("long", "steps"), [(1, 1), (2, 5)])
def test_a_tenth_of_the_rows_must_begin_a_stretch(long: int, steps: int):
    lengths = [5] * long + [1] * (10 - long)
    starts = np.cumsum([0, *lengths[:-1]])
    curves = measure.horizon(system(lengths), members([0.0]), plain_units(2, 1), starts, 10)
    assert curves is not None and len(curves.error) == steps
    assert curves.starts == (10 if steps == 1 else 2)


def test_long_stretches_begin_at_fewer_rows(monkeypatch: pytest.MonkeyPatch):
    dataset = system([40])
    for most, starts in ((20, 4), (3, 1)):
        monkeypatch.setattr(measure, "MOST_PREDICTIONS", most)
        curves = measure.horizon(dataset, members([0.0]), plain_units(2, 1), every(dataset)[:30], 5)
        assert curves is not None and curves.starts == starts


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([1e6, 1e6 + 4], 2.0),
        ([1e6, 1e6 + 1], 0.0),
        ([0.0, 1e-11], 5e-12),
        ([0.0, 1e-13], 0.0),
        ([-1e6, -1e6 - 1], 0.0),
    ],
)
def test_what_varies_by_less_than_a_millionth_is_constant(values: list[float], spread: float):
    columns = np.array(values * 300, np.float32)[:, None]
    whole = log(observations=columns)
    assert measure._spread(whole).tolist() == pytest.approx([spread], rel=1e-3)
    usual = spread or 1.0
    assert support._positive(columns.astype(np.float64)).tolist() == pytest.approx([usual], rel=1e-3)
    _, std = jax.jit(fit_epoch._moments)(jnp.asarray(columns))
    assert float(std[0]) == pytest.approx(usual, rel=0.1)


@pytest.mark.parametrize(("rows", "spread"), [(199_999, 2.0), (200_000, 0.0)])
def test_a_long_logs_spread_is_that_of_every_other_row(rows: int, spread: float):
    dataset = system([2] * 3)
    columns = (np.arange(rows) % 2 * 4.0).astype(np.float32)[:, None]
    blank = np.zeros(rows, bool)
    long = replace(
        dataset,
        observations=columns,
        next_observations=columns,
        actions=np.zeros((rows, 1), np.float32),
        rewards=np.zeros(rows, np.float32),
        terminals=blank,
        timeouts=np.arange(rows) == rows - 1,
        usable=~blank,
    )
    assert measure._spread(long).tolist() == pytest.approx([spread], abs=1e-4)


@pytest.mark.parametrize(
    ("count", "fraction", "most", "size"),
    [(10, 0.2, 1000, 2), (10, 0.29, 1000, 2), (10, 0.01, 1000, 1), (10, 0.9, 4, 4), (3, 1.0, 1000, 2), (2, 1.0, 9, 1)],
)
def test_how_many_rows_are_held_out(count: int, fraction: float, most: int, size: int):
    sizes = replace(ModelSettings(), holdout_fraction=fraction, holdout_rows=most).fit_sizes()
    train, holdout = fit_epoch.split_rows(jax.random.key(0), count, sizes)
    assert len(holdout) == size and sorted([*train.tolist(), *holdout.tolist()]) == list(range(count))


def test_the_last_batch_is_filled_up_with_the_first_rows():
    bootstrap = jnp.arange(10).reshape(2, 5)
    batches = np.asarray(fit_epoch.shuffled_batches(bootstrap, 2, jax.random.key(0)))
    assert batches.shape == (3, 2, 2)
    for member in (0, 1):
        order = batches[:, member].reshape(-1)
        assert sorted(order[:5]) == bootstrap[member].tolist() and order[5] == order[0]
    assert np.asarray(fit_epoch.shuffled_batches(bootstrap, 9, jax.random.key(0))).shape == (1, 2, 5)


# The score of the unknown


def test_a_reference_is_taken_evenly_and_dealt_out():
    count = 4 * 600 + 3
    column: Any = np.arange(count, dtype=np.float32)[:, None]
    ones: Any = np.ones(count, np.float32)
    rows = Transition(column, -column, column[:, 0], column + 1, ones)
    known = support.reference(rows, np.arange(count))
    assert known.rows.shape == (4, 600, 2)
    dealt = np.asarray(known.rows) * np.asarray(known.std) + np.asarray(known.mean)
    taken = np.linspace(0, count - 1, 2400).round()
    np.testing.assert_allclose(dealt[:, :, 0], taken.reshape(600, 4).T, atol=1e-2)
    np.testing.assert_allclose(dealt[:, :, 1], -taken.reshape(600, 4).T, atol=1e-2)
    assert (float(known.low[0]), float(known.high[0])) == (1.0, count)
    assert float(known.spread[0]) == pytest.approx(np.std(column), rel=1e-4)
    few = support.reference(rows, np.array([5, 7, 9]))
    assert few.rows.shape == (4, 1, 2) and (float(few.low[0]), float(few.high[0])) == (6.0, 10.0)


def test_what_is_usual_is_what_99_of_100_keep_and_no_less_than_a_twentieth():
    parts = np.stack([np.arange(101) / 100, np.zeros(101), np.full(101, 0.06)], axis=1)
    assert support.usual(parts).tolist() == pytest.approx([0.99, 0.05, 0.06])
