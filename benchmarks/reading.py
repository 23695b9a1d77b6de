"""How fast each format is read and how much memory that takes: `python -m benchmarks.reading [--write FILE]`.

Each log is written to a folder of its own and read in a fresh process, whose greatest memory while reading is compared
with the size of the arrays that the log becomes. The files come from memory (they were just written), so the figures
are those of reading, not of a disk.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import machine
from benchmarks.table import question_and_answer

OBS, ACT, LENGTH = 4, 2, 1000
ROWS = (100_000, 1_000_000, 10_000_000)


class Read(NamedTuple):
    """Seconds, the most bytes held beyond what was held before, and the bytes of the arrays; file is its size."""

    seconds: float
    peak: int
    arrays: int
    file: int


def arrays(rows: int) -> dict[str, np.ndarray]:
    """A log of random values in episodes of `LENGTH` steps, with true next observations."""
    random = np.random.default_rng(0)
    observations = random.standard_normal((rows + 1, OBS), np.float32)
    return {
        "observations": observations[:-1],
        "actions": random.uniform(-1, 1, (rows, ACT)).astype(np.float32),
        "rewards": random.standard_normal(rows, np.float32),
        "next_observations": observations[1:],
        "terminals": np.zeros(rows, bool),
        "timeouts": np.arange(rows) % LENGTH == LENGTH - 1,
    }


def write_d4rl(folder: Path, log: dict[str, np.ndarray]) -> Path:
    """With checksums, uncompressed."""
    import h5py

    path = folder / "hopper.hdf5"
    with h5py.File(path, "w") as file:
        for key, values in log.items():
            file.create_dataset(key, data=values, chunks=True, fletcher32=True)
    return path


def write_neorl2(folder: Path, log: dict[str, np.ndarray]) -> Path:
    """Uncompressed."""
    from micro_rl.data.readers.neorl2 import KEYS

    np.savez(folder / "log.npz", **{KEYS[key]: values for key, values in log.items()})  # type: ignore[arg-type]
    return folder / "log.npz"


def write_minari(folder: Path, log: dict[str, np.ndarray]) -> Path:
    """In Minari's HDF5 layout, by Minari."""
    from gymnasium.spaces import Box
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    (folder / "set" / "data").mkdir(parents=True)
    observed, acted = Box(-9, 9, (OBS,)), Box(-1, 1, (ACT,))
    storage = MinariStorage.new(folder / "set" / "data", observed, acted, data_format="hdf5")

    def episodes():
        for place, start in enumerate(range(0, len(log["rewards"]), LENGTH)):
            rows = slice(start, start + LENGTH)
            observed = np.concatenate([log["observations"][rows], log["next_observations"][rows][-1:]])
            yield EpisodeBuffer(
                id=place,
                observations=list(observed),
                actions=list(log["actions"][rows]),
                rewards=log["rewards"][rows].tolist(),
                terminations=log["terminals"][rows].tolist(),
                truncations=log["timeouts"][rows].tolist(),
                infos={},
            )

    storage.update_episodes(episodes())
    storage.update_metadata({"dataset_id": "set-v0", "minari_version": "0.5.3"})
    return folder / "set"


def write_parquet(folder: Path, log: dict[str, np.ndarray]) -> Path:
    """As pyarrow writes it by default, without next observations: the following row has them."""
    import pyarrow.parquet

    pyarrow.parquet.write_table(_table(folder / "log", log), folder / "log.parquet")
    return folder / "log.parquet"


def write_csv(folder: Path, log: dict[str, np.ndarray]) -> Path:
    """The same as text."""
    import pyarrow.csv

    pyarrow.csv.write_csv(_table(folder / "log", log), folder / "log.csv")
    return folder / "log.csv"


def _table(stem: Path, log: dict[str, np.ndarray]):
    """Columns o0 ... a0 ... r and run, and the TOML that says so."""
    import pyarrow

    stem.with_suffix(".toml").write_text('observations = ["o*"]\nactions = ["a*"]\nreward = "r"\nepisode = "run"\n')
    columns = {f"o{place}": log["observations"][:, place] for place in range(OBS)}
    columns |= {f"a{place}": log["actions"][:, place] for place in range(ACT)}
    return pyarrow.table(columns | {"r": log["rewards"], "run": np.arange(len(log["rewards"])) // LENGTH})


WRITERS: dict[str, Callable[[Path, dict[str, np.ndarray]], Path]] = {
    "D4RL HDF5": write_d4rl,
    "NeoRL-2 NPZ": write_neorl2,
    "Minari HDF5": write_minari,
    "Parquet": write_parquet,
    "CSV": write_csv,
}


def measure(kind: str, rows: int) -> Read:
    """Write a log of that format, and a small one that brings the reader's libraries in, then read both apart."""
    with tempfile.TemporaryDirectory() as folder:
        small, whole = (Path(folder, name) for name in ("small", "whole"))
        small.mkdir()
        whole.mkdir()
        paths = WRITERS[kind](small, arrays(LENGTH)), WRITERS[kind](whole, arrays(rows))
        command = [sys.executable, "-m", "benchmarks.reading", "--apart", *map(str, paths)]
        process = subprocess.run(
            command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, check=True, text=True
        )
        files = [paths[1]] if paths[1].is_file() else [path for path in paths[1].rglob("*") if path.is_file()]
        return Read(*json.loads(process.stdout), sum(one.stat().st_size for one in files))  # pyright: ignore[reportCallIssue]


def read_apart(small: str, whole: str) -> tuple[float, int, int]:
    """Seconds, greatest memory above what was held before, and the bytes of the arrays."""
    from micro_rl.data import load

    load(small)
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the greatest memory until now
    began = time.perf_counter()
    log = load(whole)
    seconds = time.perf_counter() - began
    arrays = [value for value in vars(log).values() if isinstance(value, np.ndarray)]
    return seconds, _status("VmHWM") - before, sum(value.nbytes for value in arrays)


def _status(key: str) -> int:
    """Bytes that Linux counts for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--formats", nargs="+", default=list(WRITERS), choices=list(WRITERS))
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there")
    parser.add_argument("--apart", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.apart:
        print(json.dumps(read_apart(*options.apart)))
        return
    lines = [
        f"| {'format':11} | {'rows':>10} | file, MB | arrays, MB | seconds | rows a second | peak / arrays |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    print("\n".join(lines))
    largest: dict[str, tuple[float, float]] = {}
    for kind in options.formats:
        for rows in options.rows:
            read = measure(kind, rows)
            lines.append(
                f"| {kind:11} | {rows:>10,} | {read.file / 1e6:,.1f} | {read.arrays / 1e6:,.1f} | {read.seconds:.2f} | "
                f"{rows / read.seconds:,.0f} | {read.peak / read.arrays:.2f} |"
            )
            print(lines[-1], flush=True)
            if rows == max(options.rows):
                largest[kind] = rows / read.seconds, read.peak / read.arrays
    if options.write:
        options.write.write_text(
            page(lines, answered(largest, max(options.rows)), " ".join(["python -m benchmarks.reading", *sys.argv[1:]]))
        )


def answered(read: dict[str, tuple[float, float]], rows: int) -> str:
    """What each format reads in a second and takes in memory (of its arrays), at the most rows."""
    speeds = ", ".join(f"{kind} {speed:,.0f}" for kind, (speed, _) in read.items())
    peak = max(peak for _, peak in read.values())
    return question_and_answer(
        "How fast is a log read, by its format, and with how much memory?",
        f"At {rows:,} rows, in rows a second: {speeds}. At most {peak:.2f} times the arrays' memory is taken.",
    )


def page(lines: list[str], answer: str, command: str) -> str:
    """The table with what it was measured on."""
    facts = "\n".join(f"* {name}: {text}" for name, text in machine.describe().items())
    opening = f"""# Reading logs

{answer}

Made by `{command}`. Logs of {OBS} observations and {ACT} actions in episodes of {LENGTH:,} steps. "Arrays" is the size
of what the log becomes in memory; "peak / arrays" the greatest memory while reading, above what the process held with
its libraries loaded, as a multiple of that. Tables have no columns of next observations: the following row has them.
Every check of the log is part of the time, and so is the SHA-256 of its files.

"""
    return opening + facts + "\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
