"""Run folders from a stranger, their checksums made to match: nothing but our own errors comes out of them."""

import json
import os
import random
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from micro_rl.cli import main as cli
from micro_rl.dynamics.saved_model import LARGEST, load_model
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.reports.run import page, record
from micro_rl.storage.arrays import write_arrays
from micro_rl.storage.files import sha256
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.run_index import runs_below

HONEST = Path(__file__).parent / "fixtures" / "run-format-2"
SEALED = ["config.json", "scores.json", "metrics.jsonl", "processes.jsonl"]
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, 10**30, 1e308, "", "NaN", "Infinity", "../..", "{{ 7 * 7 }}", "<script>"),
    *("[red]", "os:Pendulum-v1", [], {}, [[]], [None], {"": {}}, "x" * 5000),
)


def fuzzed(rng: random.Random, value: Any) -> Any:
    """A JSON value with something odd somewhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        changed, name = dict(value), rng.choice(list(value))
        kept = changed.pop(name)
        if rng.random() < 0.8:
            changed[name if rng.random() < 0.9 else rng.choice(("", "..", "format"))] = fuzzed(rng, kept)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.5:
        return [*value[:-1], fuzzed(rng, value[-1])]
    return rng.choice(ODD)


def resealed(folder: Path) -> None:
    """The seal vouches for what is there now."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        if (folder / name).is_file():
            manifest["files"][name] = {"sha256": sha256(folder / name)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def survives(what: Callable[[], Any], content: str) -> None:
    try:
        what()
    except UserError as error:
        assert "\n" not in str(error), content
    except Exception:
        pytest.fail(f"{content}\n{traceback.format_exc()}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HONEST, tmp_path / "run"))


@pytest.mark.parametrize("name", [*SEALED, "manifest.json", "fit.jsonl"])
def test_fuzzed_files_of_a_run_raise_nothing_but_our_errors(folder: Path, name: str):
    rng, lines = random.Random(name), (folder / name).read_text()
    for number in range(15):
        if name.endswith("l"):
            rows = [json.loads(line) for line in lines.splitlines()]
            rows[-1] = fuzzed(rng, rows[-1])
            content = "".join(json.dumps(row) + "\n" for row in rows)
        else:
            content = json.dumps(fuzzed(rng, json.loads(lines)))
        (folder / name).write_text(content)
        if name != "manifest.json":
            resealed(folder)
        case = f"{name} {number}: {content[:3000]}"
        survives(lambda: runs_below(folder), case)
        survives(lambda: RunFolder.open(folder).verify(), case)
        survives(lambda: RunFolder.open(folder).task(), case)
        survives(lambda: RunFolder.open(folder).processes(), case)
        survives(lambda: record.read(folder), case)


@pytest.mark.parametrize("name", ["config.json", "scores.json"])
def test_the_page_of_a_fuzzed_run(folder: Path, name: str):
    rng, honest = random.Random(name), (folder / name).read_text()
    drawn = 0
    while drawn < 2:
        (folder / name).write_text(json.dumps(fuzzed(rng, json.loads(honest))))
        resealed(folder)
        try:
            run = record.read(folder)
        except UserError:
            continue
        text = page.render(run)
        assert "<script>" not in text
        drawn += 1


def test_evaluate_answers_in_one_line(folder: Path, capsys):
    config = json.loads((folder / "config.json").read_text())
    for task in ({}, {"env": 5}, config["task"] | {"horizon": -1}, config["task"] | {"env": "os:x"}, [1], None):
        (folder / "config.json").write_text(json.dumps(config | {"task": task}))
        resealed(folder)
        assert cli.run(["evaluate", str(folder)]) == 2
        message = capsys.readouterr().err
        assert message.startswith("micro-rl: ") and message.count("\n") == 1


def test_report_writes_the_page_anew_from_files_that_it_checks(folder: Path, capsys):
    (folder / "report.html").unlink(missing_ok=True)
    resealed(folder)
    assert cli.run(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"page    {folder / 'report.html'}\n"
    RunFolder.open(folder).verify()
    (folder / "metrics.jsonl").write_text("")
    assert cli.run(["report", str(folder)]) == 2
    assert "metrics.jsonl: is not the file this run wrote" in capsys.readouterr().err


def test_a_seal_that_vouches_for_nothing_is_none(folder: Path):
    (folder / "manifest.json").write_text('{"format": 2, "files": {}}')
    with pytest.raises(UserError, match=r"manifest\.json: does not list config\.json"):
        RunFolder.open(folder).verify()


@pytest.mark.parametrize("name", [*SEALED, "policy.safetensors"])
def test_a_changed_file_is_not_the_one_the_run_wrote(folder: Path, name: str):
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 4
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        RunFolder.open(folder).verify()


# Models


def remade(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The model's own description changed, its checksums true."""
    path = folder / "model" / "ensemble.json"
    about = json.loads(path.read_text())
    change(about)
    path.write_text(json.dumps(about))
    manifest = json.loads((folder / "model" / "manifest.json").read_text())
    for file in manifest["files"]:
        manifest["files"][file] = {
            "bytes": (folder / "model" / file).stat().st_size,
            "sha256": sha256(folder / "model" / file),
        }
    (folder / "model" / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "shape",
    [
        {"obs": 10**12}, {"act": -1}, {"members": 2**62}, {"members": True}, {"hidden": [10**9]}, {"hidden": "ab"},
        {"hidden": [4] * 101}, {"hidden": None}, {"hidden": []}, {"more": 1}, {"obs": LARGEST["obs"]},
        {name: LARGEST[name] for name in ("obs", "act", "members")} | {"hidden": [LARGEST["hidden"]] * 50},
    ],
)  # fmt: skip
def test_a_model_that_declares_other_sizes_costs_no_memory(folder: Path, shape: dict[str, Any]):
    remade(folder, lambda about: about["shape"].update(shape))
    with pytest.raises(UserError, match="model"):
        load_model(folder / "model")


def test_fuzzed_models_raise_nothing_but_our_errors(folder: Path):
    rng, honest = random.Random(0), (folder / "model" / "ensemble.json").read_text()
    for number in range(30):
        (folder / "model" / "ensemble.json").write_text(honest)

        def change(about: dict[str, Any]) -> None:
            name = rng.choice(list(about))
            about[name] = fuzzed(rng, about[name])

        remade(folder, change)
        survives(lambda: load_model(folder / "model"), f"{number}")


def test_a_model_with_other_arrays_than_it_declares(folder: Path):
    about = json.loads((folder / "model" / "ensemble.json").read_text())
    write_arrays(folder / "model", "ensemble", {"x": np.zeros(3, np.float32)}, about)
    with pytest.raises(UserError, match="is missing"):
        load_model(folder / "model")


# Policies


@pytest.mark.parametrize(
    "content",
    [
        (100 << 20).to_bytes(8, "little") + b" " * 200,
        (2**63).to_bytes(8, "little"),
        b"PK\x03\x04" + bytes(60),
        b"\x80\x04\x95" + bytes(60),
        b"",
    ],
)
def test_a_policy_file_that_is_something_else(tmp_path: Path, content: bytes):
    (tmp_path / "policy.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"policy\.safetensors"):
        Policy.load(tmp_path / "policy.safetensors")


def test_a_policy_file_with_a_header_of_a_hundred_megabytes_is_not_parsed(tmp_path: Path):
    path = tmp_path / "policy.safetensors"
    with open(path, "wb") as file:
        file.write((99 << 20).to_bytes(8, "little"))
        file.truncate((99 << 20) + 8)
    with pytest.raises(UserError, match="does not begin like"):
        Policy.load(path)


def test_a_policy_file_that_is_a_pipe_does_not_block(tmp_path: Path):

    os.mkfifo(tmp_path / "policy.safetensors")
    with pytest.raises(UserError, match="not an ordinary file"):
        Policy.load(tmp_path / "policy.safetensors")


def test_a_policy_with_tensors_of_another_kind(tmp_path: Path):
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "policy.safetensors")
    with pytest.raises(UserError, match=r"policy\.safetensors"):
        Policy.load(tmp_path / "policy.safetensors")
