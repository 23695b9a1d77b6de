"""What `runs/dmsd_csv.py` plants in a table is what the check finds in it, row for row."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.data.checks.findings import KEPT
from micro_rl.data.checks.inspection import Inspection
from micro_rl.data.checks.repair import mend
from micro_rl.simulation.log_check import inspect
from runs import dmsd_csv
from tests.data.logs import write_npz
from tests.data.test_real_logs import DATA

REAL = DATA / "neorl2" / "DMSD-high-100000-train.npz"
LENGTH = 100


def made_up(folder: Path) -> Path:
    """As many rows as the table takes, of six slow waves under random actions."""
    random, rows = np.random.default_rng(0), dmsd_csv.EPISODES * LENGTH
    phase = np.arange(rows)[:, None] / (5 + np.arange(6)) + random.normal(size=6)
    waves = (np.sin(phase) + 0.01 * random.normal(size=(rows, 6))).astype(np.float32)
    last = np.arange(rows) % LENGTH == LENGTH - 1
    arrays = {
        "observations": waves,
        "actions": random.uniform(-1, 1, (rows, 2)).astype(np.float32),
        "rewards": random.normal(size=rows).astype(np.float32),
        "next_observations": np.roll(waves, -1, axis=0),
        "terminals": np.zeros(rows, bool),
        "timeouts": last,
    }
    return write_npz(folder / "log.npz", arrays)


@pytest.fixture(scope="module", params=["made up", "real"])
def inspection(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    folder = tmp_path_factory.mktemp("table")
    if request.param == "real" and not REAL.is_file():
        pytest.skip("the log is not here")
    dmsd_csv.main(REAL if request.param == "real" else made_up(folder), folder / "pump.csv")
    return inspect(folder / "pump.csv")


def test_what_was_planted_is_what_is_reported(inspection: Inspection):
    finding_of = {finding.kind: finding for finding in inspection.findings}
    assert set(finding_of) - {"action-saturated"} == {"time-gap", "time-repeated", "stuck", "no-next-observations"}
    assert finding_of["time-gap"].rows == (dmsd_csv.GAP_ROW,)
    assert finding_of["time-repeated"].rows == (dmsd_csv.DOUBLED_ROW + 1,)
    stuck, planted = finding_of["stuck"], dmsd_csv.STUCK_ROWS
    assert (stuck.columns, stuck.count, stuck.rows) == ((dmsd_csv.STUCK_COLUMN,), len(planted), tuple(planted)[:KEPT])
    assert f"({planted[0]}-{planted[-1]})" in stuck.text


def test_decimal_commas_and_the_gap_are_understood(inspection: Inspection):
    log = inspection.dataset
    assert log is not None
    assert len(log) == dmsd_csv.EPISODES * LENGTH + 1 and len(log.starts) == dmsd_csv.EPISODES + 1
    assert dmsd_csv.GAP_ROW in log.starts
    assert np.abs(log.observations).max() < 20 and np.unique(log.observations[:, 0]).size > 1000


def test_the_row_logged_twice_is_mended(inspection: Inspection, tmp_path: Path):
    changes, _ = mend(inspection, tmp_path / "mended.hdf5", None, "")
    mended = inspect(tmp_path / "mended.hdf5")
    assert [change.rows for change in changes] == [(dmsd_csv.DOUBLED_ROW + 1,)]
    assert mended.dataset is not None and len(mended.dataset) == dmsd_csv.EPISODES * LENGTH
