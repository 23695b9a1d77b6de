"""A new run that goes on from another's newest checkpoint under a plan of its own."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from micro_rl.core.wording import plural
from micro_rl.dynamics.saved_model import load_model, save_model
from micro_rl.errors import UserError
from micro_rl.storage import config_diff, pytree_io
from micro_rl.storage.checkpoints import Checkpoint
from micro_rl.storage.files import sha256
from micro_rl.storage.jsonl import Row, rewind_rows
from micro_rl.storage.locks import begun
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.callbacks import Callback
from micro_rl.training.learning import problem_of, program_for
from micro_rl.training.models import check_fits
from micro_rl.training.plan import Plan
from micro_rl.training.plan_record import default_config, plan_to_config
from micro_rl.training.program import Program
from micro_rl.training.refit import hand_over

Arrays = dict[str, np.ndarray]


def branch_off(plan: Plan, source: Path, target: Path, callback: Callback, refit: bool = False) -> None:
    """Make `target` the run folder of `plan`, with the model, state and metrics of the run in `source` so far.

    `refit`: without the model, which is fitted anew on the plan's log, and with the agent alone of the state.

    Raises `UserError`, before there is a folder, where that run has no checkpoint or its state does not fit the plan.
    """
    if plan.model is not None:
        raise UserError(f"{plan.model}: a branch keeps the model of the run it comes from; leave out --model")
    if refit:
        plan.model_use.refuse_refit()
    old = RunFolder.open(source)
    _refuse_other_columns(old, plan)
    checkpoint = _newest_checkpoint(old, plan.settings.epochs)
    model = plan.model_use.saved_model(old)
    if model is not None:
        check_fits(model, plan, old.model)
    program = program_for([plan], [model], problem_of(plan, model and model.scaling))
    origin = _origin(old, checkpoint, plan, refit)
    state = _state_to_go_on_from(program, checkpoint, old, origin["changed"])
    new = begun(target, plan_to_config(plan) | {"branched_off": origin})
    rows = _rows_until(old, checkpoint)
    if refit and model is not None:
        hand_over(new, checkpoint, model.scaling, rows)
    else:
        if model is not None:
            save_model(new.model, model)
        if plan.scored_apart and old.scoring_model.exists():
            save_model(new.scoring_model, load_model(old.scoring_model))
        new.checkpoints.save(checkpoint.epoch, state, unwritten=rows)
        rewind_rows(new.path / "fit.jsonl", len(old.fit()), old.fit())
    for skipped in checkpoint.skipped:
        callback.note(f"passed over a checkpoint: {skipped}")
    anew = "with a model fitted anew; " if refit else ""
    what = "; ".join(origin["changed"]) or "nothing"
    emptied = "" if state is checkpoint.arrays or refit else "; the buffer's shape is another, so it begins empty"
    callback.note(f"branches off from {source} after epoch {checkpoint.epoch}; {anew}changed: {what}{emptied}")


def _state_to_go_on_from(program: Program, checkpoint: Checkpoint, source: RunFolder, changed: list[str]) -> Arrays:
    """A checkpoint's arrays as a program takes them: where its buffer has another shape, it is empty.

    Args:
        program: That is to go on.
        checkpoint: The newest of the run that it goes on from.
        source: That run.
        changed: What the plan changes, in words, for the error.

    Returns:
        The checkpoint's own arrays where all fit.

    Raises:
        UserError: Anything else than the buffer has another shape.
    """
    blank, arrays = program.blank(), checkpoint.arrays
    fresh = {"buffer": getattr(blank, "buffer", None)}
    empty = pytree_io.to_arrays(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), fresh))
    saved = {name: array for name, array in arrays.items() if name.startswith("buffer.")}
    if {name: array.shape for name, array in saved.items()} != {name: array.shape for name, array in empty.items()}:
        arrays = {name: array for name, array in arrays.items() if name not in saved} | empty
    try:
        pytree_io.from_arrays(blank, arrays, str(source.checkpoints.folder(checkpoint.epoch)))
    except UserError as error:
        raise UserError(f"{error} (changed: {'; '.join(changed) or 'nothing'}), or train anew") from error
    return arrays


def _newest_checkpoint(source: RunFolder, epochs: int) -> Checkpoint:
    """Where a run has got to; `UserError` unless so many epochs go on from there."""
    checkpoint = source.checkpoints.newest()
    if checkpoint is None:
        raise UserError(f"{source.path}: has no checkpoint to branch off from; train it further, or train anew")
    if checkpoint.epoch >= epochs:
        raise UserError(f"{source.path}: has {plural(checkpoint.epoch, 'epoch')} already; give more with --epochs")
    return checkpoint


def _origin(source: RunFolder, checkpoint: Checkpoint, plan: Plan, refit: bool) -> dict[str, Any]:
    """What a branch's config.json says of the run that it comes from."""
    differences = config_diff.differences(source.config(), plan_to_config(plan), default_config(plan))
    return {
        "run": str(source.path),
        "epoch": checkpoint.epoch,
        "config_sha256": sha256(source.path / "config.json"),
        "checkpoint_sha256": sha256(source.checkpoints.folder(checkpoint.epoch) / "state.safetensors"),
        "changed": [text for _, text in differences],
        "refit": refit,
    }


def refuse_half_made(folder: RunFolder) -> None:
    """`UserError` where a branch was stopped before it had taken over anything: resumed, it would begin anew."""
    origin = folder.config().get("branched_off")
    if origin and not folder.checkpoints.epochs() and not folder.inherited.exists():
        raise UserError(
            f"{folder.path}: was stopped before it took over {origin['run']}; delete it and branch off again"
        )


def _refuse_other_columns(old: RunFolder, plan: Plan) -> None:
    """`UserError` where the log's columns are called otherwise or stand in another order; unnamed ones may be any."""
    known, now = old.config().get("columns"), plan.dataset.columns.as_json()
    if known is None:  # of an older format
        return
    for part in known:
        for place, (before, after) in enumerate(zip(known[part], now[part], strict=False)):
            if before["name"] != after["name"] and not {before["name"], after["name"]} & {f"o{place}", f"a{place}"}:
                raise UserError(
                    f"{plan.dataset.path}: column {place} of its {part} is {after['name']!r}, and {before['name']!r} "
                    f"in the run in {old.path}; put the columns in that order and call them so"
                )


def _rows_until(run: RunFolder, checkpoint: Checkpoint) -> list[Row]:
    """Those that are written, then those that wait in the checkpoint; they travel with the branch's own."""
    rows = [row for row in run.metrics() if row["epoch"] <= checkpoint.epoch]
    present = {row["epoch"] for row in rows}
    return rows + [row for row in checkpoint.meta["unwritten"] if row.get("epoch") not in present]
