"""How well a learned termination agrees with a rule that is known after all, on the log's rows and on the model's.

    micro-rl train hopper-medium-replay.hdf5 --termination learned --out trained/learned-end
    python -m runs.learned_termination trained/learned-end hopper-medium-replay.hdf5 hopper

The model's rows are those of the run's policy: `rollout_length` steps from 50,000 rows of the log, until the rule ends
them; head and rule judge the same rows.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms.buffer import draw_log
from micro_rl.algorithms.rollout import RowRules, rollout
from micro_rl.algorithms.slots import AsPredicted
from micro_rl.core.networks import MLP
from micro_rl.core.settings import Settings
from micro_rl.core.types import Rollout
from micro_rl.data import ReadOptions
from micro_rl.dynamics.saved_model import FittedModel, load_model
from micro_rl.dynamics.termination_classifier import measure
from micro_rl.dynamics.termination_rules import ByRule, Rule, find
from micro_rl.policy import Policy
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.fitting import problem_of
from micro_rl.training.log_reading import read_log
from runs.usage import words

STARTS = 50_000


def main(run: str, log: str, rule: str) -> None:
    """Print both comparisons."""
    model = load_model(Path(run) / "model")
    if model.head is None:
        raise SystemExit(f"{run}: knew its rule; train it with --termination learned")
    dataset, policy = read_log(log, ReadOptions()), Policy.load(Path(run) / "policy.safetensors")
    settings = Settings(**{name: _plain(value) for name, value in RunFolder.open(run).config()["settings"].items()})
    figures = {key: value for key, value in model.about["termination"].items() if key != "reliability"}
    print("the log's held-out episodes", figures)
    problem = problem_of(dataset, settings, model.scaling)
    starts = draw_log(problem.log, jax.random.key(0), STARTS).observation
    rollout = _rolled(model, policy, starts, settings, find(rule))
    _print("the model's rows, against the rule", model, rollout, find(rule))


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _rolled(model: FittedModel, policy: Policy, starts: jax.Array, settings: Settings, rule: Rule) -> Rollout:
    layers = [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias in policy.layers]
    actor = MLP(tuple(weight for weight, _ in layers), tuple(bias for _, bias in layers))
    compiled = jax.jit(rollout, static_argnums=(1, 7))
    units, length = model.scaling, settings.rollout_length
    rules, key = RowRules(AsPredicted(), ()), jax.random.key(1)
    return compiled(model.ensemble, settings.num_elites, actor, rules, ByRule(rule), units, starts, length, key)


def _print(title: str, model: FittedModel, rollout: Rollout, rule: Rule) -> None:
    assert model.head is not None
    following = rollout.rows.next_observation[rollout.valid]
    ended = np.asarray(rule(model.scaling.raw_observation(following)))
    figures = measure(np.asarray(model.head.probability(following)), ended)
    print(title, {key: value for key, value in figures.items() if key != "reliability"})
    for entry in figures["reliability"]:
        print("   ", entry)


if __name__ == "__main__":
    main(*words(__doc__, 3))
