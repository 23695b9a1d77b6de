"""When a row inside an episode jumps: the lengths of its columns' steps at each limit."""

from typing import Any

import numpy as np
import pytest

from micro_rl.data.checks import breaks
from tests.data.noise import log

SOME: Any = breaks.Columns(np.array([0]), np.ones(1, np.float32), np.ones(1, np.float32))


def jumping(monkeypatch: pytest.MonkeyPatch, lengths: list[float], size: float, ended: bool = False) -> bool:
    """Whether row 3 of twenty jumps, whose columns' steps are so long, and together so; all others stay in place."""
    every, sizes = np.zeros((20, len(lengths)), np.float32), np.zeros(20, np.float32)
    every[3], sizes[3] = lengths, size
    monkeypatch.setattr(breaks, "_steps", lambda *_: breaks.Steps(every, sizes))
    ends = np.zeros(20, bool)
    ends[3] = ended
    return bool(breaks._jumps(log(20), ends, SOME))


@pytest.mark.parametrize(
    ("lengths", "size", "jumps"),
    [
        ([8.1, 1.1], 3.1, True),
        ([8.1, 1.1], 3.0, False),
        ([8.0, 1.1], 3.1, False),
        ([8.1, 1.0], 3.1, False),  # alone it is a switch
        ([8.1, 0.5], 3.1, False),
        ([8.1], 3.1, True),
        ([8.0], 3.1, False),
        ([8.1, 1.5, 0.0], 3.1, True),  # the others' root mean square is 1.06
        ([8.1, 1.4, 0.0], 3.1, False),  # and here 0.99
        ([2.1, 2.1, 2.1], 2.1, False),
        ([2.1, 2.1, 2.1, 2.1], 2.1, True),
        ([2.0, 2.0, 2.0, 9.0], 2.0, False),
        ([0.0, 2.1, 2.1, 2.1, 9.0], 2.1, True),
        ([0.0, 0.0, 0.0, 7.0], 9.0, False),
    ],
)
def test_steps_that_jump(monkeypatch: pytest.MonkeyPatch, lengths: list[float], size: float, jumps: bool):
    assert jumping(monkeypatch, lengths, size) is jumps
    assert not jumping(monkeypatch, lengths, size, ended=True)


def test_what_is_said_of_one_and_of_several(monkeypatch: pytest.MonkeyPatch):
    one, several = "1 row (3) inside episodes leads much", "2 rows (3, 7) inside episodes lead much"
    for rows, words in (([3], one), ([3, 7], several)):
        steps = breaks.Steps(np.zeros((20, 1), np.float32), np.zeros(20, np.float32))
        steps.lengths[rows], steps.size[rows] = 9.0, 9.0
        monkeypatch.setattr(breaks, "_steps", lambda *_, steps=steps: steps)
        (problem,) = breaks._jumps(log(20), np.zeros(20, bool), SOME)
        assert problem.kind == "jumps" and problem.text.startswith(words)
        assert ", as row 3 does: no transition but an end that is not marked" in problem.text


def test_numbers_that_are_set_once():
    assert (breaks.SAMPLE, breaks.FEWEST, breaks.TAIL, breaks.LONG, breaks.LONGEST) == (100_000, 100, 3.0, 3.0, 8.0)
    assert (breaks.TYPICAL, breaks.SEVERAL, breaks.WRAPPED, breaks.FARTHEST) == (2.0, 4, 0.9, 10)
    assert (breaks.ENDS, breaks.UNUSUAL, breaks.MOST, breaks.AGREE) == (5, 0.95, 0.6, 0.8)
