"""Where a table in plain text begins, below what its maker wrote above it."""

from pathlib import Path

import numpy as np
import pytest

from micro_rl.data import load
from micro_rl.data.read_options import ReadOptions
from micro_rl.data.readers.heading import begins_table, line_of
from tests.data.test_loading import refused

ROWS = "0.5,0.1,1\n0.6,0.2,2\n0.7,0.3,3\n"
READING = ReadOptions(observations=("o",), actions=("a",), reward="r", horizon=3)


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (b"a,b\n1,2\n", 0),
        (b"# made by hand\na,b\n1,2\n", 1),
        (b"# made by hand\n# on Monday, at noon\na;b;c\n1;2;3\n", 2),
        (b"# a,b\n1,2\n", 0),  # as numpy.savetxt writes it
        (b"# made by hand\n# a,b\n1,2\n", 1),
        (b"#\n#\n", 2),
        (b"", 0),
    ],
)
def test_comments_stand_above_the_heading(head: bytes, line: int):
    assert line_of(head) == line


@pytest.mark.parametrize(("head", "is_one"), [(b"a;b\n", True), (b"# x, y\nplain\n", False), (b"a,\0b\n", False)])
def test_a_heading_has_columns(head: bytes, is_one: bool):
    assert begins_table(head) is is_one


def test_a_table_is_read_below_its_comments(tmp_path: Path):
    path = tmp_path / "log.csv"
    path.write_text("# Data source: https://example.org\n# second line\no,a,r\n" + ROWS)
    log = load(path, reading=READING)
    np.testing.assert_array_equal(log.rewards, [1, 2, 3])
    np.testing.assert_allclose(log.observations[:, 0], [0.5, 0.6, 0.7], rtol=1e-6)


def test_other_text_above_the_heading_is_named(tmp_path: Path):
    path = tmp_path / "log.csv"
    path.write_text("Export of Monday\no,a,r\n" + ROWS)
    refused(path, "its first line, 'Export of Monday', does not name columns", "begin those lines with #")
