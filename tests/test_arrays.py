"""What is saved comes back; damage is named; nothing but our own errors comes out, whatever the files hold."""

import json
import math
import os
import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from micro_rl.errors import UserError
from micro_rl.storage.arrays import read_arrays, read_safetensors, write_arrays
from micro_rl.storage.files import sha256
from micro_rl.storage.json_files import FORMAT, NewerFormat

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
    write_arrays(tmp_path / "saved", "state", ARRAYS, META)
    return tmp_path / "saved"


def reseal(folder: Path) -> None:
    """Make the manifest vouch for what is there, as someone hostile would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, entry in manifest["files"].items():
        entry.update(bytes=(folder / name).stat().st_size, sha256=sha256(folder / name))
    (folder / "manifest.json").write_text(json.dumps(manifest))


def assert_arrays_equal(arrays, wanted) -> None:
    assert arrays.keys() == wanted.keys()
    for name, array in wanted.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        np.testing.assert_array_equal(arrays[name], array)


def test_arrays_round_trip_and_are_safetensors(folder):
    arrays, meta = read_arrays(folder, "state")
    assert_arrays_equal(arrays, ARRAYS)
    assert meta == META
    assert_arrays_equal(load_file(folder / "state.safetensors"), ARRAYS)
    assert sorted(os.listdir(folder)) == sorted(FILES)


DTYPES = st.sampled_from(["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">f4", ">i8"])


@rw
@given(
    st.dictionaries(
        st.text(max_size=8), DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0))), max_size=4
    )
)
def test_any_arrays_round_trip(tmp_path, arrays):
    write_arrays(tmp_path / "any", "state", arrays)
    native = {name: array.astype(array.dtype.newbyteorder("=")) for name, array in arrays.items()}
    assert_arrays_equal(read_arrays(tmp_path / "any", "state")[0], native)


def test_strided_arrays_are_saved_in_order(tmp_path):
    array = np.arange(12).reshape(3, 4)[::-1, ::2].T
    write_arrays(tmp_path / "a", "state", {"x": array})
    np.testing.assert_array_equal(read_arrays(tmp_path / "a", "state")[0]["x"], array)


def test_a_header_may_fill_its_limit(folder):
    path = folder / FILES[0]
    header = int.from_bytes(path.read_bytes()[:8], "little")
    assert read_safetensors(path, header)[0].keys() == ARRAYS.keys()
    with pytest.raises(UserError, match="does not begin like a safetensors file"):
        read_safetensors(path, header - 1)


def test_objects_are_never_saved(tmp_path):
    with pytest.raises(TypeError, match="array x of object"):
        write_arrays(tmp_path / "a", "state", {"x": np.array([{}])})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("file", FILES)
def test_every_flipped_bit_is_noticed(folder, file):
    content = (folder / file).read_bytes()
    version = content.find(b'"format": ') + len(b'"format": ') if file == "manifest.json" else None
    for position in range(len(content)):
        for bit in {position % 8, 1}:
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            if position == version and chr(flipped[position]) in "123456789":
                continue  # another version than this one: read alike, or refused as newer
            (folder / file).write_bytes(flipped)
            with pytest.raises(UserError, match=r"\.(json|safetensors): "):
                read_arrays(folder, "state")


@pytest.mark.parametrize("file", FILES)
def test_truncated_or_missing_files_are_named(folder, file):
    content = (folder / file).read_bytes()
    for size in (0, 1, len(content) // 2, len(content) - 2):
        (folder / file).write_bytes(content[:size])
        with pytest.raises(UserError, match=file):
            read_arrays(folder, "state")
    (folder / file).unlink()
    with pytest.raises(UserError, match=file):
        read_arrays(folder, "state")


def test_a_missing_folder_or_a_file_in_its_place(tmp_path):
    (tmp_path / "policy.pt").write_bytes(b"PK")
    for name in ("absent", "policy.pt"):
        with pytest.raises(UserError, match=name):
            read_arrays(tmp_path / name, "state")


@pytest.mark.parametrize("name", ["../state.safetensors", "/etc/passwd", "state.pkl", "", "."])
def test_a_manifest_cannot_lead_elsewhere(folder, name):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = manifest["files"].pop("state.safetensors")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="does not list"):
        read_arrays(folder, "state")


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
        read_arrays(folder, "state")
    assert "\n" not in str(caught.value)


@rw
@given(st.binary(max_size=200), st.integers(0, 300))
def test_fuzzed_arrays_raise_only_our_errors(tmp_path, noise, where):
    write_arrays(tmp_path / "f", "state", ARRAYS, META)
    path = tmp_path / "f" / "state.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:where] + noise + content[where + len(noise) :])
    reseal(tmp_path / "f")
    with suppress(UserError):
        read_arrays(tmp_path / "f", "state")


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
        write_arrays(tmp_path / "m", "state", ARRAYS, META)
    (tmp_path / "m" / "manifest.json").write_bytes(manifest)
    with pytest.raises(UserError):
        read_arrays(tmp_path / "m", "state")


def test_a_newer_format_is_told_apart_from_damage(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": FORMAT + 1}))
    with pytest.raises(NewerFormat, match="update micro-rl"):
        read_arrays(folder, "state")


def test_replacing_spares_folders_that_are_not_ours(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        write_arrays(tmp_path, "state", ARRAYS)
    assert (tmp_path / "thesis.tex").exists()
