"""The worlds of the study of trust: logs whose policies can be measured in a simulator that the judge never sees.

`python -m runs.trust_worlds DATA OUT [WORLD...]` makes the logs that are not there yet (OUT/logs) and replays each
log's own actions from its own states: the median and the largest error of the rewards of single steps, and of the
returns of windows of 20. DATA is the folder with the published logs. Then come `runs.trust_policies` and
`runs.trust_truth`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from micro_rl import Dataset, Policy, load
from micro_rl.cli import main as cli
from micro_rl.simulation.collect import log_file
from runs import insulin, reactor, trust_recorded, trust_simulators, trust_windows
from runs.trust_simulators import Rows, Simulator

HORIZONS = (10, 20, 50, 100, 200)


@dataclass(frozen=True)
class World:
    """A log, and the system that it is of.

    `log` is the file, or a name that `micro_rl.load` takes; `make` writes it where it is none that was published.
    `episode` is the number of steps of a whole episode.
    """

    name: str
    log: Path | str
    begin: Callable[[], Simulator]
    episode: int
    make: Callable[[], None] | None = None

    @cached_property
    def dataset(self) -> Dataset:
        """The log, made if it is not there yet."""
        if self.make is not None and not Path(self.log).exists():
            self.make()
        return load(self.log)

    @cached_property
    def simulator(self) -> Simulator:
        """The system, which takes on states of the log."""
        return self.begin()

    @property
    def horizons(self) -> tuple[int, ...]:
        """Lengths of windows at which policies are measured, the whole episode last."""
        return (*(steps for steps in HORIZONS if steps < self.episode), self.episode)

    def true_returns(
        self, policy: Policy, dataset: Dataset, rows: Rows, horizon: int, seed: int | None = None
    ) -> Float[np.ndarray, " row"]:
        """Measures a policy's mode in windows that begin in rows of the log; see `trust_windows.policy_returns`."""
        return trust_windows.policy_returns(self.simulator, policy, dataset, rows, horizon, seed)

    def behaviour_returns(self, dataset: Dataset, rows: Rows, horizon: int) -> Float[np.ndarray, " row"]:
        """Sums the log's own rewards over the same windows; see `trust_windows.behaviour_returns`."""
        return trust_windows.behaviour_returns(dataset, rows, horizon)


def worlds(data: Path, out: Path) -> dict[str, World]:
    """The study's worlds by name, in the order in which they are worked on.

    Args:
        data: the folder with the published logs.
        out: the results' folder, which takes the logs that are made.

    Returns:
        The worlds; nothing is read or made before it is asked for.
    """
    safety = data / "neorl2" / "SafetyHalfCheetah-high-100000-train.npz"
    hopper, cheetah = (partial(trust_simulators.robot, f"{name}-v4", 1) for name in ("Hopper", "HalfCheetah"))
    listed = [
        World("pendulum", "pendulum-demo", trust_simulators.Pendulum, 200),
        _plant("two-tanks", out, 96),
        World("dmsd", data / "neorl2" / "DMSD-high-100000-train.npz", trust_simulators.MassSpringDamper, 100),
        World("safety", safety, trust_simulators.safety_half_cheetah, 1000),
        World("hopper-replay", data / "hopper-medium-replay.hdf5", hopper, 1000),
        World("halfcheetah-replay", data / "halfcheetah-medium-replay.hdf5", cheetah, 1000),
        _plant("dryer", out, 120),
        World("hopper-medium", data / "hopper-medium.hdf5", hopper, 1000),
        _collected("reacher", "Reacher-v4", out, trust_simulators.reacher, 50),
        _collected("double-pendulum", "InvertedDoublePendulum-v4", out, trust_simulators.double_pendulum, 1000),
        _collected("swimmer", "Swimmer-v4", out, partial(trust_simulators.robot, "Swimmer-v4", 2), 1000),
        _collected(
            "walker2d", "Walker2d-v4", out, partial(trust_simulators.robot, "Walker2d-v4", 1), 1000, LITTLE_LEARNED
        ),
        _plant("reactor", out, reactor.STEPS),
        _plant("insulin", out, insulin.STEPS),
        _collected(
            "inverted-pendulum",
            "InvertedPendulum-v4",
            out,
            partial(trust_simulators.robot, "InvertedPendulum-v4", 0),
            1000,
        ),
        _collected("pusher", "Pusher-v5", out, trust_simulators.pusher, 100),
    ]
    return {world.name: world for world in listed}


def _plant(name: str, out: Path, episode: int) -> World:
    """A plant of our own, whose log has its hidden states beside it."""
    log = out / "logs" / f"{name}.hdf5"
    continued = partial(trust_recorded.Continued, name, log)
    return World(name, log, continued, episode, partial(trust_recorded.make_log, name, log))


LEARNER_STEPS = "15000"
MOST = ("--medium-fraction", "0.9")
LITTLE_LEARNED = ("--medium-return", "400")
"""Of a task whose published return these steps do not come near."""


def _collected(
    name: str,
    env: str,
    out: Path,
    begin: Callable[[], Simulator],
    episode: int,
    medium: tuple[str, str] = MOST,
) -> World:
    """What an online learner saw in one of Gymnasium's tasks on its way to nine tenths of what it reached."""
    folder = out / "logs" / name
    words = ["data", "collect", env, "--steps", LEARNER_STEPS, "--eval-every", "1000", "--out", str(folder)]

    def make() -> None:
        if code := cli.run([*words, *medium]):
            sys.exit(code)

    return World(name, log_file(folder, env, "medium-replay"), begin, episode, make)


def replay_errors(world: World, horizon: int) -> Float[np.ndarray, " row"]:
    """How far the log's own actions, from its own states, earn something else than in the log, window by window."""
    rows = trust_windows.window_rows(world.dataset, horizon)
    replayed = trust_windows.replayed_returns(world.simulator, world.dataset, rows, horizon)
    return np.abs(replayed - trust_windows.behaviour_returns(world.dataset, rows, horizon))


def main(data: Path, out: Path, chosen: list[str]) -> None:
    """A line for each world."""
    for name, world in worlds(data, out).items():
        if not chosen or name in chosen:
            errors = ", ".join(
                f"{steps} steps: median {np.median(error):.2g}, largest {error.max():.2g}"
                for steps in (1, 20)
                for error in [replay_errors(world, steps)]
            )
            about = world.dataset.summary()
            print(f"{name}: {about.rows:,} rows, {about.episodes} episodes, replayed to {errors}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__, *worlds(Path("DATA"), Path("OUT")), sep="\n")
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
