"""The logs of the study of what scores hang on, each with small runs that take seconds or minutes.

The pendulum as `runs.pendulum_small` has it, on a model of two thousand rows. The two tanks as the study of trust makes
their log, in windows of six observations, as `micro-rl choose` sees them. Hopper-medium-replay, whose runs end long
before a policy is good. All seeds have an ensemble of their own, which every cell shares.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from micro_rl import api
from micro_rl.algorithms.registry import learns_model, resolve
from micro_rl.data import Dataset, load
from micro_rl.errors import Diverged
from micro_rl.training.grid import Trial
from micro_rl.training.plan import Plan, make_plan
from micro_rl.training.sweep import carry_out
from runs import pendulum_small
from runs.pendulum_small import figures
from runs.progress import Lines
from runs.trust_recorded import make_log

QUALITY = "rows2000"
"""Of the pendulum's models: on the whole log nothing that is varied changes anything."""
OUT = Path("out/sensitivity")
Changes = Mapping[str, Any]

SMALL: dict[str, Any] = pendulum_small.TRAINING | {"preset": "generic"}
TANKS: dict[str, Any] = SMALL | {"env": "runs.two_tanks:TwoTanks5-v0", "horizon": 96, "history": 6}
TANKS_FIT: dict[str, Any] = {"history": 6, "model_lr": 1e-3} | pendulum_small.FIT
HOPPER: dict[str, Any] = SMALL | {
    "rollout_batch_size": 5000,
    "epochs": 40,
    "eval_episodes": 3,
    "checkpoint_every": 20,
}
HOPPER_FIT: dict[str, Any] = {"model_hidden_sizes": (100,) * 4, "max_fit_epochs": 10, "model_lr": 1e-3}


class Studied(NamedTuple):
    """A log of the study: its record's name, and how a cell's runs are planned.

    `epochs` of a thousand updates each; a score is the mean of the last `last` evaluations. `log` reads or makes it.
    """

    study: str
    seeds: int
    epochs: int
    last: int
    log: Callable[[], Dataset]
    plan: Callable[[int, str, Changes], Plan]

    def run(self, cells: Mapping[str, Changes]) -> dict[str, Any]:
        """Every cell with all seeds, in one program where shapes allow; figures by cell.

        Args:
            cells: what each changes, by its name; `method` may be among it.
        """
        trials = [
            Trial(f"{name}-seed{seed}", self.planned(seed, changes))
            for name, changes in cells.items()
            for seed in range(self.seeds)
        ]
        folder = OUT / self.study
        for name, outcome in carry_out(trials, folder, width=len(trials), resume=True).items():
            if isinstance(outcome, Diverged):
                print(name, outcome, flush=True)
        return {name: figures([folder / f"{name}-seed{seed}" for seed in range(self.seeds)]) for name in cells}

    def planned(self, seed: int, changes: Changes) -> Plan:
        """A run of a cell."""
        own = {name: value for name, value in changes.items() if name != "method"}
        return self.plan(seed, changes.get("method", "micro"), own)


def logs(data: Path) -> dict[str, Studied]:
    """The study's logs by name; nothing is read or made before it is asked for.

    Args:
        data: the folder with hopper-medium-replay.
    """
    hopper = partial(_read, data / "hopper-medium-replay.hdf5")
    return {
        "pendulum": Studied("sensitivity", 3, pendulum_small.TRAINING["epochs"], 10, pendulum_small.log, _pendulum),
        "tanks": _studied("tanks", 10, _tanks, TANKS, TANKS_FIT),
        "hopper": _studied("hopper", 10, hopper, HOPPER, HOPPER_FIT),
    }


def _studied(
    name: str, last: int, read: Callable[[], Dataset], training: dict[str, Any], fit: dict[str, Any]
) -> Studied:
    plan = partial(_small, name, read, training, fit)
    return Studied(f"sensitivity-{name}", 3, training["epochs"], last, read, plan)


def _pendulum(seed: int, method: str, changes: Changes) -> Plan:
    if learns_model(method):
        return pendulum_small.planned(QUALITY, seed, changes, method)
    return make_plan(pendulum_small.log(), method, seed=seed, **_for_a_log(pendulum_small.TRAINING), **changes)


def _small(
    name: str,
    read: Callable[[], Dataset],
    training: dict[str, Any],
    fit: dict[str, Any],
    seed: int,
    method: str,
    changes: Changes,
) -> Plan:
    """On the seed's ensemble, which is fitted if it is not there."""
    if not learns_model(method):
        return make_plan(read(), method, seed=seed, **{**_for_a_log(training), **changes})
    model = _model(name, read(), fit, seed)
    return make_plan(read(), method, model=model, seed=seed, **{**training, **changes})


def _model(name: str, log: Dataset, changes: dict[str, Any], seed: int) -> Path:
    folder = OUT / "models" / f"{name}-seed{seed}"
    if not folder.exists():
        settings, _ = resolve("micro", "generic", changes)
        api.fit(log, settings, seed, out=folder, resume=True, callback=Lines())
    return folder


def _for_a_log(training: dict[str, Any]) -> dict[str, Any]:
    """Without what only a method with a model has."""
    return {name: value for name, value in training.items() if name != "rollout_batch_size"}


@cache
def _read(path: Path) -> Dataset:
    return load(path)


def _tanks() -> Dataset:
    path = OUT / "two-tanks.hdf5"
    if not path.exists():
        make_log("two-tanks", path)
    return _read(path)
