"""A run that goes on with a longer log: the model is fitted anew, the agent and its units are kept.

What the new run takes over lies in its folder, so that it can be stopped at any time, the source gone: the agent, the
units in which it sees the log, and the rows of metrics so far.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from micro_rl.core.types import Scaling
from micro_rl.errors import UserError
from micro_rl.storage import pytree_io
from micro_rl.storage.arrays import read_arrays, write_arrays
from micro_rl.storage.checkpoints import Checkpoint
from micro_rl.storage.jsonl import Row
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.job import Job
from micro_rl.training.lanes import take_run
from micro_rl.training.program import Program

UNITS = "scaling"


def hand_over(new: RunFolder, checkpoint: Checkpoint, scaling: Scaling, rows: list[Row]) -> None:
    """Put into a new run folder what its run takes over.

    Args:
        new: The folder.
        checkpoint: The source's state, of which the agent is taken.
        scaling: The units of the source's model.
        rows: The source's metrics up to the checkpoint.

    Raises:
        CannotWrite: The disk refuses.
    """
    agent = {name: array for name, array in checkpoint.arrays.items() if name.startswith("agent.")}
    units = pytree_io.to_arrays({UNITS: jax.tree.map(np.asarray, scaling)})
    write_arrays(new.inherited, "state", agent | units, {"epoch": checkpoint.epoch, "rows": rows})


def inherited_units(folder: RunFolder) -> Scaling | None:
    """The units that a run took over, in which its model is fitted; None where it took over none.

    Raises:
        UserError: What it took over is damaged.
    """
    if not folder.inherited.exists():
        return None
    arrays, _ = _read(folder.inherited)
    return Scaling(**{name: arrays[f"{UNITS}.{name}"] for name in Scaling._fields})


def adopt(job: Job, program: Program, run: int) -> None:
    """Save a first checkpoint of a run that took over an agent and has none yet: that agent beside the new model.

    Args:
        job: The run.
        program: Its compiled program.
        run: Its number there.

    Raises:
        UserError: What it took over is damaged or does not fit, or the disk refuses.
    """
    if not job.folder.inherited.exists() or job.folder.checkpoints.epochs():
        return
    arrays, about = _read(job.folder.inherited)
    fresh = take_run(program.fresh(), run)
    own = {name: array for name, array in arrays.items() if name.startswith("agent.")}
    agent = pytree_io.from_arrays({"agent": fresh.agent}, own, str(job.folder.inherited))["agent"]
    state = fresh._replace(agent=agent, epoch=np.asarray(about["epoch"], fresh.epoch.dtype))
    job.folder.checkpoints.save(about["epoch"], pytree_io.to_arrays(state), unwritten=about["rows"])


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    arrays, about = read_arrays(path, "state")
    if not isinstance(about.get("epoch"), int) or not isinstance(about.get("rows"), list):
        raise UserError(f"{path}: does not say after which epoch its agent was; restore it from a copy")
    return arrays, about
