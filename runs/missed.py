"""When MICRO's set misses the truth, on a tiny system: `python -m runs.missed` (`runs.missed_page` writes the page).

The members promise more than there is for actions that no row of the log took; how far apart they are there is varied,
and so are beta and the set. One model has two truths, one in which the promise is kept and one in which it is not, so
that a training is judged in both. A cell is a set: all scatters, betas and five seeds in one program.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms.model_based import micro
from micro_rl.algorithms.slots import Method
from micro_rl.core.settings import Settings
from micro_rl.core.types import Problem
from micro_rl.dynamics.ensemble import Ensemble, predict
from runs.kept_cells import kept
from runs.probe_training import HELD_OUT, SETTINGS, calibrated_set, learned, stacked, transitions, with_limits
from runs.probes import believed, true_value
from tests.hills import DISCOUNT, HILL, SLOPE, Heights, System, log_of, model_of

STUDY, SEEDS = "missed", 5
SCATTERS = (0.0, 0.5, 1.0, 2.0, 3.0)
BETAS = (0.1, 0.25, 0.5, 1.0)
PROMISE: Heights = (-0.5, 0.5, 1.5)
"""What the members say on average: the action 1 is worth more than all that the log has seen."""
TRUTHS = {"broken": HILL, "kept": PROMISE}
SLOPES_WORTH = SLOPE * DISCOUNT / (1 - DISCOUNT)
"""V(0) of a policy that always takes the same action, over the g of that action."""
ELITES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Where the five elites stand, in scatters; the least of five normal values lies 1.16 deviations below their mean."""
OTHERS = (-1.16, 1.16)
"""The two that are no elites: the extremes of seven normal values lie 1.16 times as far out as those of five."""


class Set(NamedTuple):
    """A set of next states: its name in the tables, and MICRO's options."""

    title: str
    options: Mapping[str, Any] = MappingProxyType({})


SETS = {
    "sac": Set("none: SAC on the model", {"beta": 0.0}),
    "draw": Set("X(s, a), one draw each"),
    "calibrated": Set("calibrated set, 95 %", {"candidates": "calibrated"}),
    "means": Set("X(s, a), means", {"num_samples": 0}),
    "all": Set("all seven members", {"candidates": "all"}),
    "mahalanobis": Set("Mahalanobis ball, radius 2", {"candidates": "mahalanobis", "radius": 2.0}),
    "l2": Set("L2 ball, radius 1", {"candidates": "l2", "radius": 1.0}),
}
"""In the order in which they are run."""


def system(scatter: float, truth: str) -> System:
    """Members so far apart at the action 1, around the promise, and one of the two truths."""
    members = tuple((*PROMISE[:2], PROMISE[2] + scatter * place) for place in (*ELITES, *OTHERS))
    return System(f"scatter {scatter:g}, promise {truth}", TRUTHS[truth], members)


def betas_of(name: str) -> tuple[float, ...]:
    """Those at which the set is run."""
    return (0.0,) if name == "sac" else BETAS


def method_of(name: str, beta: float, problem: Problem, model: Ensemble) -> Method:
    """MICRO with the set, which is measured where it has to be."""
    method = micro.build(micro.Options(**{**SETS[name].options, "beta": beta}))
    held_out = log_of(system(0.0, "broken"), HELD_OUT, seed=1)
    return with_limits(method, Settings(**SETTINGS), problem, held_out, model)


def trained(name: str) -> list[Any]:
    """For every scatter and beta, scatters first: action, belief and the value in both truths, of each seed."""
    cells = [(scatter, beta) for scatter in SCATTERS for beta in betas_of(name)]
    models = [model_of(system(scatter, "broken")) for scatter, _ in cells]
    log = log_of(system(0.0, "broken"))
    methods = [method_of(name, beta, log, model) for (_, beta), model in zip(cells, models, strict=True)]
    problems = stacked([log] * len(cells))
    agents = jax.device_get(learned(stacked(methods), stacked(models), problems, jnp.arange(SEEDS), own_methods=True))
    return [
        {"scatter": scatter, "beta": beta, "seeds": [judged(picked(agents, row, seed)) for seed in range(SEEDS)]}
        for row, (scatter, beta) in enumerate(cells)
    ]


def picked(agents: Any, row: int, seed: int) -> Any:
    """One agent of the stack."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[row, seed]), agents)


def judged(agent: Any) -> dict[str, float]:
    """What the policy does, what it is worth in either truth, and what its critics believe."""
    values = {truth: true_value(system(0.0, truth), agent.actor) for truth in TRUTHS}
    worth = {truth: value for truth, (value, _) in values.items()}
    return worth | {"action": values["broken"][1], "belief": believed(agent)}


def coverage(name: str, scatter: float, truth: str, rows: int = 4000) -> float:
    """The share of true next states in the set, for actions beyond the log; states as the log has them."""
    world, rng = system(scatter, truth), np.random.default_rng(2)
    state, action = rng.uniform(-2, 2, rows), rng.uniform(0.25, 1, rows)
    noise = rng.normal(size=(2, rows))
    after = 0.5 * state + world.step(action) + world.noise(action) * noise[0]
    log = log_of(world)
    asked = transitions(log)._replace(
        observation=as_column(state), action=as_column(action), next_observation=as_column(after)
    )
    model = model_of(world)
    if SETS[name].options.get("candidates") == "calibrated":
        measured = calibrated_set(model.best(5), log, log_of(world, HELD_OUT, seed=1), micro.SET_LEVEL)
        centre, size = (np.asarray(part) for part in measured.around(model.best(5), asked))
        return float(np.mean(np.abs(after - centre[:, 0]) <= size))
    mean, std = (np.asarray(part)[..., 0] for part in predict(model, asked.observation, asked.action))
    return float(np.mean(held(name, mean, std, after, noise[1])))


def held(name: str, mean: np.ndarray, std: np.ndarray, after: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Whether the next states lie in a set that is made of the members' means and deviations [member, row]."""
    options = SETS[name].options
    rng, elites = np.random.default_rng(3), slice(0, 5)
    places = mean + std * rng.normal(size=mean.shape)
    if (radius := options.get("radius")) is not None:
        stored = np.take_along_axis(places[elites], rng.integers(0, 5, (1, mean.shape[1])), 0)[0]
        spread = np.sqrt(mean[elites].var(0) + (std[elites] ** 2).mean(0)) if name == "mahalanobis" else 1.0
        return np.abs(after - stored) <= radius * spread
    places = mean if options.get("num_samples") == 0 else places
    places = places if options.get("candidates") == "all" else places[elites]
    return (places.min(0) <= after) & (after <= places.max(0))


def as_column(values: np.ndarray) -> jax.Array:
    """Rows of one column."""
    return jnp.asarray(values, jnp.float32)[:, None]


def cell(name: str) -> dict[str, Any]:
    """A set's trainings, and how much of either truth it holds at every scatter."""
    if name == "sac":
        return {"trained": trained(name)}
    covered = {truth: [coverage(name, scatter, truth) for scatter in SCATTERS] for truth in TRUTHS}
    return {"trained": trained(name), "coverage": covered}


def main() -> None:
    """Every set that is not there yet."""
    for name in SETS:
        kept(STUDY, name, lambda name=name: cell(name))
        print(name, flush=True)


if __name__ == "__main__":
    main()
