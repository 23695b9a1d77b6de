"""Files, lines of JSON and mirrors of rows, exactly: words of errors, order of rows, what is written when."""

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.storage import files, jsonl, metrics_log, tensorboard_log
from micro_rl.storage.files import CannotWrite, append_file, reading, remove, replacing, saving, sha256, write_file
from micro_rl.storage.json_files import json_bytes, json_line
from micro_rl.storage.jsonl import RowFile, append_row, read_rows, rewind_rows
from micro_rl.storage.metrics_log import CsvFile
from micro_rl.storage.run_folder import RunFolder

# Files


def test_what_json_looks_like():
    assert json_bytes({"a": [1, True], "b": None}) == b'{\n  "a": [\n    1,\n    true\n  ],\n  "b": null\n}\n'
    assert json_line({"a": -math.inf, "b": math.inf, "c": math.nan, "d": "NaN"}) == (
        b'{"a": "-Infinity", "b": "Infinity", "c": "NaN", "d": "text:NaN"}\n'
    )


def test_a_file_that_is_written_says_its_size_and_sum(tmp_path: Path):
    entry = write_file(tmp_path / "x", [b"ab", b"", b"c"])
    assert (tmp_path / "x").read_bytes() == b"abc"
    assert entry == {"bytes": 3, "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
    assert files.sha256(tmp_path / "x") == entry["sha256"] and files.regular_size(tmp_path / "x") == 3


def test_the_disks_words_stand_in_the_error(tmp_path: Path):
    for error, reason in ((OSError(28, "No space left on device"), "No space left on device"), (OSError("x"), "x")):
        with pytest.raises(CannotWrite) as refusal, saving(tmp_path / "a"):
            raise error
        assert str(refusal.value) == (
            f"{tmp_path / 'a'}: cannot be written ({reason}); free the disk or choose another folder"
        )
        with pytest.raises(UserError) as refused, reading(tmp_path / "a"):
            raise error
        assert str(refused.value) == f"{tmp_path / 'a'}: cannot be read ({reason}); check the path"


def test_what_is_removed(tmp_path: Path):
    folder, link = tmp_path / "folder", tmp_path / "link"
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file").touch()
    link.symlink_to(folder)
    remove(link)
    assert not link.is_symlink() and (folder / "below" / "file").exists(), "a link goes, not where it leads"
    remove(folder)
    remove(folder)
    assert os.listdir(tmp_path) == []


def test_another_librarys_file_takes_the_place_when_it_is_whole(tmp_path: Path):
    path = tmp_path / "below" / "x"
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert temporary.parent == path.parent and not path.exists()
    assert path.read_bytes() == b"new"
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"new" and os.listdir(path.parent) == ["x"]
    with pytest.raises(CannotWrite, match="x: cannot be written"), replacing(path):
        pass  # nothing was written


def test_a_line_that_is_cut_short_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    append_file(tmp_path / "x", b"one\n")
    append_file(tmp_path / "x", b"two\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(CannotWrite, match="Input/output error"):
            append_file(tmp_path / "x", b"three\n")
    assert (tmp_path / "x").read_bytes() == b"one\ntwo\n"


# Rows


def test_rows_up_to_an_epoch_stay_and_those_that_were_refused_are_added_once(tmp_path: Path):
    path = tmp_path / "rows"
    rewind_rows(path, 5)
    assert not path.exists()
    for epoch in (1, 2, 3):
        append_row(path, {"epoch": epoch, "x": 0.5})
    rewind_rows(path, 2, [{"epoch": 2, "x": 9}, {"epoch": 7, "x": 1}])
    assert read_rows(path) == [{"epoch": 1, "x": 0.5}, {"epoch": 2, "x": 0.5}, {"epoch": 7, "x": 1}]
    rewind_rows(path, -1)
    assert path.read_bytes() == b""
    append_row(path, {"x": 1})  # without an epoch: from before the first
    rewind_rows(path, 0)
    assert read_rows(path) == [{"x": 1}]
    rewind_rows(path, -1)
    assert read_rows(path) == []
    rewind_rows(tmp_path / "new", 0, [{"epoch": 1}])
    assert read_rows(tmp_path / "new") == [{"epoch": 1}]


def test_rows_wait_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wrote: list[Any] = []
    rows = RowFile(tmp_path / "rows", wrote.append)

    def refuse(path: Any, row: Any) -> None:
        raise CannotWrite("full")

    with monkeypatch.context() as patch:
        patch.setattr(jsonl, "append_row", refuse)
        for epoch in (1, 2):
            with pytest.raises(CannotWrite):
                rows.append({"epoch": np.int64(epoch)})
    assert rows.waiting == [{"epoch": 1}, {"epoch": 2}] and wrote == []
    rows.append({"epoch": 3})
    assert wrote == read_rows(tmp_path / "rows") == [{"epoch": 1}, {"epoch": 2}, {"epoch": 3}] and rows.waiting == []


@pytest.mark.parametrize("line", ['{"epoch": 1, "x": true}', '{"epoch": "NaN", "x": "a"}'])
def test_what_is_no_number_is_named_with_its_line(tmp_path: Path, line: str):
    path = tmp_path / "rows"
    path.write_text(f"{line}\n" + '{"epoch": 2}\n')
    with pytest.raises(UserError) as refusal:
        read_rows(path)
    assert str(refusal.value) == f"{path}, line 1: x is not a number; delete the line"


def test_a_row_of_a_run_needs_its_epoch(tmp_path: Path):
    run = RunFolder.create(tmp_path / "run", {})
    (run.path / "metrics.jsonl").write_text('{"epoch": 1}\n{"x": 1}\n{"epoch": 3}\n')
    with pytest.raises(UserError, match=r"metrics.jsonl, line 2: has no epoch; delete the line"):
        run.metrics()


def test_processes_are_read_without_lines_that_are_none(tmp_path: Path):
    run = RunFolder.create(tmp_path / "run", {})
    assert run.processes() == []
    run.append_process({"command": "a"})
    append_file(run.path / "processes.jsonl", b"{\n")
    run.append_process({"command": "b"})
    append_file(run.path / "processes.jsonl", b'{"command"')
    assert run.processes() == [{"command": "a"}, {"command": "b"}]


def test_the_process_after_one_that_was_killed_as_it_wrote_its_line_is_recorded(tmp_path: Path):
    """A seal from before vouches for how the file begins."""
    run = RunFolder.create(tmp_path / "run", {})
    run.append_process({"command": "a"})
    before = sha256(run.path / "processes.jsonl")
    append_file(run.path / "processes.jsonl", b'{"began": "2026')
    for command in ("b", "c"):
        run.append_process({"command": command})
    assert run.processes() == [{"command": "a"}, {"command": "b"}, {"command": "c"}]
    assert before in jsonl.digests_by_line(run.path / "processes.jsonl")


# Mirrors of the rows


def test_a_table_is_appended_to_until_a_number_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[str] = []
    for name in ("replace_file", "append_file"):
        true = getattr(metrics_log, name)
        monkeypatch.setattr(metrics_log, name, lambda *a, name=name, true=true: calls.append(name) or true(*a))
    mirror = CsvFile(tmp_path / "x.csv")
    rows: list[jsonl.Row] = [{"epoch": 1}]
    mirror.update([])
    assert (tmp_path / "x.csv").read_text() == ""
    later: list[jsonl.Row] = [{"epoch": 2}, {"epoch": 3, "x": 0.5}, {"x": 1.5, "epoch": 4}]
    for row in later:
        mirror.update(rows)
        rows.append(row)
    mirror.update(rows)
    mirror.update(rows)
    assert calls == ["replace_file", "replace_file", "append_file", "replace_file", "append_file"]
    assert (tmp_path / "x.csv").read_text() == "epoch,x\n1,\n2,\n3,0.5\n4,1.5\n"


def test_events_come_after_those_of_a_clock_that_ran_ahead(tmp_path: Path):
    (tmp_path / "events.out.tfevents.4000000000.micro_rl").write_bytes(b"x")
    (tmp_path / "events.out.tfevents.other.micro_rl").write_bytes(b"")
    mirror = tensorboard_log.TensorBoardFile(tmp_path)
    mirror.update([{"epoch": 1, "x": 2.0}])
    sizes = {path.name.split(".")[3]: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"4000000000", "4000000001"}, "an empty one goes, one with events is emptied"
    assert sizes["4000000000"] == 0 < sizes["4000000001"]
    before = sizes["4000000001"]
    mirror.update([{"epoch": 1, "x": 2.0}])
    assert (tmp_path / "events.out.tfevents.4000000001.micro_rl").stat().st_size == before
    now = tensorboard_log.TensorBoardFile(tmp_path / "none")._path.name
    assert abs(int(now.split(".")[3]) - time.time()) < 60


def test_numbers_past_single_precision_are_infinite():
    event = tensorboard_log._library().Event()
    record = tensorboard_log._scalars(1.5, {"epoch": 7.0, "x": -1e300, "y": 0.1})
    event.ParseFromString(record[12:-4])
    assert int.from_bytes(record[:8], "little") == len(record) - 16
    assert (event.step, event.wall_time) == (7, 1.5)
    values = {value.tag: value.simple_value for value in event.summary.value}
    assert values == {"x": -math.inf, "y": float(np.float32(0.1))}
