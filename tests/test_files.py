"""Saves are whole or absent, in a crash and on a full disk; damaged JSON is named."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.storage import arrays, json_files
from micro_rl.storage.files import CannotWrite, replace_files

ROOT = Path(__file__).parent.parent


def test_json_round_trip_keeps_infinities_and_array_scalars(tmp_path):
    path = tmp_path / "x.json"
    content = {
        "nan": math.nan,
        "inf": -math.inf,
        "a": np.float64(0.1),
        "b": np.int32(3),
        "c": (1, None),
        "p": tmp_path,
    }
    json_files.write_json(path, content)
    json.loads(path.read_text(), parse_constant=pytest.fail)
    read = json_files.read_json(path)
    assert math.isnan(read.pop("nan"))
    assert read == {"inf": -math.inf, "a": 0.1, "b": 3, "c": [1, None], "p": str(tmp_path)}
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_text_that_reads_like_a_number_stays_a_text(tmp_path):
    texts = ["NaN", "Infinity", "-Infinity", "text:NaN", "text:text:-Infinity", "text:", "text:nan", "infinity"]
    content = {"texts": texts, "path": Path("NaN"), "numbers": [math.inf, -math.inf], "nan": math.nan}
    path = tmp_path / "x.json"
    json_files.write_json(path, content)
    read, in_memory = json_files.read_json(path), json_files.json_round_trip(content)
    assert math.isnan(read.pop("nan")) and math.isnan(in_memory.pop("nan"))
    assert read == in_memory == {"texts": texts, "path": "NaN", "numbers": [math.inf, -math.inf]}


def test_numbers_that_earlier_versions_named_are_read_as_numbers(tmp_path):
    (tmp_path / "x.json").write_text('{"best": "-Infinity", "losses": [1, "Infinity"]}')
    assert json_files.read_json(tmp_path / "x.json") == {"best": -math.inf, "losses": [1, math.inf]}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 200_000, b"9" * 10_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.json"):
        json_files.read_json(tmp_path / "x.json")


def test_json_that_is_missing_huge_or_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b" " * 100)
    with pytest.raises(UserError, match="No such file"):
        json_files.read_json(tmp_path / "absent")
    with pytest.raises(UserError, match="not an ordinary file"):
        json_files.read_json(tmp_path / "pipe")
    with pytest.raises(UserError, match="larger than 99 bytes"):
        json_files.read_json(tmp_path / "huge", limit=99)


def test_what_json_cannot_hold_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(TypeError, match="ndarray"):
        json_files.write_json(tmp_path / "x.json", {"a": np.zeros(3)})
    assert not list(tmp_path.iterdir())


# Crashes and full disks

KILLED_AT_EVERY_LINE = """
import os, signal, sys
import numpy as np
from micro_rl.storage import arrays, files, json_files

folder, kind = sys.argv[1], sys.argv[2]
SIZE = 3

def save(value):
    if kind == "arrays":
        arrays.write_arrays(folder + "/x", "state", {"a": np.full(SIZE, value)}, {"value": value})
    else:
        json_files.write_json(folder + "/x", {"value": value})

def read():
    if kind == "arrays":
        read, meta = arrays.read_arrays(folder + "/x", "state")
        assert (read["a"] == meta["value"]).all()
        return meta["value"]
    return json_files.read_json(folder + "/x")["value"]

def kill_at(line):
    left = line
    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename not in (arrays.__file__, files.__file__, json_files.__file__):
            return None
        left -= event == "line"
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)

def killed(line, value):
    child = os.fork()
    if child == 0:
        kill_at(line)
        save(value)
        os._exit(0)
    return os.waitpid(child, 0)[1] != 0

save(0)
kinds, line = set(), 0
while killed(line, line + 1):
    value = read()
    assert value in (0, line + 1), (value, line)
    kinds.add(value == 0)
    save(0)
    line += 1
assert read() == line + 1
assert kinds == {True, False} and line > 10, (kinds, line)
assert os.listdir(folder) == ["x"], os.listdir(folder)
"""


@pytest.mark.parametrize("kind", ["arrays", "json"])
def test_killed_before_any_line_the_old_or_the_new_is_there(tmp_path, kind):
    command = [sys.executable, "-c", KILLED_AT_EVERY_LINE, str(tmp_path), kind]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from micro_rl.storage import arrays, files, json_files, jsonl as rows

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
arrays.write_arrays(folder / "x", "state", {"a": np.zeros(3)})
rows.append_row(folder / "rows", {"epoch": 1})
json_files.write_json(folder / "json", {"a": 1})
size = (folder / "rows").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, resource.RLIM_INFINITY))
for save in (
    lambda: arrays.write_arrays(folder / "x", "state", {"a": np.ones(300)}),
    lambda: rows.append_row(folder / "rows", {"epoch": 2, "loss": 0.123456789}),
    lambda: json_files.write_json(folder / "json", {"a": "b" * 300}),
):
    try:
        save()
    except files.CannotWrite as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert arrays.read_arrays(folder / "x", "state")[0]["a"].sum() == 0
assert json_files.read_json(folder / "json") == {"a": 1}
rows.append_row(folder / "rows", {"epoch": 2})
assert rows.read_rows(folder / "rows") == [{"epoch": 1}, {"epoch": 2}]
assert sorted(path.name for path in folder.iterdir()) == ["json", "rows", "x"]
"""


def test_a_disk_that_refuses_costs_nothing(tmp_path):
    """The kernel's limit on file sizes stands in for a full disk: a write stops in its middle."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("cannot be written") == 3


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot be written"):
        arrays.write_arrays(tmp_path / "file" / "x", "state", {})
    with pytest.raises(CannotWrite, match="cannot be written"):
        json_files.write_json(tmp_path / "file" / "x.json", {})


def test_files_are_replaced_together_or_not_at_all(tmp_path):
    """A folder in the place of the last of them: what was renamed before it is put back."""
    (tmp_path / "old").write_text("old")
    (tmp_path / "taken").mkdir()
    with pytest.raises(CannotWrite, match="taken"):
        replace_files({tmp_path / name: b"new" for name in ("old", "fresh", "taken")})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "taken"]
    assert (tmp_path / "old").read_text() == "old"
