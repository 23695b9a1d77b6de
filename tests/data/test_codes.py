"""Codes and one-hot columns are told, among actions and observations; quantities are not."""

import tracemalloc

import numpy as np
import pytest

from micro_rl.core.columns import Column, Columns
from micro_rl.data import load
from micro_rl.data.checks import codes
from tests.data import logs
from tests.data.test_inspection import planted

RANDOM = np.random.default_rng(3)
ROWS = 1000


def codes_in(tmp_path, extra: np.ndarray, part: str):
    """What is said of these columns beside those of the clean log."""
    arrays = planted()
    extra = extra.reshape(ROWS, -1).astype(np.float32)
    for name in ("actions",) if part == "actions" else ("observations", "next_observations"):
        arrays[name] = np.concatenate([arrays[name], extra], axis=1)
    path = logs.write_hdf5(tmp_path / "log.hdf5", arrays, action_low=-200.0, action_high=200.0)
    return {one.kind: one for one in codes.odd(load(path))}


CODES = {
    "eight": RANDOM.integers(0, 8, ROWS),
    "three from minus one": RANDOM.integers(-1, 2, ROWS),
    "with a gap": RANDOM.choice([0, 1, 2, 5], ROWS),
}
QUANTITIES = {
    "tenths": np.round(RANDOM.uniform(0, 1, ROWS), 1),
    "per cent in steps of five": RANDOM.choice(np.arange(0, 101, 5), ROWS),
    "whole per cent": RANDOM.integers(0, 101, ROWS),
    "real": RANDOM.normal(size=ROWS),
    "mostly at its bounds": np.clip(RANDOM.normal(0, 3, ROWS), -1, 1),
    "constant": np.ones(ROWS),
}


@pytest.mark.parametrize("part", ["actions", "observations"])
@pytest.mark.parametrize("name", CODES)
def test_codes(tmp_path, name, part):
    kinds = codes_in(tmp_path, CODES[name], part)
    assert set(kinds) == {"codes"}
    assert "codes, not quantities?" in kinds["codes"].text


@pytest.mark.parametrize("part", ["actions", "observations"])
@pytest.mark.parametrize("name", QUANTITIES)
def test_quantities(tmp_path, name, part):
    assert codes_in(tmp_path, QUANTITIES[name], part) == {}


def test_a_switch_is_an_action_of_two_codes_and_may_be_observed(tmp_path):
    switch = RANDOM.integers(0, 2, ROWS)
    assert set(codes_in(tmp_path, switch, "actions")) == {"codes"}
    assert codes_in(tmp_path, switch, "observations") == {}


@pytest.mark.parametrize("part", ["actions", "observations"])
@pytest.mark.parametrize("low, high", [(0, 1), (-1, 1)])
@pytest.mark.parametrize("width", [3, 5])
def test_one_hot(tmp_path, part, low, high, width):
    hot = np.where(np.eye(width)[RANDOM.integers(0, width, ROWS)] > 0, high, low)
    kinds = codes_in(tmp_path, hot, part)
    assert set(kinds) == {"one-hot"}
    start = 2 if part == "actions" else 4
    assert kinds["one-hot"].columns == tuple(range(start, start + width))


def test_one_hot_beside_a_switch(tmp_path):
    hot = np.eye(3)[RANDOM.integers(0, 3, ROWS)]
    both = np.concatenate([RANDOM.integers(0, 2, (ROWS, 1)), hot], axis=1)
    kinds = codes_in(tmp_path, both, "actions")
    assert kinds["one-hot"].columns == (3, 4, 5)
    assert kinds["codes"].columns == (2,)


def test_many_coded_columns_are_one_line(tmp_path):
    kinds = codes_in(tmp_path, RANDOM.integers(0, 4, (ROWS, 9)), "observations")
    assert kinds["codes"].text.startswith("observations 4 to 12 take only 4 whole numbers, from 0 to 3")


def test_columns_that_are_set_as_often_as_one_hot_ones_are_none(tmp_path):
    hot = np.eye(4)[np.arange(ROWS) % 4]
    assert set(codes_in(tmp_path, hot, "actions")) == {"one-hot"}
    hot[5, 0], hot[4, 0] = 1, 0  # as often, but two at once in one row and none in another
    assert set(codes_in(tmp_path, hot, "actions")) == {"codes"}


def test_one_hot_columns_are_looked_for_in_little_memory():
    values = (RANDOM.random((20_000, 60)) < 0.3).astype(np.float32)
    values[:, 20:30] = np.eye(10)[RANDOM.integers(0, 10, 20_000)]
    columns = Columns(tuple(Column(f"o{place}") for place in range(60)))
    tracemalloc.start()
    [one] = codes._in("observation", values, columns)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert one.kind == "one-hot" and one.columns == tuple(range(20, 30))
    assert peak < values.nbytes / 2
