"""Limits of what is written and read, each from both sides: sizes, counts, versions, and the order of bytes."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.storage import json_files, jsonl, policy_file, policy_parts
from micro_rl.storage.arrays import read_arrays, read_safetensors, safetensors_chunks, write_arrays
from micro_rl.storage.files import sha256
from micro_rl.storage.json_files import NewerFormat, check_format, read_json
from micro_rl.storage.policy_parts import PolicyParts
from micro_rl.storage.run_schema import validate_config, validate_scores
from tests.test_policy import make, rewritten

MEBIBYTE = 1_048_576


def sparse(path: Path, size: int, begin: bytes = b"") -> Path:
    """A file of that size which holds nothing but how it begins."""
    path.write_bytes(begin)
    with open(path, "r+b") as file:
        file.truncate(size)
    return path


@pytest.mark.parametrize("version", [1, 2, 3])
def test_formats_that_are_read(version: int):
    check_format(version, Path("x"))


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", None])
def test_what_is_no_format(version: Any):
    with pytest.raises(UserError, match=r"^x: names no format version; restore it from a copy$") as refusal:
        check_format(version, Path("x"))
    assert not isinstance(refusal.value, NewerFormat)


def test_the_next_format_is_a_newer_one():
    with pytest.raises(NewerFormat, match=r"^x: has format 4, and this version reads up to 3; update micro-rl$"):
        check_format(4, Path("x"))


def test_a_json_file_has_64_mebibytes_at_most(tmp_path: Path):
    limit = 64 * MEBIBYTE
    assert limit == json_files.JSON_LIMIT
    path = sparse(tmp_path / "x", limit + 1)
    for read in (read_json, jsonl.read_rows):
        with pytest.raises(UserError, match="x: is larger than 67108864 bytes, so it is not one of ours"):
            read(path)
    with pytest.raises(UserError, match="is not valid JSON"):
        read_json(sparse(tmp_path / "y", 100), limit=100)
    (tmp_path / "rows").write_bytes(b'{"epoch": 1}\n' + b" " * 5)
    assert jsonl.read_rows(tmp_path / "rows") == [{"epoch": 1}]


@pytest.mark.parametrize(("size", "message"), [(65_537, "is larger than 65536 bytes"), (65_536, "is not valid JSON")])
def test_a_manifest_has_64_kibibytes_at_most(tmp_path: Path, size: int, message: str):
    write_arrays(tmp_path / "saved", "state", {"x": np.zeros(1)})
    sparse(tmp_path / "saved" / "manifest.json", size)
    with pytest.raises(UserError, match=message):
        read_arrays(tmp_path / "saved", "state")


@pytest.mark.parametrize(("header", "message"), [(1, "does not begin like"), (0, "is no safetensors file")])
def test_headers_of_states_and_policies_have_their_limits(tmp_path: Path, header: int, message: str):
    write_arrays(tmp_path / "saved", "state", {"x": np.zeros(1)})
    manifest = json.loads((tmp_path / "saved" / "manifest.json").read_text())
    state = tmp_path / "saved" / "state.safetensors"
    state.write_bytes((4 * MEBIBYTE + header).to_bytes(8, "little") + b"{}")
    manifest["files"][state.name] = {"bytes": 10, "sha256": sha256(state)}
    (tmp_path / "saved" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=message):
        read_arrays(tmp_path / "saved", "state")
    (tmp_path / "policy").write_bytes((8 * MEBIBYTE + header).to_bytes(8, "little") + b"{}")
    with pytest.raises(UserError, match=message):
        policy_file.read(tmp_path / "policy")


def test_arrays_are_written_in_pieces_of_four_mebibytes():
    array = np.arange(4 * MEBIBYTE + 1, dtype=np.uint8)
    length, header, *pieces = safetensors_chunks({"x": array})
    assert [len(piece) for piece in pieces] == [4 * MEBIBYTE, 1]
    assert int.from_bytes(length, "little") == len(header)


def test_the_bytes_of_a_small_file():
    named = {"b": np.array([1], np.int16), "a": np.array([2, 3], np.uint8), "c": np.array([[0.5]], np.float64)}
    length, header, *pieces = safetensors_chunks(named | {"a0": np.array(4, np.int16)}, {"z": "1", "y": "2"})
    text = (
        '{"__metadata__":{"y":"2","z":"1"},"c":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]},'
        '"a0":{"dtype":"I16","shape":[],"data_offsets":[8,10]},"b":{"dtype":"I16","shape":[1],"data_offsets":[10,12]},'
        '"a":{"dtype":"U8","shape":[2],"data_offsets":[12,14]}}'
    )
    assert bytes(header).rstrip() == text.encode() and len(header) - len(text) == -len(text) % 8
    assert int.from_bytes(length, "little") == len(header)
    assert b"".join(map(bytes, pieces)) == np.float64(0.5).tobytes() + b"\4\0\1\0\2\3"


@pytest.mark.parametrize("count", range(8))
def test_a_header_ends_at_a_multiple_of_eight(count: int):
    _, header, *_ = safetensors_chunks({"x" * (count + 1): np.zeros(1)})
    assert len(header) % 8 == 0 and len(header) - len(header.rstrip()) < 8


@pytest.mark.parametrize(
    ("name", "array"), [("__metadata__", np.zeros(1)), ("x", np.zeros(1, complex)), ("x", np.zeros(1, "U1"))]
)
def test_what_the_format_cannot_hold(name: str, array: np.ndarray):
    with pytest.raises(TypeError, match=f"^array {name} of {array.dtype} cannot be saved$"):
        list(safetensors_chunks({name: array}))


def test_what_a_file_holds_beside_its_arrays(tmp_path: Path):
    for metadata, expected in (({"a": "ä"}, {"a": "ä"}), (None, {})):
        (tmp_path / "x").write_bytes(b"".join(map(bytes, safetensors_chunks({"x": np.ones(2)}, metadata))))
        read, texts = read_safetensors(tmp_path / "x", 1000)
        assert texts == expected and read["x"].tolist() == [1.0, 1.0]


# What a run may say of itself


@pytest.mark.parametrize(
    "config",
    [
        {"method": "x" * 1000},
        {"notes": ["x" * 2000] * 1000},
        {"options": {"beta": 2**63 - 1, "more": [1 - 2**63] * 1000, "wide": 1e300}},
        {"settings": {"epochs": 2**63 - 1, "hidden_sizes": [1] * 1000, "discount": 1e300}},
        {"task": {"env": "x", "horizon": 1, "termination": None, "score_min": -1e300, "score_max": 1}},
    ],
)
def test_the_most_that_a_config_may_hold(config: dict[str, Any]):
    validate_config(config, Path("x"))


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"notes": [1]}, "notes, 0"),
        ({"method": "x" * 1001}, "method"),
        ({"options": {"beta": -(2**63)}}, "options, beta"),
        ({"options": {"beta": [2**63]}}, "options, beta"),
        ({"options": {"beta": [1] * 1001}}, "options, beta"),
        ({"settings": {"epochs": 2**63}}, "settings, epochs"),
        ({"settings": {"hidden_sizes": [1] * 1001}}, "settings, hidden_sizes"),
        ({"task": {"env": "x", "horizon": -1}}, "task, horizon"),
        ({"task": []}, "task"),
        ({"log": {"a" * 41: {}}}, f"log, {'a' * 40}"),
        ({"log": {"a " * 30: {}}}, f"log, '{'a ' * 19}a"),
    ],
)
def test_the_first_that_is_too_much(config: dict[str, Any], part: str):
    with pytest.raises(UserError) as refusal:
        validate_config(config, Path("x"))
    assert str(refusal.value) == f"x: its {part} is not what a run writes there; restore it from a copy"


def test_scores_hold_numbers_of_any_size_and_names():
    validate_scores({"log": {"return_mean": -1e300, "return_best": math.inf, "rows": 5, "else": 2}}, Path("x"))
    validate_scores({"epochs": 2**63 - 1, "planned_epochs": 0}, Path("x"))
    with pytest.raises(UserError, match="its log, else is not"):
        validate_scores({"log": {"return_mean": 1, "return_best": 2, "else": True}}, Path("x"))


# Policies


def parts(window: int, history: int, act: int = 1) -> PolicyParts:
    layers = ((np.zeros((window, 2 * act), np.float32), np.zeros(2 * act, np.float32)),)
    return PolicyParts(layers, np.zeros(window), np.ones(window), np.zeros(act), np.ones(act), None, history)


@pytest.mark.parametrize(("window", "history"), [(1, 1), (3, 2), (1999, 1000)])
def test_histories_that_a_policy_may_have(window: int, history: int):
    """Each observation has one column here, and so has each action between two."""
    parts(window, history).check()
    assert parts(window, history).observation_size == 1


@pytest.mark.parametrize(("window", "history"), [(1, 0), (1, 2), (2001, 1001), (0, 1), (1, -1)])
def test_histories_that_suit_no_policy(window: int, history: int):
    with pytest.raises(ValueError):
        parts(window, history).check()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"history": "2" * 10}, "history '2222222222' is no number;"),
        ({"history": "x" * 50}, f"history '{'x' * 19} is no number;"),
        ({"history": ""}, "history '' is no number;"),
        ({"history": "-1"}, "history '-1' is no number;"),
        ({"history": "9" * 9}, "history 999999999"),
    ],
)
def test_a_history_that_is_no_number(tmp_path: Path, metadata: dict[str, str | None], message: str):
    rewritten(tmp_path / "x", {}, metadata)
    with pytest.raises(UserError) as refusal:
        policy_file.read(tmp_path / "x")
    assert message in str(refusal.value)


def test_no_more_than_200_letters_of_unknown_tensors_are_shown(tmp_path: Path):
    rewritten(tmp_path / "x", {"a" * 300: np.zeros(1)}, {})
    with pytest.raises(UserError) as refusal:
        policy_file.read(tmp_path / "x")
    assert f"tensors {'a' * 200} are missing or unknown" in str(refusal.value)


@pytest.mark.parametrize(("history", "version"), [(1, "1"), (2, "2")])
def test_what_a_policys_file_says_of_it(tmp_path: Path, history: int, version: str):
    wide = 5 if history == 1 else 12
    layers = [(np.zeros((wide, 4)), np.zeros(4))]
    policy = make(
        layers=layers, observation_mean=np.zeros(wide), observation_std=np.ones(wide), history=history, environment=None
    )
    policy.save(tmp_path / "x")
    metadata = read_safetensors(tmp_path / "x", 10_000)[1]
    expected = {
        "format": "micro-rl policy",
        "version": version,
        "observation_size": "5",
        "action_size": "2",
        "action_low": "[-1.0, -1.5]",
        "action_high": "[1.0, 3.5]",
    }
    assert metadata == expected | ({} if history == 1 else {"history": "2"})
    assert policy_parts.LONGEST_HISTORY == 1000
