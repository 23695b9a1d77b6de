"""What MICRO's score on the pendulum hangs on: `python -m runs.sensitivity`; then `python -m runs.sensitivity_page`.

One setting at a time around the defaults, a coarse map of beta against the model's share of the batch, sizes of the set
and other sets: short, small runs (`runs.pendulum_small`), three seeds, on a model of two thousand rows, where the
choice can matter. Cells that are recorded (`runs.records`) are not run again.
"""

from collections.abc import Mapping
from typing import Any

from runs.missed_pendulum import run_recorded

STUDY = "sensitivity"
QUALITY = "rows2000"
BETAS = (0.0, 0.1, 0.25, 0.5, 1.0)
SHARES = (0.05, 0.5, 0.95)
"""Of the model's rows in a batch: the paper's f; the log has the rest."""
DEFAULT = {"beta": 0.5, "share": 0.5, "length": 5, "draws": 1, "members": 5}
Cell = tuple[str, Mapping[str, Any]]

SETS: dict[str, Mapping[str, Any]] = {
    "linf": {"candidates": "linf", "radius": 0.1},
    "l2": {"candidates": "l2", "radius": 0.1},
    "mahalanobis": {"candidates": "mahalanobis", "radius": 2.0},
    "calibrated": {"candidates": "calibrated"},
    "second": {"gap": "kth", "k": 2},
    "soft": {"gap": "soft-min", "softness": 1.0},
    "all": {"candidates": "all"},
}


def shares(share: float) -> dict[str, Cell]:
    """A column of the map: every beta at one share of the model's rows."""
    return {
        f"beta{beta:g}-share{share:g}": (QUALITY, {"beta": beta, "real_ratio": round(1 - share, 2)}) for beta in BETAS
    }


def one(name: str, value: float, **changes: Any) -> dict[str, Cell]:
    """One setting changed, at beta 0.5 and a share of one half."""
    return {f"{name}{value:g}": (QUALITY, {"beta": 0.5, **changes})}


PROGRAMS: list[dict[str, Cell]] = [
    *(shares(share) for share in (0.5, 0.95, 0.05)),
    *(one("length", length, rollout_length=length) for length in (1, 10, 20)),
    *(one("draws", draws, num_samples=draws) for draws in (0, 10)),
    *(one("members", members, num_elites=members) for members in (2, 7)),
    *({f"set-{name}": (QUALITY, {"beta": 0.5, **options})} for name, options in SETS.items()),
]
"""In the order of what they decide; cells of one program share its shapes."""


def main() -> None:
    """What is not recorded yet."""
    for cells in PROGRAMS:
        run_recorded(STUDY, cells)


if __name__ == "__main__":
    main()
