"""Rows come back as they went, without a line that a crash tore."""

import json
import math

import numpy as np
import pytest

from micro_rl.errors import UserError
from micro_rl.storage import jsonl


def test_rows_round_trip(tmp_path):
    path = tmp_path / "rows.jsonl"
    jsonl.append_row(path, {"epoch": 1, "loss/critic": np.float32(0.5)})
    jsonl.append_row(path, {"epoch": 2, "eval/return": -math.inf, "q": 1e300})
    assert jsonl.read_rows(path) == [
        {"epoch": 1, "loss/critic": 0.5},
        {"epoch": 2, "eval/return": -math.inf, "q": 1e300},
    ]
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize("value", [True, "high", None, [1], np.zeros(2)])
def test_a_row_holds_numbers_only(tmp_path, value):
    with pytest.raises(TypeError, match="loss"):
        jsonl.append_row(tmp_path / "rows", {"epoch": 1, "loss": value})


@pytest.mark.parametrize("tail", [b'{"epoch": 3, "lo', b"\x00\x00\x00", b'{"epoch": 3\n', b"\x00\n"])
def test_a_torn_last_row_is_left_out_and_repaired(tmp_path, tail):
    path = tmp_path / "rows.jsonl"
    for epoch in (1, 2):
        jsonl.append_row(path, {"epoch": epoch})
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert jsonl.read_rows(path) == [{"epoch": 1}, {"epoch": 2}]
    jsonl.rewind_rows(path, 9)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["", "3", '{"epoch": "x"}', '{"epoch": null}', "{"])
def test_a_damaged_row_in_the_middle_is_named(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"epoch": 1}}\n{line}\n{{"epoch": 3}}\n')
    with pytest.raises(UserError, match="line 2"):
        jsonl.read_rows(path)
