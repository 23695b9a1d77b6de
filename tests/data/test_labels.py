"""Labels beside a log's arrays: which shapes and kinds of values are labels, and what is said of others."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.data.readers.labels import as_labels
from micro_rl.errors import UserError


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([["a"], ["b"], ["c"]]), ["a", "b", "c"]),
        (np.array([b"a", b"\xc3\xa4", b"\xff"]), ["a", "ä", "\N{REPLACEMENT CHARACTER}"]),
        (np.array([b"\xc3\xa4", "b", 3, b"\xff"], object), ["ä", "b", "3", "\N{REPLACEMENT CHARACTER}"]),
        (np.array([1, -2]), ["1", "-2"]),
        (np.array([1, 2], np.uint8), ["1", "2"]),
        (np.array([0.5]), ["0.5"]),
        (np.array([True, False]), ["True", "False"]),
    ],
)
def test_values_that_are_labels(values: np.ndarray, labels: list[str]):
    """One for each episode, where there are fewer than rows, or for each row."""
    for rows in (len(values), len(values) + 1, 1000):
        read = as_labels(Path("x"), "who", values, rows)
        assert read.tolist() == labels and read.dtype.kind == "U"


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        (np.array(["a", "b"]), 1),
        (np.array(["a"] * 300), 299),
        (np.array([], "U1"), 5),
        (np.array("a"), 5),
        (np.array([["a", "b"]]), 5),
        (np.zeros((2, 1, 2)), 5),
    ],
)
def test_shapes_that_no_labels_have(values: np.ndarray, rows: int):
    with pytest.raises(UserError) as refusal:
        as_labels(Path("x"), "who", values, rows)
    words = "store one label for each row or each episode"
    assert str(refusal.value) == f"x: group: who has shape {values.shape}: {words}"


def test_values_that_are_no_labels():
    for values in (np.array([1j]), np.array(["2020-01-01"], "datetime64[D]")):
        with pytest.raises(UserError) as refusal:
            as_labels(Path("x"), "who", values, 5)
        assert str(refusal.value) == f"x: group: who holds {values.dtype}: store texts or whole numbers"
