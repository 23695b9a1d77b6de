"""Saves are whole or absent, damage is named, and nothing but our own errors comes out."""

import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from micro_rl import store
from micro_rl.errors import UserError
from micro_rl.store import CannotWrite, NewerFormat, RunFolder

ARRAYS = {
    "actor.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "count": np.array(7, np.int32),
    "valid": np.array([True, False, True]),
    "none": np.zeros((0, 4), np.float64),
}
META = {"updates": 20, "best": -math.inf, "names": ["a", "b"]}
FILES = ("state.safetensors", "state.json", "manifest.json")
rw = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store.write_arrays(tmp_path / "saved", "state", ARRAYS, META)
    return tmp_path / "saved"


def reseal(folder: Path) -> None:
    """Make the manifest vouch for what is there, as someone hostile would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, entry in manifest["files"].items():
        entry.update(bytes=(folder / name).stat().st_size, sha256=store.sha256(folder / name))
    (folder / "manifest.json").write_text(json.dumps(manifest))


def assert_arrays_equal(found, wanted) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype and found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


# JSON


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
    store.write_json(path, content)
    json.loads(path.read_text(), parse_constant=pytest.fail)
    read = store.read_json(path)
    assert math.isnan(read.pop("nan"))
    assert read == {"inf": -math.inf, "a": 0.1, "b": 3, "c": [1, None], "p": str(tmp_path)}
    assert os.listdir(tmp_path) == ["x.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 200_000, b"9" * 10_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.json"):
        store.read_json(tmp_path / "x.json")


def test_json_that_is_missing_huge_or_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b" " * 100)
    with pytest.raises(UserError, match="No such file"):
        store.read_json(tmp_path / "absent")
    with pytest.raises(UserError, match="not an ordinary file"):
        store.read_json(tmp_path / "pipe")
    with pytest.raises(UserError, match="larger than 99 bytes"):
        store.read_json(tmp_path / "huge", limit=99)


def test_what_json_cannot_hold_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(TypeError, match="ndarray"):
        store.write_json(tmp_path / "x.json", {"a": np.zeros(3)})
    assert not list(tmp_path.iterdir())


# Folders of arrays


def test_arrays_round_trip_and_are_safetensors(folder):
    arrays, meta = store.read_arrays(folder, "state")
    assert_arrays_equal(arrays, ARRAYS)
    assert meta == META
    assert_arrays_equal(load_file(folder / "state.safetensors"), ARRAYS)
    assert sorted(os.listdir(folder)) == sorted(FILES)


DTYPES = st.sampled_from(
    ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">f4", ">i8"]
)


@rw
@given(
    st.dictionaries(
        st.text(max_size=8), DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0))), max_size=4
    )
)
def test_any_arrays_round_trip(tmp_path, arrays):
    store.write_arrays(tmp_path / "any", "state", arrays)
    native = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in arrays.items()}
    assert_arrays_equal(store.read_arrays(tmp_path / "any", "state")[0], native)


def test_strided_arrays_are_saved_in_order(tmp_path):
    array = np.arange(12).reshape(3, 4)[::-1, ::2].T
    store.write_arrays(tmp_path / "a", "state", {"x": array})
    np.testing.assert_array_equal(store.read_arrays(tmp_path / "a", "state")[0]["x"], array)


def test_objects_are_never_saved(tmp_path):
    with pytest.raises(TypeError, match="array x of object"):
        store.write_arrays(tmp_path / "a", "state", {"x": np.array([{}])})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("file", FILES)
def test_every_flipped_bit_is_noticed(folder, file):
    content = (folder / file).read_bytes()
    for position in range(len(content)):
        for bit in {position % 8, 1}:
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            (folder / file).write_bytes(flipped)
            with pytest.raises(UserError, match=r"\.(json|safetensors): "):
                store.read_arrays(folder, "state")


@pytest.mark.parametrize("file", FILES)
def test_truncated_or_missing_files_are_named(folder, file):
    content = (folder / file).read_bytes()
    for size in (0, 1, len(content) // 2, len(content) - 2):
        (folder / file).write_bytes(content[:size])
        with pytest.raises(UserError, match=file):
            store.read_arrays(folder, "state")
    (folder / file).unlink()
    with pytest.raises(UserError, match=file):
        store.read_arrays(folder, "state")


def test_a_missing_folder_or_a_file_in_its_place(tmp_path):
    (tmp_path / "policy.pt").write_bytes(b"PK")
    for name in ("absent", "policy.pt"):
        with pytest.raises(UserError, match=name):
            store.read_arrays(tmp_path / name, "state")


@pytest.mark.parametrize("name", ["../state.safetensors", "/etc/passwd", "state.pkl", "", "."])
def test_a_manifest_cannot_lead_elsewhere(folder, name):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = manifest["files"].pop("state.safetensors")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="does not list"):
        store.read_arrays(folder, "state")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def header(text: str, data: bytes = b"") -> bytes:
    return len(text).to_bytes(8, "little") + text.encode() + data


HOSTILE = {
    "pickle": pickle.dumps(Bomb()),
    "archive": b"PK\x03\x04" + bytes(60),
    "huge header": (100 << 20).to_bytes(8, "little") + b"{}",
    "header past the end": (1000).to_bytes(8, "little") + b"{}",
    "overflowing shape": header('{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}'),
    "overlong shape": header('{"x":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}', bytes(4)),
    "overlap": header(
        '{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "negative": header('{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', bytes(4)),
    "not json": header("nothing"),
    "deep": header('{"x":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "unknown type": header('{"x":{"dtype":"O","shape":[1],"data_offsets":[0,8]}}', bytes(8)),
    "bfloat16": header('{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', bytes(2)),
    "empty": b"",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_arrays_with_a_true_manifest(folder, content):
    (folder / "state.safetensors").write_bytes(content)
    reseal(folder)
    with pytest.raises(UserError, match=r"state\.safetensors") as caught:
        store.read_arrays(folder, "state")
    assert "\n" not in str(caught.value)


@rw
@given(st.binary(max_size=200), st.integers(0, 300))
def test_fuzzed_arrays_raise_only_our_errors(tmp_path, noise, where):
    store.write_arrays(tmp_path / "f", "state", ARRAYS, META)
    path = tmp_path / "f" / "state.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:where] + noise + content[where + len(noise) :])
    reseal(tmp_path / "f")
    with suppress(UserError):
        store.read_arrays(tmp_path / "f", "state")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ENTRY = JSON | st.fixed_dictionaries({"bytes": JSON, "sha256": JSON})
NAMES = st.dictionaries(st.sampled_from(["state.json", "state.safetensors", "../x", "/x"]), ENTRY)
MANIFEST = JSON | st.fixed_dictionaries({"format": st.just(1) | JSON, "files": NAMES | JSON})


@settings(rw, max_examples=1000)
@given(st.one_of(MANIFEST.map(lambda value: json.dumps(value).encode()), st.binary(max_size=60)))
def test_fuzzed_manifests_raise_only_our_errors(tmp_path, manifest):
    if not (tmp_path / "m").exists():
        store.write_arrays(tmp_path / "m", "state", ARRAYS, META)
    (tmp_path / "m" / "manifest.json").write_bytes(manifest)
    with pytest.raises(UserError):
        store.read_arrays(tmp_path / "m", "state")


def test_a_newer_format_is_told_apart_from_damage(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    with pytest.raises(NewerFormat, match="update micro-rl"):
        store.read_arrays(folder, "state")


def test_replacing_spares_folders_that_are_not_ours(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        store.write_arrays(tmp_path, "state", ARRAYS)
    assert (tmp_path / "thesis.tex").exists()


# Crashes and full disks

KILLED_AT_EVERY_LINE = """
import os, signal, sys
import numpy as np
from micro_rl import store

folder, kind = sys.argv[1], sys.argv[2]
SIZE = 3

def save(value):
    if kind == "arrays":
        store.write_arrays(folder + "/x", "state", {"a": np.full(SIZE, value)}, {"value": value})
    else:
        store.write_json(folder + "/x", {"value": value})

def read():
    if kind == "arrays":
        arrays, meta = store.read_arrays(folder + "/x", "state")
        assert (arrays["a"] == meta["value"]).all()
        return meta["value"]
    return store.read_json(folder + "/x")["value"]

def kill_at(line):
    left = line
    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename != store.__file__:
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
seen, line = set(), 0
while killed(line, line + 1):
    value = read()
    assert value in (0, line + 1), (value, line)
    seen.add(value == 0)
    save(0)
    line += 1
assert read() == line + 1
assert seen == {True, False} and line > 10, (seen, line)
assert os.listdir(folder) == ["x"], os.listdir(folder)
"""


@pytest.mark.parametrize("kind", ["arrays", "json"])
def test_killed_before_any_line_the_old_or_the_new_is_there(tmp_path, kind):
    command = [sys.executable, "-c", KILLED_AT_EVERY_LINE, str(tmp_path), kind]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(store.__file__).parent.parent)
    assert done.returncode == 0, done.stderr


FULL_DISK = """
import resource, signal, sys
import numpy as np
from micro_rl import store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = store.Path(sys.argv[1])
store.write_arrays(folder / "x", "state", {"a": np.zeros(3)})
store.append_row(folder / "rows", {"epoch": 1})
store.write_json(folder / "json", {"a": 1})
size = (folder / "rows").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, resource.RLIM_INFINITY))
for save in (
    lambda: store.write_arrays(folder / "x", "state", {"a": np.ones(300)}),
    lambda: store.append_row(folder / "rows", {"epoch": 2, "loss": 0.123456789}),
    lambda: store.write_json(folder / "json", {"a": "b" * 300}),
):
    try:
        save()
    except store.CannotWrite as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert store.read_arrays(folder / "x", "state")[0]["a"].sum() == 0
assert store.read_json(folder / "json") == {"a": 1}
store.append_row(folder / "rows", {"epoch": 2})
assert store.read_rows(folder / "rows") == [{"epoch": 1}, {"epoch": 2}]
assert sorted(path.name for path in folder.iterdir()) == ["json", "rows", "x"]
"""


def test_a_disk_that_refuses_costs_nothing(tmp_path):
    """The kernel's limit on file sizes stands in for a full disk: a write stops in its middle."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(store.__file__).parent.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("cannot be written") == 3


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot be written"):
        store.write_arrays(tmp_path / "file" / "x", "state", ARRAYS)
    with pytest.raises(CannotWrite, match="cannot be written"):
        store.write_json(tmp_path / "file" / "x.json", {})


# Rows


def test_rows_round_trip(tmp_path):
    path = tmp_path / "rows.jsonl"
    store.append_row(path, {"epoch": 1, "loss/critic": np.float32(0.5)})
    store.append_row(path, {"epoch": 2, "eval/return": -math.inf, "q": 1e300})
    assert store.read_rows(path) == [
        {"epoch": 1, "loss/critic": 0.5},
        {"epoch": 2, "eval/return": -math.inf, "q": 1e300},
    ]
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize("value", [True, "high", None, [1], np.zeros(2)])
def test_a_row_holds_numbers_only(tmp_path, value):
    with pytest.raises(TypeError, match="loss"):
        store.append_row(tmp_path / "rows", {"epoch": 1, "loss": value})


@pytest.mark.parametrize("tail", [b'{"epoch": 3, "lo', b"\x00\x00\x00", b'{"epoch": 3\n', b"\x00\n"])
def test_a_torn_last_row_is_left_out_and_repaired(tmp_path, tail):
    path = tmp_path / "rows.jsonl"
    for epoch in (1, 2):
        store.append_row(path, {"epoch": epoch})
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert store.read_rows(path) == [{"epoch": 1}, {"epoch": 2}]
    store.rewind_rows(path, 9)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["", "3", '{"epoch": "x"}', '{"epoch": null}', "{"])
def test_a_damaged_row_in_the_middle_is_named(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"epoch": 1}}\n{line}\n{{"epoch": 3}}\n')
    with pytest.raises(UserError, match="line 2"):
        store.read_rows(path)


# The run folder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", {"method": "micro", "beta": 0.5})


def save(run: RunFolder, *epochs: int) -> None:
    for epoch in epochs:
        run.save_checkpoint(epoch, {"x": np.full(3, epoch)}, {"note": f"at {epoch}"})


def test_create_and_open(run):
    opened = RunFolder.open(run.path)
    assert opened == run
    assert opened.config() == {"format": 1, "method": "micro", "beta": 0.5}
    assert opened.metrics() == opened.fit() == opened.checkpoints() == []
    assert opened.newest_checkpoint() is None


def test_create_refuses_what_is_not_empty(run, tmp_path):
    with pytest.raises(UserError, match="--resume"):
        RunFolder.create(run.path, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        RunFolder.create(tmp_path / "file", {})


def test_create_after_a_crash_in_create(tmp_path):
    (tmp_path / ".config.json.tmp").write_text("{")
    assert RunFolder.create(tmp_path, {"a": 1}).config()["a"] == 1


def test_open_refuses_other_folders_and_newer_ones(tmp_path, run):
    with pytest.raises(UserError, match="not a run folder"):
        RunFolder.open(tmp_path)
    store.write_json(run.path / "config.json", {"format": 2})
    with pytest.raises(NewerFormat):
        RunFolder.open(run.path)


def test_the_newest_checkpoints_are_kept(run):
    save(run, 5, 10, 15, 1_000_000)
    assert run.checkpoints() == [15, 1_000_000]
    newest = run.newest_checkpoint()
    assert (newest.epoch, newest.meta, newest.skipped) == (
        1_000_000,
        {"note": "at 1000000", "epoch": 1_000_000},
        [],
    )
    np.testing.assert_array_equal(newest.arrays["x"], [1_000_000] * 3)


def test_a_damaged_checkpoint_is_passed_over_and_named(run):
    save(run, 5, 10)
    with open(run.checkpoint(10) / "state.safetensors", "r+b") as file:
        file.truncate(20)
    newest = run.newest_checkpoint()
    assert newest.epoch == 5
    assert len(newest.skipped) == 1 and "epoch-000010" in newest.skipped[0]
    run.rewind(newest.epoch)
    assert run.checkpoints() == [5]


def test_no_usable_checkpoint_is_an_error_and_a_newer_one_is_not_passed_over(run):
    save(run, 5, 10)
    manifest = run.checkpoint(10) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(NewerFormat):
        run.newest_checkpoint()
    for epoch in (5, 10):
        (run.checkpoint(epoch) / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"epoch-000010.*epoch-000005"):
        run.newest_checkpoint()


def test_a_checkpoint_under_another_epochs_name_is_passed_over(run):
    save(run, 5)
    shutil.copytree(run.checkpoint(5), run.checkpoint(10))
    newest = run.newest_checkpoint()
    assert newest.epoch == 5 and "holds epoch 5" in newest.skipped[0]


def test_a_checkpoint_caught_between_two_renames_is_found(run):
    save(run, 5, 10)
    os.rename(run.checkpoint(10), run.checkpoint(10).with_name(".epoch-000010.old"))
    assert run.newest_checkpoint().epoch == 10
    save(run, 15)
    assert run.checkpoints() == [10, 15]


def test_rewound_and_continued_equals_uninterrupted(tmp_path, run):
    def train(folder: RunFolder, start: int, stop: int) -> None:
        for epoch in range(start, stop):
            folder.append_metrics({"epoch": epoch, "loss": 1 / epoch})
            if epoch % 5 == 0:
                save(folder, epoch)

    uninterrupted = RunFolder.create(tmp_path / "other", {})
    train(uninterrupted, 1, 20)
    train(run, 1, 14)
    with open(run.path / "metrics.jsonl", "ab") as file:
        file.write(b'{"epoch": 14, "lo')
    (run.path / "checkpoints" / ".epoch-000015.tmp").mkdir()
    run.rewind(run.newest_checkpoint().epoch)
    train(run, 11, 20)
    assert (run.path / "metrics.jsonl").read_bytes() == (uninterrupted.path / "metrics.jsonl").read_bytes()
    assert sorted(os.listdir(run.path / "checkpoints")) == ["epoch-000010", "epoch-000015"]


def test_metrics_need_an_epoch(run):
    with pytest.raises(ValueError, match="epoch"):
        run.append_metrics({"loss": 1.0})


def test_fit_scores_model_and_policy(run):
    run.append_fit({"epoch": 1, "holdout": 0.5})
    assert run.fit() == [{"epoch": 1, "holdout": 0.5}]
    run.restart_fit()
    assert run.fit() == []
    run.write_scores({"last": 1.5})
    assert run.scores() == {"last": 1.5}
    for folder, name in ((run.model, "ensemble"), (run.policy, "policy")):
        store.write_arrays(folder, name, ARRAYS)
        assert_arrays_equal(store.read_arrays(folder, name)[0], ARRAYS)


def test_nothing_here_needs_jax():
    code = "import sys, micro_rl.store, micro_rl.metrics; sys.exit('jax' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(store.__file__).parent.parent).returncode == 0
    )
