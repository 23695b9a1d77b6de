"""RAMBO against MICRO by time: `python -m runs.time_to_score` runs what is not recorded and prints a table.

On the embedded pendulum log, at the small sizes of `runs.pendulum_small` and on its best model: after how many updates
the mean of three evaluations first reaches a score, three seeds. Seconds are updates times what an update costs on two
idle cores (`python -m benchmarks.methods`), since runs side by side on a busy machine have no time of their own. Cells
that are recorded (`runs.records`) are not run again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runs.missed_pendulum import run_recorded
from runs.records import recorded
from runs.study_pages import table

STUDY = "time-to-score"
METHODS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "sac": ("sac", {}),
    "draws1": ("micro", {"num_samples": 1}),
    "moments": ("micro", {"num_samples": 10, "values": "moments"}),
    "draws10": ("micro", {"num_samples": 10}),
    "rambo": ("rambo", {"clone_epochs": 5}),
}
GOAL, MEAN_OF = -200.0, 3


def reached(evaluations: Sequence[float]) -> float:
    """The first epoch at which the mean of the last evaluations is at the goal; infinite where none is."""
    means = np.convolve(evaluations, np.ones(MEAN_OF) / MEAN_OF, "valid")
    at = np.flatnonzero(means >= GOAL)
    return float(at[0] + MEAN_OF) if len(at) else np.inf


def main() -> None:
    """What is not recorded yet, then the table: thousands of updates until the goal, by seed."""
    for name, (method, options) in METHODS.items():
        run_recorded(STUDY, {name: ("whole", options)}, method)
    made = {name: recorded(STUDY)[name]["figures"]["evaluations"] for name in METHODS}
    rows = [[name, ", ".join(f"{reached(seed):g}" for seed in seeds)] for name, seeds in made.items()]
    print(table(["method", f"thousand updates until {GOAL:g}, by seed"], rows))


if __name__ == "__main__":
    main()
