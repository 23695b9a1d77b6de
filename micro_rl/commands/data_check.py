"""micro-rl data check: what is wrong with a log."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Checking:
    """What the log does not tell."""

    horizon: int | None = None
    """An episode's time limit in steps, where the log's name does not tell."""
    action_bounds: tuple[float, float] | None = None
    """Lowest and highest action, in raw units, where the log does not tell."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.arguments import parse, shape
    from micro_rl.plan import read_log

    kind = shape("DataCheck", "Find what is wrong with a log before training on it.", ("log", str), asked=Checking)
    given = parse("data check", arguments, kind)
    dataset = read_log(given.log, given.asked.horizon, given.asked.action_bounds)
    print(f"{dataset.name}: {len(dataset)} rows, {len(dataset.starts)} episodes")
    for note in dataset.notes:
        print(f"note: {note}")
