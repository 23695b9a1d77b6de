"""The episodes of a Minari set in Arrow or Parquet: one folder an episode."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.wording import plural
from micro_rl.data.raw_log import refuse_oversize
from micro_rl.data.readers.minari_spaces import Episode, Leaf, Spaces
from micro_rl.errors import UserError, require_extra

COLUMNS = ["observations", "actions", "rewards", "terminations", "truncations"]


def episodes(folder: Path, count: int, spaces: Spaces, layout: str) -> tuple[int, Iterator[Episode], Sequence[Path]]:
    """Opens the set: steps in all, the episodes, and the files they are in."""
    require_extra("pyarrow", "minari", "reading Minari's Arrow and Parquet layouts")
    stored = {int(file.name) for file in folder.iterdir() if file.name.isascii() and file.name.isdigit()}
    if stored != set(range(count)):
        raise UserError(
            f"{folder}: its metadata says {plural(count, 'episode')}, {len(stored)} are there: fetch the set again"
        )
    files = [sorted((folder / str(place)).glob(f"*.{layout}")) for place in range(count)]
    for place, parts in enumerate(files):
        if not parts:
            raise UserError(f"{folder}/{place}: holds no {layout} file: fetch or write the set again")
    lengths = [_open(parts, layout).count_rows() - 1 for parts in files]
    if min(lengths, default=1) < 1:
        raise UserError(
            f"{folder}/{lengths.index(min(lengths))}: an episode without a step: fetch or write the set again"
        )
    width = sum(leaf.width for part in spaces for leaf in part)
    size = sum(file.stat().st_size for parts in files for file in parts)
    refuse_oversize(folder, "the set", 4 * width * sum(lengths), size)
    return sum(lengths), _read(files, layout, spaces), [file for parts in files for file in parts]


def _open(parts: Sequence[Path], layout: str) -> Any:
    import pyarrow.dataset

    return pyarrow.dataset.dataset([str(file) for file in parts], format=layout)


def _read(files: Sequence[Sequence[Path]], layout: str, spaces: Spaces) -> Iterator[Episode]:
    for parts in files:
        table = _open(parts, layout).to_table(columns=COLUMNS, use_threads=False)
        # What a file says of its own offsets and sizes is not believed.
        table.validate(full=True)
        yield _episode(parts[0], table, spaces)


def _episode(path: Path, table: Any, spaces: Spaces) -> Episode:
    """One episode; every column but the observations has a last row that fills up and means nothing."""
    from micro_rl.data.readers.arrow_columns import numbers

    whole = {name: table[name].combine_chunks() for name in COLUMNS}
    joined = [
        np.concatenate([_box(path, whole[part], part, leaf) for leaf in boxes], axis=1)
        for part, boxes in (("observations", spaces.observations), ("actions", spaces.actions))
    ]
    return Episode(joined[0], joined[1][:-1], *(numbers(path, name, whole[name])[:-1] for name in COLUMNS[2:]))


def _box(path: Path, column: Any, part: str, leaf: Leaf) -> np.ndarray:
    """The values of one box, found through the structure that its keys name."""
    import pyarrow as pa

    from micro_rl.data.readers.arrow_columns import numbers

    label, rows = ".".join((part, *leaf.keys)), len(column)
    for key in leaf.keys:
        name = key.removeprefix("_index_")
        if not pa.types.is_struct(column.type) or column.type.get_field_index(name) < 0:
            raise UserError(f"{path}: no {label} in the file: fetch or write the set again")
        column = column.field(name)
    if pa.types.is_fixed_size_list(column.type) and not column.null_count:
        column = column.flatten()
    if len(column) != rows * leaf.width:
        raise UserError(f"{path}: {label} is not {leaf.width} numbers a row: fetch or write the set again")
    return numbers(path, label, column).reshape(rows, leaf.width)
