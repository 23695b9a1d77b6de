"""What holds in every format alike: values read back, and what is wrong refused in one line."""

import json
import re
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.data import ReadOptions, load
from micro_rl.data.scaling import fit_scaling, to_core
from tests.data import logs
from tests.data.test_loading import refused

TABLES: dict[str, Callable[..., Path]] = {"csv": logs.write_csv, "parquet": logs.write_parquet}
SETS = {layout: partial(logs.write_minari, layout=layout) for layout in ("hdf5", "arrow", "parquet")}
WRITERS: dict[str, Callable[..., Path]] = {
    "d4rl": logs.write_hdf5,
    "neorl2": logs.write_npz,
    **TABLES,
    **{f"minari-{layout}": write for layout, write in SETS.items()},
}

every_format = pytest.mark.parametrize("write", [pytest.param(writer, id=name) for name, writer in WRITERS.items()])
every_table = pytest.mark.parametrize("write", [pytest.param(writer, id=name) for name, writer in TABLES.items()])
every_set = pytest.mark.parametrize("write", [pytest.param(writer, id=name) for name, writer in SETS.items()])


def data_file(path: Path) -> Path:
    """The file that holds a log's arrays, or the first of them."""
    if path.is_file():
        return path
    return next(file for file in sorted(path.rglob("*")) if file.is_file() and file.suffix != ".json")


@every_format
def test_values_are_read_back(tmp_path, write):
    arrays = logs.columns()
    log = load(write(tmp_path / "hopper-v0.npz", arrays))
    for field, values in arrays.items():
        np.testing.assert_array_equal(getattr(log, field), values)
    assert log.usable.all()
    assert [note for note in log.notes if "assumed" not in note] == []
    assert len(log.sha256) == 64


@every_format
def test_empty_and_cut_short(tmp_path, write):
    """Bad inputs 2 and 3."""
    path = write(tmp_path / "log.npz", logs.columns((50, 50), (True, False)))
    file = data_file(path)
    content = file.read_bytes()
    for share in (0, 0.01, 0.3, 0.9, 0.999):
        file.write_bytes(content[: int(share * len(content))])
        refused(path)


def test_a_flipped_bit_in_parquet(tmp_path):
    """Bad input 4, where the writer left checksums; D4RL's and NeoRL-2's formats are in test_bad_files.py."""
    path = logs.write_parquet(tmp_path / "log", logs.columns((500,), (True,)))
    content = bytearray(path.read_bytes())
    content[300] ^= 16
    path.write_bytes(content)
    refused(path)


@every_table
def test_a_table_lacks_a_column(tmp_path, write):
    """Bad input 6."""
    arrays = logs.columns()
    path = write(tmp_path / "log", arrays)
    logs.describe_table(path, arrays, observations=["o0", "tank"])
    refused(path, "observations: there is no column 'tank'", "columns: o0, o1, a0,")
    logs.describe_table(path, arrays, observations=["sensor*"])
    refused(path, "no column matches 'sensor*'", "columns: o0, o1,")


@every_table
def test_tables_without_ends(tmp_path, write):
    """Bad inputs 7 and 9: a horizon splits, nothing else does."""
    arrays = logs.columns((6,), (False,))
    del arrays["timeouts"], arrays["terminals"]
    path = write(tmp_path / "log", arrays)
    refused(path, "horizon")
    np.testing.assert_array_equal(load(path, horizon=3).lengths, [3, 3])
    logs.describe_table(path, arrays, horizon=2)
    np.testing.assert_array_equal(load(path).lengths, [2, 2, 2])


@every_format
def test_terminal_and_timeout_together(tmp_path, write):
    """Bad input 8."""
    arrays = logs.columns()
    arrays["timeouts"] = arrays["timeouts"] | arrays["terminals"]
    log = load(write(tmp_path / "log", arrays) if write is not logs.write_npz else write(tmp_path / "log.npz", arrays))
    assert log.terminals.sum() == 2 and not (log.timeouts & log.terminals).any()
    assert any("both terminal and timeout" in note for note in log.notes)


@every_format
@pytest.mark.parametrize("field, bad", [("observations", np.nan), ("rewards", np.inf), ("actions", np.nan)])
def test_values_that_are_no_numbers(tmp_path, write, field, bad):
    """Bad inputs 10 and 11."""
    arrays = logs.columns()
    arrays[field] = arrays[field].copy()
    arrays[field][1] = bad
    refused(write(tmp_path / "log.npz", arrays), "NaN or infinity in 1 row", "(1)")


def test_ragged_lines(tmp_path):
    """Bad input 12."""
    path = logs.write_csv(tmp_path / "log", logs.columns())
    lines = path.read_text().splitlines()
    lines[4] += ",7"
    path.write_text("\n".join(lines) + "\n")
    refused(path, "line 5 has 9 values and the heading 8", "correct it")


@every_set
def test_sets_of_unequal_lengths(tmp_path, write):
    """Bad input 12, for Minari: the metadata counts another number of steps than are there."""
    path = write(tmp_path / "log", logs.columns())
    change_metadata(path, total_steps=10)
    refused(path, "its metadata says 10 steps, its data 9")


@every_format
def test_actions_outside_their_bounds(tmp_path, write):
    """Bad input 16."""
    arrays = logs.columns()
    arrays["actions"] = arrays["actions"].copy()
    arrays["actions"][4] = 1.5
    refused(write(tmp_path / "log.npz", arrays), "1.5")


@every_table
def test_bounds_in_the_toml(tmp_path, write):
    """Bad input 16: what the TOML says of each action, or of all."""
    arrays = logs.columns()
    arrays["actions"] = arrays["actions"] * 20
    path = write(tmp_path / "log", arrays, action_bounds=[-20, 20])
    assert load(path).action_low == -20
    logs.describe_table(path, arrays)
    with path.with_suffix(".toml").open("a") as file:
        file.write("[bounds]\na0 = [-30, 40]\n")
    log = load(path)
    np.testing.assert_array_equal([log.action_low, log.action_high], [[-30], [40]])
    assert load(path, action_low=-50, action_high=50).action_low == -50


@every_format
def test_constant_and_far_apart_columns(tmp_path, write):
    """Bad inputs 17, 18 and 19: actions at their bounds too."""
    arrays = logs.columns((40, 40), (False, False))
    arrays["actions"] = np.sign(arrays["actions"])
    for key in ("observations", "next_observations"):
        arrays[key] = arrays[key] * np.array([1, 0], np.float32) * 8e6 / 1e6 + np.array([0, 7], np.float32)
    log = load(write(tmp_path / "log.npz", arrays))
    assert "observation 1 never changes" in log.notes
    core = to_core(log.transitions(True), fit_scaling(log, True, True))
    assert all(np.isfinite(part).all() for part in core)


@pytest.mark.parametrize("kind", ["f2", "f8", "i1", "u8", "?"])
def test_number_types_in_parquet(tmp_path, kind):
    """Bad input 20."""
    arrays = logs.columns()
    arrays["observations"] = np.arange(18).reshape(9, 2).astype(kind)
    log = load(logs.write_parquet(tmp_path / "log", arrays))
    np.testing.assert_array_equal(log.observations, arrays["observations"].astype(np.float32))


@every_table
def test_values_past_float32(tmp_path, write):
    """Bad input 20."""
    arrays = logs.columns() | {"rewards": np.full(9, 1.0)}
    arrays["rewards"][6] = 1e300
    refused(write(tmp_path / "log", arrays), "exceeds float32 in 1 row (6)")


@every_table
def test_text_where_numbers_belong(tmp_path, write):
    """Bad input 21."""
    arrays = logs.columns() | {"rewards": np.array([f"bad{row}" for row in range(9)])}
    refused(write(tmp_path / "log", arrays))


@every_format
@pytest.mark.parametrize("lengths", [(1,), (1, 1, 1), (3,)])
def test_very_short_logs(tmp_path, write, lengths):
    """Bad input 22."""
    log = load(write(tmp_path / "log.npz", logs.columns(lengths, (True,) * len(lengths))))
    np.testing.assert_array_equal(log.lengths, lengths)


@every_table
def test_duplicated_and_shuffled_rows(tmp_path, write):
    """Bad input 23."""
    arrays = logs.columns((40, 40), (False, False))
    order = np.random.default_rng(0).permutation(80)
    doubled = {key: values[np.concatenate([order, order[:5]])] for key, values in arrays.items()}
    notes = " ".join(load(write(tmp_path / "log", doubled)).notes)
    assert "5 rows" in notes and "exact duplicates" in notes
    assert "not followed by their next observation" in notes


def test_a_parquet_file_that_declares_too_much(tmp_path):
    """Bad input 24: a constant column packs eight million rows into a few kilobytes."""
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "log.parquet"
    column = np.zeros(2**23, np.int8)
    pyarrow.parquet.write_table(pyarrow.table(dict.fromkeys(("o0", "a0", "r"), column)), path, compression="zstd")
    assert path.stat().st_size < 300_000
    logs.describe_table(path, {}, observations=["o0"], actions=["a0"], reward="r", horizon=10)
    refused(path, "the table declares 100,663,296 bytes")


def test_a_page_of_parquet_that_declares_too_much(tmp_path):
    """Bad input 24: the first page's header, its kind and two sizes, says that 780 MB follow."""
    path = logs.write_parquet(tmp_path / "log", logs.columns((50,), (True,)))
    path.with_suffix(".toml").unlink()
    number, huge = rb"[\x80-\xff]*[\x00-\x7f]", b"\x80\x80\xc0\xeb\x05"
    content, count = re.subn(rb"^(PAR1\x15\x04\x15" + number + rb"\x15)" + number, rb"\1" + huge, path.read_bytes())
    assert count == 1
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path, "expected (783810560)", reading=ReadOptions(9, observations=("o0",), actions=("o0",), reward="o0"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@every_format
def test_names_in_unicode_links_and_files_that_are_read_only(tmp_path, write):
    """Bad input 28."""
    folder = tmp_path / "Mein Verzeichnis µ"
    folder.mkdir()
    path = write(folder / "pömp (1).npz", logs.columns())
    for file in [path, *path.rglob("*")] if path.is_dir() else [path]:
        file.chmod(0o555 if file.is_dir() else 0o444)
    assert len(load(path)) == 9
    if path.is_file():
        link = tmp_path / f"link{path.suffix}"
        link.symlink_to(path)
        beside = path.with_suffix(".toml")
        if beside.exists():
            link.with_suffix(".toml").symlink_to(beside)
        assert len(load(link)) == 9


def change_metadata(path: Path, **changed: Any) -> None:
    """Another value, or none, for some keys of a Minari set's metadata."""
    file = path / "data" / "metadata.json"
    kept = json.loads(file.read_text()) | changed
    file.write_text(json.dumps({key: value for key, value in kept.items() if value is not None}))
