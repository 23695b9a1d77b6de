"""How near f without draws is to draws: `python -m runs.moments OUT [LOG EPOCHS]`, a table of docs/methods/micro.md.

MICRO is trained on the log (pendulum-demo for 12 epochs without more) into OUT; on 400 rows of its rollouts the mean f
of 20 times ten draws is held against one f of ten draws, `--values moments` and `--values linear`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import stats

from micro_rl.algorithms.buffer import draw
from micro_rl.algorithms.epoch import TrainState
from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.slots import MethodContext
from micro_rl.dynamics.ensemble import Models
from micro_rl.dynamics.saved_model import load_model
from micro_rl.storage import pytree_io
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.learning import problem_of, program_for
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.runner import execute
from runs.progress import Lines
from runs.usage import words

ROWS, TIMES = 400, 20
Gaps = Float[np.ndarray, " row"]


def trained(plan: Plan, folder: Path) -> TrainState:
    """The state after the plan's last epoch; trained, or the rest of it."""
    execute(plan, folder, resume=True, callback=Lines())
    checkpoint = RunFolder.open(folder).checkpoints.newest()
    assert checkpoint is not None, "a run has one from its first epoch on"
    model = load_model(folder / "model")
    problem = problem_of(plan, model.scaling)
    return pytree_io.from_arrays(program_for([plan], [model], problem).blank(), checkpoint.arrays)


def gaps_of(state: TrainState, elites: int) -> Callable[[str, int], Gaps]:
    """f on rows drawn from the state's rollouts, by where values come from and by the draws' seed."""
    (rows, _), models = draw(state.buffer, jax.random.key(0), ROWS), Models.of(state.ensemble, elites)
    rows = rows._replace(discount=jnp.ones(ROWS))
    context = MethodContext(state.agent.critics, state.agent.targets, state.agent.actor, models, jnp.asarray(1.0))

    def gaps(values: Any, seed: int) -> Gaps:
        """f = r - y where V(s') is 0, beta and the discount 1."""
        target = micro.build(micro.Options(beta=1.0, num_samples=10, values=values)).target
        noise = target.noise(jax.random.key(seed), rows, models)
        return np.asarray(rows.reward - target(rows, jnp.zeros(ROWS), context, noise)[0])

    return gaps


def lines(gaps: Callable[[str, int], Gaps]) -> list[str]:
    """A line for each way, against the mean over many draws."""
    mean = np.mean([gaps("draws", seed) for seed in range(1, TIMES + 1)], axis=0)
    ways = {"ten draws, once": gaps("draws", 0), "`moments`": gaps("moments", 0), "`linear`": gaps("linear", 0)}
    return [
        f"| {name} | {correlation(f, mean):.3f} | {f.mean() / mean.mean():.2f} | {ranks(f, mean):.2f} |"
        for name, f in ways.items()
    ]


def correlation(one: Gaps, other: Gaps) -> float:
    """Pearson's."""
    return float(np.corrcoef(one, other)[0, 1])


def ranks(one: Gaps, other: Gaps) -> float:
    """Spearman's."""
    return correlation(stats.rankdata(one), stats.rankdata(other))


def main(out: Path, log: str, epochs: int) -> None:
    """Print the table."""
    plan = make_plan(log, epochs=epochs, seed=0)
    state = trained(plan, out)
    print("| | correlation | mean over the draws' | rank correlation |", "|---|---|---|---|", sep="\n")
    print(*lines(gaps_of(state, plan.settings.num_elites)), sep="\n")


if __name__ == "__main__":
    folder, *rest = words(__doc__, 1)
    log, epochs = rest or ("pendulum-demo", "12")
    main(Path(folder), log, int(epochs))
