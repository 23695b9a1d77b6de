"""When a dynamics fit blows up: which number was the first to go, and what is kept of it."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Key

from micro_rl.core.sizes import FitSizes
from micro_rl.core.types import Transition
from micro_rl.dynamics.ensemble import gaussians, inputs_of, targets_of
from micro_rl.dynamics.fit_epoch import FitState, fit_step, shuffled_batches
from micro_rl.storage import pytree_io
from micro_rl.storage.arrays import write_arrays
from micro_rl.storage.files import CannotWrite
from micro_rl.storage.jsonl import Row
from micro_rl.training.host_log import indexed

FURTHEST_ROW = 1e6
LARGEST_WEIGHT = 1e6

ADVICE = {
    "standardised rows": "the log's own rows are extreme: look for outliers in it",
    "variance": "the predicted variance ran away: lower model_lr, or raise logvar_weight",
    "mean": "the networks' outputs ran away: lower model_lr",
    "loss": "lower model_lr",
    "weights": "lower model_lr",
    "holdout error": "the held-out rows are unlike the others: look for outliers in the log, or lower model_lr",
}
"""By term, in the order in which each acts on the next."""


class Found(NamedTuple):
    """The step (from 1) at which the first term blew up, and each member's rows in its batch."""

    step: int
    term: str
    value: float
    rows: Int[Array, "member batch"]


def step_through(before: FitState, log: Transition, sizes: FitSizes, key: Key[Array, ""]) -> Found:
    """The epoch that begins with this state and key, batch by batch, up to the first that blows up."""
    one = jax.jit(partial(_one, sizes=sizes))
    batches = shuffled_batches(before.bootstrap, sizes.batch_size, key)
    state = before
    for number, rows in enumerate(batches, start=1):
        members, moments, figures = one(state, *indexed(log, rows))
        for term, value in ((name, float(figures[name])) for name in ADVICE if name in figures):
            if not np.isfinite(value) or value > _bound(term):
                return Found(number, term, value, rows)
        state = state._replace(members=members, moments=moments)
    return Found(len(batches), "holdout error", float("nan"), batches[-1])


def _one(state: FitState, log: Transition, rows: Array, *, sizes: FitSizes):
    """One step: the members and moments after it, and how large everything in it was."""
    batch = jax.tree.map(lambda column: column[rows], log)
    inputs = (inputs_of(batch) - state.input_mean[None, None]) / state.input_std[None, None]
    targets = targets_of(batch, state.target_mean.shape[0] - 1)
    targets = (targets - state.target_mean[None, None]) / state.target_std[None, None]
    mean, variance = gaussians(state.members, inputs)
    (members, moments), loss = fit_step(state, log, sizes)((state.members, state.moments), rows)
    weights = jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in jax.tree.leaves(members)])
    return (
        members,
        moments,
        {
            "standardised rows": jnp.maximum(jnp.max(jnp.abs(inputs)), jnp.max(jnp.abs(targets))),
            "variance": jnp.max(variance) + 1 / jnp.min(variance),
            "mean": jnp.max(jnp.abs(mean)),
            "loss": loss,
            "weights": jnp.max(weights),
        },
    )


def _bound(term: str) -> float:
    return {"standardised rows": FURTHEST_ROW, "weights": LARGEST_WEIGHT}.get(term, np.inf)


def keep(folder: Path, before: FitState, key: Key[Array, ""], row: Mapping[str, float] | Row, found: Found) -> str:
    """Write what led there; what to tell the user, also where the disk refuses."""
    told = (
        f"its {found.term} was the first to blow up, at step {found.step} of that epoch ({found.value:.3g}); "
        f"{ADVICE[found.term]}"
    )
    about = {
        "epoch": row["epoch"],
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "step": found.step,
        "term": found.term,
        "value": found.value,
        "diagnosis": told,
    }
    try:
        write_arrays(folder / "state", "state", pytree_io.to_arrays(before), about)
        write_arrays(folder / "batch", "batch", {"rows": np.asarray(found.rows)}, about)
    except CannotWrite as error:
        return f"{told}; nothing could be kept of it: {error}"
    return f"{told}; the state before that epoch and the batch are kept in {folder}"
