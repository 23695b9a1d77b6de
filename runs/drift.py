"""How often the drift of `micro-rl monitor` cries wolf, and what it finds: `python -m runs.drift LOG... [--splits 20]`.

LOG is a log, or a plant of `runs.trust_plants` (two-tanks, dryer), whose log is then made. Half of a log's episodes, by
lot, are the log, and records are made of the others: 1, 3, 10 or 30 whole episodes one after the other, by the same
operators as the log. Nothing has drifted, but that is said of some records. Their share is printed, of all splits and
as many records of each as the other half holds, ten at most, with the least and greatest of four quarters of these;
then of which columns it is said most. Then a column of each record, drawn by lot, is moved by one or two of its
deviations in the log, and the share is printed in which that column is said to have drifted.
"""

import argparse
from collections import Counter
from typing import NamedTuple

import numpy as np

from micro_rl import Dataset
from micro_rl.reports.monitor.drift import compared, known_rows
from runs.guard import opened

EPISODES = (1, 3, 10, 30)
MOST = 10
"""Records of a split."""
QUARTERS, MOVED = 4, (1.0, 2.0)


class Said(NamedTuple):
    """Of a record: the columns that are said to have drifted, and whether the one is that was moved, by each amount."""

    wrongly: list[str]
    found: list[bool]


def said(log: Dataset, episodes: int, seed: int) -> list[Said]:
    """What is said of each record of so many episodes of the half that is no log."""
    rows, episode = known_rows(log)
    random = np.random.default_rng(seed)
    order = random.permutation(int(episode[-1]) + 1)
    half = len(order) // 2
    names = [column.name for part in log.columns for column in part]
    kept = np.isin(episode, order[:half])
    known, of_known = rows[kept], episode[kept]
    others = [order[first : first + episodes] for first in range(half, len(order) - episodes + 1, episodes)]

    def drifted(values: np.ndarray) -> list[str]:
        return [drift.name for drift in compared(names, values, known, of_known) if drift.drifted]

    listed = []
    for own in others[:MOST]:
        values = np.concatenate([rows[episode == number] for number in own])
        place = int(random.integers(len(names)))
        moved = np.eye(len(names))[place] * known[:, place].std()
        listed.append(Said(drifted(values), [names[place] in drifted(values + amount * moved) for amount in MOVED]))
    return listed


def line(log: Dataset, episodes: int, splits: int) -> str | None:
    """A row of the table; None where half of the log holds no such record."""
    found = [own for seed in range(splits) if (own := said(log, episodes, seed))]
    if not found:
        return None
    every = [record for own in found for record in own]
    quarters = [
        np.mean([bool(record.wrongly) for own in part for record in own])
        for part in (found[first::QUARTERS] for first in range(min(QUARTERS, len(found))))
    ]
    share = np.mean([bool(record.wrongly) for record in every])
    columns = Counter(name for record in every for name in record.wrongly)
    most = ", ".join(f"{name} {count / len(every):.1%}" for name, count in columns.most_common(2)) or "none"
    shares = " | ".join(f"{part:.0%}" for part in np.mean([record.found for record in every], 0))
    spread = f"{min(quarters):.1%}, {max(quarters):.1%}"
    return f"| {log.name} | {episodes} | {len(every)} | {share:.1%} | {spread} | {most} | {shares} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", metavar="LOG")
    parser.add_argument("--splits", type=int, default=20)
    asked = parser.parse_args()
    print("| log | episodes | records | said of | least, greatest | most of | found at 1 deviation | at 2 |")
    print("|---|---|---|---|---|---|---|---|")
    for name in asked.logs:
        log = opened(name)
        for episodes in EPISODES:
            if row := line(log, episodes, asked.splits):
                print(row, flush=True)


if __name__ == "__main__":
    main()
