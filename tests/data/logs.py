"""Tiny logs for the tests, as arrays and as files."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

NEORL2_KEYS = {
    "observations": "obs",
    "actions": "action",
    "rewards": "reward",
    "next_observations": "next_obs",
    "terminals": "done",
    "timeouts": "truncated",
}


def columns(lengths=(3, 2, 4), terminal=(True, False, True), seed=0) -> dict[str, np.ndarray]:
    """Episodes of those lengths, ended by a terminal or a timeout; two observations, one action."""
    random = np.random.default_rng(seed)
    rows = sum(lengths)
    walks = [random.normal(size=(length + 1, 2)).astype(np.float32) for length in lengths]
    last = np.cumsum(lengths) - 1
    terminals, timeouts = np.zeros(rows, bool), np.zeros(rows, bool)
    terminals[last] = terminal
    timeouts[last] = ~np.asarray(terminal)
    return {
        "observations": np.concatenate([walk[:-1] for walk in walks]),
        "actions": random.uniform(-1, 1, (rows, 1)).astype(np.float32),
        "rewards": random.normal(size=rows).astype(np.float32),
        "next_observations": np.concatenate([walk[1:] for walk in walks]),
        "terminals": terminals,
        "timeouts": timeouts,
    }


def write_hdf5(path: Path, arrays: dict[str, np.ndarray], **attributes) -> Path:
    """A D4RL file with checksums."""
    with h5py.File(path, "w") as file:
        for key, values in arrays.items():
            plain = values.size and values.shape and values.dtype.kind in "fiub"
            file.create_dataset(key, data=values, **({"fletcher32": True, "chunks": True} if plain else {}))
        file.attrs.update(attributes)
    return path


def table_columns(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those arrays as columns of a table: o0 o1 ... a0 ... r n0 n1 ... end cut."""
    named = {"observations": "o", "actions": "a", "next_observations": "n"}
    columns = {
        f"{named[key]}{place}": column for key in named if key in arrays for place, column in enumerate(arrays[key].T)
    }
    single = {"rewards": "r", "terminals": "end", "timeouts": "cut"}
    return columns | {name: arrays[key].reshape(-1) for key, name in single.items() if key in arrays}


def describe_table(path: Path, arrays: dict[str, np.ndarray], **words: Any) -> None:
    """The TOML beside a table of those arrays."""
    names = {"observations": "o*", "actions": "a*", "next_observations": "n*"}
    single = {"rewards": ("reward", "r"), "terminals": ("terminal", "end"), "timeouts": ("timeout", "cut")}
    table = {key: [names[key]] for key in names if key in arrays}
    table |= dict(single[key] for key in single if key in arrays) | words
    path.with_suffix(".toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items()))


def write_csv(path: Path, arrays: dict[str, np.ndarray], **words: Any) -> Path:
    """A CSV, and the TOML that describes it; `said` goes there too."""
    columns = table_columns(arrays)
    lines = [",".join(columns)]
    lines += [
        ",".join("" if value != value else repr(value) for value in row)
        for row in zip(*(one.tolist() for one in columns.values()), strict=True)
    ]
    path = path.with_suffix(".csv")
    path.write_text("\n".join(lines) + "\n")
    describe_table(path, arrays, **words)
    return path


def write_parquet(path: Path, arrays: dict[str, np.ndarray], **words: Any) -> Path:
    """A Parquet file with page checksums, and the TOML that describes it."""
    import pyarrow
    import pyarrow.parquet

    path = path.with_suffix(".parquet")
    pyarrow.parquet.write_table(pyarrow.table(dict(table_columns(arrays))), path, write_page_checksum=True)
    describe_table(path, arrays, **words)
    return path


def write_minari(path: Path, arrays: dict[str, np.ndarray], layout: str = "hdf5") -> Path:
    """A Minari set written by Minari itself: a folder of that name."""
    from gymnasium.spaces import Box
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    folder = path.with_suffix("")
    (folder / "data").mkdir(parents=True)
    boxes = [
        Box(-bound, bound, arrays[key].shape[1:], arrays[key].dtype.type)
        for key, bound in (("observations", 9), ("actions", 1))
    ]
    storage = MinariStorage.new(folder / "data", boxes[0], boxes[1], data_format=layout)
    stops = np.flatnonzero(arrays["terminals"] | arrays["timeouts"]) + 1
    for place, (start, stop) in enumerate(zip([0, *stops[:-1]], stops, strict=True)):
        rows = slice(start, stop)
        after = arrays["next_observations"][stop - 1 : stop]
        buffer = EpisodeBuffer(
            id=place,
            observations=list(np.concatenate([arrays["observations"][rows], after])),
            actions=list(arrays["actions"][rows]),
            rewards=arrays["rewards"][rows].tolist(),
            terminations=arrays["terminals"][rows].tolist(),
            truncations=arrays["timeouts"][rows].tolist(),
            infos={},
        )
        storage.update_episodes([buffer])
    storage.update_metadata({"dataset_id": "tiny-v0", "minari_version": "0.5.3"})
    return folder


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A NeoRL-2 file."""
    renamed: dict[str, Any] = {NEORL2_KEYS[key]: values for key, values in arrays.items()}
    np.savez_compressed(path, **renamed)
    return path
