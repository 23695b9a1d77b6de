"""Does choosing choose well? `python -m runs.choose DATA WORLDS OUT [WORLD...] [--minutes 30]`.

On every world of the study of trust (`runs.trust_worlds`; WORLDS holds the logs that it made) `micro_rl.choose` is
asked for a decision; then every policy that it left is measured in the world's simulator, which the choice never sees:
the returns of windows as long as the choice's, from rows of the log, beside the log's own. Each world's choice goes to
OUT/WORLD-MINUTESmin, what was measured to docs/results/data/choose.json (`runs.records`): what is recorded is not
chosen again, a choice that was stopped goes on. Then comes `python -m runs.choose_page`.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from micro_rl import Policy, choose
from micro_rl.reports.choice.record import TRY, Choice
from runs.choose_trial import trials
from runs.kept_cells import kept
from runs.trust_windows import behaviour_returns, differences, window_rows
from runs.trust_worlds import World, worlds

STUDY = "choose"


def cell_of(world: str, minutes: float) -> str:
    """The name of a choice: its folder, and its place in the record."""
    return f"{world}-{minutes:g}min"


def decide(world: World, folder: Path, minutes: float) -> Choice:
    """The decision on a world's log."""
    return choose(world.dataset, minutes=minutes, out=folder, resume=folder.exists())


def measured(world: World, folder: Path, window: int) -> dict[str, dict[str, float]]:
    """The true difference of every policy in a choice's folder, by its name."""
    rows = window_rows(world.dataset, window)
    behaviour = behaviour_returns(world.dataset, rows, window)
    truths = {}
    for path in sorted((folder / "policies").glob("*.safetensors")):
        returns = world.true_returns(Policy.load(path), world.dataset, rows, window)
        truths[path.stem] = differences(returns, behaviour)
    return truths


def on_trial(world: World, choice: Choice, folder: Path, window: int) -> dict[str, Any] | None:
    """How the trial ends that the choice plans; None where it plans none."""
    own = choice.on_trial
    if own is None or own.trial is None:
        return None
    policy, rows = Policy.load(folder / "policies" / f"{own.name}.safetensors"), window_rows(world.dataset, window)
    returns = world.true_returns(policy, world.dataset, rows, window)
    return trials(own.name, own.trial, returns)._asdict()


def about(
    world: World, choice: Choice, truths: dict[str, dict[str, float]], trial: dict[str, Any] | None
) -> dict[str, Any]:
    """What the page needs of a choice."""
    judged = choice.judgement.policies if choice.judgement else ()
    return {
        "world": world.name,
        "log": choice.log,
        "decision": choice.decision,
        "tried": choice.decision == TRY,
        "reason": choice.reason,
        "chosen": choice.best.name if choice.best else None,
        "candidates": {candidate.name: candidate.best for candidate in choice.candidates},
        "intervals": {policy.name: [policy.difference.low, policy.difference.high] for policy in judged},
        "verdicts": {policy.name: policy.verdict for policy in judged},
        "widening": choice.judgement.widening if choice.judgement else None,
        "explained": choice.judgement.explained if choice.judgement else None,
        "window": choice.judgement.window if choice.judgement else None,
        "minutes": choice.minutes,
        "seconds": choice.seconds,
        "truths": truths,
        "trial": trial,
    }


def tried(world: World, folder: Path, minutes: float) -> dict[str, Any]:
    """A choice, and the truth of what it left."""
    choice = decide(world, folder, minutes)
    window = choice.judgement.window if choice.judgement else 0
    print(f"{world.name}: {choice.decision}; {choice.chosen}; {choice.reason}", flush=True)
    if not window:
        return about(world, choice, {}, None)
    return about(world, choice, measured(world, folder, window), on_trial(world, choice, folder, window))


def main() -> None:
    """Choose on every world that is named, or on all, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "worlds", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--minutes", type=float, default=30.0)
    asked = parser.parse_args()
    every = worlds(asked.data, asked.worlds)
    for name in asked.names or every:
        cell = cell_of(name, asked.minutes)
        kept(STUDY, cell, partial(tried, every[name], asked.out / cell, asked.minutes))


if __name__ == "__main__":
    main()
