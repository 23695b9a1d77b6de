"""RAMBO against MICRO by time: `python -m runs.time_to_score`; then `python -m runs.sensitivity_page`.

On the embedded pendulum log, at the small sizes of `runs.pendulum_small` and on its best model: after how many updates
the mean of three evaluations first reaches a score, three seeds. Seconds are updates times what an update costs on two
idle cores (`python -m benchmarks.methods`), since runs side by side on a busy machine have no time of their own. Cells
that are recorded (`runs.records`) are not run again.
"""

from collections.abc import Mapping
from typing import Any

from runs.missed_pendulum import run_recorded

STUDY = "time-to-score"
METHODS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "sac": ("sac", {}),
    "draws1": ("micro", {"num_samples": 1}),
    "moments": ("micro", {"num_samples": 10, "values": "moments"}),
    "draws10": ("micro", {"num_samples": 10}),
    "rambo": ("rambo", {"clone_epochs": 5}),
}


def main() -> None:
    """What is not recorded yet."""
    for name, (method, options) in METHODS.items():
        run_recorded(STUDY, {name: ("whole", options)}, method)


if __name__ == "__main__":
    main()
