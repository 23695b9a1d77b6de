"""What MICRO's score hangs on: `python -m runs.sensitivity DATA [LOG...]`, then `python -m runs.sensitivity_page`.

On three logs (`runs.sensitivity_logs`; DATA is the folder with hopper-medium-replay), small runs, three seeds: a map of
beta against the model's share of the batch, then one setting at a time around the defaults, and on the pendulum other
sets. What `micro-rl choose` would have taken stands beside it (`runs.sensitivity_choose`). Cells that are recorded
(`runs.records`) are not run again; one that was stopped goes on.
"""

import sys
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import jax

from runs.kept_cells import add
from runs.records import recorded
from runs.sensitivity_choose import taken
from runs.sensitivity_logs import Studied, logs

BETAS = (0.0, 0.1, 0.25, 0.5, 1.0)
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the model's rows in a batch: the paper's f; the log has the rest."""
REFERENCE = "beta0.5-share0.5"
"""The defaults: rollouts of five steps, one draw, five elites of seven members."""
MODEL_FREE = "share0"
"""No rows of a model: two critics and the actor on the log alone. `micro` itself needs a row of both, above 0."""
Cells = dict[str, Mapping[str, Any]]

SETS: dict[str, Mapping[str, Any]] = {
    "linf": {"candidates": "linf", "radius": 0.1},
    "l2": {"candidates": "l2", "radius": 0.1},
    "mahalanobis": {"candidates": "mahalanobis", "radius": 2.0},
    "calibrated": {"candidates": "calibrated"},
    "second": {"gap": "kth", "k": 2},
    "soft": {"gap": "soft-min", "softness": 1.0},
    "all": {"candidates": "all"},
}


def place(beta: float, share: float) -> str:
    """The name of a cell of the map; without rows of the model, beta decides nothing."""
    return f"beta{beta:g}-share{share:g}" if share else MODEL_FREE


def column(share: float, betas: tuple[float, ...] = BETAS) -> Cells:
    """Of the map: every beta at one share of the model's rows."""
    return {place(beta, share): {"beta": beta, "real_ratio": round(1 - share, 2)} for beta in betas}


def one(name: str, value: float, **changes: Any) -> Cells:
    """One setting changed, at beta 0.5 and a share of one half."""
    return {f"{name}{value:g}": {"beta": 0.5, **changes}}


FREE: Cells = {MODEL_FREE: {"method": "sac_n", "num_critics": 2}}
MAP: list[Cells] = [column(0.5), column(0.95), column(0.05), FREE]
COARSE: list[Cells] = [*(column(share, (0.0, 0.25, 0.5, 1.0)) for share in (0.5, 0.95, 0.05)), FREE]
"""For the log whose cells take minutes."""
AXES: list[Cells] = [
    *(one("draws", draws, num_samples=draws) for draws in (10, 0)),
    *(one("length", length, rollout_length=length) for length in (1, 10, 20)),
    *(one("members", members, num_elites=members) for members in (2, 7)),
]
FINER: list[Cells] = [column(0.25), column(0.75)]
OTHER_SETS: list[Cells] = [{f"set-{name}": {"beta": 0.5, **options}} for name, options in SETS.items()]
PROGRAMS: dict[str, list[Cells]] = {
    "tanks": [*MAP, *AXES, *FINER],
    "hopper": [*COARSE, *AXES],
    "pendulum": [*MAP, *AXES, *FINER, *OTHER_SETS],
}
"""By log, in the order of what they decide; cells of one program share its shapes."""


def run_recorded(log: Studied, cells: Cells) -> None:
    """Run those of the cells that are not recorded, in one program, and record them."""
    missing = {name: changes for name, changes in cells.items() if name not in recorded(log.study)}
    if missing:
        print(log.study, *missing, flush=True)
        add(log.study, lambda: log.run(missing))
        jax.clear_caches()


def main(data: Path, chosen: list[str]) -> None:
    """What is not recorded yet: of every log the first program, then of every log the next."""
    known = logs(data)
    if unknown := set(chosen) - set(known):
        sys.exit(f"no such log: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    names = chosen or list(PROGRAMS)
    for name in names:
        taken(name, known[name].log)
    for turn in zip_longest(*(PROGRAMS[name] for name in names)):
        for name, cells in zip(names, turn, strict=True):
            run_recorded(known[name], cells or {})


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
