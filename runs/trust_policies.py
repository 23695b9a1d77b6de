"""The policies of the study of trust: `python -m runs.trust_policies DATA OUT ROUNDS [WORLD...]`, ROUNDS 1 to 3.

Cell by cell (world, recipe, seed): short trainings with small networks, of which the policies of an early, a middle
and the last epoch are kept, and policies that are changed by hand. One model a log is shared (OUT/models/WORLD).
Policies go to OUT/policies/WORLD/NAME.safetensors, what is known of each to NAME.json beside it; a cell that was
stopped goes on.
`runs.trust_truth` does all this, too, and measures each cell's policies.
"""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl import Diverged, Policy, api, open_run
from micro_rl.algorithms.model_based import METHODS
from micro_rl.algorithms.registry import resolve
from micro_rl.storage.json_files import write_json
from runs.progress import Lines
from runs.trust_by_hand import by_hand
from runs.trust_worlds import World, worlds

EPOCHS = (1, 4, 16)
"""Whose policies are kept."""
FIT_UPDATES = 15_000
"""Of the shared model's fit, about."""
PRESET = "generic"
TRAINING: dict[str, Any] = {"preset": PRESET, "epochs": EPOCHS[-1], "updates_per_epoch": 500}
TRAINING |= {
    "hidden_sizes": (64, 64),
    "checkpoint_every": EPOCHS[-1],
    "eval_every": EPOCHS[-1],
    "eval_episodes": 1,
    "batch_size": 128,
}
MODEL: dict[str, Any] = {"ensemble_size": 5, "model_hidden_sizes": (128, 128, 128)}
MODEL |= {"weight_decay": (2.5e-5, 5e-5, 7.5e-5, 1e-4), "num_elites": 3, "rollout_batch_size": 2000}
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "bc": ("bc", {}),
    "td3_bc": ("td3_bc", {}),
    "micro": ("micro", {"beta": 0.5, "num_samples": 1}),
    "micro-anchored": ("micro", {"beta": 0.5, "num_samples": 1, "bc_weight": 0.4}),
    "sac": ("sac", {}),
    "iql": ("iql", {}),
    "mobile": ("mobile", {"num_samples": 1}),
    "micro-held": ("micro", {"beta": 0.5, "num_samples": 1, "bc_weight": 2.0}),
    "rambo": ("rambo", {"model_decay": MODEL["weight_decay"]}),
    **{method: (method, {}) for method in ("rebrac", "mopo", "edac", "sac_n", "cql", "morel", "combo")},
}
"""A method and what departs from its defaults."""
BY_HAND = "by-hand"
FIRST = {"bc": 0, "td3_bc": 0, "micro": 0, "micro-anchored": 0, "sac": 1, "iql": 0, "mobile": 2, BY_HAND: 0}
SECOND = {"bc": 1, "micro-held": 3, "rebrac": 1, "mopo": 4, "edac": 2, "rambo": 5, BY_HAND: 1}
THIRD = {"cql": 3, "morel": 6, "combo": 7, "sac_n": 4}
ROUNDS = (FIRST, SECOND, THIRD)
"""Recipes and their seeds, which differ where methods are alike: their first epochs would be the same but for little.
All worlds take a round before any takes the next; how many are taken is chosen."""


@dataclass(frozen=True)
class Cell:
    """One training, or the policies that are made by hand of a clone."""

    world: World
    recipe: str
    seed: int

    @property
    def name(self) -> str:
        """Of the cell in its world."""
        return f"{self.recipe}-seed{self.seed}"


def cells(chosen: dict[str, World], rounds: int) -> list[Cell]:
    """Those of so many rounds, in the order in which they are made."""
    some = ROUNDS[:rounds]
    return [Cell(world, recipe, seed) for each in some for world in chosen.values() for recipe, seed in each.items()]


def folder_of(out: Path, world: World) -> Path:
    """Where a world's policies are."""
    return out / "policies" / world.name


def policies_of(cell: Cell, out: Path) -> list[Path]:
    """Makes a cell's policies, or the rest of them.

    Args:
        cell: which.
        out: the results' folder.

    Returns:
        The policies' files; none of a training that diverged before its first was kept.
    """
    folder = folder_of(out, cell.world)
    folder.mkdir(parents=True, exist_ok=True)
    finished = folder / f"{cell.name}.done"
    if not finished.exists():
        print(f"{cell.world.name} {cell.name}", flush=True)
        for policy, about in _by_hand(cell, out) if cell.recipe == BY_HAND else _trained(cell, out):
            path = folder / f"{cell.name}-{about['variant']}.safetensors"
            policy.save(path)
            write_json(path.with_suffix(".json"), {"world": cell.world.name, "seed": cell.seed} | about)
        finished.touch()
    return sorted(folder.glob(f"{cell.name}-*.safetensors"))


def _by_hand(cell: Cell, out: Path) -> Iterator[tuple[Policy, dict[str, Any]]]:
    """Of the last clone with the same seed."""
    clone = Policy.load(folder_of(out, cell.world) / f"bc-seed{cell.seed}-epoch{EPOCHS[-1]:02d}.safetensors")
    for name, policy in by_hand(clone, cell.world.dataset, cell.seed).items():
        yield policy, {"recipe": BY_HAND, "variant": name}


def _trained(cell: Cell, out: Path) -> Iterator[tuple[Policy, dict[str, Any]]]:
    """The policies of one training; it stops at each of the epochs."""
    method, own = RECIPES[cell.recipe]
    run, dataset = out / "runs" / f"{cell.world.name}-{cell.name}", cell.world.dataset
    changes: dict[str, Any] = TRAINING | own | {"seed": cell.seed}
    if method in METHODS:
        changes |= MODEL | {"model": shared_model(cell.world, out)}
    for epoch in EPOCHS:
        try:
            trained = api.train(dataset, method, out=run, resume=True, until=epoch, **changes)
        except Diverged as error:
            print(error, flush=True)
            return
        about = {"recipe": cell.recipe, "method": method, "variant": f"epoch{epoch:02d}", "epoch": epoch}
        yield trained.policy, about | {"settings": own, "critics": _critics(run), "metrics": trained.metrics[-1]}
    shutil.rmtree(run)


def _critics(run: Path) -> float | None:
    """What the critics expect of the policy, discounted, on average over rows of the log; None without critics."""
    opened = open_run(run)
    if opened.config["method"] == "bc":
        return None
    observations = opened.dataset().observations
    observations = observations[np.linspace(0, len(observations) - 1, 1000).astype(int)]
    return float(opened.q(observations, opened.policy(observations)).mean())


def shared_model(world: World, out: Path) -> Path:
    """The log's model, fitted if it is not there, or the rest of the fit."""
    folder = out / "models" / world.name
    if not folder.exists():
        epochs = int(np.clip(FIT_UPDATES * 256 / len(world.dataset), 5, 150))
        settings, _ = resolve("micro", PRESET, MODEL | {"max_fit_epochs": epochs})
        folder.parent.mkdir(parents=True, exist_ok=True)
        api.fit(world.dataset, settings, out=folder, resume=True, callback=Lines())
    return folder


def main(data: Path, out: Path, rounds: int, chosen: list[str]) -> None:
    """Makes the policies of the chosen worlds, by default of all."""
    listed = worlds(data, out)
    for cell in cells({name: listed[name] for name in chosen or listed}, rounds):
        policies_of(cell, out)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        print(__doc__, *worlds(Path("DATA"), Path("OUT")), sep="\n")
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
