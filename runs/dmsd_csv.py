"""Export NeoRL-2's DMSD log as people's exports look.

`python -m runs.dmsd_csv DMSD-high-100000-train.npz pump.csv` makes the table and says what was planted in it.

Semicolons, decimal commas, a time column, and three faults that a check must find, each said on the terminal: a gap in
time, a channel that is stuck, and a row logged twice. Rows are counted from 0, as the check counts them. Beside the
table lies the TOML by which it is read.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from micro_rl.data import Dataset, load
from runs.usage import words

EPISODES = 200
START = datetime(2025, 3, 1, 6, 0)
STEP = timedelta(seconds=1)
PAUSE = timedelta(minutes=10)
"""Between one episode and the next."""
GAP_ROW, GAP = 1_250, timedelta(seconds=45)
STUCK_ROWS = range(4_330, 4_370)
STUCK_COLUMN = 2
DOUBLED_ROW = 7_777
FORMAT = "%d.%m.%Y %H:%M:%S"

TOML = """\
# How to read {file}: python -m runs.dmsd_csv made both.
delimiter = ";"
decimal = ","
episode = "batch"
time = "time"
time_format = "{format}"
observations = [{observations}]
actions = [{actions}]
reward = "reward"

[bounds]
{bounds}
"""


def main(source: Path, target: Path) -> None:
    """Write the table and its TOML, and say what was planted."""
    log = load(source)
    rows = int(log.stops[EPISODES - 1])
    names = [f"x{place}" for place in range(log.observations.shape[1])]
    acts = [f"u{place}" for place in range(log.actions.shape[1])]
    observed = log.observations[:rows].copy()
    observed[STUCK_ROWS.start : STUCK_ROWS.stop, STUCK_COLUMN] = observed[STUCK_ROWS.start, STUCK_COLUMN]
    batches = np.repeat(np.arange(EPISODES), log.lengths[:EPISODES]) + 1
    values = np.column_stack([observed, log.actions[:rows], log.rewards[:rows]])
    lines = [";".join(["batch", "time", *names, *acts, "reward"])]
    for row, moment in enumerate(moments(log, rows)):
        line = ";".join(
            [str(batches[row]), moment.strftime(FORMAT), *(f"{value:.9g}".replace(".", ",") for value in values[row])]
        )
        lines += [line] * (2 if row == DOUBLED_ROW else 1)
    target.write_text("\n".join(lines) + "\n")
    target.with_suffix(".toml").write_text(description(target, names, acts, log))
    print(f"{target}: {rows + 1} rows, read by {target.with_suffix('.toml')}")
    print(f"a gap of {GAP} before row {GAP_ROW}")
    print(f"{names[STUCK_COLUMN]} stuck in rows {STUCK_ROWS[0]}-{STUCK_ROWS[-1]}")
    print(f"row {DOUBLED_ROW} again as row {DOUBLED_ROW + 1}")


def moments(log: Dataset, rows: int) -> Iterator[datetime]:
    """When each row was recorded."""
    now, starts = START, set(log.starts.tolist())
    for row in range(rows):
        now += PAUSE if row in starts else GAP if row == GAP_ROW else STEP
        yield now


def description(target: Path, names: list[str], acts: list[str], log: Dataset) -> str:
    """The TOML."""
    limits = zip(acts, log.action_low.tolist(), log.action_high.tolist(), strict=True)
    return TOML.format(
        file=target.name,
        format=FORMAT,
        observations=", ".join(f'"{name}"' for name in names),
        actions=", ".join(f'"{name}"' for name in acts),
        bounds="\n".join(f"{name} = [{low}, {high}]" for name, low, high in limits),
    )


if __name__ == "__main__":
    source, target = words(__doc__, 2)
    main(Path(source), Path(target))
