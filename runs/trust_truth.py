"""The truth of the study of trust: `python -m runs.trust_truth DATA OUT ROUNDS [WORLD...]`.

Cell by cell of `runs.trust_policies`, policies are made and then measured in their world's simulator: the returns of
windows of several lengths, from rows of the log, and the log's own beside them. Each goes to OUT/truth/WORLD/NAME.json,
window by window to NAME.npz. Stopped, it goes on. `python -m runs.trust_truth OUT` lists what is there.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl import Policy
from micro_rl.storage.json_files import write_json
from runs.trust_policies import cells, policies_of
from runs.trust_windows import differences, window_rows
from runs.trust_worlds import World, worlds


def measure(world: World, file: Path, out: Path) -> Path:
    """Measures a policy, unless that is done.

    Args:
        world: whose simulator is asked.
        file: of the policy.
        out: the results' folder.

    Returns:
        The JSON: `horizons` by the number of steps, as `trust_windows.differences` has them.
    """
    path = out / "truth" / world.name / f"{file.stem}.json"
    if path.exists():
        return path
    policy, dataset = Policy.load(file), world.dataset
    arrays: dict[str, Any] = {}
    table: dict[str, Any] = {}
    for horizon in world.horizons:
        rows = window_rows(dataset, horizon)
        returns = world.true_returns(policy, dataset, rows, horizon)
        behaviour = world.behaviour_returns(dataset, rows, horizon)
        table[str(horizon)] = differences(returns, behaviour)
        arrays |= {f"rows_{horizon}": rows, f"policy_{horizon}": returns, f"behaviour_{horizon}": behaviour}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".npz").open("wb") as stored:
        np.savez_compressed(stored, **arrays)
    write_json(path, {"world": world.name, "policy": file.stem, "horizons": table})
    return path


def lines(out: Path) -> list[str]:
    """A line for each pair that is measured: the difference per step at every length, in its standard errors too."""
    listed = []
    for path in sorted((out / "truth").glob("*/*.json")):
        pair = json.loads(path.read_text())
        figures = (
            f"{steps}: {figure['difference'] / int(steps):+.3g} ({figure['difference'] / figure['difference_se']:+.1f})"
            for steps, figure in pair["horizons"].items()
        )
        listed.append(f"{pair['world']:20} {pair['policy']:28} {'  '.join(figures)}")
    return listed


def main(data: Path, out: Path, rounds: int, chosen: list[str]) -> None:
    """Makes and measures the policies of the chosen worlds, by default of all."""
    listed = worlds(data, out)
    for cell in cells({name: listed[name] for name in chosen or listed}, rounds):
        for file in policies_of(cell, out):
            measure(cell.world, file, out)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__, *worlds(Path("DATA"), Path("OUT")), sep="\n")
    elif len(sys.argv) == 2:
        print(*lines(Path(sys.argv[1])), sep="\n")
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
