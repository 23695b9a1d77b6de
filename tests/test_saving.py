"""What a training saves when it is stopped between two checkpoints."""

from pathlib import Path

import jax.numpy as jnp

from micro_rl.algorithms.log_epoch import LogState
from micro_rl.core.settings import Settings
from micro_rl.storage import pytree_io
from micro_rl.storage.metrics_log import open_metrics
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.saving import RunSaver


def test_a_run_that_goes_on_tells_which_rows_are_missing(tmp_path: Path):
    folder, notes = RunFolder.create(tmp_path / "run", {}), []
    state = LogState(jnp.zeros(3), jnp.asarray(6))
    folder.checkpoints.save(6, pytree_io.to_arrays(state), unwritten=[{"epoch": 6}])

    def restored() -> list[str]:
        notes.clear()
        with RunSaver(folder, folder.fit_rows(), None, folder.model, Settings(), notes.append) as saver:
            saver.restore(state)
        return notes

    for epoch in (1, 4):
        folder.append_metrics({"epoch": epoch})
    lacking = "metrics.jsonl lacks the rows of epochs 2 to 3, 5; scores and figures count those that are there"
    assert restored() == ["goes on after epoch 6", lacking]
    for epoch in (2, 3, 5):
        folder.append_metrics({"epoch": epoch})
    assert restored() == ["goes on after epoch 6"]


def test_the_epoch_that_a_signal_saves_has_its_score_and_stays_as_the_best(tmp_path: Path):
    folder = RunFolder.create(tmp_path / "run", {})
    settings = Settings(checkpoint_every=5)
    state = lambda epoch: LogState(jnp.zeros(3), jnp.asarray(epoch))  # noqa: E731
    with (
        RunSaver(folder, folder.fit_rows(), None, folder.model, settings, print) as saver,
        open_metrics(folder, None) as log,
    ):
        arrays = saver.copy_if_due(1, lambda: state(1), final=False)
        saver.after_epoch({"epoch": 1, "eval/return": 3.0}, log, arrays, final=False)
        assert folder.checkpoints.newest() is None
        assert saver.save_now(state(1), log) == ("epoch 1 is saved", True)
        for epoch in (5, 10, 15):
            arrays = saver.copy_if_due(epoch, lambda now=epoch: state(now), final=True)
            saver.after_epoch({"epoch": epoch, "eval/return": 2.0}, log, arrays, final=True)
    assert folder.checkpoints.epochs() == [1, 10, 15]
