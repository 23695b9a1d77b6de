"""Rows inside episodes that are no transition are told, in every format; what only looks so is not."""

import numpy as np
import pytest

from micro_rl.data import load
from micro_rl.data.checks import breaks
from tests.data import logs
from tests.data.test_inspection import EPISODES, LENGTH, planted

WRITERS = {
    "hdf5": lambda path, arrays: logs.write_hdf5(path.with_suffix(".hdf5"), arrays, action_low=-1.0, action_high=1.0),
    "csv": lambda path, arrays: logs.write_csv(path, arrays, action_bounds=[-1, 1]),
    "parquet": lambda path, arrays: logs.write_parquet(path, arrays, action_bounds=[-1, 1]),
}
TRUE_ENDS = np.arange(LENGTH - 1, EPISODES * LENGTH, LENGTH)


def marked(ends: np.ndarray, column: str = "timeouts", next_recorded: bool = False) -> dict[str, np.ndarray]:
    """The clean log with its episodes' ends marked in those rows instead."""
    flags = np.zeros(EPISODES * LENGTH, bool)
    flags[ends[(ends >= 0) & (ends < len(flags))]] = True
    flags[-1] |= column == "timeouts"
    arrays = planted(**{"timeouts": lambda timeouts: timeouts & False, column: lambda _: flags})
    if not next_recorded:
        del arrays["next_observations"]
    return arrays


def breaks_in(log) -> dict[str, list[int]]:
    """The kinds of breaks and their rows."""
    return {one.kind: list(one.rows) for one in breaks.odd(log)}


@pytest.mark.parametrize("late", [1, 2, 3, -1, -2, -3])
@pytest.mark.parametrize("form", WRITERS)
def test_flags_late_and_early(tmp_path, form, late):
    log = load(WRITERS[form](tmp_path / "log", marked(TRUE_ENDS + late)))
    [finding] = breaks.odd(log)
    assert finding.kind == "flags-shifted"
    assert set(finding.rows) <= set(TRUE_ENDS)
    word = f"stand {abs(late)} row{'s' * (abs(late) > 1)} {'after' if late > 0 else 'before'} a jump"
    assert word in finding.text
    assert f"{abs(late)} {'late' if late > 0 else 'early'}" in finding.text


@pytest.mark.parametrize("column", ["terminals", "timeouts"])
@pytest.mark.parametrize("next_recorded", [True, False])
def test_flags_of_both_kinds_with_and_without_next_observations(tmp_path, column, next_recorded):
    log = load(WRITERS["hdf5"](tmp_path / "log", marked(TRUE_ENDS + 1, column, next_recorded)))
    assert set(breaks_in(log)) == {"flags-shifted"}


def test_flags_late_where_most_episodes_have_four_rows(tmp_path):
    """So short that flags can be told apart over one row only; every episode lies 20 from the one before."""
    lengths = [4] * 8 + [200] * 5
    number, ends = np.repeat(np.arange(13), lengths), np.cumsum(lengths) - 1
    arrays = clean(0.1 * drift(len(number), 2) + 20.0 * abs(number % 4 - 2)[:, None])
    arrays["timeouts"] = np.isin(np.arange(len(number)), [*(ends + 1), len(number) - 1])
    [finding] = breaks.odd(load(WRITERS["hdf5"](tmp_path / "log", arrays)))
    assert (finding.kind, set(finding.rows)) == ("flags-shifted", set(ends[:-1]))
    assert "12 of 12 marked ends stand 1 row after a jump" in finding.text


def test_flags_late_in_npz(tmp_path):
    arrays = marked(TRUE_ENDS + 2)
    after = np.concatenate([arrays["observations"][1:], arrays["observations"][-1:]])
    log = load(logs.write_npz(tmp_path / "log.npz", arrays | {"next_observations": after}))
    assert set(breaks_in(log)) == {"flags-shifted"}


@pytest.mark.parametrize("form", WRITERS)
def test_some_flags_missing(tmp_path, form):
    arrays = marked(TRUE_ENDS[1::2])
    arrays["observations"] = arrays["observations"] + np.repeat(np.arange(EPISODES), LENGTH)[:, None] % 3 * 20
    kinds = breaks_in(load(WRITERS[form](tmp_path / "log", arrays.copy())))
    assert set(kinds) == {"jumps"}
    assert set(kinds["jumps"]) <= set(TRUE_ENDS[::2].tolist())
    assert len(kinds["jumps"]) >= 5


def test_files_strung_together(tmp_path):
    arrays = marked(np.setdiff1d(TRUE_ENDS, [449]))
    arrays["observations"] = arrays["observations"].copy()
    arrays["observations"][450:] += 30
    assert breaks_in(load(WRITERS["csv"](tmp_path / "log", arrays))) == {"jumps": [449]}


def test_a_distance_that_all_jumps_have_is_told(tmp_path):
    arrays = marked(TRUE_ENDS + 20)
    arrays["observations"] = arrays["observations"] + np.repeat(np.arange(EPISODES), LENGTH)[:, None] % 3 * 20
    [finding] = breaks.odd(load(WRITERS["hdf5"](tmp_path / "log", arrays)))
    assert finding.kind == "jumps"
    assert "most of them 20 rows before a marked end" in finding.text


def clean(observations: np.ndarray, length: int = 100) -> dict[str, np.ndarray]:
    """A log of these observations whose ends are right."""
    rows = len(observations)
    random = np.random.default_rng(0)
    timeouts = np.arange(rows) % length == length - 1
    return {
        "observations": observations.astype(np.float32),
        "actions": random.uniform(-1, 1, (rows, 1)).astype(np.float32),
        "rewards": random.normal(size=rows).astype(np.float32),
        "terminals": np.zeros(rows, bool),
        "timeouts": timeouts,
    }


def drift(rows: int, columns: int) -> np.ndarray:
    """Columns that wander and come back."""
    random, values = np.random.default_rng(2), np.zeros((rows, columns))
    for row in range(1, rows):
        values[row] = 0.98 * values[row - 1] + random.normal(size=columns)
    return values


ANGLE = np.cumsum(np.full(2000, 0.05))
LOOKS_SO = {
    "an angle that wraps": np.stack([ANGLE % (2 * np.pi), *drift(2000, 2).T], axis=1),
    "a counter that restarts": np.stack([np.arange(2000.0) % 400, *drift(2000, 1).T], axis=1),
    "a set-point": np.stack([np.repeat([20.0, 60.0, 30.0, 80.0], 500), *drift(2000, 3).T], axis=1),
    "a pump that is switched": np.stack(
        [np.where(np.arange(2000) // 150 % 2, 50.0, 0.0) + 0.1 * drift(2000, 1)[:, 0], *drift(2000, 3).T], axis=1
    ),
    "a start that settles": (0.3 ** (np.arange(2000) % 100))[:, None] * [3, -2] + 0.1 * drift(2000, 2),
    "one thing only": drift(2000, 1),
    "nothing at all": np.zeros((2000, 2)),
}


@pytest.mark.parametrize("name", LOOKS_SO)
def test_what_only_looks_so(tmp_path, name):
    assert breaks_in(load(logs.write_hdf5(tmp_path / "log.hdf5", clean(LOOKS_SO[name])))) == {}
