"""Coverage-guided fuzzing of the readers, of the TOML, of formulas, of process words and of the guesses of `data init`.

    python -m tests.fuzz_readers d4rl --seconds 600

needs atheris (pip install atheris). Whatever the bytes, a log is read or refused by one line of our own; every other
exception, every crash of a library, more than 2 GB of memory and more than 20 seconds are failures: atheris then writes
the input to `crash-...`, and the same command with `--replay FILE` runs it alone. `make test` runs a few hundred
mutations of each, without atheris (tests/test_fuzz_readers.py).
"""

import argparse
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import h5py
import numpy as np

from micro_rl.data import load
from tests.data import logs
from tests.fuzz_words import WORDS, Formula, Guesses, Words, expect_our_own

TOML = b"""\
delimiter = ","
time = "t"
time_unit = "s"
largest_gap = 2.5
observations = ["o*"]
actions = ["a0"]
reward = "-abs(o0) + 0.5 * o1 ** 2"
terminal = "end"
termination = "o0 > 3 or hypot(o0, o1) >= 5"
horizon = 50
missing = "previous"
missing_values = ["bad"]
[bounds]
a0 = [-1, 1]
[units]
o0 = "m"
"""
GUIDES = ("micro_rl.data", "micro_rl.core.expression", "zipfile", "tomllib", "numpy.lib._format_impl")


def table() -> bytes:
    """A small CSV."""
    arrays = logs.columns((6, 4, 5), (True, False, True))
    rows = zip(arrays["observations"].tolist(), arrays["actions"][:, 0].tolist(), arrays["terminals"], strict=True)
    lines = [f"{row},{one:.4g},{two:.4g},{act:.4g},{int(end)}" for row, ((one, two), act, end) in enumerate(rows)]
    lines[3] = "3,,0.5,0.25,0"
    return "\n".join(["t,o0,o1,a0,end", *lines, ""]).encode()


class Target:
    """One reader's files in a folder of their own; fuzzed bytes replace one of them, which their first byte chooses."""

    def __init__(self, name: str):
        self.home = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
        self.more: list[bytes] = []
        self.log, self.files = getattr(self, "_" + name.replace("-", "_"))()
        self.kept = [file.read_bytes() for file in self.files]
        self.seeds = [bytes([place]) + content for place, content in enumerate(self.kept)] + self.more

    def __call__(self, data: bytes) -> None:
        """Read the log with one file replaced."""
        place = data[0] % len(self.files) if data else 0
        self.files[place].write_bytes(data[1:])
        try:
            expect_our_own(lambda: load(self.log))
        finally:
            self.files[place].write_bytes(self.kept[place])

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.home)

    def _d4rl(self) -> tuple[Path, list[Path]]:
        """Checksummed as logs should be; a second seed without, or every change would end at the checksum."""
        arrays, path = logs.columns((6, 4), (True, False)), self.home / "log.hdf5"
        with h5py.File(path, "w") as file:
            for key, values in arrays.items():
                file.create_dataset(key, data=values, chunks=values.shape if key == "actions" else None)
        self.more = [b"\0" + path.read_bytes()]
        return logs.write_hdf5(path, arrays, action_low=-1, action_high=1), [path]

    def _neorl2(self) -> tuple[Path, list[Path]]:
        arrays = {logs.NEORL2_KEYS[key]: values for key, values in logs.columns((6, 4), (True, False)).items()}
        np.savez(self.home / "log.npz", **arrays)  # pyright: ignore[reportArgumentType]
        return self.home / "log.npz", [self.home / "log.npz"]

    def _groups(self) -> tuple[Path, list[Path]]:
        path = self.home / "log.hdf5"
        with h5py.File(path, "w") as file:
            for place in range(2):
                for key, values in logs.columns((4,), (False,), place).items():
                    file[f"data/demo_{place}/{key}"] = values
        return path, [path]

    def _npz(self) -> tuple[Path, list[Path]]:
        arrays: dict[str, Any] = logs.columns((6, 4), (True, False))
        arrays["dones"] = arrays.pop("timeouts") | arrays["terminals"]
        np.savez(self.home / "log.npz", **arrays)
        (self.home / "log.npz.toml").write_text('timeouts = "dones"\n')
        return self.home / "log.npz", [self.home / "log.npz"]

    def _csv_units(self) -> tuple[Path, list[Path]]:
        rows = [f"2006-12-16;10:{row:02d}:00;{row},5;0,1;{row};{'yes' if row == 7 else 'no'}" for row in range(12)]
        text = "\n".join(["station 7", "Date;Time;o;a;r;end", "d;h;m;%;-;-", *rows, ""])
        (self.home / "log.csv").write_text(text, encoding="utf-16")
        self.more = [b"\0" + text.encode()]
        (self.home / "log.toml").write_text(
            'time = ["Date", "Time"]\nskip_rows = 1\ndecimal = ","\nobservations = ["o"]\nactions = ["a"]\n'
            'reward = "r"\nterminal = "end"\n'
        )
        return self.home / "log.csv", [self.home / "log.csv"]

    def _vectors(self) -> tuple[Path, list[Path]]:
        import pyarrow
        import pyarrow.parquet

        (self.home / "set").mkdir()
        arrays = logs.columns((6, 4), (False, False))
        columns = {"observation.state": arrays["observations"].tolist(), "action": arrays["actions"].tolist()}
        columns |= {"next.reward": arrays["rewards"], "next.done": arrays["timeouts"]}
        files = [self.home / "set" / f"{part}.parquet" for part in range(2)]
        for file in files:
            pyarrow.parquet.write_table(pyarrow.table(columns), file, compression="none")
        return self.home / "set", files

    def _minari_hdf5(self) -> tuple[Path, list[Path]]:
        folder = logs.write_minari(self.home / "tiny-v0", logs.columns((4, 3), (True, False)))
        return folder, [folder / "data" / "metadata.json", folder / "data" / "main_data.hdf5"]

    def _minari_arrow(self) -> tuple[Path, list[Path]]:
        folder = logs.write_minari(self.home / "tiny-v0", logs.columns((4, 3), (True, False)), "arrow")
        return folder, [folder / "data" / "metadata.json", *sorted((folder / "data").glob("*/*.arrow"))]

    def _csv(self) -> tuple[Path, list[Path]]:
        (self.home / "log.csv").write_bytes(table())
        (self.home / "log.toml").write_bytes(TOML)
        return self.home / "log.csv", [self.home / "log.csv"]

    def _toml(self) -> tuple[Path, list[Path]]:
        return self._csv()[0], [self.home / "log.toml"]

    def _parquet(self) -> tuple[Path, list[Path]]:
        import pyarrow.csv
        import pyarrow.parquet

        (self.home / "log.csv").write_bytes(table())
        content = pyarrow.csv.read_csv(self.home / "log.csv")
        pyarrow.parquet.write_table(content, self.home / "log.parquet", compression="none")
        self.more = [b"\0" + (self.home / "log.parquet").read_bytes()]
        pyarrow.parquet.write_table(content, self.home / "log.parquet", write_page_checksum=True)
        (self.home / "log.toml").write_bytes(
            TOML.replace(b'delimiter = ","\n', b"").replace(b'missing_values = ["bad"]\n', b"")
        )
        return self.home / "log.parquet", [self.home / "log.parquet"]


READERS = (
    "d4rl",
    "groups",
    "neorl2",
    "npz",
    "minari-hdf5",
    "minari-arrow",
    "csv",
    "csv-units",
    "parquet",
    "vectors",
    "toml",
)
TARGETS: dict[str, Callable[[], Target | Formula | Words | Guesses]] = {
    **{name: lambda name=name: Target(name) for name in READERS},
    **{word: lambda word=word: Words(word) for word in WORDS},
    "expression": Formula,
    "init": Guesses,
}


def guiding() -> list[FunctionType]:
    """The functions whose branches guide the search: our own, and the Python ones right below them."""
    modules = [module for name, module in sys.modules.items() if name.startswith(GUIDES)]
    owners = [vars(module) for module in modules]
    owners += [vars(one) for names in list(owners) for one in names.values() if isinstance(one, type)]
    functions = {one for names in owners for one in names.values() if isinstance(one, FunctionType)}
    return [one for one in functions if one.__module__.startswith(GUIDES)]


def main() -> None:
    """Fuzz one reader for so long, or replay one input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--replay", type=Path)
    options = parser.parse_args()
    target = TARGETS[options.target]()
    if options.replay:
        target(options.replay.read_bytes())
        return
    atheris: Any = import_module("atheris")
    # An archive's checksum would stop nearly every change before our own code sees it.
    zipfile.ZipExtFile._update_crc = lambda self, newdata: None  # type: ignore[attr-defined]
    corpus = Path(tempfile.mkdtemp(prefix="corpus-"))
    for place, seed in enumerate(target.seeds):
        (corpus / str(place)).write_bytes(seed)
    limits = [f"-max_total_time={options.seconds}", "-rss_limit_mb=2048", "-timeout=20", "-max_len=20000"]
    for function in guiding():
        atheris.instrument_func(function)
    atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", os.fspath(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
