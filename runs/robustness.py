"""The robustness study: `python -m runs.robustness OUT`, where OUT holds the finished runs of `runs.methods`.

Five methods on halfcheetah and hopper, seed 0, through MICRO's protocol, each attacked by its own critics; then the
same critics (MICRO's, MOBILE's and SAC's together) attack all five. Stopped, it goes on. Then comes
`python -m runs.robustness_page OUT`.
"""

import sys
from pathlib import Path

from micro_rl.cli import main as cli

EPOCHS = 100
SEEDS = (0, 1, 2)
METHODS = ("micro", "mobile-matched", "sac", "td3_bc", "rambo")
ATTACKERS = ("micro", "mobile-matched", "sac")
LOGS = ("halfcheetah", "hopper")
COMMON = Path(__file__).with_name("common_critic.toml")
COMMON_FOLDER = f"common_critic-by-{len(ATTACKERS)}-runs"


def folder(out: Path, log: str, method: str) -> Path:
    """The run of that method."""
    return out / f"{log}-{method}-seed0"


def main(out: Path) -> None:
    """Both protocols, log by log."""
    for log in LOGS:
        runs = [str(folder(out, log, method)) for method in METHODS]
        critics = [str(folder(out, log, method)) for method in ATTACKERS]
        cli.run(["robust", *runs, "--protocol", "micro"])
        cli.run(["robust", *runs, "--protocol", str(COMMON), "--critic", *critics])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__)
    else:
        main(Path(sys.argv[1]))
