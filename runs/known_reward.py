"""A reward that is known as a formula: `python -m runs.known_reward DATA OUT [CELL...]`; without more, the cells.

MICRO and SAC on the model with `known_reward`, on the two logs whose reward is a formula of what is observed, as
`runs.long_runs` trains them, records them and goes on; the same without it is in the same record. DATA is the folder
with the logs, OUT takes a run folder per cell. `--until EPOCH` stops earlier, and a later call goes on.
"""

from pathlib import Path
from typing import Any

from runs.long_runs import Cell, Entry, chosen_of, command, train

EPOCHS = 50
SEEDS = (0, 1, 2)
_SPEED = "(next_o0 - o0) / 0.05"
_EFFORT = "(a0**2 + a1**2 + a2**2 + a3**2 + a4**2 + a5**2)"
FORMULAS = {
    "safety": f"({_SPEED} <= 3.2096) * ({_SPEED} - 0.1 * {_EFFORT}) - 100 * ({_SPEED} > 3.2096)",
    "dmsd": "-log(abs(next_o0 - next_o4) + 0.01) - log(abs(next_o1 - next_o5) + 0.01)",
}
"""Of NeoRL-2's tasks. No row of SafetyHalfCheetah's log is faster than its limit, so none shows what that costs."""
PREFIX = "known-"
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "micro": ("micro", {}),
    "means": ("micro", {"num_samples": 0}),
    "sac": ("sac", {}),
    "halt": ("micro", {"support": "halt"}),
    "halt-anchor": ("micro", {"support": "halt", "bc_weight": 2.0}),
}
"""Of the runs that the same are held against, by their entry there: the method and its changes."""


def entry_of(cell: Cell) -> Entry:
    """The method with its changes and the log's formula."""
    method, changes = RECIPES[cell.entry.removeprefix(PREFIX)]
    return Entry(method, changes | {"known_reward": FORMULAS[cell.log]})


def cells() -> list[Cell]:
    """All of them, seed after seed; support is asked where MICRO needs it."""
    pairs = [(log, recipe) for recipe in RECIPES for log in FORMULAS if log == "safety" or "halt" not in recipe]
    return [Cell(log, PREFIX + recipe, seed) for seed in SEEDS for log, recipe in pairs]


def main(data: Path, out: Path, names: list[str], until: int) -> None:
    """Run the cells one after the other, and record the curve of each."""
    for cell in chosen_of(cells(), names):
        train(cell, entry_of(cell), data, out, until)


if __name__ == "__main__":
    command(str(__doc__), cells(), main, EPOCHS)
