"""A dynamics fit that is stopped goes on to the same bits, alone and inside a run."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from micro_rl import api
from micro_rl.core.model_settings import ModelSettings
from micro_rl.data import ReadOptions
from micro_rl.errors import Interrupted, UserError
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.callbacks import Callback
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.runner import execute
from tests.probes import TINY, tiny_dataset, tiny_plan

SETTINGS = {name: value for name, value in TINY.items() if name in ModelSettings.__dataclass_fields__}


class StopsAt(Callback):
    """Sends this process a signal after an epoch of the fit, and waits until it is noticed."""

    def __init__(self, epoch: int, interrupts: Interrupts, number: signal.Signals = signal.SIGTERM):
        self.epoch, self.interrupts, self.number = epoch, interrupts, number
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def fitted(self, row) -> None:
        if row["epoch"] == self.epoch:
            os.kill(os.getpid(), self.number)
            while not self.interrupts.received:
                time.sleep(0.001)


def fit(folder: Path, stop_at: int | None = None, **options) -> list[str]:
    with Interrupts() as interrupts:
        watcher = StopsAt(stop_at or -1, interrupts)
        api.fit(
            tiny_dataset(), ModelSettings(**SETTINGS), out=folder, callback=watcher, interrupts=interrupts, **options
        )
    return watcher.notes


def weights(folder: Path) -> bytes:
    return (folder / "ensemble.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "whole"
    fit(folder)
    return folder


def test_a_fit_alone(whole: Path, tmp_path: Path):
    folder, work = tmp_path / "model", tmp_path / "model.fit"
    with pytest.raises(Interrupted, match=r"stopped by SIGTERM; .* saved after epoch 2; .*--resume goes on") as stopped:
        fit(folder, stop_at=2)
    assert stopped.value.exit_code == 143
    assert not folder.exists() and RunFolder.open(work).fit_checkpoints.epochs() == [2]
    with pytest.raises(UserError, match="is not empty; continue the run there with --resume"):
        fit(folder)
    other = ModelSettings(**SETTINGS | {"model_lr": 0.5})  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match=r"other settings \(model_lr: 0.003, now 0.5\)"):
        api.fit(tiny_dataset(), other, out=folder, resume=True)
    otherwise = replace(tiny_dataset(), reading=ReadOptions(reward="100 * flow"))
    with pytest.raises(UserError, match=r"another log \(reading: \{\}, now \{'reward': '100 \* flow'\}\)"):
        api.fit(otherwise, ModelSettings(**SETTINGS), out=folder, resume=True)
    assert "the dynamics fit goes on after epoch 2" in fit(folder, resume=True)
    assert weights(folder) == weights(whole)
    assert not work.exists() and sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_fit_in_a_run(whole: Path, tmp_path: Path):
    plan = tiny_plan(epochs=1, fit_checkpoint_seconds=0.0)
    with pytest.raises(Interrupted, match="saved after epoch 3"), Interrupts() as interrupts:
        execute(plan, tmp_path / "run", callback=StopsAt(3, interrupts), interrupts=interrupts)
    folder = RunFolder.open(tmp_path / "run")
    assert [row["epoch"] for row in folder.fit()] == [1, 2, 3]
    assert 3 in folder.fit_checkpoints.epochs()
    execute(plan, folder.path, resume=True)
    assert weights(folder.model) == weights(whole)
    assert [row["epoch"] for row in folder.fit()] == [1, 2, 3, 4]
    assert folder.fit_checkpoints.epochs() == []
