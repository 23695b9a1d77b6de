"""Which logs are narrow: `python -m runs.narrowness DATA` prints the table of docs/guides/support.md.

Of uniformly drawn actions at the log's own states, the share that is as near to the log as nine true ones in ten are
(`training.log_support`). DATA is the folder with the logs.
"""

from pathlib import Path

from micro_rl.data import load
from micro_rl.training.log_support import log_support
from runs.long_runs import LOGS
from runs.usage import words

MORE = {"hopper-medium": "hopper-medium.hdf5"}


def main(data: Path) -> None:
    """A line a log, the narrowest first."""
    logs = [load(name if name == "pendulum-demo" else data / name) for name in (LOGS | MORE).values()]
    shares = sorted((log_support(log, keep_timeouts=True).breadth, log.name, len(log)) for log in logs)
    print("| log | rows | share |", "|---|---|---|", sep="\n")
    for share, name, rows in shares:
        print(f"| {name} | {rows:,} | {share:.0%} |", flush=True)


if __name__ == "__main__":
    main(Path(words(__doc__, 1)[0]))
