"""Logs for the nine D4RL tasks, made anew: `python -m runs.d4rl_tasks OUT CELL...`; a cell that was stopped goes on.

A cell is a robot: one online learner, and from it medium, medium-replay and medium-expert, by D4RL's protocol
(`micro_rl.simulation.d4rl_levels`). They are not D4RL's own files: do not rank results on them beside published scores.
`python -m runs.d4rl_tasks` lists the cells with their commands.
"""

import shlex
import sys
from pathlib import Path

from micro_rl.cli import main as cli

LEVELS = ("medium", "medium-replay", "medium-expert")
CELLS = {
    robot: ["data", "collect", env, "--level", *LEVELS, "--steps", "1000000", "--eval-every", "5000", "--seed", "0"]
    for robot, env in (("hopper", "Hopper-v4"), ("halfcheetah", "HalfCheetah-v4"), ("walker2d", "Walker2d-v4"))
}
"""Each robot's words on the command line, the folder apart."""


def words(robot: str, out: Path) -> list[str]:
    """The whole command of a cell."""
    return [*CELLS[robot], "--out", str(out / robot)]


def main(out: Path, robots: list[str]) -> int:
    """Run the cells one after the other; the first exit code that is not 0 ends it."""
    for robot in robots:
        if code := cli.run(words(robot, out)):
            return code
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__, *(shlex.join(["micro-rl", *words(robot, Path("OUT"))]) for robot in CELLS), sep="\n")
    else:
        sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
