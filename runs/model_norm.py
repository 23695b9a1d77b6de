"""A model with and without layer norm (`--model-norm`): `python -m runs.model_norm LOG [EPOCHS [SEED]]`, a table.

Both fits have the defaults and the same seed, and take an epoch in turn; what an epoch costs is processor time, its
first, which compiles, left out. Rollouts are those of the model's report, of up to 50 steps: the elites follow the
log's own actions from rows that were held out.
"""

import time

import jax
import numpy as np

from micro_rl import load
from micro_rl.algorithms.buffer import rows_of
from micro_rl.core.settings import Settings
from micro_rl.core.types import Keys
from micro_rl.data import Dataset
from micro_rl.dynamics.fit_epoch import finish_fit
from micro_rl.dynamics.measure import measure
from micro_rl.training.fit_program import run_fit_epoch, start_fits
from micro_rl.training.fitting import problem_of
from micro_rl.training.lanes import take_run
from runs.usage import words

STEPS = (1, 10, 50)


def table_of(log: Dataset, epochs: int, seed: int) -> list[str]:
    """The rows of the table: without layer norm, and with it."""
    each = [Settings(model_norm=norm, max_fit_epochs=epochs, patience=epochs) for norm in (False, True)]
    problem = problem_of(log, each[0])
    rows, sizes = rows_of(problem.log), [settings.fit_sizes() for settings in each]
    start_key, epoch_key = jax.random.split(Keys.of(seed).fit)
    states, seconds = [start_fits(rows, size, start_key[None]) for size in sizes], np.zeros((epochs, 2))
    for epoch in range(epochs):
        key = jax.random.fold_in(epoch_key, epoch)[None]
        for which, size in enumerate(sizes):
            began = time.process_time()
            states[which], *_ = jax.block_until_ready(run_fit_epoch(states[which], rows, size, key))
            seconds[epoch, which] = time.process_time() - began
    lines = []
    for settings, state, cost in zip(each, states, seconds[1:].mean(0), strict=True):
        fitted = take_run(state, 0)
        held_out = np.flatnonzero(log.learnable(settings.keep_timeouts))[np.asarray(fitted.holdout)]
        elites = finish_fit(fitted).best(settings.num_elites)
        followed = measure(log, elites, problem.scaling, held_out, max(STEPS)).horizon
        assert followed is not None, "something varies"
        ahead = [f"{followed.error[step - 1]:.3f}" if step <= len(followed.error) else "ran away" for step in STEPS]
        error = float(fitted.patience.error.mean())
        name = "with" if settings.model_norm else "without"
        lines.append(f"| {name} | {error:.5f} | {' | '.join(ahead)} | {cost:.1f} |")
    return lines


def main(log: str, epochs: str = "12", seed: str = "0") -> None:
    """Print the table."""
    steps = " | ".join(f"{step} step{'s' * (step > 1)}" for step in STEPS)
    print(f"| layer norm | held-out error | {steps} | s an epoch |", "|---|---|---|---|---|---|", sep="\n")
    print(*table_of(load(log), int(epochs), int(seed)), sep="\n")


if __name__ == "__main__":
    main(*words(__doc__, 1))
