"""Logs that are hardly any: they train as far as they can be learned from, told of, or are refused before anything."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.api import fit
from micro_rl.cli import main as cli
from micro_rl.core.model_settings import ModelSettings
from micro_rl.data import load
from micro_rl.errors import UserError
from micro_rl.simulation.log_check import inspect
from micro_rl.training.callbacks import Callback
from micro_rl.training.plan_record import plan_to_config
from micro_rl.training.runner import execute
from tests.data.logs import columns, write_hdf5
from tests.probes import tiny_plan

METHODS = ("micro", "td3_bc")
CUT, ENDED = False, True
EVERY_OTHER = (CUT, ENDED) * 30


class Listens(Callback):
    """Keeps the notes."""

    def __init__(self):
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def written(folder: Path, lengths: tuple[int, ...], terminal: tuple[bool, ...], following: bool = True) -> Path:
    """A log of such episodes, with or without next observations."""
    arrays = columns(lengths, terminal)
    if not following:
        del arrays["next_observations"]
    return write_hdf5(folder / "log.hdf5", arrays, action_low=-1.0, action_high=1.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("lengths", "terminal", "warning"),
    [
        ((60,), (CUT,), "the log is one episode"),
        pytest.param((60,), (ENDED,), "the log is one episode", marks=pytest.mark.slow),
        ((1,) * 60, (CUT,) * 60, "60 of 60 episodes are a single step"),
        pytest.param((1,) * 60, EVERY_OTHER, "60 of 60 episodes are a single step", marks=pytest.mark.slow),
        pytest.param((4, 3, 4), (CUT,) * 3, "11 rows are fewer than a batch (32)", marks=pytest.mark.slow),
        pytest.param((2,), (CUT,), "2 rows are fewer than a batch (32)", marks=pytest.mark.slow),
    ],
)
def test_what_can_be_learned_from_trains_and_is_told_of(
    tmp_path: Path, method: str, lengths: tuple[int, ...], terminal: tuple[bool, ...], warning: str
):
    listens, fewer = Listens(), {"termination_updates": 50} if method == "micro" else {}
    plan = tiny_plan(method=method, log=load(written(tmp_path, lengths, terminal)), **fewer)
    run = execute(plan, tmp_path / "run", callback=listens)
    for notes in (listens.notes, plan_to_config(plan)["notes"]):
        assert any(warning in note for note in notes)
    assert all(np.isfinite(value) for row in run.metrics for value in row.values())
    assert np.abs(run.policy(np.ones((5, 2)))).max() <= 1


def test_a_log_of_usual_size_is_not_remarked_upon(tmp_path: Path):
    assert tiny_plan(log=load(written(tmp_path, (30, 30), (CUT, CUT)))).notes == ()


@pytest.mark.parametrize("method", METHODS)
def test_single_steps_without_next_observations_are_refused(tmp_path: Path, method: str, capsys):
    log = written(tmp_path, (1,) * 60, (CUT,) * 60, following=False)
    assert cli.run(["train", str(log), "--method", method, "--out", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err.strip()
    assert message.count("\n") == 0 and f"{log}: no row has a true next observation" in message
    assert [path.name for path in tmp_path.iterdir()] == ["log.hdf5"]
    assert [finding.kind for finding in inspect(log).findings if finding.level == "error"] == ["nothing-usable"]


def test_one_row_is_too_few_for_a_model_and_leaves_nothing_behind(tmp_path: Path):
    log = load(written(tmp_path, (1,), (CUT,)))
    tiny_plan(method="td3_bc", log=log)
    with pytest.raises(UserError, match=r"log.hdf5: 1 row to learn from, and there must be 2 at the least: log more"):
        tiny_plan(log=log)
    with pytest.raises(UserError, match=r"log.hdf5: 1 row to learn from"):
        fit(log, ModelSettings(), out=tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["log.hdf5"]


def test_rows_that_a_setting_drops_are_named_with_it(tmp_path: Path):
    log = load(written(tmp_path, (1,) * 60, (CUT,) * 60))
    with pytest.raises(UserError, match=r"0 rows to learn from without the rows that .*\(--no-keep-timeouts\)"):
        tiny_plan(method="td3_bc", log=log, keep_timeouts=False)
