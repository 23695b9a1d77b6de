"""Reading takes no more than twice the memory of the arrays; beside that, what the libraries hold of their own."""

import pytest

from benchmarks.reading import WRITERS, measure

ROWS = 1_000_000
LIBRARIES = 64 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("kind", WRITERS)
def test_twice_the_arrays_are_enough(kind):
    one = measure(kind, ROWS)
    assert one.peak < 2 * one.arrays + LIBRARIES
