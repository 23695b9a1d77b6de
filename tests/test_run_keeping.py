"""What a training saves when it is stopped between two checkpoints."""

import os
import signal
import time
from pathlib import Path

import jax.numpy as jnp
import pytest

from micro_rl.algorithms.log_epoch import LogState
from micro_rl.core.settings import Settings
from micro_rl.errors import Interrupted
from micro_rl.storage.metrics_log import open_metrics
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.saving import KeptRun


def test_the_epoch_that_a_signal_saves_has_its_score_and_stays_as_the_best(tmp_path: Path):
    folder = RunFolder.create(tmp_path / "run", {})
    settings = Settings(checkpoint_every=5)
    state = lambda epoch: LogState(jnp.zeros(3), jnp.asarray(epoch))  # noqa: E731
    with KeptRun(folder, folder.fit_rows(), None, settings, print) as kept, open_metrics(folder, None) as log:
        taken = kept.take(1, lambda: state(1), final=False)
        kept.epoch({"epoch": 1, "eval/return": 3.0}, log, taken, final=False)
        assert folder.checkpoints.newest() is None
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            while not interrupts.received:
                time.sleep(0.001)
            with pytest.raises(Interrupted, match="epoch 1 is saved"):
                kept.leave(state(1), log, interrupts)
        for epoch in (5, 10, 15):
            taken = kept.take(epoch, lambda now=epoch: state(now), final=True)
            kept.epoch({"epoch": epoch, "eval/return": 2.0}, log, taken, final=True)
    assert folder.checkpoints.epochs() == [1, 10, 15]
