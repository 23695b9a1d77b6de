"""Real logs, where they lie beside the checkout or where `MICRO_RL_TEST_DATA` points."""

import os
from pathlib import Path

import pytest

from micro_rl.data import load

DATA = Path(os.environ.get("MICRO_RL_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")

# File: rows, episodes, terminals, mean return, best return, rows the published results would keep.
LOGS = {
    "halfcheetah-medium-replay.hdf5": (110_000, 110, 0, 2649.24, 5120.11, 109_890),
    "hopper-medium-replay.hdf5": (299_037, 1_698, 1_686, 461.15, 3213.37, 299_024),
    "neorl2/DMSD-high-100000-train.npz": (100_000, 1_000, 0, 494.45, 625.66, 99_000),
    "neorl2/SafetyHalfCheetah-high-100000-train.npz": (18_000, 18, 0, 1769.31, 1925.85, 17_982),
    "neorl2/Fusion-first20-of-val.npz": (2_000, 20, 0, -7.35, 8.87, 1_980),
}


@pytest.mark.parametrize("file", LOGS)
def test_real_log(file):
    if not (DATA / file).is_file():
        pytest.skip("the log is not here")
    rows, episodes, terminals, mean, best, kept = LOGS[file]
    dataset = load(DATA / file)
    summary = dataset.summary()
    assert (summary.rows, summary.episodes, summary.terminals) == (rows, episodes, terminals)
    assert summary.return_mean == pytest.approx(mean, abs=0.01)
    assert summary.return_best == pytest.approx(best, abs=0.01)
    assert len(dataset.transitions(keep_timeouts=False).reward) == kept
    assert dataset.usable.all()
    assert dataset.notes == ()
