"""The ensembles of several runs, fitted in one compiled program, each with its own seed, rows and patience."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.settings import ModelSettings
from micro_rl.core.sizes import FitSizes
from micro_rl.core.types import Keys, Problem
from micro_rl.data import Dataset
from micro_rl.dynamics.fit_epoch import FitState
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.errors import Diverged, Interrupted
from micro_rl.storage.jsonl import Row
from micro_rl.training import population
from micro_rl.training.fitting import Keeper, fit_row, fitted
from micro_rl.training.population import dealt, held_by_each, lane, put, stack


class Fit(NamedTuple):
    """One run's fit: its seed, who keeps its state, and who sees its epochs."""

    seed: int
    keeper: Keeper
    on_epoch: Callable[[Row], None]


def fit_models(
    dataset: Dataset, problem: Problem, settings: ModelSettings, fits: Sequence[Fit]
) -> list[FittedModel | Diverged]:
    """Fit until every run's patience has run out. One that blows up leaves the others alone; its error is returned."""
    sizes, log = settings.fit_sizes(), held_by_each(rows_of(problem.log), len(fits))
    keys = stack([jax.random.split(Keys.of(fit.seed).fit) for fit in fits])
    starts, epochs = dealt(keys[:, 0]), keys[:, 1]
    states = _begun(population.start_fits(log, starts, sizes=sizes), fits)
    failed: dict[int, Diverged] = {}
    while going := sorted(set(_unfinished(states, sizes)) - failed.keys()):
        now = jax.vmap(jax.random.fold_in)(epochs, states.epoch)
        before = jax.tree.map(jnp.copy, states)
        states, logged, _ = population.pass_over(states, log, now, sizes=sizes)
        failed |= _conclude(fits, going, before, states, now, jax.device_get(logged))
    return [
        failed[run] if run in failed else fitted(dataset, problem, settings, fit.seed, lane(states, run))
        for run, fit in enumerate(fits)
    ]


def _unfinished(states: FitState, sizes: FitSizes) -> list[int]:
    return np.flatnonzero(population.fits_left(states, sizes=sizes)).tolist()


def _begun(states: FitState, fits: Sequence[Fit]) -> FitState:
    """With what is kept of earlier processes in its place."""
    for run, fit in enumerate(fits):
        fresh = lane(states, run)
        begun = fit.keeper.begun(fresh)
        if begun is not fresh:
            states = put(states, run, begun)
    return states


def _conclude(
    fits: Sequence[Fit], going: Sequence[int], before: FitState, after: FitState, keys: Any, logged: dict[str, Any]
) -> dict[int, Diverged]:
    """Tell of an epoch's outcome, run by run; the errors of those whose figures are not finite.

    A signal is answered when every run's state is saved.
    """
    failed, interrupted = {}, None
    for run in going:
        row = fit_row(int(before.epoch[run]) + 1, {name: value[run] for name, value in logged.items()})
        if not np.isfinite(list(row.values())).all():
            told = fits[run].keeper.diverged(lane(before, run), keys[run], row)
            failed[run] = Diverged(f"epoch {row['epoch']} of the dynamics fit gave errors that are not finite; {told}")
            continue
        fits[run].on_epoch(row)
        try:
            fits[run].keeper.passed(lane(after, run), row)
        except Interrupted as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted
    return failed
